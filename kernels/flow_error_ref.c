/* flow_error - plain version; also what the CPU runs. */
#include "flow_error.h"

#include <math.h>

static double square_off(float mu, float flow)
{
    double d = mu - (double)(isfinite(flow) ? flow / 5.0f : 0.0f);

    return d * d;
}

void lp_flow_error_ref(double *err, const float *mu, const float *flows, const uint32_t *labels,
                       const lp_label_info *info, uint32_t n, int Ly, int Lx)
{
    int64_t plane = (int64_t)Ly * Lx, l;

    err[0] = NAN;
#pragma omp parallel for schedule(dynamic, 16)
    for (l = 1; l <= (int64_t)n; l++) {
        const lp_label_info *f = info + l;
        double sy = 0, sx = 0;
        int y, x;

        for (y = f->y0; y < f->y1; y++)
            for (x = f->x0; x < f->x1; x++) {
                int64_t i = (int64_t)y * Lx + x;

                if (labels[i] != (uint32_t)l) continue;
                sy += square_off(mu[i], flows[i]);
                sx += square_off(mu[plane + i], flows[plane + i]);
            }
        err[l] = f->count ? sy / f->count + sx / f->count : NAN;
    }
}
