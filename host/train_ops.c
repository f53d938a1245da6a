#include "train_ops.h"

#include <stdint.h>
#include <string.h>

#include "../kernels/simd.h"
#include "train_value.h"

#define PIECE 8192 /* values whose sums are float32: 32 KiB of them */
#define MAX_CB 64

/* The body is written for any block width and type; copies with constant ones are vectorised. */
#define DISPATCH(d, F, ...)                                                                        \
    do {                                                                                           \
        if ((d)->bf16 && (d)->cb == 64)                                                            \
            F(64, 1, (d)->nblk * 64, __VA_ARGS__);                                                 \
        else if ((d)->bf16 && (d)->cb == 32)                                                       \
            F(32, 1, (d)->nblk * 32, __VA_ARGS__);                                                 \
        else if ((d)->bf16)                                                                        \
            F(16, 1, (d)->nblk * 16, __VA_ARGS__);                                                 \
        else if ((d)->cb == 16)                                                                    \
            F(16, 0, 16, __VA_ARGS__);                                                             \
        else                                                                                       \
            F(8, 0, 8, __VA_ARGS__);                                                               \
    } while (0)

/* Pixels of a piece, of one block of channels. The channels of a bfloat16 pixel lie together:
 * pieces are so small that one block after the other finds them in the cache. */
static int piece(const lp_tdims *d)
{
    int k = PIECE / (d->bf16 ? d->nblk * d->cb : 16);

    return k > 64 ? k : 64;
}

static int pieces(const lp_tdims *d)
{
    return (int)(((int64_t)d->h * d->w + piece(d) - 1) / piece(d));
}

size_t lp_tdims_size(const lp_tdims *d)
{
    return (size_t)d->n * d->nblk * d->h * d->w * d->cb;
}

size_t lp_tdims_work(const lp_tdims *d)
{
    return (size_t)d->n * d->nblk * pieces(d) * d->cb * 2;
}

/* Where piece t of all (image, block, piece), or (image, piece, block) of bfloat16, lies. */
typedef struct {
    size_t at; /* first byte in the activation */
    int n, c;  /* image, first channel */
    int pixels;
} place;

static place place_of(const lp_tdims *d, int64_t t)
{
    int np = pieces(d), len = piece(d), plane = d->h * d->w, b, p;
    place r;

    r.n = (int)(t / ((int64_t)np * d->nblk));
    t %= (int64_t)np * d->nblk;
    b = (int)(d->bf16 ? t % d->nblk : t / np);
    p = (int)(d->bf16 ? t / d->nblk : t % np);
    r.c = b * d->cb;
    if (d->bf16)
        r.at = (((size_t)r.n * plane + (size_t)p * len) * d->nblk + b) * d->cb * sizeof(uint16_t);
    else
        r.at = (((size_t)r.n * d->nblk + b) * plane + (size_t)p * len) * d->cb * sizeof(float);
    r.pixels = plane - p * len < len ? plane - p * len : len;
    return r;
}

static int64_t places(const lp_tdims *d)
{
    return (int64_t)d->n * d->nblk * pieces(d);
}

static void *to(void *x, const place *r)
{
    return x ? (char *)x + r->at : NULL;
}

static const void *from(const void *x, const place *r)
{
    return x ? (const char *)x + r->at : NULL;
}

/* Mean and sum of squared differences from it, of one piece; the second pass finds it in cache. */
INLINE void moments_of(const int cb, const int bf16, const int step, const void *restrict x, int n,
                       double *restrict out)
{
    float s[MAX_CB] = {0}, m[MAX_CB], q[MAX_CB] = {0};
    int i, c;

    for (i = 0; i < n; i++)
        for (c = 0; c < cb; c++) s[c] += lp_value(bf16, x, (size_t)i * step + c);
    for (c = 0; c < cb; c++) m[c] = s[c] / (float)n;
    for (i = 0; i < n; i++)
        for (c = 0; c < cb; c++) {
            float e = lp_value(bf16, x, (size_t)i * step + c) - m[c];

            q[c] += e * e;
        }
    for (c = 0; c < cb; c++) {
        out[c] = m[c];
        out[cb + c] = q[c];
    }
}

