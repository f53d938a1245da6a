/* style - few numbers, so plainly done: a block per tile, a warp per linear layer's row. */
#include "util.cuh"

extern "C" {
#include "style.h"
}
#include "conv_finish.cuh"

/* Sum over the warp, in every lane. */
static __device__ __forceinline__ float warp_sum(float v)
{
#pragma unroll
    for (int step = 16; step; step /= 2) v = v + __shfl_xor_sync(0xffffffff, v, step);
    return v;
}

/* A block per tile; a thread sums the pixels of one part, N channels at a time. */
template <int N>
static __global__ void __launch_bounds__(256)
    style(float *out, const void *x, int64_t plane, int c, int S, int parts)
{
    LP_SHARED(float, sum); /* [parts][c] */
    int64_t tile = blockIdx.x;
    int groups = c / N;

    for (int i = threadIdx.x; i < groups * parts; i += blockDim.x) {
        int ch = i % groups * N;
        float acc[N];

#pragma unroll
        for (int j = 0; j < N; j++) acc[j] = 0;
#pragma unroll 4
        for (int64_t pix = i / groups; pix < plane; pix += parts) {
            float v[N];

            lp_lanes<N>::load(v, x, (tile * plane + pix) * c + ch);
#pragma unroll
            for (int j = 0; j < N; j++) acc[j] += v[j];
        }
#pragma unroll
        for (int j = 0; j < N; j++) sum[i / groups * c + ch + j] = acc[j];
    }
    __syncthreads();
    for (int ch = threadIdx.x; ch < c; ch += blockDim.x) {
        float v = 0;

        for (int p = 0; p < parts; p++) v += sum[p * c + ch];
        sum[ch] = v / (float)plane;
    }
    __syncthreads();
    /* Every warp finds the length for itself. */
    float v = 0;
    for (int ch = threadIdx.x & 31; ch < S; ch += 32) v = fmaf(sum[ch], sum[ch], v);
    v = sqrtf(warp_sum(v));
    for (int ch = threadIdx.x; ch < S; ch += blockDim.x) out[tile * S + ch] = sum[ch] / v;
}

/* A warp computes one row of one tile. */
static __global__ void __launch_bounds__(256)
    shifts(float *out, const float *style_of, const float *full, const float *bias,
           const float *scale, const float *shift, int rows, int S)
{
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int64_t tile = blockIdx.y;
    float v = 0;

    if (row >= rows) return;
    for (int s = threadIdx.x & 31; s < S; s += 32)
        v = fmaf(__ldg(full + (int64_t)row * S + s), style_of[tile * S + s], v);
    v = warp_sum(v);
    if ((threadIdx.x & 31) == 0)
        out[tile * rows + row] = fmaf(scale[row], v + bias[row], shift[row]);
}

int lp_style_cuda(float *d_style, const void *d_x, int n, int h, int w, int c, int S, int bf16,
                  lp_stream stream)
{
    int parts = lp_style_parts(c, bf16);
    size_t shared = (size_t)parts * c * sizeof(float);

    if (n < 1 || h < 1 || w < 1 || c < 16 || c % 16 || c > 4096 || S < 1 || S > c)
        return cudaErrorInvalidValue;
    return bf16 ? LP_LAUNCH(style<8>, n, 256, shared, stream, d_style, d_x, (int64_t)h * w, c, S,
                            parts)
                : LP_LAUNCH(style<4>, n, 256, shared, stream, d_style, d_x, (int64_t)h * w, c, S,
                            parts);
}

int lp_style_shifts_cuda(float *d_out, const float *d_style, const float *d_full,
                         const float *d_bias, const float *d_scale, const float *d_shift, int n,
                         int rows, int S, lp_stream stream)
{
    if (n < 1 || n > LP_CONV_MAX_TILES || rows < 1 || S < 1) return cudaErrorInvalidValue;
    return LP_LAUNCH(shifts, dim3((unsigned)lp_blocks(rows, 8), (unsigned)n), 256, 0, stream, d_out,
                     d_style, d_full, d_bias, d_scale, d_shift, rows, S);
}
