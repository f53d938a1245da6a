/* conv - conv.h on tensor cores: an implicit GEMM of m16n8k16.
 *
 * A block computes MW * R rows x 16 columns of pixels, NW * 32 channels; a warp R rows of 16
 * pixels and 32 channels. Its loop has a stage for every 16 channels of x: their pixels with a rim
 * of one, and their weights for all nine taps, come by cp.async into one of two buffers while the
 * tensor cores work on the other. An input row that is in registers serves the three output rows
 * around it. Then the stages of the projection, of up to 64 channels each.
 *
 * Shared memory of a stage: pixels [MW * R + 2][18], 32 bytes each; its two halves change places
 * by bit 2 of the column, so that the 8 rows of an ldmatrix lie in 8 different groups of 4 banks.
 * Weights as packed: a lane reads the operands of two n8 tiles with one 16-byte load. */
#include "util.cuh"

#include "ptx.cuh"

#include "conv_finish.cuh"

#define COLS 16
#define PITCH (COLS + 2)
#define WARP_OUT 32
#define STAGED 40 /* floats between the pixels of the sums in shared memory: no bank conflict */

template <int R, int MW, int NW> struct shape {
    static const int THREADS = MW * NW * 32, ROWS = MW * R, OUT = NW * WARP_OUT;
    static const int PIXELS = (ROWS + 2) * PITCH * 32; /* bytes of a stage */
    static const int TAP = OUT * 32;                   /* bytes of weights of a tap and stage */
    static const int STAGE = PIXELS + 9 * TAP;
    static const int BYTES =
        2 * STAGE > MW *NW *COLS *STAGED * 4 ? 2 * STAGE : MW *NW *COLS *STAGED * 4;
    static const int LINES = THREADS / (PITCH * 2); /* rows of pixels that are loaded at a time */
};

/* Where a block works. */
struct place {
    int tile, y0, x0, block;
};

template <int THREADS>
static __device__ __forceinline__ void load_weights(unsigned char *to, const unsigned char *from,
                                                    int bytes)
{
    for (int i = threadIdx.x * 16; i < bytes; i += THREADS * 16)
        lp_cp_async_16(to + i, from + i, 16);
}

/* Calls f(shared, y, x, half) for each 16 bytes of the pixels that this thread is in charge of: it
 * loads them and, where there is a prologue, it alone changes them before the barrier. */
template <class S, class F>
static __device__ __forceinline__ void each_piece(unsigned char *stage, const place &b, F f)
{
    int line = threadIdx.x / (PITCH * 2), k = threadIdx.x % (PITCH * 2), col = k / 2, half = k & 1;
    unsigned char *at = stage + (line * PITCH + col) * 32 + ((half ^ (col >> 2 & 1)) * 16);

    if (line >= S::LINES) return;
    for (int row = line; row < S::ROWS + 2; row += S::LINES, at += S::LINES * PITCH * 32)
        f(at, b.y0 - 1 + row, b.x0 - 1 + col, half);
}

template <class S>
static __device__ __forceinline__ void load_stage(unsigned char *stage, const lp_conv_call &c,
                                                  const place &b, int chunk)
{
    const uint16_t *x = (const uint16_t *)c.x + chunk * 16;
    int hs = c.h >> c.up, ws = c.w >> c.up;

    each_piece<S>(stage, b, [&](unsigned char *at, int y, int col, int half) {
        bool in = (unsigned)y < (unsigned)c.h && (unsigned)col < (unsigned)c.w;
        int64_t pix = ((int64_t)b.tile * hs + (y >> c.up)) * ws + (col >> c.up);

        lp_cp_async_16(at, in ? x + pix * c.cin + half * 8 : x, in ? 16 : 0);
    });
    load_weights<S::THREADS>(stage + S::PIXELS,
                             (const unsigned char *)c.k +
                                 ((int64_t)b.block * (c.cin / 16) + chunk) * (9 * S::TAP),
                             9 * S::TAP);
}

/* relu(scale * x + shift) of what this thread has loaded, in place. */
template <class S>
static __device__ __forceinline__ void apply_prologue(unsigned char *stage, const lp_conv_call &c,
                                                      const place &b, int chunk)
{
    int ch = chunk * 16 + (threadIdx.x % (PITCH * 2) & 1) * 8;
    float scale[8], shift[8];

    lp_load_floats<8>(scale, c.scale + ch);
    lp_load_floats<8>(shift, c.shift + b.tile * c.shift_stride + ch);
    each_piece<S>(stage, b, [&](unsigned char *at, int y, int x, int) {
        float v[8];

        if ((unsigned)y >= (unsigned)c.h || (unsigned)x >= (unsigned)c.w) return;
        lp_lanes<8>::unpack(v, *(const uint4 *)at);
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] = lp_relu(fmaf(scale[i], v[i], shift[i]));
        *(uint4 *)at = lp_lanes<8>::pack(v);
    });
}

/* A stage of the projection: n chunks of 16 channels from `chunk` on, pixels [n][rows][cols]
 * without a rim, in the source's resolution. */
template <class S>
static __device__ __forceinline__ void load_projection(unsigned char *stage, const lp_conv_call &c,
                                                       const place &b, int chunk, int n)
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
    load_weights<S::THREADS>(stage + S::PIXELS,
                             (const unsigned char *)c.pk +
                                 ((int64_t)b.block * (c.cp / 16) + chunk) * S::TAP,
                             n * S::TAP);
}

