#include "report_picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"
#include "sort.h"
#include "write_png.h"

static const uint8_t right[3] = {0, 200, 83}, wrong[3] = {255, 48, 48}, missed[3] = {51, 136, 255};

typedef struct {
    uint8_t *rgb; /* [Ly][Lx][3] */
    int Ly, Lx;
    int num, den; /* source = picture * num / den */
    int thick;
} canvas;

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int source(const canvas *c, int i)
{
    return (int)((int64_t)i * c->num / c->den);
}

static uint32_t label_at(const lp_labels *lb, const canvas *c, int y, int x)
{
    if (y < 0 || x < 0 || y >= c->Ly || x >= c->Lx) return 0;
    return lb->data[(size_t)source(c, y) * lb->Lx + source(c, x)];
}

/* Outlines of the labels whose kind (by position in ids [n]) is wanted. */
static void outlines(canvas *c, const lp_labels *lb, const uint32_t *ids, int32_t n,
                     const uint8_t *kind, int wanted, const uint8_t colour[3])
{
    int y, x, k;

    for (y = 0; y < c->Ly; y++)
        for (x = 0; x < c->Lx; x++) {
            uint32_t id = label_at(lb, c, y, x);
            const uint32_t *at;
            int edge = 0;

            if (!id) continue;
            for (k = 1; k <= c->thick && !edge; k++)
                edge = label_at(lb, c, y - k, x) != id || label_at(lb, c, y + k, x) != id ||
                       label_at(lb, c, y, x - k) != id || label_at(lb, c, y, x + k) != id;
            if (!edge) continue;
            at = bsearch(&id, ids, (size_t)n, sizeof *ids, by_id);
            if (at && kind[at - ids] == wanted)
                memcpy(c->rgb + ((size_t)y * c->Lx + x) * 3, colour, 3);
        }
}

/* Grey values of the picture's own pixels, from their 0.5th to their 99.5th percentile. */
static int draw_image(canvas *c, const char *path, int Ly, int Lx)
{
    size_t n = (size_t)c->Ly * c->Lx, i;
    lp_image im = {0};
    float *v = NULL, *sorted = NULL, lo, hi;
    int done = 0, ch;
    lp_err ignored;

    if (!path || lp_read_image(path, 0, &im, &ignored)) return 0;
    if (im.Ly != Ly || im.Lx != Lx) goto done;
    v = calloc(n, sizeof *v);
    sorted = malloc(n * sizeof *sorted);
    if (!v || !sorted) goto done;
    for (i = 0; i < n; i++) {
        size_t at = (size_t)source(c, (int)(i / c->Lx)) * Lx + source(c, (int)(i % c->Lx));

        for (ch = 0; ch < im.nchan; ch++) v[i] += im.data[(size_t)ch * Ly * Lx + at];
    }
    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *sorted, lp_by_float);
    lo = sorted[n / 200];
    hi = sorted[n - 1 - n / 200];
    for (i = 0; i < n; i++) {
        float g = hi > lo ? (v[i] - lo) / (hi - lo) * 255 : 128;

        memset(c->rgb + 3 * i, g < 0 ? 0 : g > 255 ? 255 : (int)g, 3);
    }
    done = 1;
done:
    free(v);
    free(sorted);
    lp_image_free(&im);
    return done;
}

/* An upright cross on a point of the source. */
static void cross(canvas *c, const double yx[2], const uint8_t colour[3])
{
    enum { ARM = 5 };
    double y = yx[0] * c->den / c->num, x = yx[1] * c->den / c->num;
    int i, k, cy, cx;

    if (!(y > -1e6 && y < 1e6 && x > -1e6 && x < 1e6)) return;
    cy = (int)floor(y + 0.5);
    cx = (int)floor(x + 0.5);
    for (i = -ARM; i <= ARM; i++)
        for (k = 0; k < 2; k++) {
            int at[2][2] = {{cy + i, cx + k}, {cy + k, cx + i}}, j;

            for (j = 0; j < 2; j++)
                if (at[j][0] >= 0 && at[j][1] >= 0 && at[j][0] < c->Ly && at[j][1] < c->Lx)
                    memcpy(c->rgb + ((size_t)at[j][0] * c->Lx + at[j][1]) * 3, colour, 3);
        }
}

/* kind_t: 1 found; kind_p: 1 right. */
static void kinds(const lp_eval_result *r, uint8_t *kind_t, uint8_t *kind_p)
{
    int32_t i;

    for (i = 0; i < r->o.nt; i++) {
        if (r->found ? !r->found[i] : r->pred_of[i] < 0) continue;
        kind_t[i] = 1;
        if (r->found) continue;
        kind_p[r->pred_of[i]] = 1;
    }
}

lp_status lp_report_picture(const lp_eval_result *r, const lp_merge_options *merge, int max_side,
                            uint8_t **png, size_t *n, int *on_image, lp_err *err)
{
    lp_labels t = {0}, p = {0};
    canvas c = {.num = 1, .den = 1};
    uint8_t *kind_t = calloc((size_t)r->o.nt + 1, 1), *kind_p = calloc((size_t)r->o.np + 1, 1);
    int side = r->Ly > r->Lx ? r->Ly : r->Lx, with_image = 0, y, x;
    int64_t i;
    lp_status st = LP_OK;

    if (side > max_side) c.num = (side + max_side - 1) / max_side;
    if (side < max_side / 2) c.den = max_side / side > 16 ? 16 : max_side / side;
    c.Ly = (int)(((int64_t)r->Ly * c.den + c.num - 1) / c.num);
    c.Lx = (int)(((int64_t)r->Lx * c.den + c.num - 1) / c.num);
    c.thick = 2;
    if ((st = lp_eval_read_pair(r->file, merge, &t, r->c.points ? NULL : &p, err))) goto done;
    if (t.Ly != r->Ly || t.Lx != r->Lx || (p.data && (p.Ly != r->Ly || p.Lx != r->Lx))) {
        st = lp_fail(err, LP_EIO, "%s: changed while it was evaluated", r->file->truth);
        goto done;
    }
    c.rgb = malloc((size_t)c.Ly * c.Lx * 3);
    if (!c.rgb || !kind_t || !kind_p) {
        st = lp_fail_mem(err, "picture", 3.0 * c.Ly * c.Lx);
        goto done;
    }
    kinds(r, kind_t, kind_p);
    with_image = draw_image(&c, r->file->image, r->Ly, r->Lx);
    for (y = 0; y < c.Ly && !with_image; y++)
        for (x = 0; x < c.Lx; x++)
            memset(c.rgb + ((size_t)y * c.Lx + x) * 3, label_at(&t, &c, y, x) ? 90 : 40, 3);
    if (p.data) outlines(&c, &p, r->o.pred_id, r->o.np, kind_p, 1, right);
    outlines(&c, &t, r->o.true_id, r->o.nt, kind_t, 0, missed);
    if (p.data) outlines(&c, &p, r->o.pred_id, r->o.np, kind_p, 0, wrong);
    for (i = 0; r->yx && i < r->c.n_pred; i++) cross(&c, r->yx[i], r->right[i] ? right : wrong);
    if ((st = lp_png_encode(c.rgb, c.Ly, c.Lx, 3, 8, png, n, err))) goto done;
    *on_image = with_image;
done:
    lp_labels_free(&t);
    lp_labels_free(&p);
    free(c.rgb);
    free(kind_t);
    free(kind_p);
    return st;
}
