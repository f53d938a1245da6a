/* measure - plain versions; also what the CPU runs. */
#include "measure.h"

#include <string.h>

/* Sum of k and of k^2 for k = 0 .. n-1. */
static int64_t tri(int64_t n)
{
    return n * (n - 1) / 2;
}
static int64_t pyr(int64_t n)
{
    return (n - 1) * n * (2 * n - 1) / 6;
}

static double sum_run(const float *row, int xa, int xb)
{
    double s = 0;
    int x;

    for (x = xa; x < xb; x++) s += row[x];
    return s;
}

void lp_measure_add_run(lp_measure_sums *s, int y, int xa, int xb, const float *image,
                        const float *cellprob)
{
    int64_t n = xb - xa, dx, dy;

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
    if (image) s->intensity += sum_run(image, xa, xb);
    if (cellprob) s->cellprob += sum_run(cellprob, xa, xb);
}

void lp_measure_add_crossings(lp_measure_sums *s, const uint32_t *above, const uint32_t *here,
                              int Lx)
{
    int x;

    for (x = 0; x <= Lx; x++) {
        uint32_t p = above[x], q = above[x + 1], r = here[x], t = here[x + 1];

        if (p == q && r == t && p == r) continue;
#define CROSS(u, v, field)                                                                         \
    if ((u) != (v)) {                                                                              \
        if (u) s[(u)-1].field++;                                                                   \
        if (v) s[(v)-1].field++;                                                                   \
    }
        CROSS(r, t, cross_axis)
        CROSS(p, r, cross_axis)
        CROSS(p, t, cross_diag)
        CROSS(q, r, cross_diag)
#undef CROSS
    }
}

void lp_measure_ref(lp_measure_sums *s, uint32_t n, const uint32_t *labels, const float *image,
                    const float *cellprob, int Ly, int Lx, uint32_t *row)
{
    uint32_t *above = row, *here = row + Lx + 2, *t;
    int y, xa, xb;

    memset(s, 0, n * sizeof *s);
    memset(row, 0, 2 * ((size_t)Lx + 2) * sizeof *row);
    for (y = 0; y <= Ly; y++) {
        const uint32_t *d = labels + (int64_t)y * Lx;

        if (y < Ly)
            memcpy(here + 1, d, (size_t)Lx * sizeof *d);
        else
            memset(here, 0, ((size_t)Lx + 2) * sizeof *here);
        for (xa = 0; xa < Lx && y < Ly; xa = xb) {
            for (xb = xa + 1; xb < Lx && d[xb] == d[xa]; xb++) {
            }
            if (d[xa])
                lp_measure_add_run(&s[d[xa] - 1], y, xa, xb, image ? image + (int64_t)y * Lx : NULL,
                                   cellprob ? cellprob + (int64_t)y * Lx : NULL);
        }
        lp_measure_add_crossings(s, above, here, Lx);
        t = above;
        above = here;
        here = t;
    }
}
