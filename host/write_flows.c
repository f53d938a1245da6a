#include "write_flows.h"

#include <math.h>
#include <stdlib.h>

#include "sample_range.h"
#include "write_tiff.h"

/* mag 0..255 times the cosine of the hue angle, brought to 0..1. */
static uint8_t channel(double mag, double cosine)
{
    double v = mag * (cosine + 1) / 2;

    return (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v);
}

lp_status lp_flows_rgb(const float *flows, int Ly, int Lx, uint8_t *rgb, lp_err *err)
{
    const double half_sqrt3 = 0.86602540378443864676;
    int64_t n = (int64_t)Ly * Lx, i;
    float *mag = malloc((size_t)n * sizeof *mag), lo = 0, hi = 0;
    lp_status st;

    if (!mag) return lp_fail_mem(err, "picture of flows", 4.0 * (double)n);
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
done:
    free(mag);
    return st;
}

lp_status lp_write_flows_rgb(const char *path, const float *flows, int Ly, int Lx, lp_err *err)
{
    lp_tiff_desc d = {.npages = 1, .Ly = Ly, .Lx = Lx, .nsamples = 3, .bits = 16, .deflate = 1};
    int64_t n = (int64_t)Ly * Lx * 3, i;
    uint16_t *wide = malloc((size_t)n * sizeof *wide);
    uint8_t *rgb = malloc((size_t)n);
    lp_status st;

    if (!rgb || !wide) {
        st = lp_fail_mem(err, path, 3.0 * (double)n);
        goto done;
    }
    if ((st = lp_flows_rgb(flows, Ly, Lx, rgb, err))) goto done;
    for (i = 0; i < n; i++) wide[i] = (uint16_t)(257 * rgb[i]);
    st = lp_write_tiff(path, wide, &d, err);
done:
    free(rgb);
    free(wide);
    return st;
}

lp_status lp_write_flows_dp(const char *path, const float *flows, int Ly, int Lx, lp_err *err)
{
    lp_tiff_desc d = {.npages = 2, .Ly = Ly, .Lx = Lx, .nsamples = 1, .bits = 32, .is_float = 1};

    return lp_write_tiff(path, flows, &d, err);
}
