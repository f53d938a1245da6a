#include "normalize_parts.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/normalize.h"
#include "../kernels/resize.h"

/* Weights below this fraction of the largest are left out: far below float32's resolution. */
#define NEGLIGIBLE 1e-10

/* np.linspace(0, L - b, n).astype(int)[i] */
static int block_start(int i, int n, int last)
{
    if (n == 1) return 0;
    return i == n - 1 ? last : (int)(i * ((double)last / (n - 1)));
}

lp_status lp_normalize99_tile(float *img, int Ly, int Lx, int blocksize, const double percentile[2],
                              uint32_t *flat, lp_err *err)
{
    /* Blocks overlap by 10 %. */
    int ny = Ly <= blocksize ? 1 : (int)ceil(1.2 * Ly / blocksize);
    int nx = Lx <= blocksize ? 1 : (int)ceil(1.2 * Lx / blocksize);
    int by = blocksize < Ly ? blocksize : Ly, bx = blocksize < Lx ? blocksize : Lx;
    int nthreads = omp_get_max_threads(), all_flat;
    int64_t tiles = (int64_t)ny * nx, n = (int64_t)Ly * Lx, t;
    size_t rank_bytes = lp_percentile_scratch(1), resize_bytes = lp_resize_scratch(Lx, nthreads);
    size_t scratch_bytes = rank_bytes * (size_t)nthreads;
    size_t bytes = ((size_t)n * 2 + (size_t)tiles * 5) * sizeof(float);
    float *map = NULL, *x01, *x99;
    void *scratch = NULL;
    lp_status st = LP_OK;

    if (scratch_bytes < resize_bytes) scratch_bytes = resize_bytes;
    map = malloc(bytes);
    scratch = aligned_alloc(64, (scratch_bytes + 63) / 64 * 64);
    if (!map || !scratch) {
        st = lp_fail_mem(err, "tile normalisation", (double)bytes + (double)scratch_bytes);
        goto done;
    }
    x01 = map + 2 * n;
    x99 = x01 + tiles;
#pragma omp parallel for schedule(dynamic) num_threads(nthreads)
    for (t = 0; t < tiles; t++) {
        lp_window w = {.Ly = by, .Lx = bx, .stride = Lx, .sy = 1, .sx = 1};
        float x[2];

        lp_percentile_cpu(x,
                          img + (int64_t)block_start((int)(t / nx), ny, Ly - by) * Lx +
                              block_start((int)(t % nx), nx, Lx - bx),
                          &w, percentile, 1,
                          (char *)scratch + (size_t)omp_get_thread_num() * rank_bytes);
        x01[t] = x[0];
        x99[t] = x[1];
    }
    all_flat = lp_tile_maps_ref(x01, x99, ny, nx, x99 + tiles);
    *flat = all_flat && !lp_is_constant_ref(img, n);
    lp_resize_cpu(map, x01, 1, ny, nx, Ly, Lx, nthreads, scratch);
    lp_resize_cpu(map + n, x99, 1, ny, nx, Ly, Lx, nthreads, scratch);
    lp_scale_maps_ref(img, map, map + n, n);
done:
    free(scratch);
    free(map);
    return st;
}

/* One axis of gaussian_kernel: w [L] sums to 1 and is sampled at linspace(-Ly/2, Ly/2 + 1, L).
 * Cellpose uses the height's range for the x axis too, so in images that are not square sigma
 * is stretched in x; kept, because trained models have seen it. Returns the first tap worth
 * keeping and its count in *n. */
static int gauss_taps(double *w, int L, int Ly, double sigma, int *n)
{
    double step = L > 1 ? (Ly + 1.0) / (L - 1) : 0, nearest = INFINITY, sum = 0, largest = 0, v;
    int i, first = 0, last = L - 1;

    for (i = 0; i < L; i++) {
        v = fabs(-Ly / 2.0 + i * step);
        if (v < nearest) nearest = v;
    }
    for (i = 0; i < L; i++) {
        v = -Ly / 2.0 + i * step;
        /* Relative to the nearest sample, so that not all weights underflow. */
        sum += w[i] = exp((nearest * nearest - v * v) / (2 * sigma * sigma));
    }
    for (i = 0; i < L; i++) {
        w[i] /= sum;
        if (w[i] > largest) largest = w[i];
    }
    while (w[first] < NEGLIGIBLE * largest) first++;
    while (w[last] < NEGLIGIBLE * largest) last--;
    *n = last - first + 1;
    return first;
}

/* out = blur of img; *centre = the weight of the pixel itself. taps [Ly + Lx]. */
static void blur(float *out, const float *img, int Ly, int Lx, double sigma, double *taps,
                 int nthreads, void *scratch, double *centre)
{
    double *wy = taps, *wx = taps + Ly;
    int ty, tx, y0 = gauss_taps(wy, Ly, Ly, sigma, &ty), x0 = gauss_taps(wx, Lx, Ly, sigma, &tx);

    *centre = wy[Ly / 2] * wx[Lx / 2];
    /* The product of transforms with a conjugate is a correlation; fftshift moves it by L/2. */
    lp_blur_ref(out, img, Ly, Lx, wy + y0, ty, y0 - Ly / 2, wx + x0, tx, x0 - Lx / 2, nthreads,
                scratch);
}

lp_status lp_smooth_sharpen(float *img, int Ly, int Lx, double smooth_radius, double sharpen_radius,
                            lp_err *err)
{
    int nthreads = omp_get_max_threads();
    int64_t n = (int64_t)Ly * Lx;
    size_t planes = smooth_radius > 0 && sharpen_radius > 0 ? 2 : 1;
    size_t bytes = planes * (size_t)n * sizeof(float);
    size_t row_bytes = lp_blur_scratch(Lx, Lx, nthreads);
    float *a = malloc(bytes), *b;
    double *taps = malloc(((size_t)Ly + (size_t)Lx) * sizeof *taps), centre;
    void *scratch = malloc(row_bytes);
    lp_status st = LP_OK;

    if (!a || !taps || !scratch) {
        st = lp_fail_mem(err, "sharpening and smoothing", (double)bytes + (double)row_bytes);
        goto done;
    }
    b = a + (planes - 1) * (size_t)n;
    if (smooth_radius > 0) blur(a, img, Ly, Lx, smooth_radius, taps, nthreads, scratch, &centre);
    if (sharpen_radius > 0) blur(b, img, Ly, Lx, sharpen_radius, taps, nthreads, scratch, &centre);
    if (planes == 2)
        lp_difference_ref(img, a, 1, b, n);
    else if (smooth_radius > 0)
        memcpy(img, a, bytes);
    else
        /* Cellpose sets the kernel's centre to 1 instead of adding 1 to it. */
        lp_difference_ref(img, img, 1 + centre, b, n);
done:
    free(scratch);
    free(taps);
    free(a);
    return st;
}
