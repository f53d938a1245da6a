#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "label_index.h"

/* Sums of one particle. Coordinates are taken from its first pixel in raster order
 * (y0, ox), which keeps the integers small and the second moments exact. */
typedef struct {
    int64_t area, sy, sx, syy, sxx, syx;
    int64_t cross_axis, cross_diag; /* boundary crossings of lines along x or y; diagonals */
    double intensity, cellprob;
    int y0, x0, y1, x1, ox;
} sums;

/* Sum of k and of k^2 for k = 0 .. n-1. */
static int64_t tri(int64_t n)
{
    return n * (n - 1) / 2;
}
static int64_t pyr(int64_t n)
{
    return (n - 1) * n * (2 * n - 1) / 6;
}

/* Pixels xa .. xb-1 of row y. */
static void add_run(sums *s, int y, int xa, int xb, const float *image, const float *cellprob)
{
    int64_t n = xb - xa, dx, dy;
    int x;

    if (!s->area) {
        s->y0 = y;
        s->x0 = s->ox = xa;
        s->x1 = xb;
    }
    if (xa < s->x0) s->x0 = xa;
    if (xb > s->x1) s->x1 = xb;
    s->y1 = y + 1;
    dx = xa - s->ox;
    dy = y - s->y0;
    s->area += n;
    s->sy += n * dy;
    s->sx += n * dx + tri(n);
    s->syy += n * dy * dy;
    s->syx += dy * (n * dx + tri(n));
    s->sxx += n * dx * dx + 2 * dx * tri(n) + pyr(n);
    if (image)
        for (x = xa; x < xb; x++) s->intensity += image[x];
    if (cellprob)
        for (x = xa; x < xb; x++) s->cellprob += cellprob[x];
}

/* Label pairs that differ along the four directions, between row a (above) and row b, both
 * [Lx+2] with a zero at each end. */
static void add_crossings(sums *s, const lp_label_index *ix, const uint32_t *a, const uint32_t *b,
                          int Lx)
{
    int x;

    for (x = 0; x <= Lx; x++) {
        uint32_t p = a[x], q = a[x + 1], r = b[x], t = b[x + 1];

        if (p == q && r == t && p == r) continue;
#define CROSS(u, v, field)                                                                         \
    if ((u) != (v)) {                                                                              \
        if (u) s[lp_label_index_find(ix, u)].field++;                                              \
        if (v) s[lp_label_index_find(ix, v)].field++;                                              \
    }
        CROSS(r, t, cross_axis)
        CROSS(p, r, cross_axis)
        CROSS(p, t, cross_diag)
        CROSS(q, r, cross_diag)
#undef CROSS
    }
}

static lp_status collect(const lp_labels *lb, const lp_label_index *ix, const float *image,
                         const float *cellprob, sums *s, lp_err *err)
{
    int Ly = lb->Ly, Lx = lb->Lx, y;
    size_t row = (size_t)Lx + 2;
    uint32_t *buf = calloc(2 * row, sizeof *buf), *above = buf, *here = buf ? buf + row : NULL, *t;

    if (!buf) return lp_fail_mem(err, "measure", (double)(2 * row * sizeof *buf));
    for (y = 0; y <= Ly; y++) {
        if (y < Ly) {
            const uint32_t *d = lb->data + (size_t)y * Lx;
            int xa, xb;

            memcpy(here + 1, d, (size_t)Lx * sizeof *d);
            for (xa = 0; xa < Lx; xa = xb) {
                for (xb = xa + 1; xb < Lx && d[xb] == d[xa]; xb++) {
                }
                if (d[xa])
                    add_run(&s[lp_label_index_find(ix, d[xa])], y, xa, xb,
                            image ? image + (size_t)y * Lx : NULL,
                            cellprob ? cellprob + (size_t)y * Lx : NULL);
            }
        } else {
            memset(here, 0, row * sizeof *here);
        }
        add_crossings(s, ix, above, here, Lx);
        t = above;
        above = here;
        here = t;
    }
    free(buf);
    return LP_OK;
}

static void finish(lp_particle *p, const sums *s, const lp_labels *lb)
{
    const double pi = 3.14159265358979323846;
    double n = (double)s->area, my = s->sy / n, mx = s->sx / n;
    double cyy = s->syy / n - my * my + 1.0 / 12, cxx = s->sxx / n - mx * mx + 1.0 / 12;
    double cyx = s->syx / n - my * mx;
    double mid = (cyy + cxx) / 2, half = hypot((cxx - cyy) / 2, cyx);

    p->area = s->area;
    p->y = s->y0 + my;
    p->x = s->ox + mx;
    p->y0 = s->y0;
    p->x0 = s->x0;
    p->y1 = s->y1;
    p->x1 = s->x1;
    p->diameter = 2 * sqrt(n / pi);
    p->major = 4 * sqrt(mid + half);
    p->minor = 4 * sqrt(fmax(mid - half, 0));
    /* Rounding must not give a round particle a random direction. */
    p->orientation = half > 1e-12 * mid ? 0.5 * atan2(2 * cyx, cxx - cyy) * 180 / pi : 0;
    /* Length = pi/8 x sum over 4 directions of crossings x distance of the scan lines, which
     * is 1 along x and y and 1/sqrt(2) along the diagonals. */
    p->perimeter = pi / 8 * (s->cross_axis + s->cross_diag / sqrt(2.0));
    p->circularity = fmin(4 * pi * n / (p->perimeter * p->perimeter), 1);
    p->touches_edge = s->y0 == 0 || s->x0 == 0 || s->y1 == lb->Ly || s->x1 == lb->Lx;
}

lp_status lp_measure_particles(const lp_labels *lb, const float *image, const float *cellprob,
                               const float *flow_error, int64_t n_flow_error, double diameter,
                               lp_particle **out, int64_t *n, lp_err *err)
{
    lp_label_index ix = {0};
    lp_particle *ps = NULL;
    sums *s = NULL;
    lp_status st;
    int64_t i;

    if ((st = lp_label_index_new(lb, &ix, err))) goto done;
    s = calloc((size_t)ix.n + 1, sizeof *s);
    ps = calloc((size_t)ix.n + 1, sizeof *ps);
    if (!s || !ps) {
        st = lp_fail_mem(err, "measure", (double)ix.n * (sizeof *s + sizeof *ps));
        goto done;
    }
    if ((st = collect(lb, &ix, image, cellprob, s, err))) goto done;
    for (i = 0; i < ix.n; i++) {
        lp_particle *p = &ps[i];
        int64_t id = ix.ids[i];

        p->id = ix.ids[i];
        finish(p, &s[i], lb);
        p->mean_intensity = image ? s[i].intensity / (double)s[i].area : NAN;
        p->mean_cellprob = cellprob ? s[i].cellprob / (double)s[i].area : NAN;
        p->flow_error = flow_error && id <= n_flow_error ? flow_error[id - 1] : NAN;
        p->support = 1;
        p->agreement = p->company = NAN;
        p->n_diameters = 1;
        p->diameter_min = p->diameter_max = diameter;
    }
    *out = ps;
    *n = ix.n;
    ps = NULL;
done:
    free(ps);
    free(s);
    lp_label_index_free(&ix);
    return st;
}
