#include "unet_ops.h"

#include <math.h>
#include <string.h>

#include "../kernels/simd.h"

/* The functions below are written once for both element types and any block width; the
 * inlined copies with constant arguments are what the compiler vectorises. */
#define INLINE static inline __attribute__((always_inline))

#ifdef __clang__ /* knows no such hint without a warning where it does not vectorise */
#define NO_ALIAS
#else
#define NO_ALIAS _Pragma("GCC ivdep")
#endif

INLINE float load(const void *p, size_t i, const int bf16)
{
    if (bf16) {
        uint32_t u = (uint32_t)((const uint16_t *)p)[i] << 16;
        float f;

        memcpy(&f, &u, 4);
        return f;
    }
    return ((const float *)p)[i];
}

INLINE void store(void *p, size_t i, float f, const int bf16)
{
    if (bf16) {
        uint32_t u;

        memcpy(&u, &f, 4);
        u += 0x7fffu + ((u >> 16) & 1u);
        ((uint16_t *)p)[i] = (uint16_t)(u >> 16);
    } else {
        ((float *)p)[i] = f;
    }
}

INLINE float relu(float x)
{
    return x > 0 ? x : 0;
}

/* DISPATCH(call with B and CB): a constant element type, and a constant block of 16. */
#define DISPATCH(a, F, ...)                                                                        \
    do {                                                                                           \
        if ((a).bf16 && (a).cblk == 16)                                                            \
            F(a, 1, 16, __VA_ARGS__);                                                              \
        else if ((a).bf16)                                                                         \
            F(a, 1, (a).cblk, __VA_ARGS__);                                                        \
        else if ((a).cblk == 16)                                                                   \
            F(a, 0, 16, __VA_ARGS__);                                                              \
        else                                                                                       \
            F(a, 0, (a).cblk, __VA_ARGS__);                                                        \
    } while (0)

INLINE void up_bn_relu(lp_act a, const int bf16, const int cb, void *restrict out,
                       const void *restrict x, int h, int w, int f, const float *restrict scale,
                       const float *restrict shift, int row0, int row1)
{
    int b, y, i, c;

    for (b = 0; b < a.nblk; b++)
        for (y = row0; y < row1; y++) {
            size_t o = (((size_t)b * h + y) * w) * cb;
            size_t s = (((size_t)b * (h / f) + y / f) * (w / f)) * cb;

            for (i = 0; i < w; i++)
                for (c = 0; c < cb; c++)
                    store(out, o + (size_t)i * cb + c,
                          relu(scale[b * cb + c] * load(x, s + (size_t)(i / f) * cb + c, bf16) +
                               shift[b * cb + c]),
                          bf16);
        }
}

LP_SIMD void lp_ops_up_bn_relu(lp_act a, void *out, const void *x, int h, int w, int f,
                               const float *scale, const float *shift, int row0, int row1)
{
    if (f == 1) {
        DISPATCH(a, up_bn_relu, out, x, h, w, 1, scale, shift, row0, row1);
    } else {
        DISPATCH(a, up_bn_relu, out, x, h, w, 2, scale, shift, row0, row1);
    }
}

/* In place is allowed, so no restrict on the activation. */
INLINE void bn_relu(lp_act a, const int bf16, const int cb, void *out, const void *x, int h, int w,
                    const float *restrict scale, const float *restrict shift, int row0, int row1)
{
    int b, c;
    size_t i;

    for (b = 0; b < a.nblk; b++) {
        size_t first = ((size_t)b * h + row0) * w, last = ((size_t)b * h + row1) * w;

        for (i = first; i < last; i++) {
            NO_ALIAS
            for (c = 0; c < cb; c++)
                store(out, i * cb + c,
                      relu(scale[b * cb + c] * load(x, i * cb + c, bf16) + shift[b * cb + c]),
                      bf16);
        }
    }
}

LP_SIMD void lp_ops_bn_relu(lp_act a, void *out, const void *x, int h, int w, const float *scale,
                            const float *shift, int row0, int row1)
{
    DISPATCH(a, bn_relu, out, x, h, w, scale, shift, row0, row1);
}

