#include "write_flows.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "sample_range.h"
#include "write_tiff.h"

/* mag 0..255 times the cosine of the hue angle, brought to 0..1. */
static uint16_t channel(double mag, double cosine)
{
    double v = mag * (cosine + 1) / 2;

    return (uint16_t)(257 * (v <= 0 ? 0 : v >= 255 ? 255 : (int)v));
}

lp_status lp_write_flows_rgb(const char *path, const float *flows, int Ly, int Lx, lp_err *err)
{
    const double half_sqrt3 = 0.86602540378443864676;
    lp_tiff_desc d = {.npages = 1, .Ly = Ly, .Lx = Lx, .nsamples = 3, .bits = 16, .deflate = 1};
    int64_t n = (int64_t)Ly * Lx, i;
    uint16_t *rgb = malloc((size_t)n * 3 * sizeof *rgb);
    float *mag = malloc((size_t)n * sizeof *mag), lo = 0, hi = 0;
    lp_status st;

    if (!rgb || !mag) {
        st = lp_fail_mem(err, path, 10.0 * (double)n);
        goto done;
    }
#pragma omp parallel for
    for (i = 0; i < n; i++) mag[i] = sqrtf(flows[i] * flows[i] + flows[n + i] * flows[n + i]);
    if ((st = lp_sample_range(mag, (size_t)n, 1, 99, &lo, &hi, err))) goto done;
#pragma omp parallel for
    for (i = 0; i < n; i++) {
        double m = hi - lo > 1e-3f ? 255.0 * (mag[i] - lo) / (hi - lo) : 0;
        /* Hue angle a = atan2(x, y) + pi, so its cosine and sine are the negative flow. */
        double c = mag[i] > 0 ? -flows[i] / mag[i] : -1,
               q = mag[i] > 0 ? -flows[n + i] / mag[i] : 0;

        m = !(m > 0) ? 0 : m > 255 ? 255 : m;
        rgb[3 * i] = channel(m, c);
        rgb[3 * i + 1] = channel(m, -0.5 * c - half_sqrt3 * q);
        rgb[3 * i + 2] = channel(m, -0.5 * c + half_sqrt3 * q);
    }
    st = lp_write_tiff(path, rgb, &d, err);
done:
    free(mag);
    free(rgb);
    return st;
}

lp_status lp_write_flows_dp(const char *path, const float *flows, int Ly, int Lx, lp_err *err)
{
    lp_tiff_desc d = {.npages = 2, .Ly = Ly, .Lx = Lx, .nsamples = 1, .bits = 32, .is_float = 1};

    return lp_write_tiff(path, flows, &d, err);
}
