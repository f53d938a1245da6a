/* output - a thread computes a pixel; neighbouring threads read neighbouring pixels, 16 bytes of
 * channels at a time, so that every sector that is fetched is used from the L1 cache. */
#include "util.cuh"

extern "C" {
#include "output.h"
}
#include "conv_finish.cuh"

#define MAX_OUT 4 /* of one pass */

template <int N>
static __global__ void __launch_bounds__(256)
    output(float *y, const void *x, const float *scale, const float *shift, const float *k,
           const float *b, int64_t pixels, int64_t plane, int nout, int first, int c)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, tile = i / plane;
    int outs = min(nout - first, MAX_OUT);
    float sum[MAX_OUT];

    if (i >= pixels) return;
#pragma unroll
    for (int o = 0; o < MAX_OUT; o++) sum[o] = o < outs ? b[first + o] : 0;
    for (int g = 0; g < c; g += N) {
        float v[N], s[N], t[N];

        lp_lanes<N>::load(v, x, i * c + g);
        lp_load_floats<N>(s, scale + g);
        lp_load_floats<N>(t, shift + g);
#pragma unroll
        for (int j = 0; j < N; j++) v[j] = lp_relu(fmaf(s[j], v[j], t[j]));
#pragma unroll
        for (int o = 0; o < MAX_OUT; o++)
            if (o < outs) {
                float part = 0;

                lp_load_floats<N>(s, k + (int64_t)(first + o) * c + g);
#pragma unroll
                for (int j = 0; j < N; j++) part = fmaf(s[j], v[j], part);
                sum[o] += part;
            }
    }
#pragma unroll
    for (int o = 0; o < MAX_OUT; o++)
        if (o < outs) y[(tile * nout + first + o) * plane + i % plane] = sum[o];
}

int lp_output_cuda(float *d_y, const void *d_x, const float *d_scale, const float *d_shift,
                   const float *d_k, const float *d_b, int n, int nout, int h, int w, int c,
                   int bf16, lp_stream stream)
{
    int64_t plane = (int64_t)h * w, pixels = n * plane;
    int e = 0;

    if (n < 1 || nout < 1 || h < 1 || w < 1 || c < 16 || c % 16) return cudaErrorInvalidValue;
    for (int first = 0; first < nout && !e; first += MAX_OUT)
        e = bf16 ? LP_LAUNCH(output<8>, lp_blocks(pixels, 256), 256, 0, stream, d_y, d_x, d_scale,
                             d_shift, d_k, d_b, pixels, plane, nout, first, c)
                 : LP_LAUNCH(output<4>, lp_blocks(pixels, 256), 256, 0, stream, d_y, d_x, d_scale,
                             d_shift, d_k, d_b, pixels, plane, nout, first, c);
    return e;
}