INLINE void pool_bn_relu(lp_act a, const int bf16, const int cb, void *restrict pooled,
                         void *restrict out, const void *restrict x, int h, int w,
                         const float *restrict scale, const float *restrict shift, int row0,
                         int row1)
{
    int b, y, i, c;

    for (b = 0; b < a.nblk; b++)
        for (y = row0; y < row1; y++) {
            size_t o = (((size_t)b * h + y) * w) * cb;
            size_t s = (((size_t)b * 2 * h + 2 * y) * 2 * w) * cb, below = (size_t)2 * w * cb;

            for (i = 0; i < w; i++)
                for (c = 0; c < cb; c++) {
                    size_t k = s + (size_t)2 * i * cb + c;
                    float v0 = load(x, k, bf16), v1 = load(x, k + cb, bf16);
                    float v2 = load(x, k + below, bf16), v3 = load(x, k + below + cb, bf16);
                    float m0 = v0 > v1 ? v0 : v1, m1 = v2 > v3 ? v2 : v3, m = m0 > m1 ? m0 : m1;

                    store(pooled, o + (size_t)i * cb + c, m, bf16);
                    store(out, o + (size_t)i * cb + c,
                          relu(scale[b * cb + c] * m + shift[b * cb + c]), bf16);
                }
        }
}

LP_SIMD void lp_ops_pool_bn_relu(lp_act a, void *pooled, void *out, const void *x, int h, int w,
                                 const float *scale, const float *shift, int row0, int row1)
{
    DISPATCH(a, pool_bn_relu, pooled, out, x, h, w, scale, shift, row0, row1);
}

INLINE void add_up_bn_relu(lp_act a, const int bf16, const int cb, void *restrict out,
                           void *restrict x, const void *restrict q, int h, int w, int f,
                           const float *restrict scale, const float *restrict shift, int row0,
                           int row1)
{
    int b, y, i, c;

    for (b = 0; b < a.nblk; b++)
        for (y = row0; y < row1; y++) {
            size_t o = (((size_t)b * h + y) * w) * cb;
            size_t s = (((size_t)b * (h / f) + y / f) * (w / f)) * cb;

            for (i = 0; i < w; i++)
                for (c = 0; c < cb; c++) {
                    size_t k = o + (size_t)i * cb + c;
                    float v = load(x, k, bf16) + load(q, s + (size_t)(i / f) * cb + c, bf16);

                    store(x, k, v, bf16);
                    store(out, k, relu(scale[b * cb + c] * v + shift[b * cb + c]), bf16);
                }
        }
}

LP_SIMD void lp_ops_add_up_bn_relu(lp_act a, void *out, void *x, const void *q, int h, int w, int f,
                                   const float *scale, const float *shift, int row0, int row1)
{
    if (f == 1) {
        DISPATCH(a, add_up_bn_relu, out, x, q, h, w, 1, scale, shift, row0, row1);
    } else {
        DISPATCH(a, add_up_bn_relu, out, x, q, h, w, 2, scale, shift, row0, row1);
    }
}

INLINE void proj_bn_relu(lp_act a, const int bf16, const int cb, void *restrict out,
                         void *restrict x, const float *restrict in, int nin, int h, int w,
                         const float *restrict pw, const float *restrict pb,
                         const float *restrict scale, const float *restrict shift, int row0,
                         int row1)
{
    size_t plane = (size_t)h * w, i;
    int b, c, k;

    for (b = 0; b < a.nblk; b++)
        for (i = (size_t)row0 * w; i < (size_t)row1 * w; i++) {
            size_t o = ((size_t)b * plane + i) * cb;

            for (c = 0; c < cb; c++) {
                float p = pb[b * cb + c], v;

                for (k = 0; k < nin; k++) p += pw[(b * cb + c) * nin + k] * in[k * plane + i];
                v = load(x, o + c, bf16) + p;
                store(x, o + c, v, bf16);
                store(out, o + c, relu(scale[b * cb + c] * v + shift[b * cb + c]), bf16);
            }
        }
}

