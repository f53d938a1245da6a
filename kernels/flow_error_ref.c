/* flow_error - plain version; also what the CPU runs. */
#include "flow_error.h"

#include <math.h>

#include "band_sum.h"

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
        double sum_y = 0, sum_x = 0;
        int band, y, x;

        for (band = f->y0; band < f->y1; band += LP_BAND_ROWS) {
            double sy[LP_BAND_LANES] = {0}, sx[LP_BAND_LANES] = {0};

            for (y = band; y < f->y1 && y < band + LP_BAND_ROWS; y++)
                for (x = f->x0; x < f->x1; x++) {
                    int64_t i = (int64_t)y * Lx + x;
                    int j = (x - f->x0) % LP_BAND_LANES;

                    if (labels[i] != (uint32_t)l) continue;
                    sy[j] += square_off(mu[i], flows[i]);
                    sx[j] += square_off(mu[plane + i], flows[plane + i]);
                }
            sum_y += lp_band_halve(sy);
            sum_x += lp_band_halve(sx);
        }
        err[l] = f->count ? sum_y / f->count + sum_x / f->count : NAN;
    }
}
