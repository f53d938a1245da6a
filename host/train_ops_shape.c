/* The operations of train_ops.h that change the shape of an activation, and adding to channels. */
#include <stdint.h>

#include "../kernels/simd.h"
#include "train_ops.h"

/* Rows of all images and blocks. */
static int64_t rows(const lp_tdims *d)
{
    return (int64_t)d->n * d->nblk * d->h;
}

/* The 2 x 2 pixels of x (2w wide) under output row t begin here. */
static size_t under(const lp_tdims *d, int64_t t)
{
    return (size_t)t * 4 * d->w * d->cb;
}

LP_SIMD static void pool_row(float *restrict out, const float *restrict x, int w, int cb)
{
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) {
            const float *p = x + (size_t)2 * i * cb + c, *q = p + (size_t)2 * w * cb;
            float a = p[0] >= p[cb] ? p[0] : p[cb], b = q[0] >= q[cb] ? q[0] : q[cb];

            out[(size_t)i * cb + c] = a >= b ? a : b;
        }
}

void lp_tops_pool(const lp_tdims *d, float *out, const float *x)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        pool_row(out + (size_t)t * d->w * d->cb, x + under(d, t), d->w, d->cb);
}

LP_SIMD static void pool_back_row(float *restrict dx, const float *restrict g,
                                  const float *restrict x, int w, int cb)
{
    size_t low = (size_t)2 * w * cb;
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)2 * i * cb + c;
            float e = g[(size_t)i * cb + c], a = x[k], b = x[k + cb], p = x[k + low],
                  q = x[k + low + cb];
            float up = a >= b ? a : b, down = p >= q ? p : q;
            int top = up >= down;

            dx[k] += top && a >= b ? e : 0;
            dx[k + cb] += top && !(a >= b) ? e : 0;
            dx[k + low] += !top && p >= q ? e : 0;
            dx[k + low + cb] += !top && !(p >= q) ? e : 0;
        }
}

void lp_tops_pool_back(const lp_tdims *d, float *d_x, const float *d_out, const float *x)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        pool_back_row(d_x + under(d, t), d_out + (size_t)t * d->w * d->cb, x + under(d, t), d->w,
                      d->cb);
}

LP_SIMD static void up_row(float *restrict out, const float *restrict x, int w, int cb)
{
    size_t low = (size_t)2 * w * cb;
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)2 * i * cb + c;
            float v = x[(size_t)i * cb + c];

            out[k] = v;
            out[k + cb] = v;
            out[k + low] = v;
            out[k + low + cb] = v;
        }
}

void lp_tops_up(const lp_tdims *d, float *out, const float *x)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        up_row(out + under(d, t), x + (size_t)t * d->w * d->cb, d->w, d->cb);
}

LP_SIMD static void up_back_row(float *restrict dx, const float *restrict g, int w, int cb)
{
    size_t low = (size_t)2 * w * cb;
    int i, c;

    for (i = 0; i < w; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)2 * i * cb + c;

            dx[(size_t)i * cb + c] = (g[k] + g[k + cb]) + (g[k + low] + g[k + low + cb]);
        }
}

void lp_tops_up_back(const lp_tdims *d, float *d_x, const float *d_out)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++)
        up_back_row(d_x + (size_t)t * d->w * d->cb, d_out + under(d, t), d->w, d->cb);
}

void lp_tops_add_channels(const lp_tdims *d, float *x, const float *f)
{
    int64_t total = rows(d), t;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        const float *v = f + (size_t)(t / d->h) * d->cb; /* [n][nblk][cb] */
        float *p = x + (size_t)t * d->w * d->cb;
        int i, c;

        for (i = 0; i < d->w; i++)
            for (c = 0; c < d->cb; c++) p[(size_t)i * d->cb + c] += v[c];
    }
}

void lp_tops_from_planes(const lp_tdims *d, float *x, const float *planes, int c)
{
    size_t plane = (size_t)d->h * d->w;
    int k;

#pragma omp parallel for schedule(static)
    for (k = 0; k < d->n * d->nblk; k++) {
        int i = k / d->nblk, b = k % d->nblk, j;
        size_t p;

        for (p = 0; p < plane; p++)
            for (j = 0; j < d->cb; j++) {
                int ch = b * d->cb + j;

                x[((size_t)k * plane + p) * d->cb + j] =
                    ch < c ? planes[((size_t)i * c + ch) * plane + p] : 0;
            }
    }
}

void lp_tops_to_planes(const lp_tdims *d, float *planes, const float *x, int c)
{
    size_t plane = (size_t)d->h * d->w;
    int k;

#pragma omp parallel for schedule(static)
    for (k = 0; k < d->n * c; k++) {
        int i = k / c, ch = k % c;
        const float *s = x + (((size_t)i * d->nblk + ch / d->cb) * plane) * d->cb + ch % d->cb;
        size_t p;

        for (p = 0; p < plane; p++) planes[(size_t)k * plane + p] = s[p * d->cb];
    }
}
