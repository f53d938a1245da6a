/* flow_error - on the device: a warp per mask, and a block per mask that is tall.
 *
 * Lane j of a warp has sum j of a band (band_sum.h), so that order of addition is what comes
 * naturally here. */
#include "util.cuh"

#include "warp.cuh"

extern "C" {
#include "band_sum.h"
#include "flow_error.h"
#include "scan.h"
}

#define THREADS 256
#define WARPS 4       /* masks per block */
#define TALL 8        /* bands from which a mask has a block to itself */
#define TALL_WARPS 16 /* bands of one mask at a time */
#define TALL_BLOCKS 512

struct sums {
    double a, b; /* of y and of x */
};

/* v / 5.0f, of every float: a fifth of one is never halfway between two. A division would call code
 * that costs registers. */
static __device__ inline float fifth(float v)
{
    return (float)(v * 0.2);
}

struct flows_off {
    double *sum_y, *sum_x; /* [n + 1] */
    const float *mu, *flows;
    const uint32_t *labels;
    int64_t plane;
    int Lx;

    __device__ double square(int64_t i) const
    {
        const float v = flows[i];
        const double d = mu[i] - (double)(isfinite(v) ? fifth(v) : 0.0f);

        return d * d;
    }
    __device__ sums at(int64_t i) const
    {
        return {square(i), square(plane + i)};
    }
    __device__ void done(uint32_t l, sums s) const
    {
        sum_y[l] = s.a;
        sum_x[l] = s.b;
    }
};

static __device__ inline int bands_of(const lp_label_info &f)
{
    return (f.y1 - f.y0 + LP_BAND_ROWS - 1) / LP_BAND_ROWS;
}

/* The sums of a band, in lane 0. */
static __device__ inline sums sum_band(const flows_off &p, const lp_label_info &f, uint32_t l,
                                       int band)
{
    const int lane = (int)(threadIdx.x & 31), ya = f.y0 + band * LP_BAND_ROWS;
    const int yb = ya + LP_BAND_ROWS < f.y1 ? ya + LP_BAND_ROWS : f.y1;
    sums s = {0, 0};

    for (int y = ya; y < yb; y++)
        for (int x = f.x0 + lane; x < f.x1; x += LP_BAND_LANES) {
            const int64_t i = (int64_t)y * p.Lx + x;

            if (p.labels[i] != l) continue;
            const sums v = p.at(i);

            s.a += v.a;
            s.b += v.b;
        }
    for (int k = LP_BAND_LANES / 2; k; k /= 2) {
        s.a += __shfl_down_sync(LP_ALL_LANES, s.a, k);
        s.b += __shfl_down_sync(LP_ALL_LANES, s.b, k);
    }
    return s;
}

/* tall: [0] how many masks are left for flow_error_tall, from [1] on which. */
static __global__ void __launch_bounds__(32 * WARPS)
    flow_error_masks(flows_off p, uint32_t *tall, const lp_label_info *info, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    const int lane = (int)(threadIdx.x & 31);
    sums all = {0, 0};

    if (l > n) return; /* the whole warp */
    lp_label_info f = info[l];

    if (l == 0) f.count = 0;
    if (f.count && bands_of(f) >= TALL) {
        if (lane == 0) tall[1 + atomicAdd(tall, 1u)] = (uint32_t)l;
        return;
    }
    for (int band = 0; f.count && band < bands_of(f); band++) {
        const sums s = sum_band(p, f, (uint32_t)l, band);

        all.a += s.a;
        all.b += s.b;
    }
    if (lane == 0) p.done((uint32_t)l, all);
}

/* shared: TALL_WARPS sums. */
static __global__ void __launch_bounds__(32 * TALL_WARPS)
    flow_error_tall(flows_off p, const uint32_t *tall, const lp_label_info *info)
{
    LP_SHARED(sums, part);
    const int lane = (int)(threadIdx.x & 31), warp = (int)(threadIdx.x >> 5);

    for (uint32_t k = blockIdx.x; k < tall[0]; k += gridDim.x) {
        const uint32_t l = tall[1 + k];
        const lp_label_info f = info[l];
        const int bands = bands_of(f);
        sums all = {0, 0};

        for (int first = 0; first < bands; first += TALL_WARPS) {
            if (first + warp < bands) {
                const sums s = sum_band(p, f, l, first + warp);

                if (lane == 0) part[warp] = s;
            }
            __syncthreads();
            if (threadIdx.x == 0)
                for (int w = 0; w < TALL_WARPS && first + w < bands; w++) {
                    all.a += part[w].a;
                    all.b += part[w].b;
                }
            __syncthreads();
        }
        if (threadIdx.x == 0) p.done(l, all);
    }
}

/* tall [n + 1]: scratch. */
static int add_up(flows_off p, const lp_label_info *info, uint32_t n, int Ly, uint32_t *tall,
                  lp_stream stream)
{
    const int64_t blocks = lp_blocks((int64_t)n + 1, WARPS);
    int e;

    if ((e = lp_scan_fill_cuda(tall, 0, 1, stream))) return e;
    if ((e = LP_LAUNCH(flow_error_masks, blocks, 32 * WARPS, 0, stream, p, tall, info, n)))
        return e;
    if (n == 0 || Ly <= (TALL - 1) * LP_BAND_ROWS) return 0;
    return LP_LAUNCH(flow_error_tall, n < TALL_BLOCKS ? n : TALL_BLOCKS, 32 * TALL_WARPS,
                     TALL_WARPS * sizeof(sums), stream, p, tall, info);
}

static __global__ void __launch_bounds__(THREADS)
    flow_error_mean(double *err, const double *sum_x, const lp_label_info *info, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l > n) return;
    const uint32_t count = l ? info[l].count : 0;

    err[l] = count ? err[l] / count + sum_x[l] / count : NAN;
}

size_t lp_flow_error_scratch_cuda(uint32_t n)
{
    return ((size_t)n + 1) * (sizeof(double) + sizeof(uint32_t));
}

int lp_flow_error_cuda(double *d_err, const float *d_mu, const float *d_flows,
                       const uint32_t *d_labels, const lp_label_info *d_info, uint32_t n, int Ly,
                       int Lx, void *d_scratch, lp_stream stream)
{
    double *sum_x = (double *)d_scratch;
    const flows_off p = {d_err, sum_x, d_mu, d_flows, d_labels, (int64_t)Ly * Lx, Lx};
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = add_up(p, d_info, n, Ly, (uint32_t *)(sum_x + n + 1), stream))) return e;
    return LP_LAUNCH(flow_error_mean, lp_blocks((int64_t)n + 1, THREADS), THREADS, 0, stream, d_err,
                     sum_x, d_info, n);
}

static __global__ void __launch_bounds__(THREADS) flow_error_none(double *err, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l <= n) err[l] = NAN;
}

int lp_flow_error_none_cuda(double *d_err, uint32_t n, lp_stream stream)
{
    return LP_LAUNCH(flow_error_none, lp_blocks((int64_t)n + 1, THREADS), THREADS, 0, stream, d_err,
                     n);
}

static __global__ void __launch_bounds__(THREADS)
    flow_error_float(float *out, const double *err, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l <= n) out[l] = (float)err[l];
}

int lp_flow_error_float_cuda(float *d_out, const double *d_err, uint32_t n, lp_stream stream)
{
    return LP_LAUNCH(flow_error_float, lp_blocks((int64_t)n + 1, THREADS), THREADS, 0, stream,
                     d_out, d_err, n);
}
