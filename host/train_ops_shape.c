/* The operations of train_ops.h that change the shape or type of an activation, and those of whole
 * channels. */
#include <stdint.h>

#include "../kernels/simd.h"
#include "train_ops.h"
#include "train_value.h"

#define LANES 8 /* divides every block of channels */

/* Values of a pixel that lie together. */
static int together(const lp_tdims *d)
{
    return d->bf16 ? d->nblk * d->cb : d->cb;
}

/* Rows of all images and blocks. */
static int64_t rows(const lp_tdims *d)
{
    return (int64_t)d->n * (d->bf16 ? 1 : d->nblk) * d->h;
}

/* Row t of an activation of dims d; the two of one twice as high and wide that it comes from. */
static size_t row_at(const lp_tdims *d, int64_t t)
{
    return (size_t)t * d->w * together(d);
}

static size_t under(const lp_tdims *d, int64_t t)
{
    return 4 * row_at(d, t);
}

#define BOTH(bf16, F, ...)                                                                         \
    do {                                                                                           \
        if (bf16)                                                                                  \
            F(1, __VA_ARGS__);                                                                     \
        else                                                                                       \
            F(0, __VA_ARGS__);                                                                     \
    } while (0)

INLINE void pool_row_of(const int bf16, void *restrict out, const void *restrict x, int w, int cb)
{
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)2 * i * cb + c, low = k + (size_t)2 * w * cb;
            float a = lp_value(bf16, x, k), b = lp_value(bf16, x, k + cb);
            float p = lp_value(bf16, x, low), q = lp_value(bf16, x, low + cb);

            a = a >= b ? a : b;
            p = p >= q ? p : q;
            lp_value_set(bf16, out, (size_t)i * cb + c, a >= p ? a : p);
        }
}

LP_SIMD static void pool_row(int bf16, void *out, const void *x, int w, int cb)
{
    BOTH(bf16, pool_row_of, out, x, w, cb);
}

void lp_tops_pool(const lp_tdims *d, void *out, const void *x)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        pool_row(d->bf16, lp_value_at(d->bf16, out, row_at(d, t)),
                 lp_value_const_at(d->bf16, x, under(d, t)), d->w, together(d));
}

/* LANES channels at a time in arrays: what is written is then seen not to be what is read next. */
INLINE void pool_back_row_of(const int bf16, void *restrict dx, const void *restrict g,
                             const void *restrict x, int w, int cb)
{
    size_t down = (size_t)2 * w * cb;
    int i, c, j;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c += LANES) {
            const size_t k = (size_t)2 * i * cb + c, low = k + down;
            const size_t at[4] = {k, k + cb, low, low + cb};
            float v[4][LANES];

            for (j = 0; j < LANES; j++) {
                float e = lp_value(bf16, g, (size_t)i * cb + c + j);
                float a = lp_value(bf16, x, at[0] + j), b = lp_value(bf16, x, at[1] + j);
                float p = lp_value(bf16, x, at[2] + j), q = lp_value(bf16, x, at[3] + j);
                float above = a >= b ? a : b, below = p >= q ? p : q;
                float ea = above >= below ? e : 0, eb = above >= below ? 0 : e;

                v[0][j] = lp_value(bf16, dx, at[0] + j) + (a >= b ? ea : 0);
                v[1][j] = lp_value(bf16, dx, at[1] + j) + (a >= b ? 0 : ea);
                v[2][j] = lp_value(bf16, dx, at[2] + j) + (p >= q ? eb : 0);
                v[3][j] = lp_value(bf16, dx, at[3] + j) + (p >= q ? 0 : eb);
            }
            for (j = 0; j < LANES; j++) lp_value_set(bf16, dx, at[0] + j, v[0][j]);
            for (j = 0; j < LANES; j++) lp_value_set(bf16, dx, at[1] + j, v[1][j]);
            for (j = 0; j < LANES; j++) lp_value_set(bf16, dx, at[2] + j, v[2][j]);
            for (j = 0; j < LANES; j++) lp_value_set(bf16, dx, at[3] + j, v[3][j]);
        }
}

LP_SIMD static void pool_back_row(int bf16, void *dx, const void *g, const void *x, int w, int cb)
{
    BOTH(bf16, pool_back_row_of, dx, g, x, w, cb);
}

void lp_tops_pool_back(const lp_tdims *d, void *d_x, const void *d_out, const void *x)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        pool_back_row(d->bf16, lp_value_at(d->bf16, d_x, under(d, t)),
                      lp_value_const_at(d->bf16, d_out, row_at(d, t)),
                      lp_value_const_at(d->bf16, x, under(d, t)), d->w, together(d));
}

INLINE void up_row_of(const int bf16, void *restrict out, const void *restrict x, int w, int cb)
{
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)2 * i * cb + c, low = k + (size_t)2 * w * cb;
            float v = lp_value(bf16, x, (size_t)i * cb + c);

            lp_value_set(bf16, out, k, v);
            lp_value_set(bf16, out, k + cb, v);
            lp_value_set(bf16, out, low, v);
            lp_value_set(bf16, out, low + cb, v);
        }
}

LP_SIMD static void up_row(int bf16, void *out, const void *x, int w, int cb)
{
    BOTH(bf16, up_row_of, out, x, w, cb);
}

