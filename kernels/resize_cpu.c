#include "resize.h"

#include <string.h>

#include "resize_point.h"
#include "simd.h"

/* Scratch: x tables (source pixel, its right neighbour, weight), then for every thread the two
 * source rows between which it interpolates, already resized in x. */
static size_t row_floats(int Lx2)
{
    return ((size_t)Lx2 + 15) / 16 * 16;
}

size_t lp_resize_scratch(int Lx2, int nthreads)
{
    return (3 + 2 * (size_t)nthreads) * row_floats(Lx2) * sizeof(float);
}

LP_SIMD static void resize_x(float *out, const float *in, const int *x0, const int *x1,
                             const float *fx, int n)
{
    int x;

    for (x = 0; x < n; x++) out[x] = in[x0[x]] * (1 - fx[x]) + in[x1[x]] * fx[x];
}

LP_SIMD static void resize_y(float *out, const float *a, const float *b, float f, int n)
{
    int x;

    for (x = 0; x < n; x++) out[x] = a[x] * (1 - f) + b[x] * f;
}

/* Output rows first .. end - 1 of all planes, counted through. */
static void rows(float *out, const float *in, int64_t first, int64_t end, int Ly, int Lx, int Ly2,
                 int Lx2, double sy, const int *x0, const int *x1, const float *fx, float *a,
                 float *b)
{
    int64_t have_a = -1, have_b = -1, r; /* source rows in a and b, counted through the planes */

    for (r = first; r < end; r++) {
        int64_t base = r / Ly2 * Ly;
        int y0, y1;
        float fy, *t;

        lp_resize_point((int)(r % Ly2), sy, Ly, &y0, &y1, &fy);
        if (have_b == base + y0) {
            t = a;
            a = b;
            b = t;
            have_b = have_a;
            have_a = base + y0;
        }
        if (have_a != base + y0) resize_x(a, in + (base + y0) * Lx, x0, x1, fx, Lx2);
        have_a = base + y0;
        if (have_b != base + y1) resize_x(b, in + (base + y1) * Lx, x0, x1, fx, Lx2);
        have_b = base + y1;
        resize_y(out + r * Lx2, a, b, fy, Lx2);
    }
}

void lp_resize_cpu(float *out, const float *in, int nchan, int Ly, int Lx, int Ly2, int Lx2,
                   int nthreads, void *scratch)
{
    double sy = lp_resize_scale(Ly, Ly2), sx = lp_resize_scale(Lx, Lx2);
    size_t row = row_floats(Lx2);
    int64_t total = (int64_t)nchan * Ly2;
    float *fx = scratch, *buf = fx + 3 * row;
    int *x0 = (int *)(fx + row), *x1 = (int *)(fx + 2 * row), i;

    if (Ly == Ly2 && Lx == Lx2) {
        memcpy(out, in, (size_t)nchan * (size_t)Ly * (size_t)Lx * sizeof *out);
        return;
    }
    for (i = 0; i < Lx2; i++) lp_resize_point(i, sx, Lx, &x0[i], &x1[i], &fx[i]);
#pragma omp parallel for schedule(static) num_threads(nthreads)
    for (i = 0; i < nthreads; i++) {
        float *a = buf + 2 * (size_t)i * row;

        rows(out, in, total * i / nthreads, total * (i + 1) / nthreads, Ly, Lx, Ly2, Lx2, sy, x0,
             x1, fx, a, a + row);
    }
}
