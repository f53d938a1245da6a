#include "write_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "report_picture.h"
#include "report_plot.h"

#define PICTURE_SIDE 640
#define MAX_WORST 100
#define N_BINS 18

static const char *const precision_colour = "#1f6fb2", *const recall_colour = "#c8501e",
                         *const f1_colour = "#6a51a3", *const ap_colour = "#222222";
static const char *const found_colour = "#1b9e57", *const missed_colour = "#3388ff",
                         *const false_colour = "#e03131";

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;color:#1d2430;background:#fff;margin:0}\n"
    "main{max-width:1180px;margin:0 auto;padding:20px 16px 48px}\n"
    "h1{font-size:1.6em;margin:.2em 0}h2{font-size:1.2em;margin:1.8em 0 .5em}\n"
    ".sub{color:#566074;overflow-wrap:anywhere;margin:.2em 0}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(125px,1fr));gap:10px;"
    "margin:18px 0}\n"
    ".tiles div{border:1px solid #d9dee7;border-radius:8px;padding:8px 12px}\n"
    ".tiles b{display:block;font-size:1.55em;line-height:1.3}.tiles span{color:#566074;"
    "font-size:.88em}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:4px 11px;text-align:right;border-bottom:1px solid #e4e8ef;white-space:nowrap}\n"
    "th{color:#566074;font-weight:600}th:first-child,td:first-child{text-align:left;"
    "padding-left:0}\n"
    "td:first-child{max-width:230px;overflow:hidden;text-overflow:ellipsis}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));"
    "gap:22px}\n"
    "figure{margin:0}figcaption{font-weight:600;overflow-wrap:anywhere}\n"
    ".plot>svg{width:100%;height:auto;font-size:14px}.plot text{fill:#3c4658}\n"
    ".grid{stroke:#e4e8ef}.tick{stroke:#8b95a7}.line{fill:none;stroke-width:2.5}\n"
    ".legend{margin:2px 0;display:flex;flex-wrap:wrap;gap:2px 18px}\n"
    ".key{width:24px;height:12px;margin-right:6px;stroke-width:2.5}\n"
    ".pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));"
    "gap:20px}\n"
    ".pictures img{width:100%;height:auto;display:block;border:1px solid #d9dee7}\n"
    ".warn{background:#fff4e0;border:1px solid #e8c27a;border-radius:8px;padding:8px 12px;"
    "overflow-wrap:anywhere}\n"
    "dt{font-weight:600}dd{margin:0 0 .5em}\n"
    "@media(max-width:600px){table{font-size:.88em}th,td{padding:4px 6px}}\n";