void lp_tops_up(const lp_tdims *d, void *out, const void *x)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        up_row(d->bf16, lp_value_at(d->bf16, out, under(d, t)),
               lp_value_const_at(d->bf16, x, row_at(d, t)), d->w, together(d));
}

INLINE void up_back_row_of(const int bf16, void *restrict dx, const void *restrict g, int w, int cb)
{
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)2 * i * cb + c, low = k + (size_t)2 * w * cb;

            lp_value_set(bf16, dx, (size_t)i * cb + c,
                         (lp_value(bf16, g, k) + lp_value(bf16, g, k + cb)) +
                             (lp_value(bf16, g, low) + lp_value(bf16, g, low + cb)));
        }
}

LP_SIMD static void up_back_row(int bf16, void *dx, const void *g, int w, int cb)
{
    BOTH(bf16, up_back_row_of, dx, g, w, cb);
}

void lp_tops_up_back(const lp_tdims *d, void *d_x, const void *d_out)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        up_back_row(d->bf16, lp_value_at(d->bf16, d_x, row_at(d, t)),
                    lp_value_const_at(d->bf16, d_out, under(d, t)), d->w, together(d));
}

INLINE void add_row_of(const int bf16, void *restrict x, const float *restrict f, int w, int cb)
{
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)i * cb + c;

            lp_value_set(bf16, x, k, lp_value(bf16, x, k) + f[c]);
        }
}

LP_SIMD static void add_row(int bf16, void *x, const float *f, int w, int cb)
{
    BOTH(bf16, add_row_of, x, f, w, cb);
}

void lp_tops_add_channels(const lp_tdims *d, void *x, const float *f)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        add_row(d->bf16, lp_value_at(d->bf16, x, row_at(d, t)),
                f + (size_t)(t / d->h) * together(d), d->w, together(d));
}

/* Pixel 0 of channel c of image i; *step to the next. */
static size_t channel_at(const lp_tdims *d, int i, int c, size_t *step)
{
    size_t plane = (size_t)d->h * d->w, cp = (size_t)d->nblk * d->cb;

    *step = (size_t)together(d);
    if (d->bf16) return i * cp * plane + (size_t)c;
    return ((size_t)i * d->nblk + c / d->cb) * plane * d->cb + (size_t)(c % d->cb);
}

void lp_tops_means(const lp_tdims *d, const void *x, double *means)
{
    size_t plane = (size_t)d->h * d->w;
    int cp = d->nblk * d->cb, k;

#pragma omp parallel for schedule(static)
    for (k = 0; k < d->n * cp; k++) {
        size_t step, at = channel_at(d, k / cp, k % cp, &step), p;
        double sum = 0;

        for (p = 0; p < plane; p++) sum += lp_value(d->bf16, x, at + p * step);
        means[k] = sum / (double)plane;
    }
}

LP_SIMD static void narrow(uint16_t *restrict out, size_t so, const float *restrict x, int w,
                           int cb)
{
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) out[i * so + c] = lp_bf16_from(x[(size_t)i * cb + c]);
}

LP_SIMD static void widen(float *restrict out, const uint16_t *restrict x, size_t si, int w, int cb)
{
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) out[(size_t)i * cb + c] = lp_bf16_to(x[i * si + c]);
}

void lp_tops_convert(const lp_tdims *d, void *out, const void *x)
{
    lp_tdims other = *d;
    int64_t total = (int64_t)d->n * d->nblk * d->h, t;

    other.bf16 = !d->bf16;
#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        int i = (int)(t / d->h / d->nblk), b = (int)(t / d->h % d->nblk), y = (int)(t % d->h);
        size_t so, si, ao = channel_at(d, i, b * d->cb, &so);
        size_t ai = channel_at(&other, i, b * d->cb, &si);

        ao += (size_t)y * d->w * so;
        ai += (size_t)y * d->w * si;
        if (d->bf16)
            narrow((uint16_t *)out + ao, so, (const float *)x + ai, d->w, d->cb);
        else
            widen((float *)out + ao, (const uint16_t *)x + ai, si, d->w, d->cb);
    }
}

void lp_tops_from_planes(const lp_tdims *d, void *x, const float *planes, int c)
{
    size_t plane = (size_t)d->h * d->w;
    int cp = d->nblk * d->cb;
    int64_t total = (int64_t)d->n * d->nblk * d->h, t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        int i = (int)(t / d->h / d->nblk), b = (int)(t / d->h % d->nblk), k;
        size_t first = (size_t)(t % d->h) * d->w, p;

        for (k = b * d->cb; k < (b + 1) * d->cb && k < cp; k++) {
            size_t step, at = channel_at(d, i, k, &step);

            for (p = first; p < first + d->w; p++)
                lp_value_set(d->bf16, x, at + p * step,
                             k < c ? planes[((size_t)i * c + k) * plane + p] : 0);
        }
    }
}

void lp_tops_to_planes(const lp_tdims *d, float *planes, const void *x, int c)
{
    size_t plane = (size_t)d->h * d->w;
    int k;

#pragma omp parallel for schedule(static)
    for (k = 0; k < d->n * c; k++) {
        size_t step, at = channel_at(d, k / c, k % c, &step), p;

        for (p = 0; p < plane; p++)
            planes[(size_t)k * plane + p] = lp_value(d->bf16, x, at + p * step);
    }
}
