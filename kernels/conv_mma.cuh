/* conv_mma - what the tensor core convolutions share: stages of pixels and weights in shared
 * memory, the prologue, and the way from a warp's sums to memory.
 *
 * A stage holds 16 channels. Pixels [rows + 2][18], 32 bytes each; their two halves change places
 * by bit 2 of the column, so that the 8 rows of an ldmatrix lie in 8 different groups of 4 banks.
 * Weights as packed: a lane reads the operands of two n8 tiles with one 16-byte load. */
#ifndef LP_CONV_MMA_CUH
#define LP_CONV_MMA_CUH

#include "util.cuh"

#include "ptx.cuh"

#include "conv_finish.cuh"

#define COLS 16
#define PITCH (COLS + 2)
#define WARP_OUT 32
#define STAGED                                                                                     \
    40 /* floats between the pixels of the sums in shared memory: stores of 16 lanes               \
        * go to 32 different banks */
#define STAGED_ROWS 4 /* of a warp's sums at a time */

/* A block: ROWS x 16 pixels (of the source), OUT channels, WARPS warps. */
template <int ROWS_, int OUT_, int WARPS_, int TAPS> struct lp_shape {
    static const int ROWS = ROWS_, OUT = OUT_, WARPS = WARPS_, THREADS = WARPS * 32;
    static const int PIXELS = (ROWS + 2) * PITCH * 32; /* bytes of a stage */
    static const int TAP = OUT * 32;                   /* bytes of weights of a tap and stage */
    static const int WEIGHTS = TAPS * TAP;
    static const int STAGE = PIXELS + WEIGHTS;
    static const int SUMS = STAGED_ROWS * COLS * STAGED; /* floats of a warp */
    static const int BYTES = 2 * STAGE > WARPS *SUMS * 4 ? 2 * STAGE : WARPS *SUMS * 4;
    static const int LINES = THREADS / (PITCH * 2); /* rows of pixels that are loaded at a time */
};

/* Where a block works: rows and columns of the source, which has h x w pixels. */
struct lp_place {
    int tile, y0, x0, block, h, w;
};

static __device__ __forceinline__ bool lp_inside(const lp_place &b, int y, int x)
{
    return (unsigned)y < (unsigned)b.h && (unsigned)x < (unsigned)b.w;
}

template <int THREADS>
static __device__ __forceinline__ void lp_load_weights(unsigned char *to, const unsigned char *from,
                                                       int bytes)
{
    for (int i = threadIdx.x * 16; i < bytes; i += THREADS * 16)
        lp_cp_async_16(to + i, from + i, 16);
}

/* Calls f(shared, y, x) for each 16 bytes of the pixels that this thread is in charge of: it
 * loads them and, where there is a prologue, it alone changes them before the barrier. */
template <class S, class F>
static __device__ __forceinline__ void lp_each_piece(unsigned char *stage, const lp_place &b, F f)
{
    int line = threadIdx.x / (PITCH * 2), k = threadIdx.x % (PITCH * 2), col = k / 2, half = k & 1;
    unsigned char *at = stage + (line * PITCH + col) * 32 + ((half ^ (col >> 2 & 1)) * 16);

    if (line >= S::LINES) return;
    for (int row = line; row < S::ROWS + 2; row += S::LINES, at += S::LINES * PITCH * 32)
        f(at, b.y0 - 1 + row, b.x0 - 1 + col);
}

template <class S>
static __device__ __forceinline__ void lp_load_stage(unsigned char *stage, const lp_conv_call &c,
                                                     const lp_place &b, int chunk)
{
    const uint16_t *x = (const uint16_t *)c.x;
    int row = threadIdx.x / (PITCH * 2), k = threadIdx.x % (PITCH * 2);
    int64_t line = (int64_t)b.w * c.cin * S::LINES;
    int64_t from = (((int64_t)b.tile * b.h + b.y0 - 1 + row) * b.w + b.x0 - 1 + k / 2) * c.cin +
                   chunk * 16 + (k & 1) * 8 - line;

    lp_each_piece<S>(stage, b, [&](unsigned char *at, int y, int col) {
        bool in = lp_inside(b, y, col);

        from += line;
        lp_cp_async_16(at, in ? x + from : x, in ? 16 : 0);
    });
    lp_load_weights<S::THREADS>(stage + S::PIXELS,
                                (const unsigned char *)c.k +
                                    ((int64_t)b.block * (c.cin / 16) + chunk) * S::WEIGHTS,
                                S::WEIGHTS);
}