LP_SIMD void lp_ops_proj_bn_relu(lp_act a, void *out, void *x, const float *in, int nin, int h,
                                 int w, const float *proj_w, const float *proj_b,
                                 const float *scale, const float *shift, int row0, int row1)
{
    if (nin == 2) {
        DISPATCH(a, proj_bn_relu, out, x, in, 2, h, w, proj_w, proj_b, scale, shift, row0, row1);
    } else {
        DISPATCH(a, proj_bn_relu, out, x, in, nin, h, w, proj_w, proj_b, scale, shift, row0, row1);
    }
}

LP_SIMD void lp_ops_to_bf16(lp_act a, void *out, const float *in, int h, int w, int row0, int row1)
{
    size_t row = (size_t)w * a.cblk, i;
    int b;

    for (b = 0; b < a.nblk; b++)
        for (i = ((size_t)b * h + row0) * row; i < ((size_t)b * h + row1) * row; i++)
            store(out, i, in[i], 1);
}

LP_SIMD void lp_ops_first_bn_relu(lp_act a, void *out, const float *in, int nin, int h, int w,
                                  const float *scale, const float *shift, int row0, int row1)
{
    size_t plane = (size_t)h * w, i;
    int k;

    for (k = 0; k < nin; k++)
        for (i = (size_t)row0 * w; i < (size_t)row1 * w; i++) {
            float v = relu(scale[k] * in[k * plane + i] + shift[k]);
            size_t o = a.cblk == 1 ? k * plane + i : i * nin + k;

            if (a.bf16)
                store(out, o, v, 1);
            else
                store(out, o, v, 0);
        }
}

#define MAX_OUT 8

/* Pixels first .. last-1. Sums run over 16 lanes, which are then added in a fixed order. */
INLINE void output(lp_act a, const int bf16, const int cb, float *restrict y, const int nout,
                   const void *restrict x, int h, int w, const float *restrict ow,
                   const float *restrict ob, const float *restrict scale,
                   const float *restrict shift, size_t first, size_t last)
{
    size_t plane = (size_t)h * w, i;
    int b, c, c0, o, j;

    for (i = first; i < last; i++) {
        float lane[MAX_OUT][16] = {{0}};

        for (b = 0; b < a.nblk; b++)
            for (c0 = 0; c0 < cb; c0 += 16) {
                size_t s = ((size_t)b * plane + i) * cb + c0;
                int k = b * cb + c0, n = cb - c0 < 16 ? cb - c0 : 16;
                float v[16] = {0};

                if (n == 16) {
                    for (c = 0; c < 16; c++)
                        v[c] = relu(scale[k + c] * load(x, s + c, bf16) + shift[k + c]);
                    for (o = 0; o < nout; o++)
                        for (c = 0; c < 16; c++) lane[o][c] += ow[o * a.nblk * cb + k + c] * v[c];
                } else {
                    for (c = 0; c < n; c++)
                        v[c] = relu(scale[k + c] * load(x, s + c, bf16) + shift[k + c]);
                    for (o = 0; o < nout; o++)
                        for (c = 0; c < n; c++) lane[o][c] += ow[o * a.nblk * cb + k + c] * v[c];
                }
            }
        for (o = 0; o < nout; o++) {
            for (j = 8; j; j /= 2)
                for (c = 0; c < j; c++) lane[o][c] += lane[o][c + j];
            y[o * plane + i] = lane[o][0] + ob[o];
        }
    }
}

