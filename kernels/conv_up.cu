/* conv_up - conv.h on tensor cores where x is doubled: four small convolutions of x itself.
 *
 * Of the nine taps around an output pixel, those that meet the same source pixel have the same
 * factor: their weights are added beforehand (lp_conv_pack), and a 2x2 convolution of the source
 * is left for each of the four positions (y & 1, x & 1): 4/9 of the work. A block computes R x 16
 * pixels of the source for 32 channels, each of its four warps one position. */
#include "util.cuh"

#include "conv_mma.cuh"

template <int R> struct shape : lp_shape<R, WARP_OUT, 4, 16> {
};

/* One stage; py, px: the warp's position. */
template <int R, class S>
static __device__ __forceinline__ void multiply(float (&acc)[R][4][4], const unsigned char *stage,
                                                int py, int px)
{
    int lane = threadIdx.x & 31;
    const unsigned char *line = stage + py * PITCH * 32;
    const uint4 *k = (const uint4 *)(stage + S::PIXELS) + (py * 2 + px) * 4 * (S::TAP / 16) + lane;

#pragma unroll
    for (int dx = 0; dx < 2; dx++) {
        int col = (lane & 15) + px + dx;
        const unsigned char *at = line + col * 32 + ((lane >> 4 ^ (col >> 2 & 1)) * 16);
        uint4 w[2][2];

#pragma unroll
        for (int dy = 0; dy < 2; dy++) {
            w[dy][0] = k[(dy * 2 + dx) * (S::TAP / 16)];
            w[dy][1] = k[(dy * 2 + dx) * (S::TAP / 16) + 32];
        }
#pragma unroll
        for (int row = 0; row < R + 1; row++) {
            uint32_t a[4];

            lp_ldmatrix_x4(a, at + row * PITCH * 32);
#pragma unroll
            for (int dy = 0; dy < 2; dy++)
                if (row - dy >= 0 && row - dy < R) {
                    lp_mma(acc[row - dy][0], a, w[dy][0].x, w[dy][0].y);
                    lp_mma(acc[row - dy][1], a, w[dy][0].z, w[dy][0].w);
                    lp_mma(acc[row - dy][2], a, w[dy][1].x, w[dy][1].y);
                    lp_mma(acc[row - dy][3], a, w[dy][1].z, w[dy][1].w);
                }
        }
    }
}

template <int R, int PROLOGUE>
static __global__ void __launch_bounds__(128, R > 4 ? 2 : 3) conv_up_bf16(lp_conv_call c)
{
    typedef shape<R> S;
    LP_SHARED(unsigned char, shared);
    int blocks = (c.cout + S::OUT - 1) / S::OUT, across = (c.w / 2 + COLS - 1) / COLS;
    int warp = threadIdx.x / 32, py = warp / 2, px = warp & 1, chunks = c.cin / 16;
    lp_place b = {(int)blockIdx.y,
                  (int)(blockIdx.x / blocks / across) * S::ROWS,
                  (int)(blockIdx.x / blocks % across) * COLS,
                  (int)(blockIdx.x % blocks),
                  c.h / 2,
                  c.w / 2};
    float acc[R][4][4] = {{{0}}};

    lp_load_stage<S>(shared, c, b, 0);
    lp_cp_async_commit();
    for (int s = 0; s < chunks; s++) {
        unsigned char *stage = shared + (s & 1) * S::STAGE;

        lp_cp_async_wait<0>();
        if (PROLOGUE) lp_apply_prologue<S>(stage, c, b, s);
        __syncthreads();
        if (s + 1 < chunks) {
            lp_load_stage<S>(shared + ((s + 1) & 1) * S::STAGE, c, b, s + 1);
            lp_cp_async_commit();
        }
        multiply<R, S>(acc, stage, py, px);
    }
    __syncthreads(); /* the sums take the place of the stages */
    lp_write_out<R, S>(acc, (float *)shared + warp * S::SUMS, c, b.tile, 2 * b.y0 + py,
                       2 * b.x0 + px, 2, b.block * S::OUT);
    if (c.pool) {
        __syncthreads();
        lp_conv_pool<8>(c, b.tile, 2 * b.y0, 2 * S::ROWS, 2 * b.x0, 2 * COLS, b.block * S::OUT,
                        S::OUT);
    }
}

template <int R> static int launch(const lp_conv_call *c, lp_stream stream)
{
    typedef shape<R> S;
    int64_t blocks =
        lp_blocks(c->h / 2, S::ROWS) * lp_blocks(c->w / 2, COLS) * lp_blocks(c->cout, S::OUT);
    dim3 grid((unsigned)blocks, (unsigned)c->n);

    if (blocks > INT32_MAX) return cudaErrorInvalidValue;
    if (c->scale) return LP_LAUNCH((conv_up_bf16<R, 1>), grid, S::THREADS, S::BYTES, stream, *c);
    return LP_LAUNCH((conv_up_bf16<R, 0>), grid, S::THREADS, S::BYTES, stream, *c);
}

int lp_conv_up_cuda(const lp_conv_call *c, lp_stream stream)
{
    return lp_warp_rows(c, c->h / 2, 1) == 7 ? launch<7>(c, stream) : launch<4>(c, stream);
}