/* relu(scale * x + shift) of what this thread has loaded, in place. */
template <class S>
static __device__ __forceinline__ void
lp_apply_prologue(unsigned char *stage, const lp_conv_call &c, const lp_place &b, int chunk)
{
    int ch = chunk * 16 + (threadIdx.x % (PITCH * 2) & 1) * 8;
    float scale[8], shift[8];

    lp_load_floats<8>(scale, c.scale + ch);
    lp_load_floats<8>(shift, c.shift + b.tile * c.shift_stride + ch);
    lp_each_piece<S>(stage, b, [&](unsigned char *at, int y, int x) {
        float v[8];

        if (!lp_inside(b, y, x)) return;
        lp_lanes<8>::unpack(v, *(const uint4 *)at);
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] = lp_relu(fmaf(scale[i], v[i], shift[i]));
        *(uint4 *)at = lp_lanes<8>::pack(v);
    });
}

static __device__ __forceinline__ void lp_mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                              uint32_t b1)
{
    const uint32_t b[2] = {b0, b1};

    lp_mma_bf16(d, a, b);
}

/* A warp's sums go through shared memory, a few rows at a time, so that a lane gets 8 neighbouring
 * channels of a pixel. sums [SUMS] is the warp's own; its sum (r, col) is that of pixel
 * (y0 + r * step, x0 + col * step), channels from ch on. */
template <int R, class S>
static __device__ __forceinline__ void lp_write_out(const float (&acc)[R][4][4], float *sums,
                                                    const lp_conv_call &c, int tile, int y0, int x0,
                                                    int step, int ch)
{
    int lane = threadIdx.x & 31, swap = lane >> 2 & 1;
    float *to = sums + (lane >> 2) * STAGED + (lane & 3) * 2;

    ch += (lane & 3) * 8;
#pragma unroll
    for (int first = 0; first < R; first += STAGED_ROWS) {
        const int rows = R - first < STAGED_ROWS ? R - first : STAGED_ROWS;

        __syncwarp();
#pragma unroll
        for (int r = 0; r < rows; r++)
#pragma unroll
            for (int t = 0; t < 4; t++) {
                const float(&v)[4] = acc[first + r][t];

                *(float2 *)(to + r * COLS * STAGED + t * 8) = make_float2(v[0], v[1]);
                *(float2 *)(to + (r * COLS + 8) * STAGED + t * 8) = make_float2(v[2], v[3]);
            }
        __syncwarp();
#pragma unroll 1
        for (int i = lane >> 2; i < rows * COLS; i += 8) {
            int y = y0 + (first + i / COLS) * step, x = x0 + i % COLS * step;
            const float4 *from = (const float4 *)(sums + i * STAGED + (lane & 3) * 8);
            /* Every other pixel the other way round: 8 lanes then read from all 32 banks. */
            float4 one = from[swap], two = from[swap ^ 1];
            float4 lo = swap ? two : one, hi = swap ? one : two;
            float v[8] = {lo.x, lo.y, lo.z, lo.w, hi.x, hi.y, hi.z, hi.w};

            lp_conv_finish<8>(c, tile, y, x, ch, y < c.h && x < c.w && ch < c.cout, v);
        }
    }
}

/* Rows of a warp where mw warps share h: of 7 and 4 those that waste less; 7 fit Cellpose's 224 at
 * every level. */
static inline int lp_warp_rows(const lp_conv_call *c, int h, int mw)
{
    if (c->rows) return c->rows;
    return lp_blocks(h, 7 * mw) * 7 <= lp_blocks(h, 4 * mw) * 4 ? 7 : 4;
}

/* With up = 1 (conv_up.cu). */
int lp_conv_up_cuda(const lp_conv_call *c, lp_stream stream);

#endif
