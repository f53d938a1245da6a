/* flow_error - on the device: a warp per mask, a block per mask that is tall.
 *
 * Lane j of a warp has the sum of the columns j, j + 32, ... of a band of the box, so the order of
 * addition (flow_error.h) is what comes naturally here. */
#include "util.cuh"

#include "scan.cuh"

extern "C" {
#include "flow_error.h"
}

#define WARPS 4        /* masks per block */
#define TALL_WARPS 16  /* bands of one mask at a time */
#define TALL 8         /* bands from which a mask has a block to itself */
#define TALL_BLOCKS 512

struct sums {
    double y, x;
};

static __device__ inline double square_off(float mu, float flow)
{
    const double d = mu - (double)(isfinite(flow) ? flow / 5.0f : 0.0f);

    return d * d;
}

struct input {
    const float *mu, *flows;
    const uint32_t *labels;
    int64_t plane;
    int Lx;
};

static __device__ inline int bands_of(const lp_label_info &f)
{
    return (f.y1 - f.y0 + LP_BAND_ROWS - 1) / LP_BAND_ROWS;
}

/* The sums of a band, in lane 0. */
static __device__ inline sums sum_band(const input &in, const lp_label_info &f, uint32_t l, int band)
{
    const int lane = (int)(threadIdx.x & 31), ya = f.y0 + band * LP_BAND_ROWS;
    const int yb = ya + LP_BAND_ROWS < f.y1 ? ya + LP_BAND_ROWS : f.y1;
    sums s = {0, 0};

    for (int y = ya; y < yb; y++)
        for (int x = f.x0 + lane; x < f.x1; x += LP_BAND_LANES) {
            const int64_t i = (int64_t)y * in.Lx + x;

            if (in.labels[i] != l) continue;
            s.y += square_off(in.mu[i], in.flows[i]);
            s.x += square_off(in.mu[in.plane + i], in.flows[in.plane + i]);
        }
    for (int k = LP_BAND_LANES / 2; k; k /= 2) {
        s.y += __shfl_down_sync(LP_ALL_LANES, s.y, k);
        s.x += __shfl_down_sync(LP_ALL_LANES, s.x, k);
    }
    return s;
}

/* tall: [0] how many masks are left for flow_error_tall, from [1] on which. */
static __global__ void __launch_bounds__(32 * WARPS)
    flow_error_masks(double *err, uint32_t *tall, input in, const lp_label_info *info, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    const int lane = (int)(threadIdx.x & 31);

    if (l > n) return; /* the whole warp */
    const lp_label_info f = info[l];

    if (l == 0 || f.count == 0) {
        if (lane == 0) err[l] = NAN;
        return;
    }
    if (bands_of(f) >= TALL) {
        if (lane == 0) tall[1 + atomicAdd(tall, 1u)] = (uint32_t)l;
        return;
    }
    sums all = {0, 0};

    for (int band = 0; band < bands_of(f); band++) {
        const sums s = sum_band(in, f, (uint32_t)l, band);

        all.y += s.y;
        all.x += s.x;
    }
    if (lane == 0) err[l] = all.y / f.count + all.x / f.count;
}

static __global__ void __launch_bounds__(32 * TALL_WARPS)
    flow_error_tall(double *err, const uint32_t *tall, input in, const lp_label_info *info)
{
    __shared__ double part_y[TALL_WARPS], part_x[TALL_WARPS];
    const int lane = (int)(threadIdx.x & 31), warp = (int)(threadIdx.x >> 5);

    for (uint32_t k = blockIdx.x; k < tall[0]; k += gridDim.x) {
        const uint32_t l = tall[1 + k];
        const lp_label_info f = info[l];
        const int bands = bands_of(f);
        sums all = {0, 0};

        for (int first = 0; first < bands; first += TALL_WARPS) {
            if (first + warp < bands) {
                const sums s = sum_band(in, f, l, first + warp);

                if (lane == 0) {
                    part_y[warp] = s.y;
                    part_x[warp] = s.x;
                }
            }
            __syncthreads();
            if (threadIdx.x == 0)
                for (int w = 0; w < TALL_WARPS && first + w < bands; w++) {
                    all.y += part_y[w];
                    all.x += part_x[w];
                }
            __syncthreads();
        }
        if (threadIdx.x == 0) err[l] = all.y / f.count + all.x / f.count;
    }
}

static __global__ void flow_error_none(uint32_t *tall)
{
    tall[0] = 0;
}

size_t lp_flow_error_scratch_cuda(uint32_t n)
{
    return ((size_t)n + 1) * sizeof(uint32_t);
}

int lp_flow_error_cuda(double *d_err, const float *d_mu, const float *d_flows,
                       const uint32_t *d_labels, const lp_label_info *d_info, uint32_t n, int Ly,
                       int Lx, void *d_scratch, lp_stream stream)
{
    const input in = {d_mu, d_flows, d_labels, (int64_t)Ly * Lx, Lx};
    uint32_t *tall = (uint32_t *)d_scratch;
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = LP_LAUNCH(flow_error_none, 1, 1, 0, stream, tall))) return e;
    if ((e = LP_LAUNCH(flow_error_masks, lp_blocks((int64_t)n + 1, WARPS), 32 * WARPS, 0, stream,
                       d_err, tall, in, d_info, n)))
        return e;
    if (n == 0 || Ly <= (TALL - 1) * LP_BAND_ROWS) return 0;
    return LP_LAUNCH(flow_error_tall, n < TALL_BLOCKS ? n : TALL_BLOCKS, 32 * TALL_WARPS, 0, stream,
                     d_err, tall, in, d_info);
}
