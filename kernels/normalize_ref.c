#include "normalize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "normalize_rank.h"

static int by_key(const void *a, const void *b)
{
    uint32_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    x = lp_rank_key(x);
    y = lp_rank_key(y);
    return (x > y) - (x < y);
}

void lp_percentile_ref(float out[2], const float *in, const lp_window *w, const double p[2],
                       float *scratch)
{
    int64_t n = 0;
    int y, x, i;

    for (y = 0; y < w->Ly; y += w->sy)
        for (x = 0; x < w->Lx; x += w->sx) scratch[n++] = in[y * w->stride + x];
    qsort(scratch, (size_t)n, sizeof *scratch, by_key);
    for (i = 0; i < 2; i++) {
        lp_rank r = lp_rank_of(p[i], n);

        out[i] = lp_rank_lerp(scratch[r.k[0]], scratch[r.k[1]], r.t);
    }
}

int lp_is_constant_ref(const float *in, int64_t n)
{
    int differs = 0;
    int64_t i;

#pragma omp parallel for schedule(static) reduction(| : differs)
    for (i = 0; i < n; i++) differs |= in[i] != in[0];
    return !differs;
}

void lp_scale_ref(float *img, int64_t n, float lower, float range, int invert)
{
    int64_t i;

#pragma omp parallel for schedule(static)
    for (i = 0; i < n; i++) {
        float v = (img[i] - lower) / range;

        img[i] = invert ? 1 - v : v;
    }
}

void lp_fill_ref(float *img, int64_t n, float value)
{
    int64_t i;

    for (i = 0; i < n; i++) img[i] = value;
}

void lp_scale_maps_ref(float *img, const float *x01, const float *x99, int64_t n)
{
    int64_t i;

#pragma omp parallel for schedule(static)
    for (i = 0; i < n; i++) img[i] = (img[i] - x01[i]) / (x99[i] - x01[i]);
}

/* Index i mirrored into 0 .. n-1 with the edge sample repeated (scipy's "reflect"). */
static int reflect(int i, int n)
{
    i = ((i % (2 * n)) + 2 * n) % (2 * n);
    return i < n ? i : 2 * n - 1 - i;
}

/* scipy.ndimage.gaussian_filter1d(sigma=1) over y; in, out [ny][nx]. */
static void smooth_y(float *out, const float *in, int ny, int nx)
{
    double w[9], sum = 0;
    int i, x, y;

    for (i = -4; i <= 4; i++) sum += w[i + 4] = exp(-0.5 * i * i);
    for (y = 0; y < ny; y++)
        for (x = 0; x < nx; x++) {
            double v = 0;

            for (i = -4; i <= 4; i++)
                v += w[i + 4] / sum * in[(int64_t)reflect(y + i, ny) * nx + x];
            out[(int64_t)y * nx + x] = (float)v;
        }
}

static int is_flat(const float *x01, const float *x99, int64_t i)
{
    return !(x99[i] - x01[i] >= 1e-3f);
}

/* near[y][x] = the column of the tile of row y nearest to x that is not flat, the left one of
 * two equally near; -1 where the row has none. Returns the number of flat tiles. */
static int64_t nearest_in_rows(int *near, const float *x01, const float *x99, int ny, int nx)
{
    int64_t flat = 0;
    int y, x, last;

    for (y = 0; y < ny; y++) {
        int64_t row = (int64_t)y * nx;

        for (x = 0, last = -1; x < nx; x++) {
            if (is_flat(x01, x99, row + x))
                flat++;
            else
                last = x;
            near[row + x] = last;
        }
        for (x = nx - 1, last = -1; x >= 0; x--) {
            int left = near[row + x];

            if (left == x) last = x;
            if (last >= 0 && (left < 0 || last - x < x - left)) near[row + x] = last;
        }
    }
    return flat;
}

/* The tile nearest to (y, x) that is not flat; there is one. Ties: lower tile index. */
static int64_t nearest_tile(const int *near, int ny, int nx, int y, int x)
{
    int64_t best = INT64_MAX, best_d = INT64_MAX;
    int dy, side;

    for (dy = 0; dy < ny && (int64_t)dy * dy <= best_d; dy++)
        for (side = -1; side <= 1; side += 2) {
            int row = y + side * dy, col;
            int64_t d, k;

            if (row < 0 || row >= ny || (col = near[(int64_t)row * nx + x]) < 0) continue;
            d = (int64_t)dy * dy + (int64_t)(col - x) * (col - x);
            k = (int64_t)row * nx + col;
            if (d < best_d || (d == best_d && k < best)) {
                best = k;
                best_d = d;
            }
        }
    return best;
}

int lp_tile_maps_ref(float *x01, float *x99, int ny, int nx, void *scratch)
{
    int64_t n = (int64_t)ny * nx, flat, i;
    float *f01 = scratch, *f99 = f01 + n;
    int *near = (int *)(f99 + n);

    flat = nearest_in_rows(near, x01, x99, ny, nx);
    for (i = 0; i < n; i++) {
        int64_t k = i;

        if (flat < n && is_flat(x01, x99, i))
            k = nearest_tile(near, ny, nx, (int)(i / nx), (int)(i % nx));
        f01[i] = flat < n ? x01[k] : 0;
        f99[i] = flat < n ? x99[k] : 1;
    }
    smooth_y(x01, f01, ny, nx);
    smooth_y(f01, x01, ny, nx);
    smooth_y(x99, f99, ny, nx);
    smooth_y(f99, x99, ny, nx);
    memcpy(x01, f01, (size_t)n * sizeof *x01);
    memcpy(x99, f99, (size_t)n * sizeof *x99);
    return flat == n;
}

void lp_difference_ref(float *out, const float *x, double a, const float *y, int64_t n)
{
    int64_t i;

#pragma omp parallel for schedule(static)
    for (i = 0; i < n; i++) out[i] = (float)(a * x[i] - y[i]);
}