/* 16 floats; GCC and clang make of them what the CPU has. */
typedef float v16 __attribute__((vector_size(64)));
typedef int i16 __attribute__((vector_size(64)));
#define LANES(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/* v [16] of 16 lanes -> the 16 sums, each in the order of output(): lanes 8 apart, then 4, 2, 1. */
INLINE void sum_lanes(v16 *restrict v)
{
    int k;

    for (k = 0; k < 8; k++) /* two pixels of 8 partial sums */
        v[k] =
            LANES(v[2 * k], v[2 * k + 1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
            LANES(v[2 * k], v[2 * k + 1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30,
                  31);
    for (k = 0; k < 4; k++) /* four pixels of 4 */
        v[k] = LANES(v[2 * k], v[2 * k + 1], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26,
                     27) +
               LANES(v[2 * k], v[2 * k + 1], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30,
                     31);
    for (k = 0; k < 2; k++) /* eight pixels of 2 */
        v[k] = LANES(v[2 * k], v[2 * k + 1], 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28,
                     29) +
               LANES(v[2 * k], v[2 * k + 1], 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30,
                     31);
    v[0] = LANES(v[0], v[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
           LANES(v[0], v[1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

/* output() for 16 pixels from pixel i on; the channels are a multiple of 16, nout is 3. Same bits.
 */
INLINE void output16(lp_act a, const int bf16, const int cb, float *restrict y,
                     const void *restrict x, size_t plane, size_t i, const float *restrict ow,
                     const float *restrict ob, const float *restrict scale,
                     const float *restrict shift)
{
    v16 lane[3][16];
    int b, c0, p, c, o;

    for (b = 0; b < a.nblk; b++)
        for (c0 = 0; c0 < cb; c0 += 16) {
            int k = b * cb + c0, C = a.nblk * cb;
            v16 sc, sh, w[3];

            memcpy(&sc, scale + k, sizeof sc);
            memcpy(&sh, shift + k, sizeof sh);
            for (o = 0; o < 3; o++) memcpy(&w[o], ow + (size_t)o * C + k, sizeof w[o]);
            for (p = 0; p < 16; p++) {
                size_t s = ((size_t)b * plane + i + p) * cb + c0;
                float t[16];
                v16 v;

                for (c = 0; c < 16; c++) t[c] = load(x, s + c, bf16);
                memcpy(&v, t, sizeof v);
                v = sc * v + sh;
                v = (v16)((i16)v & (v > 0)); /* relu */
                for (o = 0; o < 3; o++) lane[o][p] = k ? lane[o][p] + w[o] * v : w[o] * v;
            }
        }
    for (o = 0; o < 3; o++) {
        sum_lanes(lane[o]);
        lane[o][0] += ob[o];
        memcpy(y + o * plane + i, &lane[o][0], sizeof(v16));
    }
}

INLINE void output3(lp_act a, const int bf16, const int cb, float *restrict y,
                    const void *restrict x, int h, int w, const float *restrict ow,
                    const float *restrict ob, const float *restrict scale,
                    const float *restrict shift, int row0, int row1)
{
    size_t i = (size_t)row0 * w, n = cb % 16 ? 0 : ((size_t)row1 * w - i) / 16 * 16, end = i + n;

    for (; i < end; i += 16) output16(a, bf16, cb, y, x, (size_t)h * w, i, ow, ob, scale, shift);
    output(a, bf16, cb, y, 3, x, h, w, ow, ob, scale, shift, i, (size_t)row1 * w);
}

LP_SIMD void lp_ops_output(lp_act a, float *y, int nout, const void *x, int h, int w,
                           const float *out_w, const float *out_b, const float *scale,
                           const float *shift, int row0, int row1)
{
    int o;

    if (nout == 3) {
        DISPATCH(a, output3, y, x, h, w, out_w, out_b, scale, shift, row0, row1);
    } else {
        for (o = 0; o < nout; o++)
            DISPATCH(a, output, y + (size_t)o * h * w, 1, x, h, w,
                     out_w + (size_t)o * a.nblk * a.cblk, out_b + o, scale, shift, (size_t)row0 * w,
                     (size_t)row1 * w);
    }
}

void lp_ops_style(lp_act a, float *style, const void *x, int h, int w)
{
    size_t n = (size_t)h * w, i;
    int b, c, C = a.nblk * a.cblk;
    double len = 0;

    for (b = 0; b < a.nblk; b++)
        for (c = 0; c < a.cblk; c++) {
            double sum = 0;

            for (i = 0; i < n; i++) sum += load(x, ((size_t)b * n + i) * a.cblk + c, a.bf16);
            style[b * a.cblk + c] = (float)(sum / (double)n);
        }
    for (c = 0; c < C; c++) len += (double)style[c] * style[c];
    len = sqrt(len);
    for (c = 0; c < C; c++) style[c] = (float)(style[c] / len);
}
