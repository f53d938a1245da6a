/* conv_f32 - conv.h in float32 without tensor cores: every bit is that of lp_conv_ref, for parity
 * checks. A block computes 8 x 16 pixels of 32 channels, a thread 8 pixels of 4. */
#include "util.cuh"

#include "conv_finish.cuh"

#define ROWS 8
#define COLS 16
#define OUT 32
#define PITCH 20 /* floats of a pixel: four neighbours begin in four different banks */

/* 16 channels of the pixels that the taps reach; zero outside of the tile. */
static __device__ void load_pixels(float *in, const lp_conv_call &c, int tile, int y0, int x0,
                                   int i0)
{
    int hs = c.h >> c.up, ws = c.w >> c.up;

    for (int i = threadIdx.x; i < (ROWS + 2) * (COLS + 2) * 4; i += blockDim.x) {
        int pix = i / 4, ch = i % 4 * 4, y = y0 - 1 + pix / (COLS + 2);
        int x = x0 - 1 + pix % (COLS + 2);
        float v[4] = {0, 0, 0, 0};

        if (y >= 0 && y < c.h && x >= 0 && x < c.w) {
            lp_lanes<4>::load(
                v, c.x, (((int64_t)tile * hs + (y >> c.up)) * ws + (x >> c.up)) * c.cin + i0 + ch);
            if (c.scale) {
                float s[4], t[4];

                lp_load_floats<4>(s, c.scale + i0 + ch);
                lp_load_floats<4>(t, c.shift + tile * c.shift_stride + i0 + ch);
#pragma unroll
                for (int k = 0; k < 4; k++) v[k] = lp_relu(fmaf(s[k], v[k], t[k]));
            }
        }
        lp_lanes<4>::store(in, pix * PITCH + ch, v);
    }
}

static __device__ void load_projected(float *in, const lp_conv_call &c, int tile, int y0, int x0,
                                      int i0)
{
    int hs = c.h >> c.p_up, ws = c.w >> c.p_up;

    for (int i = threadIdx.x; i < ROWS * COLS * 4; i += blockDim.x) {
        int pix = i / 4, ch = i % 4 * 4, y = y0 + pix / COLS, x = x0 + pix % COLS;
        float v[4] = {0, 0, 0, 0};

        if (y < c.h && x < c.w)
            lp_lanes<4>::load(v, c.p,
                              (((int64_t)tile * hs + (y >> c.p_up)) * ws + (x >> c.p_up)) * c.cp +
                                  i0 + ch);
        lp_lanes<4>::store(in, (pix / COLS * (COLS + 2) + pix % COLS) * PITCH + ch, v);
    }
}

/* acc += in (from the pixel that in points to) . k [16][OUT], along a column of pixels. */
static __device__ __forceinline__ void add(float (&acc)[ROWS][4], const float *in, const float *k)
{
    for (int i = 0; i < 16; i++) {
        float4 w = *(const float4 *)(k + i * OUT);

#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float a = in[r * (COLS + 2) * PITCH + i];

            acc[r][0] = fmaf(a, w.x, acc[r][0]);
            acc[r][1] = fmaf(a, w.y, acc[r][1]);
            acc[r][2] = fmaf(a, w.z, acc[r][2]);
            acc[r][3] = fmaf(a, w.w, acc[r][3]);
        }
    }
}

static __global__ void __launch_bounds__(128, 3) conv_f32(lp_conv_call c)
{
    __shared__ float4 pixels[(ROWS + 2) * (COLS + 2) * PITCH / 4];
    __shared__ float4 k[9 * 16 * OUT / 4];
    int blocks = (c.cout + OUT - 1) / OUT, across = (c.w + COLS - 1) / COLS;
    int block = blockIdx.x % blocks, x0 = blockIdx.x / blocks % across * COLS;
    int y0 = blockIdx.x / blocks / across * ROWS, tile = blockIdx.y;
    int ch = threadIdx.x % 8 * 4, col = threadIdx.x / 8;
    float acc[ROWS][4] = {{0}}, *in = (float *)pixels;

    for (int i0 = 0; i0 < c.cin; i0 += 16) {
        const float4 *from =
            (const float4 *)c.k + ((int64_t)block * (c.cin / 16) + i0 / 16) * (9 * 16 * OUT / 4);

        __syncthreads();
        load_pixels(in, c, tile, y0, x0, i0);
        for (int i = threadIdx.x; i < 9 * 16 * OUT / 4; i += blockDim.x) k[i] = __ldg(from + i);
        __syncthreads();
        for (int tap = 0; tap < 9 && x0 + col < c.w; tap++)
            add(acc, in + (tap / 3 * (COLS + 2) + col + tap % 3) * PITCH,
                (const float *)k + tap * 16 * OUT + ch);
    }
    for (int i0 = 0; c.p && i0 < c.cp; i0 += 16) {
        const float4 *from =
            (const float4 *)c.pk + ((int64_t)block * (c.cp / 16) + i0 / 16) * (16 * OUT / 4);

        __syncthreads();
        load_projected(in, c, tile, y0, x0, i0);
        for (int i = threadIdx.x; i < 16 * OUT / 4; i += blockDim.x) k[i] = __ldg(from + i);
        __syncthreads();
        if (x0 + col < c.w) add(acc, in + col * PITCH, (const float *)k + ch);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        lp_conv_finish<4>(c, tile, y0 + r, x0 + col, block * OUT + ch,
                          y0 + r < c.h && x0 + col < c.w && block * OUT + ch < c.cout, acc[r]);
    if (c.pool) {
        __syncthreads();
        lp_conv_pool<4>(c, tile, y0, ROWS, x0, COLS, block * OUT, OUT);
    }
}

int lp_conv_f32_cuda(const lp_conv_call *c, lp_stream stream)
{
    int64_t blocks = lp_blocks(c->h, ROWS) * lp_blocks(c->w, COLS) * lp_blocks(c->cout, OUT);

    if (lp_conv_wrong(c) || blocks > INT32_MAX) return cudaErrorInvalidValue;
    return LP_LAUNCH(conv_f32, dim3((unsigned)blocks, (unsigned)c->n), 128, 0, stream, *c);
}
