/* runs - the runs of an image in raster order, sorted by their mask. */
#include "util.cuh"

extern "C" {
#include "runs.h"
#include "scan.h"
}

#include "row_runs.cuh"
#include "warp.cuh"

#include <math.h>

static const int THREADS = 256, WARPS = THREADS / 32;

namespace
{
struct of_labels {
    const uint32_t *labels;
    __device__ int in(int64_t i) const
    {
        return labels[i] != 0;
    }
    __device__ int joined(int64_t i) const
    {
        return labels[i] == labels[i - 1];
    }
};
} // namespace

static size_t round8(size_t n)
{
    return (n + 7) / 8 * 8;
}

size_t lp_runs_count_scratch_cuda(int Ly, int Lx)
{
    int64_t n = (int64_t)Ly * lp_row_pieces(Lx);

    return round8(((size_t)n + 1) * sizeof(uint32_t)) + lp_scan_scratch_cuda(n);
}

static __global__ void copy_one(uint32_t *to, const uint32_t *from)
{
    *to = *from;
}

int lp_runs_count_cuda(uint32_t *d_n_runs, const uint32_t *d_labels, int Ly, int Lx,
                       void *d_scratch, lp_stream stream)
{
    int64_t n = (int64_t)Ly * lp_row_pieces(Lx);
    uint32_t *count = (uint32_t *)d_scratch;
    void *rest = (char *)d_scratch + round8(((size_t)n + 1) * sizeof *count);
    of_labels p = {d_labels};
    int rc;

    if ((rc = LP_LAUNCH(lp_row_count<of_labels>, n, LP_PIECE_THREADS, 0, stream, count, p, Lx)))
        return rc;
    if ((rc = lp_scan_u32_cuda(count, count, n, rest, stream))) return rc;
    return LP_LAUNCH(copy_one, 1, 1, 0, stream, d_n_runs, (const uint32_t *)count + n);
}

/* Labels become keys, and are counted. first [n + 1] zeroed. */
static __global__ void make_keys(uint64_t *key, uint32_t *value, uint64_t *first, const lp_run *run,
                                 const uint32_t *labels, uint32_t n_runs, int Lx)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    uint32_t l;

    if (i >= n_runs) return;
    l = labels[(int64_t)run[i].y * Lx + run[i].x0] - 1;
    key[i] = l;
    value[i] = (uint32_t)i;
    atomicAdd((unsigned long long *)&first[l], 1ull);
}

static __global__ void gather(lp_run *out, const lp_run *run, const uint32_t *value,
                              uint32_t n_runs)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n_runs) out[i] = run[value[i]];
}

/* Of lp_runs_fill_cuda's scratch: runs in raster order, keys and values twice, the rest. */
typedef struct {
    size_t key, key2, value, value2, rest, end;
} layout;

static layout plan(uint32_t n, uint32_t n_runs)
{
    size_t sort = lp_scan_sort_scratch_cuda(n_runs), scan = lp_scan_scratch_cuda(n);
    layout a;

    a.key = round8(n_runs * sizeof(lp_run));
    a.key2 = a.key + (size_t)n_runs * 8;
    a.value = a.key2 + (size_t)n_runs * 8;
    a.value2 = a.value + round8((size_t)n_runs * 4);
    a.rest = a.value2 + round8((size_t)n_runs * 4);
    a.end = a.rest + (sort > scan ? sort : scan);
    return a;
}

size_t lp_runs_fill_scratch_cuda(uint32_t n, uint32_t n_runs)
{
    return plan(n, n_runs).end;
}

