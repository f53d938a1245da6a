/* conv - conv.h on tensor cores: an implicit GEMM of m16n8k16.
 *
 * A block computes MW * R rows x 16 columns of pixels, NW * 32 channels; a warp R rows of 16
 * pixels and 32 channels. Its loop has a stage for every 16 channels of x: their pixels with a rim
 * of one, and their weights for all nine taps, come by cp.async into one of two buffers while the
 * tensor cores work on the other. An input row that is in registers serves the three output rows
 * around it. Then the stages of the projection, of up to 64 channels each. */
#include "util.cuh"

#include "conv_mma.cuh"

template <int R, int MW, int NW> struct shape : lp_shape<MW * R, NW * WARP_OUT, MW * NW, 9> {
};

/* A stage of the projection: n chunks of 16 channels from `chunk` on, pixels [n][rows][cols]
 * without a rim, in the source's resolution. */
template <class S>
static __device__ __forceinline__ void load_projection(unsigned char *stage, const lp_conv_call &c,
                                                       const lp_place &b, int chunk, int n)
{
    int rows = S::ROWS >> c.p_up, cols = COLS >> c.p_up, hs = c.h >> c.p_up, ws = c.w >> c.p_up;
    int y0 = b.y0 >> c.p_up, x0 = b.x0 >> c.p_up, per = rows * cols * 2;
    const uint16_t *p = (const uint16_t *)c.p;

    for (int i = threadIdx.x; i < n * per; i += S::THREADS) {
        int half = i & 1, j = i >> 1, col = j & (cols - 1), row = j / cols % rows;
        int k = chunk + i / per, y = y0 + row, x = x0 + col;
        bool in = y < hs && x < ws;
        int64_t pix = ((int64_t)b.tile * hs + y) * ws + x;

        lp_cp_async_16(stage + j * 32 + ((half ^ (col >> 2 & 1)) * 16),
                       in ? p + pix * c.cp + k * 16 + half * 8 : p, in ? 16 : 0);
    }
    lp_load_weights<S::THREADS>(stage + S::PIXELS,
                                (const unsigned char *)c.pk +
                                    ((int64_t)b.block * (c.cp / 16) + chunk) * S::TAP,
                                n * S::TAP);
}

/* One stage, nine taps. acc [row][n8 tile][register]. */
template <int R, class S>
static __device__ __forceinline__ void multiply(float (&acc)[R][4][4], const unsigned char *stage,
                                                int wm, int wn)
{
    int lane = threadIdx.x & 31;
    const unsigned char *line = stage + wm * R * PITCH * 32;
    const uint4 *k = (const uint4 *)(stage + S::PIXELS) + wn * 64 + lane;

#pragma unroll
    for (int dx = 0; dx < 3; dx++) {
        int col = (lane & 15) + dx;
        const unsigned char *at = line + col * 32 + ((lane >> 4 ^ (col >> 2 & 1)) * 16);
        uint4 w[3][2];

#pragma unroll
        for (int dy = 0; dy < 3; dy++) {
            w[dy][0] = k[(dy * 3 + dx) * (S::TAP / 16)];
            w[dy][1] = k[(dy * 3 + dx) * (S::TAP / 16) + 32];
        }
#pragma unroll
        for (int row = 0; row < R + 2; row++) {
            uint32_t a[4];

            lp_ldmatrix_x4(a, at + row * PITCH * 32);
#pragma unroll
            for (int dy = 0; dy < 3; dy++)
                if (row - dy >= 0 && row - dy < R) {
                    lp_mma(acc[row - dy][0], a, w[dy][0].x, w[dy][0].y);
                    lp_mma(acc[row - dy][1], a, w[dy][0].z, w[dy][0].w);
                    lp_mma(acc[row - dy][2], a, w[dy][1].x, w[dy][1].y);
                    lp_mma(acc[row - dy][3], a, w[dy][1].z, w[dy][1].w);
                }
        }
    }
}

/* One stage of the projection. */
template <int R, class S>
static __device__ __forceinline__ void project(float (&acc)[R][4][4], const unsigned char *stage,
                                               int wm, int wn, int up, int n)
{
    int lane = threadIdx.x & 31, col = (lane & 15) >> up, cols = COLS >> up;
    int half = (lane >> 4 ^ (col >> 2 & 1)) * 16;
    const uint4 *k = (const uint4 *)(stage + S::PIXELS) + wn * 64 + lane;

    for (int i = 0; i < n; i++, stage += (S::ROWS >> up) * cols * 32, k += S::TAP / 16) {
        uint4 w0 = k[0], w1 = k[32];

#pragma unroll
        for (int r = 0; r < R; r++) {
            uint32_t a[4];

            lp_ldmatrix_x4(a, stage + (((wm * R + r) >> up) * cols + col) * 32 + half);
            lp_mma(acc[r][0], a, w0.x, w0.y);
            lp_mma(acc[r][1], a, w0.z, w0.w);
            lp_mma(acc[r][2], a, w1.x, w1.y);
            lp_mma(acc[r][3], a, w1.z, w1.w);
        }
    }
}

