/* relabel_compat - on the device: what comes before a label is a scan over all of them. */
#include "util.cuh"

extern "C" {
#include "relabel_compat.h"
#include "scan.h"
}

#define THREADS 256

static __global__ void __launch_bounds__(THREADS)
    compat_present(uint32_t *map, uint32_t *present, const lp_label_info *info, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l > n) return;
    map[l] = (uint32_t)l;
    present[l] = info[l].count > 0;
}

/* No two labels have the same number of others before them. */
static __global__ void __launch_bounds__(THREADS)
    compat_drop(uint32_t *map, const uint32_t *before, const lp_label_info *info, uint32_t n,
                uint32_t min_size)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l <= n && info[l].count > 0 && info[l].count < min_size) map[before[l]] = 0;
}

static __global__ void __launch_bounds__(THREADS)
    compat_kept(uint32_t *kept, const uint32_t *map, const lp_label_info *info, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l <= n) kept[l] = l > 0 && map[l] && info[l].count > 0;
}

static __global__ void __launch_bounds__(THREADS)
    compat_number(uint32_t *map, uint32_t *n_kept, const uint32_t *before, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l > n) return;
    if (l == 0) *n_kept = before[n + 1];
    map[l] = before[l + 1] > before[l] ? before[l] + 1 : 0;
}

/* [n + 2] of the scan, and an even number of them. */
static size_t room(uint32_t n)
{
    return ((size_t)n + 3) / 2 * 2;
}

size_t lp_relabel_compat_scratch_cuda(uint32_t n)
{
    return room(n) * sizeof(uint32_t) + lp_scan_scratch_cuda((int64_t)n + 1);
}

int lp_relabel_miscount_cuda(uint32_t *d_map, const lp_label_info *d_info, uint32_t n,
                             uint32_t min_size, void *d_scratch, lp_stream stream)
{
    const int64_t blocks = lp_blocks((int64_t)n + 1, THREADS);
    uint32_t *before = (uint32_t *)d_scratch;
    int e;

    if ((e = LP_LAUNCH(compat_present, blocks, THREADS, 0, stream, d_map, before, d_info, n)))
        return e;
    if ((e = lp_scan_u32_cuda(before, before, (int64_t)n + 1, before + room(n), stream))) return e;
    return LP_LAUNCH(compat_drop, blocks, THREADS, 0, stream, d_map, before, d_info, n, min_size);
}

int lp_relabel_rank_cuda(uint32_t *d_map, uint32_t *d_kept, uint32_t n, const lp_label_info *d_info,
                         void *d_scratch, lp_stream stream)
{
    const int64_t blocks = lp_blocks((int64_t)n + 1, THREADS);
    uint32_t *before = (uint32_t *)d_scratch;
    int e;

    if ((e = LP_LAUNCH(compat_kept, blocks, THREADS, 0, stream, before, d_map, d_info, n)))
        return e;
    if ((e = lp_scan_u32_cuda(before, before, (int64_t)n + 1, before + room(n), stream))) return e;
    return LP_LAUNCH(compat_number, blocks, THREADS, 0, stream, d_map, d_kept, before, n);
}
