/* follow - on the device: lp_follow_cuda.
 *
 * One thread per foreground pixel, in order of 32 x 32 tiles, so that the points of a warp
 * begin close together, read the same part of the flows and stop at about the same time. The flows
 * are y, x pairs with one row and column repeated at the far edges (as in follow_cpu.c): the four
 * corners need no clamping. A point stops early
 *  - in a pixel that it cannot leave, where only the pixel of the end is wanted. Position after a
 *    step is bilinear in the position before: a step that takes the four corners of a pixel well
 *    into it takes all points of it there;
 *  - where it is again at its mark, an earlier position renewed at growing intervals (after Brent):
 *    that is a cycle, of length 1 at a fixed point, and only the steps that remain modulo its
 * length are still made. */
#include "util.cuh"

#include "warp.cuh"

extern "C" {
#include "follow.h"
#include "scan.h"
}

#define SIDE 32     /* of a tile; a row of a tile is a warp and a word of bits */
#define WARPS 8     /* per tile */
#define THREADS 128 /* of the blocks that follow; small, as they end with their last point */

struct field {
    const float2 *pairs; /* [Ly + 1][Lx + 1], y and x of a step */
    int Ly, Lx, niter, interp, trap;
};

/* Where the parts of the scratch begin. */
struct layout {
    float2 *pairs;
    uint32_t *list; /* [foreground] pixels, tile by tile */
    uint32_t *rows; /* [tiles][SIDE] bits of foreground */
    uint32_t *at;   /* [tiles + 1] first counts, then where each tile begins in list */
    void *scan;
    int ntx, nty;
    int64_t tiles;
    size_t bytes;
};

static layout lay_out(void *scratch, int Ly, int Lx)
{
    unsigned char *p = (unsigned char *)scratch;
    layout a;

    /* Tiles cover the repeated row and column too. */
    a.ntx = Lx / SIDE + 1;
    a.nty = Ly / SIDE + 1;
    a.tiles = (int64_t)a.ntx * a.nty;
    a.pairs = (float2 *)p;
    p += ((size_t)Ly + 1) * ((size_t)Lx + 1) * sizeof(float2);
    a.list = (uint32_t *)p;
    p += (size_t)Ly * Lx * sizeof(uint32_t);
    a.rows = (uint32_t *)p;
    p += (size_t)a.tiles * SIDE * sizeof(uint32_t);
    a.at = (uint32_t *)p;
    p += ((size_t)a.tiles + 1) * sizeof(uint32_t);
    p += (size_t)((p - (unsigned char *)scratch) & 4); /* the scan wants 8 */
    a.scan = p;
    p += lp_scan_scratch_cuda(a.tiles);
    a.bytes = (size_t)(p - (unsigned char *)scratch);
    return a;
}

size_t lp_follow_scratch_cuda(int Ly, int Lx)
{
    return lay_out(LP_NOWHERE, Ly, Lx).bytes;
}

static __device__ inline float step_of(float flow, int foreground)
{
    return foreground && isfinite(flow) ? flow / 5.0f : 0.0f;
}

static __global__ void __launch_bounds__(SIDE *WARPS)
    follow_pairs(float2 *pairs, uint32_t *rows, uint32_t *count, uint32_t *end,
                 const float *__restrict__ flows, const float *__restrict__ cellprob, int Ly,
                 int Lx, int ntx, float threshold)
{
    __shared__ unsigned have[WARPS];
    const int lane = (int)(threadIdx.x & 31), warp = (int)(threadIdx.x >> 5);
    const int ty = (int)(blockIdx.x / (unsigned)ntx) * SIDE;
    const int tx = (int)(blockIdx.x % (unsigned)ntx) * SIDE;
    const int64_t plane = (int64_t)Ly * Lx;
    const int x = tx + lane;
    unsigned sum = 0;

    for (int r = warp; r < SIDE; r += WARPS) {
        const int y = ty + r, inside = y < Ly && x < Lx;
        int foreground = 0;

        if (y <= Ly && x <= Lx) {
            const int64_t i = (int64_t)(y < Ly ? y : Ly - 1) * Lx + (x < Lx ? x : Lx - 1);
            float2 v;

            foreground = cellprob[i] > threshold;
            v.x = step_of(flows[i], foreground);
            v.y = step_of(flows[plane + i], foreground);
            pairs[(int64_t)y * (Lx + 1) + x] = v;
            if (inside && !foreground) end[i] = LP_FOLLOW_NONE;
        }
        const unsigned bits = __ballot_sync(LP_ALL_LANES, inside && foreground);

        if (lane == 0) rows[(int64_t)blockIdx.x * SIDE + r] = bits;
        sum += (unsigned)__popc(bits);
    }
    if (lane == 0) have[warp] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < WARPS; w++) sum += have[w];
        count[blockIdx.x] = sum;
    }
}