static __device__ __forceinline__ void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                           uint32_t b1)
{
    const uint32_t b[2] = {b0, b1};

    lp_mma_bf16(d, a, b);
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
                    mma(acc[row - dy][0], a, w[dy][0].x, w[dy][0].y);
                    mma(acc[row - dy][1], a, w[dy][0].z, w[dy][0].w);
                    mma(acc[row - dy][2], a, w[dy][1].x, w[dy][1].y);
                    mma(acc[row - dy][3], a, w[dy][1].z, w[dy][1].w);
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
            mma(acc[r][0], a, w0.x, w0.y);
            mma(acc[r][1], a, w0.z, w0.w);
            mma(acc[r][2], a, w1.x, w1.y);
            mma(acc[r][3], a, w1.z, w1.w);
        }
    }
}

/* The warp's sums go through shared memory, a row at a time, so that a lane gets 8 neighbouring
 * channels of a pixel. sums [16][STAGED] is the warp's own. */
template <int R, class S>
static __device__ __forceinline__ void write_out(const float (&acc)[R][4][4], float *sums,
                                                 const lp_conv_call &c, const place &b, int wm, int wn)
{
    int lane = threadIdx.x & 31, ch = b.block * S::OUT + wn * WARP_OUT + (lane & 3) * 8;
    float *to = sums + (lane >> 2) * STAGED + (lane & 3) * 2;

#pragma unroll
    for (int r = 0; r < R; r++) {
        int y = b.y0 + wm * R + r;

        if (y >= c.h) continue;
#pragma unroll
        for (int t = 0; t < 4; t++) {
            *(float2 *)(to + t * 8) = make_float2(acc[r][t][0], acc[r][t][1]);
            *(float2 *)(to + 8 * STAGED + t * 8) = make_float2(acc[r][t][2], acc[r][t][3]);
        }
        __syncwarp();
#pragma unroll 1
        for (int i = 0; i < 2; i++) {
            int col = (lane >> 2) + 8 * i, x = b.x0 + col;
            const float4 *from = (const float4 *)(sums + col * STAGED + (lane & 3) * 8);
            float4 lo = from[0], hi = from[1];
            float v[8] = {lo.x, lo.y, lo.z, lo.w, hi.x, hi.y, hi.z, hi.w};

            if (x < c.w && ch < c.cout) lp_conv_finish<8>(c, b.tile, y, x, ch, v);
        }
        __syncwarp();
    }
}

template <int R, int MW, int NW, int PROLOGUE>
static __global__ void __launch_bounds__(MW *NW * 32) conv_bf16(lp_conv_call c)
{
    typedef shape<R, MW, NW> S;
    LP_SHARED(unsigned char, shared);
    int blocks = (c.cout + S::OUT - 1) / S::OUT, across = (c.w + COLS - 1) / COLS;
    int warp = threadIdx.x / 32, wm = warp % MW, wn = warp / MW;
    place b = {(int)blockIdx.y, (int)(blockIdx.x / blocks / across) * S::ROWS,
               (int)(blockIdx.x / blocks % across) * COLS, (int)(blockIdx.x % blocks)};
    int chunks = c.cin / 16, per = c.p_up ? 4 : 1, pchunks = c.p ? c.cp / 16 : 0;
    int stages = chunks + (pchunks + per - 1) / per;
    bool used = b.y0 + wm * R < c.h;
    float acc[R][4][4] = {{{0}}};

    load_stage<S>(shared, c, b, 0);
    lp_cp_async_commit();
    for (int s = 0; s < stages; s++) {
        unsigned char *stage = shared + (s & 1) * S::STAGE;
        int next = s + 1, first = (s - chunks) * per;

        lp_cp_async_wait<0>();
        if (PROLOGUE && s < chunks) apply_prologue<S>(stage, c, b, s);
        __syncthreads();
        if (next < stages) {
            unsigned char *other = shared + (next & 1) * S::STAGE;
            int from = (next - chunks) * per;

            if (next < chunks)
                load_stage<S>(other, c, b, next);
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
    if (used) write_out<R, S>(acc, (float *)shared + warp * (COLS * STAGED), c, b, wm, wn);
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

/* Rows that blocks of `rows` compute for h. */
static int64_t covered(int h, int rows)
{
    return lp_blocks(h, rows) * rows;
}

int lp_conv_cuda(const lp_conv_call *c, int bf16, lp_stream stream)
{
    if (lp_conv_wrong(c)) return cudaErrorInvalidValue;
    if (!bf16) return lp_conv_f32_cuda(c, stream);
    /* conv_pack.c packs for blocks of 64 or 32 channels by the same rule. Of two heights, the one
     * that wastes fewer rows: 7 rows to a warp fit Cellpose's 224 at every level. */
    if (c->cout % 64 == 0)
        return covered(c->h, 14) <= covered(c->h, 8) ? launch<7, 2, 2>(c, stream)
                                                     : launch<4, 2, 2>(c, stream);
    return covered(c->h, 28) <= covered(c->h, 16) ? launch<7, 4, 1>(c, stream)
                                                  : launch<4, 4, 1>(c, stream);
}
