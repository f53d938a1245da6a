#include "train_ops.h"

#include <stdint.h>
#include <string.h>

#include "../kernels/simd.h"

#define PIECE 512 /* pixels whose sums are float32: 32 KiB of 16 channels */
#define MAX_CB 16

#define INLINE static inline __attribute__((always_inline))

/* The body is written for any block width; copies with a constant one are vectorised. */
#define DISPATCH(cb, F, ...)                                                                       \
    do {                                                                                           \
        if ((cb) == 16)                                                                            \
            F(16, __VA_ARGS__);                                                                    \
        else                                                                                       \
            F(8, __VA_ARGS__);                                                                     \
    } while (0)

static int pieces(const lp_tdims *d)
{
    return (int)(((int64_t)d->h * d->w + PIECE - 1) / PIECE);
}

size_t lp_tdims_size(const lp_tdims *d)
{
    return (size_t)d->n * d->nblk * d->h * d->w * d->cb;
}

size_t lp_tdims_work(const lp_tdims *d)
{
    return (size_t)d->n * d->nblk * pieces(d) * d->cb * 2;
}

/* Where piece t of all (image, block, piece) lies. */
typedef struct {
    size_t at;   /* first element in the activation */
    int n, c, p; /* image, first channel, piece */
    int pixels;
} place;

static place place_of(const lp_tdims *d, int64_t t)
{
    int np = pieces(d), plane = d->h * d->w;
    int64_t ib = t / np;
    place r;

    r.p = (int)(t % np);
    r.n = (int)(ib / d->nblk);
    r.c = (int)(ib % d->nblk) * d->cb;
    r.at = ((size_t)ib * plane + (size_t)r.p * PIECE) * d->cb;
    r.pixels = plane - r.p * PIECE < PIECE ? plane - r.p * PIECE : PIECE;
    return r;
}

static int64_t places(const lp_tdims *d)
{
    return (int64_t)d->n * d->nblk * pieces(d);
}

/* Mean and sum of squared differences from it, of one piece; the second pass finds it in cache. */
INLINE void moments_of(const int cb, const float *restrict x, int n, double *restrict out)
{
    float s[MAX_CB] = {0}, m[MAX_CB], q[MAX_CB] = {0};
    int i, c;

    for (i = 0; i < n; i++)
        for (c = 0; c < cb; c++) s[c] += x[(size_t)i * cb + c];
    for (c = 0; c < cb; c++) m[c] = s[c] / (float)n;
    for (i = 0; i < n; i++)
        for (c = 0; c < cb; c++) {
            float e = x[(size_t)i * cb + c] - m[c];

            q[c] += e * e;
        }
    for (c = 0; c < cb; c++) {
        out[c] = m[c];
        out[cb + c] = q[c];
    }
}

LP_SIMD static void moments(int cb, const float *x, int n, double *out)
{
    DISPATCH(cb, moments_of, x, n, out);
}

/* Chan, Golub, LeVeque (1979): adds n2 values of mean m2 and squares q2 to n, *m, *q. */
static void merge(double n, double *m, double *q, double n2, double m2, double q2)
{
    double e = m2 - *m, all = n + n2;

    *m += e * n2 / all;
    *q += q2 + e * e * n * n2 / all;
}

void lp_tops_stats(const lp_tdims *d, const float *x, const float *f, double *mean, double *var,
                   double *image_mean, double *work)
{
    int64_t total = places(d), t;
    int np = pieces(d), cp = d->nblk * d->cb, c;
    double plane = (double)d->h * d->w;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        place r = place_of(d, t);

        moments(d->cb, x + r.at, r.pixels, work + (size_t)t * d->cb * 2);
    }
#pragma omp parallel for schedule(static)
    for (c = 0; c < cp; c++) {
        double m = 0, q = 0, count = 0;
        int i, p;

        for (i = 0; i < d->n; i++) {
            double mi = 0, qi = 0, ni = 0;
            const double *w = work + ((size_t)i * d->nblk + c / d->cb) * np * d->cb * 2 + c % d->cb;

            for (p = 0; p < np; p++, w += d->cb * 2) {
                double k = p + 1 < np ? PIECE : plane - (double)p * PIECE;

                merge(ni, &mi, &qi, k, w[0], w[d->cb]);
                ni += k;
            }
            if (f) mi += f[(size_t)i * cp + c];
            image_mean[(size_t)i * cp + c] = mi;
            merge(count, &m, &q, ni, mi, qi);
            count += ni;
        }
        mean[c] = m;
        var[c] = q / count;
    }
}

INLINE void norm_of(const int cb, float *restrict out, float *restrict copy,
                    const float *restrict x, int n, const float *restrict scale,
                    const float *restrict shift)
{
    float a[MAX_CB], b[MAX_CB];
    int i, c;

    for (c = 0; c < cb; c++) {
        a[c] = scale[c];
        b[c] = shift[c];
    }
    for (i = 0; i < n; i++)
        for (c = 0; c < cb; c++) {
            float v = a[c] * x[(size_t)i * cb + c] + b[c];

            out[(size_t)i * cb + c] = v > 0 ? v : 0;
        }
    if (copy) memcpy(copy, x, (size_t)n * cb * sizeof *x);
}

