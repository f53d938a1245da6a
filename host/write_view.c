#include "write_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "html.h"
#include "number.h"
#include "outline.h"
#include "overlay.h"
#include "run_files.h"
#include "write_csv.h"
#include "write_png.h"

static const char page_html[] =
#include "view.html.inc"
    ;
static const char page_css[] =
#include "view.css.inc"
    ;
static const char *const page_js[] = {
#include "view_data.js.inc"
    ,
#include "view_raster.js.inc"
    ,
#include "view_stage.js.inc"
    ,
#include "view_panel.js.inc"
};

typedef struct {
    uint8_t *p;
    size_t n, cap;
    int failed;
} bytes;

/* 7 bits a byte, low ones first. */
static void put(bytes *b, uint64_t v)
{
    if (b->n + 10 > b->cap) {
        size_t cap = 2 * b->cap + 4096;
        uint8_t *more = realloc(b->p, cap);

        if (!more) {
            b->failed = 1;
            return;
        }
        b->p = more;
        b->cap = cap;
    }
    for (; v >= 128; v >>= 7) b->p[b->n++] = (uint8_t)(v | 128);
    b->p[b->n++] = (uint8_t)v;
}

/* 0, -1, 1, -2 ... as 0, 1, 2, 3 ... */
static void put_signed(bytes *b, int64_t v)
{
    put(b, v < 0 ? 2 * (uint64_t)(-1 - v) + 1 : 2 * (uint64_t)v);
}

/* The coding is explained where it is read, in view_data.js. Corners alternate between runs along
 * x and along y, the first along x (outline.h: clockwise from an upper left corner). */
static lp_status encode_outlines(const lp_labels *lb, bytes *b, lp_err *err)
{
    lp_outlines o = {0};
    lp_status st = lp_outline_trace(lb, LP_OUTLINE_CORNERS, &o, err);
    int64_t i, k;
    int32_t y = 0, x = 0;

    if (st) return st;
    for (i = 0; i < o.n; i++) {
        int32_t(*c)[2] = o.yx + o.start[i];
        int64_t n = o.start[i + 1] - o.start[i];

        put(b, (uint64_t)n);
        put_signed(b, (int64_t)c[0][0] - y);
        put_signed(b, (int64_t)c[0][1] - x);
        y = c[0][0];
        x = c[0][1];
        for (k = 1; k < n; k++)
            put_signed(b, k & 1 ? (int64_t)c[k][1] - c[k - 1][1] : (int64_t)c[k][0] - c[k - 1][0]);
    }
    if (b->failed) st = lp_fail_mem(err, "outlines", (double)o.start[o.n]);
    lp_outlines_free(&o);
    return st;
}

static void key_text(FILE *f, const char *key, const char *s)
{
    fprintf(f, "\"%s\":", key);
    lp_html_json(f, s);
    fputs(",\n", f);
}