static __global__ void __launch_bounds__(SIDE *WARPS)
    follow_list(uint32_t *list, const uint32_t *rows, const uint32_t *at, int Lx, int ntx)
{
    __shared__ unsigned bits[SIDE], before[SIDE];
    const int lane = (int)(threadIdx.x & 31), warp = (int)(threadIdx.x >> 5);
    const int ty = (int)(blockIdx.x / (unsigned)ntx) * SIDE;
    const int tx = (int)(blockIdx.x % (unsigned)ntx) * SIDE;

    if (warp == 0) {
        const unsigned b = rows[(int64_t)blockIdx.x * SIDE + lane];
        const unsigned n = (unsigned)__popc(b);

        bits[lane] = b;
        before[lane] = at[blockIdx.x] + lp_warp_scan(n) - n;
    }
    __syncthreads();
    for (int r = warp; r < SIDE; r += WARPS) {
        const unsigned b = bits[r];

        if (b >> lane & 1)
            list[before[r] + (unsigned)__popc(b & ((1u << lane) - 1))] =
                (uint32_t)((int64_t)(ty + r) * Lx + tx + lane);
    }
}

/* A step from a corner (0 or 1) ends in the pixel; see follow_cpu.c for the margin. */
static __device__ inline int in_pixel(float corner, float step)
{
    return corner + step > 0.02f && corner + step < 0.98f;
}

/* a, b: the upper corners, c, d: the lower ones. No pixel of the last row or column is one: its
 * corners are equal there. */
static __device__ inline int is_trap(float2 a, float2 b, float2 c, float2 d)
{
    return in_pixel(0, a.x) & in_pixel(0, a.y) & in_pixel(0, b.x) & in_pixel(1, b.y) &
           in_pixel(1, c.x) & in_pixel(0, c.y) & in_pixel(1, d.x) & in_pixel(1, d.y);
}

/* The bilinear mean, in the order of follow_ref.c. */
static __device__ inline float mean(float a, float b, float c, float d, float y, float x, double y_,
                                    double x_)
{
    const double top0 = a * y_ * x_, top1 = b * y_ * x;
    const float bot0 = c * y, bot1 = d * y * x;

    return (float)(top0 + top1 + bot0 * x_ + bot1);
}

static __device__ inline float clamped(float p, int L)
{
    const float hi = (float)(L - 1);

    if (p < 0) p = 0;
    return p > hi ? hi : p;
}

static __global__ void __launch_bounds__(THREADS)
    follow_points(uint32_t *end, float *p, field f, const uint32_t *__restrict__ list,
                  const uint32_t *__restrict__ total)
{
    const int64_t k = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    const int64_t stride = (int64_t)f.Lx + 1;

    if (k >= *total) return;
    const uint32_t pixel = list[k];
    float py = (float)(pixel / (uint32_t)f.Lx), px = (float)(pixel % (uint32_t)f.Lx);
    float mark_y = -1, mark_x = -1;
    int marked = 0, next = 0, stop = f.niter;

    for (int t = 0; t < stop; t++) {
        const int y0 = (int)py, x0 = (int)px;
        const float2 *corner = f.pairs + (int64_t)y0 * stride + x0;
        const float2 a = corner[0];

        if (t == next) {
            mark_y = py;
            mark_x = px;
            marked = t;
            next = t + (t < 64 ? 8 : t / 8);
        }
        if (f.interp) {
            const float2 b = corner[1], c = corner[stride], d = corner[stride + 1];
            const float y = py - (float)y0, x = px - (float)x0;
            const double y_ = 1 - (double)y, x_ = 1 - (double)x;

            if (f.trap && t % 4 == 0 && is_trap(a, b, c, d)) break;
            py = clamped(py + mean(a.x, b.x, c.x, d.x, y, x, y_, x_), f.Ly);
            px = clamped(px + mean(a.y, b.y, c.y, d.y, y, x, y_, x_), f.Lx);
        } else {
            py = clamped(py + a.x, f.Ly);
            px = clamped(px + a.y, f.Lx);
        }
        if (py == mark_y && px == mark_x) {
            stop = t + 1 + (f.niter - t - 1) % (t + 1 - marked);
            mark_y = -1; /* no second time */
            next = -1;
        }
    }
    end[pixel] = (uint32_t)((int64_t)py * f.Lx + (int64_t)px);
    if (p) {
        p[pixel] = py;
        p[(int64_t)f.Ly * f.Lx + pixel] = px;
    }
}

int lp_follow_cuda(uint32_t *d_end, float *d_p, const float *d_flows, const float *d_cellprob,
                   int Ly, int Lx, double cellprob_threshold, int niter, int interp,
                   void *d_scratch, lp_stream stream)
{
    const layout a = lay_out(d_scratch, Ly, Lx);
    const field f = {a.pairs, Ly, Lx, niter, interp, interp && !d_p};
    int e;

    if (Ly < 1 || Lx < 1 || niter < 0) return cudaErrorInvalidValue;
    if ((e = LP_LAUNCH(follow_pairs, a.tiles, SIDE * WARPS, 0, stream, a.pairs, a.rows, a.at, d_end,
                       d_flows, d_cellprob, Ly, Lx, a.ntx, (float)cellprob_threshold)))
        return e;
    if ((e = lp_scan_u32_cuda(a.at, a.at, a.tiles, a.scan, stream))) return e;
    if ((e = LP_LAUNCH(follow_list, a.tiles, SIDE * WARPS, 0, stream, a.list, a.rows, a.at, Lx,
                       a.ntx)))
        return e;
    return LP_LAUNCH(follow_points, lp_blocks((int64_t)Ly * Lx, THREADS), THREADS, 0, stream, d_end,
                     d_p, f, a.list, a.at + a.tiles);
}