int lp_runs_fill_cuda(lp_run *d_run, uint64_t *d_first, const uint32_t *d_labels, uint32_t n,
                      uint32_t n_runs, int Ly, int Lx, const void *d_counted, void *d_scratch,
                      lp_stream stream)
{
    layout a = plan(n, n_runs);
    char *s = (char *)d_scratch;
    lp_run *raster = (lp_run *)s;
    uint64_t *key = (uint64_t *)(s + a.key), *key2 = (uint64_t *)(s + a.key2);
    uint32_t *value = (uint32_t *)(s + a.value), *value2 = (uint32_t *)(s + a.value2);
    const uint32_t *start = (const uint32_t *)d_counted;
    unsigned pieces = (unsigned)Ly * (unsigned)lp_row_pieces(Lx);
    of_labels p = {d_labels};
    int rc, bits = 0;

    while (bits < 32 && n >> bits) bits++;
    if ((rc = lp_scan_fill_cuda((uint32_t *)d_first, 0, 2 * ((int64_t)n + 1), stream))) return rc;
    if (n_runs) {
        if ((rc = LP_LAUNCH(lp_row_fill<of_labels>, pieces, LP_PIECE_THREADS, 0, stream, raster,
                            start, p, Lx)))
            return rc;
        if ((rc = LP_LAUNCH(make_keys, lp_blocks(n_runs, THREADS), THREADS, 0, stream, key, value,
                            d_first, (const lp_run *)raster, d_labels, n_runs, Lx)))
            return rc;
        if ((rc = lp_scan_sort_cuda(key, value, n_runs, bits, key2, value2, s + a.rest, stream)))
            return rc;
        if ((rc = LP_LAUNCH(gather, lp_blocks(n_runs, THREADS), THREADS, 0, stream, d_run,
                            (const lp_run *)raster, (const uint32_t *)value, n_runs)))
            return rc;
    }
    return lp_scan_u64_cuda(d_first, d_first, n, s + a.rest, stream);
}

/* One warp per mask. */
static __global__ void boxes(lp_runs_box *box, lp_runs r)
{
    int64_t l = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    int lane = threadIdx.x & 31, x0 = INT32_MAX, x1 = 0, k;
    unsigned long long area = 0;
    uint64_t i;

    if (l >= r.n) return;
    for (i = r.first[l] + (unsigned)lane; i < r.first[l + 1]; i += 32) {
        lp_run u = r.run[i];

        x0 = min(x0, u.x0);
        x1 = max(x1, u.x1);
        area += (unsigned)(u.x1 - u.x0);
    }
    for (k = 16; k; k /= 2) {
        x0 = min(x0, __shfl_xor_sync(LP_ALL_LANES, x0, k));
        x1 = max(x1, __shfl_xor_sync(LP_ALL_LANES, x1, k));
        area += __shfl_xor_sync(LP_ALL_LANES, area, k);
    }
    if (lane == 0) {
        lp_runs_box b = {0, 0, 0, 0, 0};

        if (area) {
            b.area = (int64_t)area;
            b.y0 = r.run[r.first[l]].y;
            b.y1 = r.run[r.first[l + 1] - 1].y + 1;
            b.x0 = x0;
            b.x1 = x1;
        }
        box[l] = b;
    }
}

int lp_runs_box_cuda(lp_runs_box *d_box, const lp_runs *r, lp_stream stream)
{
    if (!r->n) return 0;
    return LP_LAUNCH(boxes, lp_blocks(r->n, WARPS), THREADS, 0, stream, d_box, *r);
}

static __global__ void run_sums(double *sum, const lp_run *run, uint64_t n_runs, const float *plane,
                                int Lx)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    double s = 0;
    lp_run u;
    int x;

    if ((uint64_t)i >= n_runs) return;
    u = run[i];
    plane += (int64_t)u.y * Lx;
    for (x = u.x0; x < u.x1; x++) s += plane[x];
    sum[i] = s;
}

/* One warp per mask. */
static __global__ void means(float *mean, lp_runs r, const double *sum)
{
    const int64_t l = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    unsigned long long n = 0;

    if (l >= r.n) return; /* the whole warp */
    for (uint64_t i = r.first[l] + (threadIdx.x & 31); i < r.first[l + 1]; i += 32)
        n += (unsigned)(r.run[i].x1 - r.run[i].x0);
    for (int k = 16; k; k /= 2) n += __shfl_xor_sync(LP_ALL_LANES, n, k);
    const double s = lp_warp_sum_in_order(sum, r.first[l], r.first[l + 1]);

    if ((threadIdx.x & 31) == 0) mean[l] = n ? (float)(s / (double)n) : NAN;
}

int lp_runs_mean_cuda(float *d_mean, const lp_runs *r, uint64_t n_runs, const float *d_plane,
                      int Lx, double *d_sum, lp_stream stream)
{
    int rc;

    if (!r->n) return 0;
    if (n_runs && (rc = LP_LAUNCH(run_sums, lp_blocks((int64_t)n_runs, THREADS), THREADS, 0, stream,
                                  d_sum, (const lp_run *)r->run, n_runs, d_plane, Lx)))
        return rc;
    return LP_LAUNCH(means, lp_blocks(r->n, WARPS), THREADS, 0, stream, d_mean, *r,
                     (const double *)d_sum);
}