LP_SIMD static void moments(const lp_tdims *d, const void *x, int n, double *out)
{
    DISPATCH(d, moments_of, x, n, out);
}

/* Chan, Golub, LeVeque (1979): adds n2 values of mean m2 and squares q2 to n, *m, *q. */
static void merge(double n, double *m, double *q, double n2, double m2, double q2)
{
    double e = m2 - *m, all = n + n2;

    *m += e * n2 / all;
    *q += q2 + e * e * n * n2 / all;
}

/* What piece 0 of channel c of image i left in work, and how far the next piece's is. */
static const double *first_of(const lp_tdims *d, const double *work, int i, int c, size_t *next)
{
    int np = pieces(d);
    size_t b = (size_t)(c / d->cb);

    *next = (size_t)(d->bf16 ? d->nblk : 1) * d->cb * 2;
    return work + ((size_t)i * d->nblk * np + (d->bf16 ? b : b * np)) * d->cb * 2 + c % d->cb;
}

void lp_tops_stats(const lp_tdims *d, const void *x, const float *f, double *mean, double *var,
                   double *image_mean, double *work)
{
    int64_t total = places(d), t;
    int np = pieces(d), cp = d->nblk * d->cb, c;
    double plane = (double)d->h * d->w;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        place r = place_of(d, t);

        moments(d, from(x, &r), r.pixels, work + (size_t)t * d->cb * 2);
    }
#pragma omp parallel for schedule(static)
    for (c = 0; c < cp; c++) {
        double m = 0, q = 0, count = 0;
        int i, p;

        for (i = 0; i < d->n; i++) {
            double mi = 0, qi = 0, ni = 0;
            size_t next;
            const double *w = first_of(d, work, i, c, &next);

            for (p = 0; p < np; p++, w += next) {
                double k = p + 1 < np ? piece(d) : plane - (double)p * piece(d);

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

INLINE void norm_of(const int cb, const int bf16, const int step, void *restrict out,
                    void *restrict copy, const void *restrict x, int n, const float *restrict scale,
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
            float v = a[c] * lp_value(bf16, x, (size_t)i * step + c) + b[c];

            lp_value_set(bf16, out, (size_t)i * step + c, v > 0 ? v : 0);
        }
    for (i = 0; copy && i < n; i++)
        memcpy(lp_value_at(bf16, copy, (size_t)i * step),
               lp_value_const_at(bf16, x, (size_t)i * step),
               (size_t)cb * (bf16 ? sizeof(uint16_t) : sizeof(float)));
}

LP_SIMD static void norm(const lp_tdims *d, void *out, void *copy, const void *x, int n,
                         const float *scale, const float *shift)
{
    DISPATCH(d, norm_of, out, copy, x, n, scale, shift);
}

void lp_tops_norm(const lp_tdims *d, void *out, void *copy, const void *x, const float *scale,
                  const float *shift)
{
    int64_t total = places(d), t;
    int cp = d->nblk * d->cb;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        place r = place_of(d, t);

        norm(d, to(out, &r), to(copy, &r), from(x, &r), r.pixels, scale + r.c,
             shift + (size_t)r.n * cp + r.c);
    }
}

INLINE void sums_of(const int cb, const int bf16, const int step, const void *restrict g,
                    const void *restrict x, int n, const float *restrict scale,
                    const float *restrict shift, double *restrict out)
{
    float a[MAX_CB], b[MAX_CB], s[MAX_CB] = {0}, q[MAX_CB] = {0};
    int i, c;

    for (c = 0; c < cb; c++) {
        a[c] = scale[c];
        b[c] = shift[c];
    }
    for (i = 0; i < n; i++)
        for (c = 0; c < cb; c++) {
            size_t k = (size_t)i * step + c;
            float v = lp_value(bf16, x, k), e = lp_value(bf16, g, k);

            e = a[c] * v + b[c] > 0 ? e : 0;
            s[c] += e;
            q[c] += e * v;
        }
    for (c = 0; c < cb; c++) {
        out[c] = s[c];
        out[cb + c] = q[c];
    }
}

LP_SIMD static void sums(const lp_tdims *d, const void *g, const void *x, int n, const float *scale,
                         const float *shift, double *out)
{
    DISPATCH(d, sums_of, g, x, n, scale, shift, out);
}

void lp_tops_norm_sums(const lp_tdims *d, const void *d_out, const void *x, const float *scale,
                       const float *shift, double *sum_g, double *sum_gx, double *work)
{
    int64_t total = places(d), t;
    int np = pieces(d), cp = d->nblk * d->cb, k;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        place r = place_of(d, t);

        sums(d, from(d_out, &r), from(x, &r), r.pixels, scale + r.c, shift + (size_t)r.n * cp + r.c,
             work + (size_t)t * d->cb * 2);
    }
#pragma omp parallel for schedule(static)
    for (k = 0; k < d->n * cp; k++) {
        size_t next;
        const double *w = first_of(d, work, k / cp, k % cp, &next);
        double s = 0, q = 0;
        int p;

        for (p = 0; p < np; p++, w += next) {
            s += w[0];
            q += w[d->cb];
        }
        sum_g[k] = s;
        sum_gx[k] = q;
    }
}

