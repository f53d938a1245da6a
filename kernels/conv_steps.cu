/* conv_steps - a thread has 16 bytes of neighbouring channels; neighbouring threads have
 * neighbouring ones. */
#include "util.cuh"

extern "C" {
#include "conv_steps.h"
}
#include "conv_finish.cuh"

#define THREADS 256
#define POOL_COLS 32

template <int N>
static __global__ void __launch_bounds__(THREADS) before(void *a, lp_conv_call c, int64_t pieces)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    int groups = c.cin / N, ch = (int)(i % groups) * N;
    int64_t pix = i / groups, row = pix / c.w, tile = row / c.h;
    int x = (int)(pix % c.w) >> c.up, y = (int)(row % c.h) >> c.up;
    float v[N];

    if (i >= pieces) return;
    lp_lanes<N>::load(v, c.x, ((tile * (c.h >> c.up) + y) * (c.w >> c.up) + x) * c.cin + ch);
    if (c.scale) {
        float s[N], t[N];

        lp_load_floats<N>(s, c.scale + ch);
        lp_load_floats<N>(t, c.shift + tile * c.shift_stride + ch);
#pragma unroll
        for (int k = 0; k < N; k++) v[k] = lp_relu(fmaf(s[k], v[k], t[k]));
    }
    lp_lanes<N>::store(a, pix * c.cin + ch, v);
}

/* Pixels have whole groups of 32 channels, as lp_conv_finish wants; some may not exist. */
template <int N>
static __global__ void __launch_bounds__(THREADS)
    after(lp_conv_call c, const void *sum, int64_t pieces)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    int groups = (c.cout + 31) / 32 * 32 / N, ch = (int)(i % groups) * N;
    int64_t pix = i / groups, row = pix / c.w;
    bool inside = i < pieces && ch < c.cout;
    float v[N];

    if (inside) lp_lanes<N>::load(v, sum, pix * c.cout + ch);
    lp_conv_finish<N>(c, (int)(row / c.h), (int)(row % c.h), (int)(pix % c.w), ch, inside, v);
}

/* A block: two rows of a tile, POOL_COLS columns, all channels. */
template <int N> static __global__ void __launch_bounds__(THREADS) pool(lp_conv_call c)
{
    int across = (c.w + POOL_COLS - 1) / POOL_COLS;

    lp_conv_pool<N>(c, blockIdx.y, (int)blockIdx.x / across * 2, 2,
                    (int)blockIdx.x % across * POOL_COLS, POOL_COLS, 0, c.cout);
}

int lp_conv_before_cuda(void *d_a, const lp_conv_call *c, int bf16, lp_stream stream)
{
    int64_t pieces = (int64_t)c->n * c->h * c->w * (c->cin / (bf16 ? 8 : 4));

    if (c->n < 1 || c->h < 1 || c->w < 1 || c->cin < 16 || c->cin % 16 ||
        (c->up && (c->h % 2 || c->w % 2)))
        return cudaErrorInvalidValue;
    return bf16 ? LP_LAUNCH(before<8>, lp_blocks(pieces, THREADS), THREADS, 0, stream, d_a, *c,
                            pieces)
                : LP_LAUNCH(before<4>, lp_blocks(pieces, THREADS), THREADS, 0, stream, d_a, *c,
                            pieces);
}

int lp_conv_after_cuda(const lp_conv_call *c, const void *d_sum, int bf16, lp_stream stream)
{
    int64_t pieces = (int64_t)c->n * c->h * c->w * lp_blocks(c->cout, 32) * (bf16 ? 4 : 8);
    int64_t blocks = (int64_t)(c->h / 2) * lp_blocks(c->w, POOL_COLS);
    dim3 grid((unsigned)blocks, (unsigned)c->n);
    lp_conv_call k = *c;
    int e;

    k.cin = 16; /* not looked at */
    k.p = NULL;
    k.up = 0;
    if (lp_conv_wrong(&k) || blocks > INT32_MAX) return cudaErrorInvalidValue;
    e = bf16
            ? LP_LAUNCH(after<8>, lp_blocks(pieces, THREADS), THREADS, 0, stream, k, d_sum, pieces)
            : LP_LAUNCH(after<4>, lp_blocks(pieces, THREADS), THREADS, 0, stream, k, d_sum, pieces);
    if (e || !k.pool) return e;
    return bf16 ? LP_LAUNCH(pool<8>, grid, THREADS, 0, stream, k)
                : LP_LAUNCH(pool<4>, grid, THREADS, 0, stream, k);
}