LP_SIMD static void norm(int cb, float *out, float *copy, const float *x, int n, const float *scale,
                         const float *shift)
{
    DISPATCH(cb, norm_of, out, copy, x, n, scale, shift);
}

void lp_tops_norm(const lp_tdims *d, float *out, float *copy, const float *x, const float *scale,
                  const float *shift)
{
    int64_t total = places(d), t;
    int cp = d->nblk * d->cb;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        place r = place_of(d, t);

        norm(d->cb, out + r.at, copy ? copy + r.at : NULL, x + r.at, r.pixels, scale + r.c,
             shift + (size_t)r.n * cp + r.c);
    }
}

INLINE void sums_of(const int cb, const float *restrict g, const float *restrict x, int n,
                    const float *restrict scale, const float *restrict shift, double *restrict out)
{
    float a[MAX_CB], b[MAX_CB], s[MAX_CB] = {0}, q[MAX_CB] = {0};
    int i, c;

    for (c = 0; c < cb; c++) {
        a[c] = scale[c];
        b[c] = shift[c];
    }
    for (i = 0; i < n; i++)
        for (c = 0; c < cb; c++) {
            float v = x[(size_t)i * cb + c], e = a[c] * v + b[c] > 0 ? g[(size_t)i * cb + c] : 0;

            s[c] += e;
            q[c] += e * v;
        }
    for (c = 0; c < cb; c++) {
        out[c] = s[c];
        out[cb + c] = q[c];
    }
}

LP_SIMD static void sums(int cb, const float *g, const float *x, int n, const float *scale,
                         const float *shift, double *out)
{
    DISPATCH(cb, sums_of, g, x, n, scale, shift, out);
}

void lp_tops_norm_sums(const lp_tdims *d, const float *d_out, const float *x, const float *scale,
                       const float *shift, double *sum_g, double *sum_gx, double *work)
{
    int64_t total = places(d), t;
    int np = pieces(d), cp = d->nblk * d->cb, k;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        place r = place_of(d, t);

        sums(d->cb, d_out + r.at, x + r.at, r.pixels, scale + r.c, shift + (size_t)r.n * cp + r.c,
             work + (size_t)t * d->cb * 2);
    }
#pragma omp parallel for schedule(static)
    for (k = 0; k < d->n * cp; k++) {
        int i = k / cp, c = k % cp, p;
        const double *w = work + ((size_t)i * d->nblk + c / d->cb) * np * d->cb * 2 + c % d->cb;
        double s = 0, q = 0;

        for (p = 0; p < np; p++, w += d->cb * 2) {
            s += w[0];
            q += w[d->cb];
        }
        sum_g[k] = s;
        sum_gx[k] = q;
    }
}

/* add and with_extra are constants in every copy. */
INLINE void back_of(const int cb, const int add, const int with_extra, float *restrict dx,
                    const float *restrict g, const float *restrict x, int n,
                    const float *restrict scale, const float *restrict shift,
                    const float *restrict p, const float *restrict q, const float *restrict extra)
{
    float a[MAX_CB], b[MAX_CB], u[MAX_CB], v[MAX_CB];
    int i, c;

    for (c = 0; c < cb; c++) {
        a[c] = scale[c];
        b[c] = shift[c];
        u[c] = p[c];
        v[c] = q[c];
    }
    for (i = 0; i < n; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)i * cb + c;
            float e = a[c] * x[k] + b[c] > 0 ? g[k] : 0;
            float r = a[c] * e + u[c] * x[k] + v[c];

            if (with_extra) r += extra[k];
            dx[k] = add ? dx[k] + r : r;
        }
}

#define BACK(cb, ...)                                                                              \
    do {                                                                                           \
        if (add && extra)                                                                          \
            back_of(cb, 1, 1, __VA_ARGS__);                                                        \
        else if (add)                                                                              \
            back_of(cb, 1, 0, __VA_ARGS__);                                                        \
        else if (extra)                                                                            \
            back_of(cb, 0, 1, __VA_ARGS__);                                                        \
        else                                                                                       \
            back_of(cb, 0, 0, __VA_ARGS__);                                                        \
    } while (0)

LP_SIMD static void back(int cb, int add, float *dx, const float *g, const float *x, int n,
                         const float *scale, const float *shift, const float *p, const float *q,
                         const float *extra)
{
    DISPATCH(cb, BACK, dx, g, x, n, scale, shift, p, q, extra);
}

void lp_tops_norm_back(const lp_tdims *d, float *d_x, int add, const float *d_out, const float *x,
                       const float *scale, const float *shift, const float *p, const float *q,
                       const float *extra)
{
    int64_t total = places(d), t;
    int cp = d->nblk * d->cb;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        place r = place_of(d, t);

        back(d->cb, add, d_x + r.at, d_out + r.at, x + r.at, r.pixels, scale + r.c,
             shift + (size_t)r.n * cp + r.c, p + r.c, q + (size_t)r.n * cp + r.c,
             extra ? extra + r.at : NULL);
    }
}