/* add and with_extra are constants in every copy. */
INLINE void back_of(const int cb, const int bf16, const int step, const int add,
                    const int with_extra, void *restrict dx, const void *restrict g,
                    const void *restrict x, int n, const float *restrict scale,
                    const float *restrict shift, const float *restrict p, const float *restrict q,
                    const void *restrict extra)
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
            size_t k = (size_t)i * step + c;
            float xk = lp_value(bf16, x, k), e = lp_value(bf16, g, k), r;

            e = a[c] * xk + b[c] > 0 ? e : 0;
            r = a[c] * e + u[c] * xk + v[c];
            if (with_extra) r += lp_value(bf16, extra, k);
            lp_value_set(bf16, dx, k, add ? lp_value(bf16, dx, k) + r : r);
        }
}

#define BACK(cb, bf16, step, ...)                                                                  \
    do {                                                                                           \
        if (add && extra)                                                                          \
            back_of(cb, bf16, step, 1, 1, __VA_ARGS__);                                            \
        else if (add)                                                                              \
            back_of(cb, bf16, step, 1, 0, __VA_ARGS__);                                            \
        else if (extra)                                                                            \
            back_of(cb, bf16, step, 0, 1, __VA_ARGS__);                                            \
        else                                                                                       \
            back_of(cb, bf16, step, 0, 0, __VA_ARGS__);                                            \
    } while (0)

LP_SIMD static void back(const lp_tdims *d, int add, void *dx, const void *g, const void *x, int n,
                         const float *scale, const float *shift, const float *p, const float *q,
                         const void *extra)
{
    DISPATCH(d, BACK, dx, g, x, n, scale, shift, p, q, extra);
}

void lp_tops_norm_back(const lp_tdims *d, void *d_x, int add, const void *d_out, const void *x,
                       const float *scale, const float *shift, const float *p, const float *q,
                       const void *extra)
{
    int64_t total = places(d), t;
    int cp = d->nblk * d->cb;

#pragma omp parallel for schedule(static)
    for (t = 0; t < total; t++) {
        place r = place_of(d, t);

        back(d, add, to(d_x, &r), from(d_out, &r), from(x, &r), r.pixels, scale + r.c,
             shift + (size_t)r.n * cp + r.c, p + r.c, q + (size_t)r.n * cp + r.c, from(extra, &r));
    }
}