static void text(FILE *f, const char *s)
{
    for (; *s; s++) switch (*s) {
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '&':
            fputs("&amp;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        default:
            fputc((unsigned char)*s < 32 ? '?' : *s, f);
        }
}

static void td(FILE *f, double v)
{
    if (isnan(v))
        fputs("<td>&ndash;", f);
    else
        fprintf(f, "<td>%.3f", v);
}

static void tile(FILE *f, const char *name, double v)
{
    if (isnan(v))
        fprintf(f, "<div><b>&ndash;</b><span>%s</span></div>", name);
    else
        fprintf(f, "<div><b>%.3f</b><span>%s</span></div>", v, name);
}

static void head(FILE *f, const lp_eval_set *s, const char *truth, const char *pred)
{
    const lp_eval_scores *p = &s->pooled;
    int i, done = s->n - s->n_failed;

    fprintf(f,
            "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
            "content=\"width=device-width,initial-scale=1\"><title>lipopose evaluation</title>"
            "<link rel=icon href=\"data:,\"><style>\n%s</style></head><body><main>\n"
            "<h1>Evaluation of predicted particles</h1>\n<p class=sub>",
            style);
    text(f, pred);
    fputs(" against ", f);
    text(f, truth);
    fprintf(f, "</p>\n<p class=sub>%d image%s &middot; %lld true particles &middot; %lld predicted",
            done, done == 1 ? "" : "s", (long long)s->sum.n_true, (long long)s->sum.n_pred);
    fprintf(f, " &middot; lipopose %s</p>\n", lp_version());
    if (s->n_missing)
        fprintf(f, "<p class=warn>%d image%s without prediction counted as empty.</p>\n",
                s->n_missing, s->n_missing == 1 ? "" : "s");
    for (i = 0; i < s->n; i++) {
        if (!s->item[i].failed.status) continue;
        fputs("<p class=warn>Left out: ", f);
        text(f, s->item[i].failed.msg);
        fputs("</p>\n", f);
    }
    fputs("<div class=tiles>", f);
    tile(f, "precision, IoU 0.5", p->precision[LP_EVAL_50]);
    tile(f, "recall, IoU 0.5", p->recall[LP_EVAL_50]);
    tile(f, "F1, IoU 0.5", p->f1[LP_EVAL_50]);
    tile(f, "AP, IoU 0.5", p->ap[LP_EVAL_50]);
    tile(f, "AP, IoU 0.5&ndash;0.95", p->ap_mean);
    tile(f, "boundary F", p->boundary_f);
    fputs("</div>\n", f);
}

static void overall(FILE *f, const lp_eval_set *s)
{
    static const struct {
        const char *name;
        size_t at;
    } row[] = {{"precision, IoU 0.5", offsetof(lp_eval_scores, precision[LP_EVAL_50])},
               {"recall, IoU 0.5", offsetof(lp_eval_scores, recall[LP_EVAL_50])},
               {"F1, IoU 0.5", offsetof(lp_eval_scores, f1[LP_EVAL_50])},
               {"AP, IoU 0.5", offsetof(lp_eval_scores, ap[LP_EVAL_50])},
               {"AP, IoU 0.75", offsetof(lp_eval_scores, ap[LP_EVAL_75])},
               {"AP, IoU 0.9", offsetof(lp_eval_scores, ap[LP_EVAL_90])},
               {"AP, IoU 0.5&ndash;0.95", offsetof(lp_eval_scores, ap_mean)},
               {"precision, centre inside", offsetof(lp_eval_scores, centre_precision)},
               {"recall, centre inside", offsetof(lp_eval_scores, centre_recall)},
               {"matched IoU", offsetof(lp_eval_scores, mean_iou)},
               {"panoptic quality", offsetof(lp_eval_scores, pq)},
               {"aggregated Jaccard", offsetof(lp_eval_scores, aji)},
               {"boundary precision", offsetof(lp_eval_scores, boundary_precision)},
               {"boundary recall", offsetof(lp_eval_scores, boundary_recall)},
               {"boundary F", offsetof(lp_eval_scores, boundary_f)}};
    int means = s->n - s->n_failed > 1;
    size_t i;

    fprintf(f, "<h2>Overall</h2><div class=wide><table><tr><th><th>all<br>particles%s\n",
            means ? "<th>mean over<br>images" : "");
    for (i = 0; i < sizeof row / sizeof *row; i++) {
        fprintf(f, "<tr><td>%s", row[i].name);
        td(f, *(const double *)((const char *)&s->pooled + row[i].at));
        if (means) td(f, *(const double *)((const char *)&s->mean + row[i].at));
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

static void iou_plot(FILE *f, const lp_eval_scores *s)
{
    lp_plot_series l[4] = {{"precision", precision_colour, "", s->precision},
                           {"recall", recall_colour, "8 3", s->recall},
                           {"F1", f1_colour, "2 3", s->f1},
                           {"AP", ap_colour, "12 3 3 3", s->ap}};
    double x[LP_EVAL_NTH];
    int k;

    for (k = 0; k < LP_EVAL_NTH; k++) x[k] = LP_EVAL_TH(k);
    lp_plot_lines(f, "Scores against IoU threshold", "IoU threshold", x, LP_EVAL_NTH, l, 4);
}

/* Bin of a diameter among N_BINS between lo and hi, in equal steps of the logarithm. */
static int bin_of(int64_t area, double lo, double hi)
{
    double d = lp_eval_diameter(area);
    int b = (int)floor(log(d / lo) / log(hi / lo) * N_BINS);

    return b < 0 ? 0 : b >= N_BINS ? N_BINS - 1 : b;
}

static void size_range(const lp_eval_set *s, double *lo, double *hi)
{
    int64_t least = INT64_MAX, most = 1;
    int i;
    int32_t k;

    for (i = 0; i < s->n; i++) {
        const lp_eval_overlap *o = &s->item[i].o;

        for (k = 0; k < o->nt + o->np; k++) {
            int64_t a = k < o->nt ? o->true_area[k] : o->pred_area[k - o->nt];

            if (a < least) least = a;
            if (a > most) most = a;
        }
    }
    *lo = lp_eval_diameter(least < most ? least : most);
    *hi = fmax(lp_eval_diameter(most), *lo * 1.5);
}

static void size_plot(FILE *f, const lp_eval_set *s)
{
    double found[N_BINS] = {0}, missed[N_BINS] = {0}, wrong[N_BINS] = {0}, edge[N_BINS + 1], lo, hi;
    lp_plot_series l[3] = {{"found", found_colour, "", found},
                           {"missed", missed_colour, "", missed},
                           {"false (by predicted size)", false_colour, "", wrong}};
    int i;
    int32_t k;

    size_range(s, &lo, &hi);
    for (i = 0; i <= N_BINS; i++) edge[i] = lo * pow(hi / lo, (double)i / N_BINS);
    for (i = 0; i < s->n; i++) {
        const lp_eval_result *r = &s->item[i];

        if (r->failed.status) continue;
        for (k = 0; k < r->o.np; k++) wrong[bin_of(r->o.pred_area[k], lo, hi)]++;
        for (k = 0; k < r->o.nt; k++) {
            int b = bin_of(r->o.true_area[k], lo, hi);

            if (r->pred_of[k] < 0) {
                missed[b]++;
                continue;
            }
            found[b]++;
            wrong[bin_of(r->o.pred_area[r->pred_of[k]], lo, hi)]--;
        }
    }
    lp_plot_bars(f, "Particles by size (IoU 0.5)", "diameter, px (logarithmic)", edge, N_BINS, l,
                 3);
}

static void support_plot(FILE *f, const lp_eval_set *s)
{
    double x[LP_EVAL_MAX_POINTS], v[3][LP_EVAL_MAX_POINTS];
    lp_plot_series l[3] = {{"precision", precision_colour, "", v[0]},
                           {"recall", recall_colour, "8 3", v[1]},
                           {"AP", ap_colour, "12 3 3 3", v[2]}};
    int i;

    for (i = 0; i < s->n_curve; i++) {
        const lp_eval_point *p = &s->curve[i];
        double tp = (double)p->tp[0], all = (double)(p->n_true + p->n_pred);

        x[i] = p->threshold;
        v[0][i] = p->n_pred ? tp / (double)p->n_pred : NAN;
        v[1][i] = p->n_true ? tp / (double)p->n_true : NAN;
        v[2][i] = tp / (all - tp);
    }
    lp_plot_lines(f, "Scores against threshold on support (IoU 0.5)",
                  "threshold: particles with at least this support", x, s->n_curve, l, 3);
}

static void classes(FILE *f, const lp_eval_set *s)
{
    int i;

    fputs("<h2>By size, IoU 0.5</h2><div class=wide><table><tr><th>diameter, px<th>true<th>found"
          "<th>recall<th>predicted<th>right<th>precision\n",
          f);
    for (i = 0; i < s->n_cls; i++) {
        const lp_eval_class *c = &s->cls[i];

        if (isfinite(c->max))
            fprintf(f, "<tr><td>%g &ndash; %g", c->min, c->max);
        else
            fprintf(f, "<tr><td>%g and more", c->min);
        fprintf(f, "<td>%lld<td>%lld", (long long)c->n_true, (long long)c->n_found);
        td(f, c->n_true ? (double)c->n_found / (double)c->n_true : NAN);
        fprintf(f, "<td>%lld<td>%lld", (long long)c->n_pred, (long long)c->n_right);
        td(f, c->n_pred ? (double)c->n_right / (double)c->n_pred : NAN);
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

static void base64(FILE *f, const uint8_t *b, size_t n)
{
    static const char c[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i;

    for (i = 0; i < n; i += 3) {
        unsigned v =
            (unsigned)b[i] << 16 | (i + 1 < n ? b[i + 1] : 0u) << 8 | (i + 2 < n ? b[i + 2] : 0u);

        fputc(c[v >> 18], f);
        fputc(c[v >> 12 & 63], f);
        fputc(i + 1 < n ? c[v >> 6 & 63] : '=', f);
        fputc(i + 2 < n ? c[v & 63] : '=', f);
    }
}

static void picture(FILE *f, const lp_eval_result *r)
{
    int64_t tp = r->c.tp[LP_EVAL_50];
    uint8_t *png = NULL;
    size_t n = 0;
    int on_image = 0;
    lp_err why;

    fputs("<figure>", f);
    if (lp_report_picture(r, PICTURE_SIDE, &png, &n, &on_image, &why)) {
        fputs("<p class=warn>", f);
        text(f, why.msg);
        fputs("</p>", f);
    } else {
        fputs("<img alt=\"outlines of ", f);
        text(f, r->file->name);
        fputs("\" src=\"data:image/png;base64,", f);
        base64(f, png, n);
        fputs("\">", f);
    }
    free(png);
    fputs("<figcaption>", f);
    text(f, r->file->name);
    fprintf(f, "</figcaption><p class=sub>AP %.3f: %lld found, %lld false, %lld missed%s</p>",
            r->s.ap[LP_EVAL_50], (long long)tp, (long long)(r->c.n_pred - tp),
            (long long)(r->c.n_true - tp),
            r->file->image && !on_image ? "; micrograph unreadable or of another size" : "");
    fputs("</figure>\n", f);
}

static void worst_images(FILE *f, const lp_eval_set *s, int worst)
{
    int rank[MAX_WORST], n = lp_eval_worst(s, rank, worst < MAX_WORST ? worst : MAX_WORST), i;
    static const lp_plot_series key[3] = {{"found", "#00c853", "", NULL},
                                          {"false", "#ff3030", "", NULL},
                                          {"missed", "#3388ff", "", NULL}};

    if (!n) return;
    fprintf(f, "<h2>The %d worst image%s by AP at IoU 0.5</h2><p class=legend>", n,
            n == 1 ? "" : "s");
    for (i = 0; i < 3; i++)
        fprintf(f,
                "<span><svg class=key viewBox=\"0 0 24 12\"><rect width=24 height=12 "
                "fill=\"%s\" /></svg>%s</span> ",
                key[i].colour, key[i].name);
    fputs("</p><div class=pictures>\n", f);
    for (i = 0; i < n; i++) picture(f, &s->item[rank[i]]);
    fputs("</div>\n", f);
}

static void all_images(FILE *f, const lp_eval_set *s)
{
    int i;

    fputs("<h2>All images</h2><div class=wide><table><tr><th>image<th>TP<th>FP<th>FN<th>precision"
          "<th>recall<th>F1<th>AP 0.5<th>AP 0.75<th>AP 0.9<th>AP 0.5&ndash;0.95<th>boundary F\n",
          f);
    for (i = 0; i < s->n; i++) {
        const lp_eval_result *r = &s->item[i];
        int64_t tp = r->c.tp[LP_EVAL_50];

        if (r->failed.status) continue;
        fputs("<tr><td title=\"", f);
        text(f, r->file->name);
        fputs("\">", f);
        text(f, r->file->name);
        fprintf(f, "<td>%lld<td>%lld<td>%lld", (long long)tp, (long long)(r->c.n_pred - tp),
                (long long)(r->c.n_true - tp));
        td(f, r->s.precision[LP_EVAL_50]);
        td(f, r->s.recall[LP_EVAL_50]);
        td(f, r->s.f1[LP_EVAL_50]);
        td(f, r->s.ap[LP_EVAL_50]);
        td(f, r->s.ap[LP_EVAL_75]);
        td(f, r->s.ap[LP_EVAL_90]);
        td(f, r->s.ap_mean);
        td(f, r->s.boundary_f);
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

static void notes(FILE *f, const lp_eval_options *opt)
{
    fprintf(
        f,
        "<h2>What the numbers mean</h2><dl>"
        "<dt>Matching</dt><dd>One-to-one, as many pairs as possible with an intersection over "
        "union (IoU) of at least the threshold. A pair is a true positive (TP), what is left of "
        "the prediction false (FP), what is left of the truth missed (FN).</dd>"
        "<dt>AP</dt><dd>TP / (TP + FP + FN), as Cellpose's average precision; 0.5&ndash;0.95 is "
        "the "
        "mean over ten thresholds.</dd>"
        "<dt>All particles together, mean over images</dt><dd>The first adds up the counts of all "
        "images; the second averages each image's score, which is what Cellpose users report. "
        "Images without any particle have no score.</dd>"
        "<dt>By size</dt><dd>Recall by the true diameter, precision by the predicted one, both of "
        "the disc of equal area.</dd>"
        "<dt>Matched IoU, PQ</dt><dd>Mean IoU of the matches at 0.5; panoptic quality, the sum of "
        "their IoU / (TP + FP/2 + FN/2).</dd>"
        "<dt>AJI</dt><dd>Shared pixels of matched pairs / pixels of either image, as Cellpose's "
        "aggregated Jaccard index.</dd>"
        "<dt>Boundary F</dt><dd>Agreement of the outlines widened by %g of the median true "
        "diameter, at least 1 px.</dd></dl>\n",
        opt->boundary_scale);
}

lp_status lp_write_report(const char *path, const lp_eval_set *s, const lp_eval_options *opt,
                          const char *truth, const char *pred, int worst, lp_err *err)
{
    char *page = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&page, &size);
    lp_status st;
    int bad;

    if (!f) return lp_fail_mem(err, path, 0);
    head(f, s, truth, pred);
    overall(f, s);
    fputs("<h2>Plots</h2><div class=plots>\n", f);
    if (s->n_curve) support_plot(f, s);
    iou_plot(f, &s->pooled);
    size_plot(f, s);
    fputs("</div>\n", f);
    classes(f, s);
    worst_images(f, s, worst);
    if (s->n > 1) all_images(f, s);
    notes(f, opt);
    fputs("</main></body></html>\n", f);
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 1e6) : lp_atomic_write_file(path, page, size, err);
    free(page);
    return st;
}