static void key_number(FILE *f, const char *key, double v)
{
    char buf[LP_NUMBER_MAX];

    fprintf(f, "\"%s\":%s,\n", key, lp_number_format(buf, v, 15));
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What the table that the page saves begins with, as segment names it. */
static void key_name(FILE *f, const char *file)
{
    const char *name = last_part(file), *end = strstr(name, LP_RUN_ENDING);
    char *s = strndup(name, end && end != name ? (size_t)(end - name) : strlen(name));

    key_text(f, "name", s ? s : "lipopose");
    free(s);
}

static void put_run(FILE *f, const lp_view *v, int reduced)
{
    const lp_layers *s = v->run->layers;
    char buf[LP_NUMBER_MAX];
    int i;

    fputs("<script type=\"application/json\" id=run>{\n", f);
    key_text(f, "title", last_part(v->run->image));
    key_name(f, v->file);
    key_text(f, "file", v->file);
    key_text(f, "method", v->method ? v->method : "scale");
    key_text(f, "levels_given", v->levels);
    key_text(f, "image_given", v->image);
    key_text(f, "model", last_part(v->run->model));
    key_text(f, "version", lp_version());
    key_number(f, "page", v->run->page);
    key_number(f, "Ly", s->Ly);
    key_number(f, "Lx", s->Lx);
    key_number(f, "reduced", reduced);
    key_number(f, "pixel_nm", v->run->pixel_nm);
    key_number(f, "threshold", v->threshold);
    fputs("\"levels\":", f);
    for (i = v->n_levels - 1; i >= 0; i--)
        fprintf(f, "%s%s", i == v->n_levels - 1 ? "[" : ",",
                lp_number_format(buf, v->level[i], 15));
    fputs(v->n_levels ? "],\n\"diameters\":[" : "null,\n\"diameters\":[", f);
    for (i = 0; i < s->n; i++)
        fprintf(f, "%s%s", i ? "," : "", lp_number_format(buf, s->layer[i].diameter, 7));
    fputs("]}\n</script>\n", f);
}

/* Supports with all digits that matter: the page compares them with thresholds as merge does. */
static void put_keys(FILE *f, const lp_view *v)
{
    char buf[LP_NUMBER_MAX];
    uint32_t i;

    fputs("<script type=\"text/plain\" id=keys>", f);
    for (i = 0; i < v->merged->n; i++) {
        const lp_merged_particle *p = &v->merged->particle[i];

        fprintf(f, "%s%s", i ? "," : "",
                lp_number_format(buf, v->n_levels ? p->level : p->support, 12));
    }
    fputs("</script>\n", f);
}

static void put_page(FILE *f, const lp_view *v, const bytes *outlines, int reduced,
                     const uint8_t *png, size_t n_png)
{
    size_t i;

    fputs("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n"
          "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; img-src data:; "
          "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
          "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
          "<link rel=icon href=\"data:,\"><title>",
          f);
    lp_html_text(f, last_part(v->run->image));
    fprintf(f, " - lipopose</title>\n<style>\n%s</style></head><body>\n%s", page_css, page_html);
    put_run(f, v, reduced);
    fputs("<script type=\"text/csv\" id=table>", f);
    lp_csv_print(f, v->particle, v->merged->n, v->run->pixel_nm);
    fputs("</script>\n", f);
    put_keys(f, v);
    fputs("<script type=\"text/plain\" id=outlines>", f);
    lp_html_base64(f, outlines->p, outlines->n);
    fputs("</script>\n<script>\n", f);
    for (i = 0; i < sizeof page_js / sizeof *page_js; i++) fputs(page_js[i], f);
    /* After the script: outlines can be seen while the picture is still read. */
    fputs("</script>\n<img id=micrograph hidden alt=\"\" src=\"data:image/png;base64,", f);
    lp_html_base64(f, png, n_png);
    fputs("\">\n</body></html>\n", f);
}

lp_status lp_write_view(const char *path, const lp_view *v, lp_err *err)
{
    lp_labels lb = {v->merged->masks, v->merged->Ly, v->merged->Lx};
    lp_grey grey = {0};
    bytes outlines = {0};
    uint8_t *png = NULL;
    char *page = NULL;
    size_t n_png = 0, size = 0;
    lp_status st;
    FILE *f;
    int bad;

    if ((st = encode_outlines(&lb, &outlines, err))) goto done;
    if ((st = lp_overlay_grey(v->plane, lb.Ly, lb.Lx, LP_VIEW_MAX_SIDE, &grey, err))) goto done;
    if ((st = lp_png_encode(grey.data, grey.Ly, grey.Lx, 1, 8, &png, &n_png, err))) goto done;
    if (!(f = open_memstream(&page, &size))) {
        st = lp_fail_mem(err, path, 0);
        goto done;
    }
    put_page(f, v, &outlines, grey.reduced, png, n_png);
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 1.4 * (double)n_png)
             : lp_atomic_write_file(path, page, size, err);
done:
    free(page);
    free(png);
    free(grey.data);
    free(outlines.p);
    return st;
}
