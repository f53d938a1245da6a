/* votes_keep - which components are accepted. */
#include "util.cuh"

extern "C" {
#include "scan.h"
#include "votes.h"
}

static const int THREADS = 256, WARPS = THREADS / 32;

static __global__ void add_areas(uint32_t *area, const lp_run *run, const uint32_t *root,
                                 uint32_t n_runs)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n_runs) atomicAdd(&area[root[i]], (uint32_t)(run[i].x1 - run[i].x0));
}

static __global__ void drop_taken(uint32_t *area, const lp_run *run, const uint32_t *root,
                                  const uint32_t *first, const lp_run *seed, uint32_t n_before)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    uint32_t lo, hi;

    if (i >= n_before) return;
    lo = first[seed[i].y];
    hi = first[seed[i].y + 1];
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (run[mid].x0 <= seed[i].x0)
            lo = mid;
        else
            hi = mid;
    }
    atomicExch(&area[root[lo]], 0u);
}

static __global__ void keep(uint32_t *number, const uint32_t *area, const uint32_t *root,
                            uint32_t n_runs, int min_size)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n_runs) number[i] = root[i] == i && area[i] && (int64_t)area[i] >= min_size;
}

int lp_votes_keep_cuda(uint32_t *d_number, uint32_t *d_area, const lp_run *d_run,
                       const uint32_t *d_root, const uint32_t *d_first, uint32_t n_runs,
                       const lp_run *d_seed, uint32_t n_before, int min_size, void *d_scratch,
                       lp_stream stream)
{
    int64_t blocks = lp_blocks(n_runs, THREADS);
    int rc;

    if (!n_runs) return lp_scan_fill_cuda(d_number, 0, 1, stream);
    if ((rc = lp_scan_fill_cuda(d_area, 0, n_runs, stream))) return rc;
    if ((rc = LP_LAUNCH(add_areas, blocks, THREADS, 0, stream, d_area, d_run, d_root, n_runs)))
        return rc;
    if (n_before && (rc = LP_LAUNCH(drop_taken, lp_blocks(n_before, THREADS), THREADS, 0, stream,
                                    d_area, d_run, d_root, d_first, d_seed, n_before)))
        return rc;
    if ((rc = LP_LAUNCH(keep, blocks, THREADS, 0, stream, d_number, d_area, d_root, n_runs,
                        min_size)))
        return rc;
    return lp_scan_u32_cuda(d_number, d_number, n_runs, d_scratch, stream);
}

/* One warp per run. */
static __global__ void paint(uint32_t *masks, lp_run *seed, const uint32_t *number,
                             const lp_run *run, const uint32_t *root, uint32_t n_runs,
                             uint32_t n_before, int Lx)
{
    int64_t i = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    int lane = threadIdx.x & 31, x;
    uint32_t r, k, *row;
    lp_run u;

    if (i >= n_runs) return;
    r = root[i];
    k = number[r];
    if (number[r + 1] == k) return;
    u = run[i];
    if (r == i && lane == 0) seed[n_before + k] = u;
    row = masks + (int64_t)u.y * Lx;
    for (x = u.x0 + lane; x < u.x1; x += 32) row[x] = n_before + k + 1;
}

int lp_votes_paint_cuda(uint32_t *d_masks, lp_run *d_seed, const uint32_t *d_number,
                        const lp_run *d_run, const uint32_t *d_root, uint32_t n_runs,
                        uint32_t n_before, int Lx, lp_stream stream)
{
    if (!n_runs) return 0;
    return LP_LAUNCH(paint, lp_blocks(n_runs, WARPS), THREADS, 0, stream, d_masks, d_seed, d_number,
                     d_run, d_root, n_runs, n_before, Lx);
}

static const int STRIP = 8; /* pixels of a thread */

/* The most of a stretch of pixels of one particle goes out in one atomic, if it is news at all. */
static __global__ void tops(uint32_t *top, const uint32_t *masks, const uint16_t *v, int64_t n_px)
{
    int64_t i = ((int64_t)blockIdx.x * THREADS + threadIdx.x) * STRIP;
    int64_t end = i + STRIP < n_px ? i + STRIP : n_px;
    uint32_t id = 0, most = 0;

    for (; i <= end; i++) {
        uint32_t next = i < end ? masks[i] : 0;

        if (next != id) {
            if (id && most > top[id - 1]) atomicMax(&top[id - 1], most);
            id = next;
            most = 0;
        }
        if (next && v[i] > most) most = v[i];
    }
}

int lp_votes_top_cuda(uint32_t *d_top, uint32_t n, const uint32_t *d_masks, const uint16_t *d_v,
                      int Ly, int Lx, lp_stream stream)
{
    int64_t n_px = (int64_t)Ly * Lx;
    int rc = lp_scan_fill_cuda(d_top, 0, n, stream);

    if (rc || !n) return rc;
    return LP_LAUNCH(tops, lp_blocks(n_px, THREADS * STRIP), THREADS, 0, stream, d_top, d_masks,
                     d_v, n_px);
}
