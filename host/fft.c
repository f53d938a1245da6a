#include "fft.h"

#include <stdlib.h>

#include "detmath.h"

static void swap_rows(float *a, float *b, int n)
{
    int x;

    for (x = 0; x < n; x++) {
        float t = a[x];

        a[x] = b[x];
        b[x] = t;
    }
}

/* a, b <- a + w b, a - w b for rows of n complex numbers. */
static void butterfly(float *restrict ar, float *restrict ai, float *restrict br,
                      float *restrict bi, float wr, float wi, int n)
{
    int x;

    for (x = 0; x < n; x++) {
        float tr = br[x] * wr - bi[x] * wi, ti = br[x] * wi + bi[x] * wr;

        br[x] = ar[x] - tr;
        bi[x] = ai[x] - ti;
        ar[x] += tr;
        ai[x] += ti;
    }
}

/* Radix-2 transform down the columns of cols columns: whole rows are the operands, so
 * the inner loop is a plain vector loop. A strip of columns stays in cache. */
static void columns(float *re, float *im, int n, int cols, const float *wr, const float *wi)
{
    size_t ld = (size_t)n;
    int i, j, bit, half, k;

    for (i = 1, j = 0; i < n; i++) {
        for (bit = n >> 1; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            swap_rows(re + i * ld, re + j * ld, cols);
            swap_rows(im + i * ld, im + j * ld, cols);
        }
    }
    for (half = 1; half < n; half *= 2)
        for (i = 0; i < n; i += 2 * half)
            for (k = 0; k < half; k++) {
                size_t a = (size_t)(i + k) * ld, b = a + (size_t)half * ld;
                int w = k * (n / (2 * half));

                butterfly(re + a, im + a, re + b, im + b, wr[w], wi[w], cols);
            }
}

static void transpose(float *a, int n)
{
    enum { B = 32 };
    int by, bx, y, x;

    for (by = 0; by < n; by += B)
        for (bx = by; bx < n; bx += B)
            for (y = by; y < by + B && y < n; y++)
                for (x = bx > y ? bx : y + 1; x < bx + B && x < n; x++) {
                    float *p = a + (size_t)y * n + x, *q = a + (size_t)x * n + y, t = *p;

                    *p = *q;
                    *q = t;
                }
}

lp_status lp_fft2(float *re, float *im, int n, int sign, lp_err *err)
{
    enum { STRIP = 64 };
    float *w;
    int i, pass, x;

    if (n < 2 || n > LP_FFT_MAX || (n & (n - 1)))
        return lp_fail(err, LP_EARG, "fft: size %d is not a power of two from 2 to %d", n,
                       LP_FFT_MAX);
    w = malloc((size_t)n * sizeof *w);
    if (!w) return lp_fail_mem(err, "fft", (double)n * sizeof *w);
    for (i = 0; i < n / 2; i++) {
        double s, c;

        lp_det_sincos((double)i / n, &s, &c);
        w[i] = (float)c;
        w[n / 2 + i] = (float)(sign < 0 ? -s : s);
    }
    for (pass = 0; pass < 2; pass++) {
        for (x = 0; x < n; x += STRIP)
            columns(re + x, im + x, n, n - x < STRIP ? n - x : STRIP, w, w + n / 2);
        transpose(re, n);
        transpose(im, n);
    }
    free(w);
    return LP_OK;
}