template <int R, int MW, int NW, int PROLOGUE>
static __global__ void __launch_bounds__(MW *NW * 32, R > 4 ? 2 : 3) conv_bf16(lp_conv_call c)
{
    typedef shape<R, MW, NW> S;
    LP_SHARED(unsigned char, shared);
    int blocks = (c.cout + S::OUT - 1) / S::OUT, across = (c.w + COLS - 1) / COLS;
    int warp = threadIdx.x / 32, wm = warp % MW, wn = warp / MW;
    lp_place b = {(int)blockIdx.y,
                  (int)(blockIdx.x / blocks / across) * S::ROWS,
                  (int)(blockIdx.x / blocks % across) * COLS,
                  (int)(blockIdx.x % blocks),
                  c.h,
                  c.w};
    int chunks = c.cin / 16, per = c.p_up ? 4 : 1, pchunks = c.p ? c.cp / 16 : 0;
    int stages = chunks + (pchunks + per - 1) / per;
    bool used = b.y0 + wm * R < c.h;
    float acc[R][4][4] = {{{0}}};

    lp_load_stage<S>(shared, c, b, 0);
    lp_cp_async_commit();
    for (int s = 0; s < stages; s++) {
        unsigned char *stage = shared + (s & 1) * S::STAGE;
        int next = s + 1, first = (s - chunks) * per;

        lp_cp_async_wait<0>();
        if (PROLOGUE && s < chunks) lp_apply_prologue<S>(stage, c, b, s);
        __syncthreads();
        if (next < stages) {
            unsigned char *other = shared + (next & 1) * S::STAGE;
            int from = (next - chunks) * per;

            if (next < chunks)
                lp_load_stage<S>(other, c, b, next);
            else
                load_projection<S>(other, c, b, from, min(per, pchunks - from));
            lp_cp_async_commit();
        }
        if (!used) continue;
        if (s < chunks)
            multiply<R, S>(acc, stage, wm, wn);
        else
            project<R, S>(acc, stage, wm, wn, c.p_up, min(per, pchunks - first));
    }
    __syncthreads(); /* the sums take the place of the stages */
    if (used)
        lp_write_out<R, S>(acc, (float *)shared + warp * S::SUMS, c, b.tile, b.y0 + wm * R, b.x0, 1,
                           b.block * S::OUT + wn * WARP_OUT);
    if (c.pool) {
        __syncthreads();
        lp_conv_pool<8>(c, b.tile, b.y0, S::ROWS, b.x0, COLS, b.block * S::OUT, S::OUT);
    }
}

template <int R, int MW, int NW> static int launch(const lp_conv_call *c, lp_stream stream)
{
    typedef shape<R, MW, NW> S;
    int64_t blocks = lp_blocks(c->h, S::ROWS) * lp_blocks(c->w, COLS) * lp_blocks(c->cout, S::OUT);
    dim3 grid((unsigned)blocks, (unsigned)c->n);

    if (blocks > INT32_MAX) return cudaErrorInvalidValue;
    if (c->scale)
        return LP_LAUNCH((conv_bf16<R, MW, NW, 1>), grid, S::THREADS, S::BYTES, stream, *c);
    return LP_LAUNCH((conv_bf16<R, MW, NW, 0>), grid, S::THREADS, S::BYTES, stream, *c);
}

int lp_conv_cuda(const lp_conv_call *c, int bf16, lp_stream stream)
{
    if (lp_conv_wrong(c)) return cudaErrorInvalidValue;
    if (!bf16) return lp_conv_f32_cuda(c, stream);
    if (c->up) return lp_conv_up_cuda(c, stream);
    /* conv_pack.c packs for blocks of 64 or 32 channels by the same rule. */
    if (c->cout % 64 == 0)
        return lp_warp_rows(c, c->h, 2) == 7 ? launch<7, 2, 2>(c, stream)
                                             : launch<4, 2, 2>(c, stream);
    return lp_warp_rows(c, c->h, 4) == 7 ? launch<7, 4, 1>(c, stream) : launch<4, 4, 1>(c, stream);
}
