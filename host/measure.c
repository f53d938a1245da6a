#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "label_index.h"

/* Rows go through with the position of a label, plus 1, in its place. */
static lp_status collect(const lp_labels *lb, const lp_label_index *ix, const float *image,
                         const float *cellprob, lp_measure_sums *s, lp_err *err)
{
    int Ly = lb->Ly, Lx = lb->Lx, y;
    size_t row = (size_t)Lx + 2;
    uint32_t *buf = calloc(2 * row, sizeof *buf), *above = buf, *here = buf ? buf + row : NULL, *t;

    if (!buf) return lp_fail_mem(err, "measure", (double)(2 * row * sizeof *buf));
    for (y = 0; y <= Ly; y++) {
        const uint32_t *d = lb->data + (size_t)y * Lx;
        int xa, xb, x;

        memset(here, 0, row * sizeof *here);
        for (xa = 0; xa < Lx && y < Ly; xa = xb) {
            int64_t at;

            for (xb = xa + 1; xb < Lx && d[xb] == d[xa]; xb++) {
            }
            if (!d[xa]) continue;
            at = lp_label_index_find(ix, d[xa]);
            for (x = xa; x < xb; x++) here[1 + x] = (uint32_t)at + 1;
            lp_measure_add_run(&s[at], y, xa, xb, image ? image + (size_t)y * Lx : NULL,
                               cellprob ? cellprob + (size_t)y * Lx : NULL);
        }
        lp_measure_add_crossings(s, above, here, Lx);
        t = above;
        above = here;
        here = t;
    }
    free(buf);
    return LP_OK;
}

static void shape(lp_particle *p, const lp_measure_sums *s, int Ly, int Lx)
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
    p->touches_edge = s->y0 == 0 || s->x0 == 0 || s->y1 == Ly || s->x1 == Lx;
}

lp_status lp_measure_table(const lp_measure_sums *s, const uint32_t *ids, int64_t n_sums, int Ly,
                           int Lx, int has_image, int has_cellprob, const float *flow_error,
                           int64_t n_flow_error, double diameter, lp_particle **out, int64_t *n,
                           lp_err *err)
{
    lp_particle *ps = calloc((size_t)n_sums + 1, sizeof *ps), *p = ps;
    int64_t i;

    if (!ps) return lp_fail_mem(err, "measure", (double)n_sums * sizeof *ps);
    for (i = 0; i < n_sums; i++) {
        int64_t id = ids ? ids[i] : i + 1;

        if (!s[i].area) continue;
        p->id = (uint32_t)id;
        shape(p, &s[i], Ly, Lx);
        p->mean_intensity = has_image ? s[i].intensity / (double)s[i].area : NAN;
        p->mean_cellprob = has_cellprob ? s[i].cellprob / (double)s[i].area : NAN;
        p->flow_error = flow_error && id <= n_flow_error ? flow_error[id - 1] : NAN;
        p->support = 1;
        p->agreement = p->company = NAN;
        p->n_diameters = 1;
        p->diameter_min = p->diameter_max = diameter;
        p++;
    }
    *out = ps;
    *n = p - ps;
    return LP_OK;
}

lp_status lp_measure_particles(const lp_labels *lb, const float *image, const float *cellprob,
                               const float *flow_error, int64_t n_flow_error, double diameter,
                               lp_particle **out, int64_t *n, lp_err *err)
{
    lp_label_index ix = {0};
    lp_measure_sums *s = NULL;
    lp_status st;

    if ((st = lp_label_index_new(lb, &ix, err))) goto done;
    if (!(s = calloc((size_t)ix.n + 1, sizeof *s))) {
        st = lp_fail_mem(err, "measure", (double)ix.n * sizeof *s);
        goto done;
    }
    if ((st = collect(lb, &ix, image, cellprob, s, err))) goto done;
    st = lp_measure_table(s, ix.ids, ix.n, lb->Ly, lb->Lx, image != NULL, cellprob != NULL,
                          flow_error, n_flow_error, diameter, out, n, err);
done:
    free(s);
    lp_label_index_free(&ix);
    return st;
}
