/* conv_finish - what the convolution kernels do with a sum: conv.h's steps from the bias on.
 *
 * A lane has 16 bytes of neighbouring channels of one pixel, so that activations are read and
 * written in whole sectors. */
#ifndef LP_CONV_FINISH_CUH
#define LP_CONV_FINISH_CUH

#include "util.cuh"

extern "C" {
#include "conv.h"
}

/* N channels of 16 bytes in all: 8 bfloat16 or 4 float32. */
template <int N> struct lp_lanes;
template <> struct lp_lanes<8> {
    static __device__ __forceinline__ void load(float (&v)[8], const void *p, int64_t i)
    {
        uint4 u = *(const uint4 *)((const uint16_t *)p + i);

        unpack(v, u);
    }
    static __device__ __forceinline__ void unpack(float (&v)[8], uint4 u)
    {
        v[0] = __uint_as_float(u.x << 16);
        v[1] = __uint_as_float(u.x & 0xffff0000u);
        v[2] = __uint_as_float(u.y << 16);
        v[3] = __uint_as_float(u.y & 0xffff0000u);
        v[4] = __uint_as_float(u.z << 16);
        v[5] = __uint_as_float(u.z & 0xffff0000u);
        v[6] = __uint_as_float(u.w << 16);
        v[7] = __uint_as_float(u.w & 0xffff0000u);
    }
    static __device__ __forceinline__ uint4 pack(const float (&v)[8])
    {
        return make_uint4(lp_bf16x2(v[0], v[1]), lp_bf16x2(v[2], v[3]), lp_bf16x2(v[4], v[5]),
                          lp_bf16x2(v[6], v[7]));
    }
    static __device__ __forceinline__ void store(void *p, int64_t i, const float (&v)[8])
    {
        *(uint4 *)((uint16_t *)p + i) = pack(v);
    }
};
template <> struct lp_lanes<4> {
    static __device__ __forceinline__ void load(float (&v)[4], const void *p, int64_t i)
    {
        float4 f = *(const float4 *)((const float *)p + i);

        v[0] = f.x;
        v[1] = f.y;
        v[2] = f.z;
        v[3] = f.w;
    }
    static __device__ __forceinline__ void store(void *p, int64_t i, const float (&v)[4])
    {
        *(float4 *)((float *)p + i) = make_float4(v[0], v[1], v[2], v[3]);
    }
};

/* N floats of p [multiple of 4 from an aligned start] that no kernel writes meanwhile. */
template <int N>
static __device__ __forceinline__ void lp_load_floats(float (&v)[N], const float *p)
{
#pragma unroll
    for (int i = 0; i < N; i += 4) {
        float4 f = __ldg((const float4 *)(p + i));

        v[i] = f.x;
        v[i + 1] = f.y;
        v[i + 2] = f.z;
        v[i + 3] = f.w;
    }
}

/* max(v, 0) that is 0 for -0 too. */
static __device__ __forceinline__ float lp_relu(float v)
{
    return v > 0 ? v : 0;
}

/* v: sums of channels ch .. ch + N - 1 of pixel (y, x) of a tile, which become the values of y. */
template <int N>
static __device__ __forceinline__ void lp_conv_value(const lp_conv_call &c, int tile, int y, int x,
                                                     int ch, float (&v)[N])
{
    int64_t at = (((int64_t)tile * c.h + y) * c.w + x) * c.cout + ch;
    float a[N], b[N];

    lp_load_floats<N>(b, c.b + tile * c.b_stride + ch);
#pragma unroll
    for (int i = 0; i < N; i++) v[i] += b[i];
    for (int j = 0; j < c.nimg; j++) {
        float in = __ldg(c.img + (((int64_t)tile * c.nimg + j) * c.h + y) * c.w + x);

        lp_load_floats<N>(a, c.img_k + j * c.cout + ch);
#pragma unroll
        for (int i = 0; i < N; i++) v[i] = fmaf(a[i], in, v[i]);
    }
    if (c.res) {
        lp_lanes<N>::load(a, c.res, at);
#pragma unroll
        for (int i = 0; i < N; i++) v[i] += a[i];
    }
    if (c.scale2) {
        lp_load_floats<N>(a, c.scale2 + ch);
        lp_load_floats<N>(b, c.shift2 + tile * c.shift2_stride + ch);
#pragma unroll
        for (int i = 0; i < N; i++) v[i] = fmaf(a[i], v[i], b[i]);
    }
    if (c.relu) {
#pragma unroll
        for (int i = 0; i < N; i++) v[i] = lp_relu(v[i]);
    }
}

