/* label - plain versions; also what the CPU runs. */
#include "label.h"

#include <math.h>

#include "follow.h"

void lp_label_ref(uint32_t *labels, const uint32_t *end, const uint32_t *m, int Ly, int Lx)
{
    int64_t n = (int64_t)Ly * Lx, i;

#pragma omp parallel for schedule(static)
    for (i = 0; i < n; i++) {
        uint32_t e = end[i];

        labels[i] = e == LP_FOLLOW_NONE ? 0 : m[e];
    }
}

static int nearest(int i, double step, int L)
{
    double s = floor(i * step);

    return s < L - 1 ? (int)s : L - 1;
}

void lp_label_resize_ref(uint32_t *out, const uint32_t *in, int Ly, int Lx, int Ly2, int Lx2)
{
    double sy = 1 / ((double)Ly2 / Ly), sx = 1 / ((double)Lx2 / Lx);
    int y;

#pragma omp parallel for schedule(static)
    for (y = 0; y < Ly2; y++) {
        const uint32_t *row = in + (int64_t)nearest(y, sy, Ly) * Lx;
        int x;

        for (x = 0; x < Lx2; x++) out[(int64_t)y * Lx2 + x] = row[nearest(x, sx, Lx)];
    }
}
