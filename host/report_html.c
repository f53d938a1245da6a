#include "report_html.h"

#include <math.h>

const char lp_html_style[] =
    "body{font:16px/1.5 system-ui,sans-serif;color:#1d2430;background:#fff;margin:0}\n"
    "main{max-width:1180px;margin:0 auto;padding:20px 16px 48px}\n"
    "h1{font-size:1.6em;margin:.2em 0}h2{font-size:1.2em;margin:1.8em 0 .5em}\n"
    ".sub{color:#566074;overflow-wrap:anywhere;margin:.2em 0}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(125px,1fr));gap:10px;"
    "margin:18px 0}\n"
    ".tiles div{border:1px solid #d9dee7;border-radius:8px;padding:8px 12px}\n"
    ".tiles b{display:block;font-size:1.55em;line-height:1.3}.tiles span{color:#566074;"
    "font-size:.88em}\n"
    /* A shadow on the right says that there is more to scroll to; the names stay. */
    ".wide{overflow-x:auto;background:linear-gradient(270deg,#fff 40px,#fff0) 100% 0 local,"
    "radial-gradient(farthest-side at 100% 50%,#1d243059,#0000) 100% 0;"
    "background-size:60px 100%,16px 100%;background-repeat:no-repeat}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:4px 11px;text-align:right;border-bottom:1px solid #e4e8ef;white-space:nowrap}\n"
    "th{color:#566074;font-weight:600}th:first-child,td:first-child{text-align:left;"
    "padding-left:0}th:first-child{white-space:normal}\n"
    "td:first-child{max-width:230px;overflow:hidden;text-overflow:ellipsis}\n"
    "th:first-child,td:first-child{position:sticky;left:0;background:#fff}\n"
    ".names td:first-child{max-width:none}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));"
    "gap:22px}\n"
    "figure{margin:0}figcaption{font-weight:600;overflow-wrap:anywhere}\n"
    ".plot>svg{width:100%;height:auto;font-size:14px}.plot text{fill:#3c4658}\n"
    ".mark{fill:none;stroke:#111;stroke-width:1.5;stroke-dasharray:3 3}\n"
    ".grid{stroke:#e4e8ef}.tick{stroke:#8b95a7}.line{fill:none;stroke-width:2.5}\n"
    ".legend{margin:2px 0;display:flex;flex-wrap:wrap;gap:2px 18px}\n"
    ".key{width:24px;height:12px;margin-right:6px;stroke-width:2.5}\n"
    ".pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));"
    "gap:20px}\n"
    ".pictures img{width:100%;height:auto;display:block;border:1px solid #d9dee7}\n"
    ".warn{background:#fff4e0;border:1px solid #e8c27a;border-radius:8px;padding:8px 12px;"
    "overflow-wrap:anywhere}\n"
    ".good{background:#eef5ee;border:1px solid #b9d7bb;border-radius:8px;padding:8px 12px}\n"
    "dt{font-weight:600}dd{margin:0 0 .5em}\n"
    "@media(max-width:600px){table{font-size:.88em}th,td{padding:4px 6px}"
    "td:first-child{max-width:180px}.names td:first-child{max-width:9em;white-space:normal}}\n";

void lp_html_td(FILE *f, double v)
{
    if (isnan(v))
        fputs("<td>&ndash;", f);
    else
        fprintf(f, "<td>%.3f", v);
}

void lp_html_tile(FILE *f, const char *name, double v)
{
    if (isnan(v))
        fprintf(f, "<div><b>&ndash;</b><span>%s</span></div>", name);
    else
        fprintf(f, "<div><b>%.3f</b><span>%s</span></div>", v, name);
}

void lp_html_png(FILE *f, const char *alt, const uint8_t *png, size_t n)
{
    fputs("<img alt=\"", f);
    lp_html_text(f, alt);
    fputs("\" src=\"data:image/png;base64,", f);
    lp_html_base64(f, png, n);
    fputs("\">", f);
}