/* The same, and writes them. All lanes of the warp call it: with `out`, the 32 / N lanes of a
 * pixel's channels are neighbours and add up. inside: whether the pixel and the channels exist. */
template <int N>
static __device__ __forceinline__ void lp_conv_finish(const lp_conv_call &c, int tile, int y, int x,
                                                      int ch, bool inside, float (&v)[N])
{
    const int lanes = 32 / N;

    if (inside) lp_conv_value<N>(c, tile, y, x, ch, v);
    if (!c.out) {
        if (inside) lp_lanes<N>::store(c.y, (((int64_t)tile * c.h + y) * c.w + x) * c.cout + ch, v);
        return;
    }
    if (inside) {
        float a[N], b[N];

        lp_load_floats<N>(a, c.out_scale + ch);
        lp_load_floats<N>(b, c.out_shift + ch);
#pragma unroll
        for (int i = 0; i < N; i++) v[i] = lp_relu(fmaf(a[i], v[i], b[i]));
    }
    for (int o = 0; o < c.nout; o++) {
        float sum = 0, k[N];

        if (inside) {
            lp_load_floats<N>(k, c.out_k + o * c.cout + ch);
#pragma unroll
            for (int i = 0; i < N; i++) sum = fmaf(k[i], v[i], sum);
        }
#pragma unroll
        for (int step = 1; step < lanes; step *= 2)
            sum = sum + __shfl_xor_sync(0xffffffff, sum, step);
        if (inside && ch == 0)
            c.out[(((int64_t)tile * c.nout + o) * c.h + y) * c.w + x] = sum + __ldg(c.out_b + o);
    }
}

/* Pools what the block wrote of y: rows y0 .. y0 + rows - 1, columns x0 .. x0 + cols - 1, channels
 * ch0 .. ch0 + nch - 1 (rows and cols even). All threads of the block call it after a barrier. */
template <int N>
static __device__ __forceinline__ void lp_conv_pool(const lp_conv_call &c, int tile, int y0,
                                                    int rows, int x0, int cols, int ch0, int nch)
{
    int groups = nch / N, n = rows / 2 * (cols / 2) * groups;

    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        int ch = ch0 + i % groups * N, x = x0 / 2 + i / groups % (cols / 2);
        int y = y0 / 2 + i / groups / (cols / 2);
        float a[N], b[N];
        int64_t at;

        if (ch >= c.cout || 2 * x >= c.w || 2 * y >= c.h) continue;
        at = (((int64_t)tile * c.h + 2 * y) * c.w + 2 * x) * c.cout + ch;
        lp_lanes<N>::load(a, c.y, at);
#pragma unroll
        for (int k = 1; k < 4; k++) {
            lp_lanes<N>::load(b, c.y, at + ((int64_t)(k >> 1) * c.w + (k & 1)) * c.cout);
#pragma unroll
            for (int j = 0; j < N; j++) a[j] = fmaxf(a[j], b[j]);
        }
        lp_lanes<N>::store(c.pool, (((int64_t)tile * (c.h / 2) + y) * (c.w / 2) + x) * c.cout + ch,
                           a);
    }
}

/* LP_CONV kernels' arguments that cannot be right. */
static inline int lp_conv_wrong(const lp_conv_call *c)
{
    return c->n < 1 || c->n > LP_CONV_MAX_TILES || c->h < 1 || c->w < 1 || c->cin < 16 ||
           c->cin % 16 || c->cout < 16 || c->cout % 16 || (c->p && (c->cp < 16 || c->cp % 16)) ||
           (c->p && c->up) || (c->out && (c->cout > 32 || c->up || c->pool || c->nout < 1)) ||
           (c->rows && c->rows != 4 && c->rows != 7) ||
           ((c->up || c->p_up || c->pool) && (c->h % 2 || c->w % 2));
}

/* float32 operands (conv_f32.cu). */
int lp_conv_f32_cuda(const lp_conv_call *c, lp_stream stream);

#endif
