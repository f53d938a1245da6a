#include "normalize.h"

#include <string.h>

#include "simd.h"

/* Columns done at once: the sums stay in the first-level cache. */
#define BLOCK 512

/* Per thread: one row of vertical sums, wrapped around by tx columns. */
static size_t row_doubles(int Lx, int tx)
{
    return ((size_t)Lx + (size_t)tx + 7) / 8 * 8;
}

size_t lp_blur_scratch(int Lx, int tx, int nthreads)
{
    return (size_t)nthreads * (row_doubles(Lx, tx) + BLOCK) * sizeof(double);
}

LP_SIMD static void add_scaled_float(double *acc, const float *in, double w, int n)
{
    int i;

    for (i = 0; i < n; i++) acc[i] += w * in[i];
}

LP_SIMD static void add_scaled(double *acc, const double *in, double w, int n)
{
    int i;

    for (i = 0; i < n; i++) acc[i] += w * in[i];
}

static int wrap(int64_t i, int n)
{
    return (int)((i % n + n) % n);
}

static void blur_row(float *out, const float *in, int y, int Ly, int Lx, const double *wy, int ty,
                     int oy, const double *wx, int tx, int ox, double *ext, double *acc)
{
    int first = wrap(ox, Lx), tail = Lx - first, x, i, b, n;

    /* ext[x] is the vertical sum of column x + ox. */
    memset(ext, 0, (size_t)Lx * sizeof *ext);
    for (i = 0; i < ty; i++) {
        const float *row = in + (int64_t)wrap((int64_t)y + oy + i, Ly) * Lx;

        add_scaled_float(ext, row + first, wy[i], tail);
        add_scaled_float(ext + tail, row, wy[i], first);
    }
    memcpy(ext + Lx, ext, (size_t)tx * sizeof *ext);
    for (x = 0; x < Lx; x += BLOCK) {
        b = Lx - x < BLOCK ? Lx - x : BLOCK;
        memset(acc, 0, (size_t)b * sizeof *acc);
        for (i = 0; i < tx; i++) add_scaled(acc, ext + x + i, wx[i], b);
        for (n = 0; n < b; n++) out[x + n] = (float)acc[n];
    }
}

void lp_blur_ref(float *out, const float *in, int Ly, int Lx, const double *wy, int ty, int oy,
                 const double *wx, int tx, int ox, int nthreads, void *scratch)
{
    size_t per_thread = row_doubles(Lx, tx) + BLOCK;
    int i;

#pragma omp parallel for schedule(static) num_threads(nthreads)
    for (i = 0; i < nthreads; i++) {
        double *ext = (double *)scratch + (size_t)i * per_thread;
        int y = (int)((int64_t)Ly * i / nthreads), end = (int)((int64_t)Ly * (i + 1) / nthreads);

        for (; y < end; y++)
            blur_row(out + (int64_t)y * Lx, in, y, Ly, Lx, wy, ty, oy, wx, tx, ox, ext,
                     ext + row_doubles(Lx, tx));
    }
}
