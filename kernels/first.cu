/* first - a block computes 16 x 16 pixels; a thread one column of ROWS pixels, N channels at a
 * time. The weights are read through the L1 cache, where they stay. */
#include "util.cuh"

extern "C" {
#include "first.h"
}
#include "conv_finish.cuh"

#define TILE 16
#define PITCH (TILE + 2)
#define ROWS 4

/* N channels are 16 bytes of the output. */
template <int N>
static __global__ void __launch_bounds__(256)
    first(void *y, const float *x, const float *k, const float *b, const float *scale,
          const float *shift, int nin, int h, int w, int cout)
{
    LP_SHARED(float, in); /* [nin][TILE + 2][PITCH] */
    int across = (w + TILE - 1) / TILE, x0 = blockIdx.x % across * TILE;
    int y0 = blockIdx.x / across * TILE, tile = blockIdx.y, groups = cout / N;

    for (int i = threadIdx.x; i < nin * PITCH * PITCH; i += blockDim.x) {
        int c = i / (PITCH * PITCH), yy = y0 - 1 + i / PITCH % PITCH, xx = x0 - 1 + i % PITCH;
        float v = 0;

        if (yy >= 0 && yy < h && xx >= 0 && xx < w)
            v = lp_relu(
                fmaf(scale[c], __ldg(x + (((int64_t)tile * nin + c) * h + yy) * w + xx), shift[c]));
        in[i] = v;
    }
    __syncthreads();
    /* Neighbouring threads have the channels of one pixel, so that stores are whole. */
    for (int i = threadIdx.x; i < TILE * (TILE / ROWS) * groups; i += blockDim.x) {
        int ch = i % groups * N, col = i / groups % TILE, row = i / groups / TILE * ROWS;
        float acc[ROWS][N], wt[N];

        lp_load_floats<N>(wt, b + ch);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int j = 0; j < N; j++) acc[r][j] = wt[j];
        for (int c = 0; c < nin; c++) {
            const float *at = in + (c * PITCH + row) * PITCH + col;
            const float *kc = k + (int64_t)c * 9 * cout + ch;

#pragma unroll
            for (int t = 0; t < 9; t++) {
                lp_load_floats<N>(wt, kc + t * cout);
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    float a = at[(r + t / 3) * PITCH + t % 3];

#pragma unroll
                    for (int j = 0; j < N; j++) acc[r][j] = fmaf(a, wt[j], acc[r][j]);
                }
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            int yy = y0 + row + r, xx = x0 + col;

            if (yy >= h || xx >= w) continue;
#pragma unroll
            for (int j = 0; j < N; j++) acc[r][j] = lp_relu(acc[r][j]);
            lp_lanes<N>::store(y, (((int64_t)tile * h + yy) * w + xx) * cout + ch, acc[r]);
        }
    }
}

int lp_first_cuda(void *d_y, const float *d_x, const float *d_k, const float *d_b,
                  const float *d_scale, const float *d_shift, int n, int nin, int h, int w,
                  int cout, int bf16, lp_stream stream)
{
    int64_t blocks = lp_blocks(h, TILE) * lp_blocks(w, TILE);
    dim3 grid((unsigned)blocks, (unsigned)n);
    size_t shared = (size_t)nin * PITCH * PITCH * sizeof(float);

    if (n < 1 || n > LP_CONV_MAX_TILES || nin < 1 || nin > LP_FIRST_MAX_IN || h < 1 || w < 1 ||
        cout < 16 || cout % 16 || blocks > INT32_MAX)
        return cudaErrorInvalidValue;
    if (bf16)
        return LP_LAUNCH(first<8>, grid, 256, shared, stream, d_y, d_x, d_k, d_b, d_scale, d_shift,
                         nin, h, w, cout);
    return LP_LAUNCH(first<4>, grid, 256, shared, stream, d_y, d_x, d_k, d_b, d_scale, d_shift, nin,
                     h, w, cout);
}
