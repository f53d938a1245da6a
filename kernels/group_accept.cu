/* group_accept - outlines one after the other, as rounds of those that nothing undecided is before.
 *
 * The claim of a pixel is the first undecided group that has it. Two groups of one round share no
 * pixel, or the later one would see the claim of the earlier. */
#include "util.cuh"

extern "C" {
#include "group.h"
#include "scan.h"
}

static const int THREADS = 256, WARPS = THREADS / 32;
static const unsigned ALL = 0xffffffffu;

enum { OPEN, DROPPED, NEW, ACCEPTED }; /* state; NEW: of this round, not painted yet */

static __global__ void begin_tally(lp_group_tally *tally, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    lp_group_tally t = {OPEN, 0, 0, 0};

    if (i < n) tally[i] = t;
}

static __global__ void add_areas(lp_group_tally *tally, const lp_run *run, const uint32_t *of,
                                 uint64_t n_runs)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if ((uint64_t)i < n_runs) atomicAdd(&tally[of[i]].area, (uint32_t)(run[i].x1 - run[i].x0));
}

/* One warp per run. Its run and group, where that group is in this state; else 0. */
static __device__ int run_of_warp(lp_run *u, uint32_t *g, uint32_t state,
                                  const lp_group_tally *tally, const uint32_t *left,
                                  const lp_run *run, const uint32_t *of, uint64_t n_runs)
{
    uint64_t i = (uint64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);

    if (!*left || i >= n_runs) return 0;
    *g = of[i];
    if (tally[*g].state != state) return 0;
    *u = run[i];
    return 1;
}

/* Clears the claims (begin 1), or claims. */
static __global__ void claim(uint32_t *claims, const lp_group_tally *tally, const uint32_t *left,
                             const lp_run *run, const uint32_t *of, uint64_t n_runs, int Lx,
                             int begin)
{
    uint32_t *row, g;
    lp_run u;
    int x;

    if (!run_of_warp(&u, &g, OPEN, tally, left, run, of, n_runs)) return;
    row = claims + (int64_t)u.y * Lx;
    for (x = u.x0 + (int)(threadIdx.x & 31); x < u.x1; x += 32) {
        if (begin)
            atomicExch(&row[x], ALL);
        else
            atomicMin(&row[x], g);
    }
}

static __global__ void look(lp_group_tally *tally, const uint32_t *claims, const uint32_t *masks,
                            const uint32_t *left, const lp_run *run, const uint32_t *of,
                            uint64_t n_runs, int Lx)
{
    uint32_t g, free_px = 0;
    int64_t row;
    lp_run u;
    int x, blocked = 0;

    if (!run_of_warp(&u, &g, OPEN, tally, left, run, of, n_runs)) return;
    row = (int64_t)u.y * Lx;
    for (x = u.x0 + (int)(threadIdx.x & 31); x < u.x1; x += 32) {
        blocked |= claims[row + x] != g;
        free_px += !masks[row + x];
    }
    __syncwarp(ALL);
    blocked = __any_sync(ALL, blocked);
    free_px = __reduce_add_sync(ALL, free_px);
    if (threadIdx.x & 31) return;
    if (blocked) atomicOr(&tally[g].blocked, 1u);
    if (free_px) atomicAdd(&tally[g].free, free_px);
}

static __global__ void decide(lp_group_tally *tally, uint32_t *left, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    uint32_t of_warp;
    int open = 0;

    if (!*left) return;
    if (i < n) {
        lp_group_tally t = tally[i];

        if (t.state == NEW) t.state = ACCEPTED;
        if (t.state == OPEN) {
            open = (int)t.blocked;
            if (!open)
                t.state =
                    t.area && 2 * (uint64_t)t.free >= t.area ? (uint32_t)NEW : (uint32_t)DROPPED;
            t.blocked = t.free = 0;
        }
        tally[i] = t;
    }
    of_warp = (uint32_t)__popc(__ballot_sync(ALL, open));
    if (of_warp && (threadIdx.x & 31) == 0) atomicAdd(left + 1, of_warp);
}

static __global__ void paint(uint32_t *masks, const lp_group_tally *tally, const uint32_t *left,
                             const lp_run *run, const uint32_t *of, uint64_t n_runs, int Lx)
{
    uint32_t *row, g;
    lp_run u;
    int x;

    if (!run_of_warp(&u, &g, NEW, tally, left, run, of, n_runs)) return;
    row = masks + (int64_t)u.y * Lx;
    for (x = u.x0 + (int)(threadIdx.x & 31); x < u.x1; x += 32)
        if (!row[x]) row[x] = g + 1;
}

static int one_round(uint32_t *masks, uint32_t *claims, lp_group_tally *tally, uint32_t *left,
                     const lp_run *run, const uint32_t *of, uint64_t n_runs, uint32_t n, int Lx,
                     lp_stream stream)
{
    int64_t blocks = lp_blocks((int64_t)n_runs, WARPS);
    int begin, rc;

    for (begin = 1; begin >= 0 && n_runs; begin--)
        if ((rc = LP_LAUNCH(claim, blocks, THREADS, 0, stream, claims, tally, left, run, of, n_runs,
                            Lx, begin)))
            return rc;
    if (n_runs && (rc = LP_LAUNCH(look, blocks, THREADS, 0, stream, tally, claims, masks, left, run,
                                  of, n_runs, Lx)))
        return rc;
    if ((rc = LP_LAUNCH(decide, lp_blocks(n, THREADS), THREADS, 0, stream, tally, left, n)))
        return rc;
    if (!n_runs) return 0;
    return LP_LAUNCH(paint, blocks, THREADS, 0, stream, masks, tally, left, run, of, n_runs, Lx);
}

int lp_group_accept_cuda(uint32_t *d_masks, uint32_t *d_claim, lp_group_tally *d_tally,
                         uint32_t *d_left, int rounds, int begin, const lp_run *d_run,
                         const uint32_t *d_of, uint64_t n_runs, uint32_t n, int Lx,
                         lp_stream stream)
{
    int k, rc;

    if ((rc = lp_scan_fill_cuda(d_left, 0, (int64_t)rounds + 1, stream)) || !n) return rc;
    if ((rc = lp_scan_fill_cuda(d_left, 1, 1, stream))) return rc;
    if (begin) {
        if ((rc = LP_LAUNCH(begin_tally, lp_blocks(n, THREADS), THREADS, 0, stream, d_tally, n)))
            return rc;
        if (n_runs && (rc = LP_LAUNCH(add_areas, lp_blocks((int64_t)n_runs, THREADS), THREADS, 0,
                                      stream, d_tally, d_run, d_of, n_runs)))
            return rc;
    }
    for (k = 0; k < rounds; k++)
        if ((rc = one_round(d_masks, d_claim, d_tally, d_left + k, d_run, d_of, n_runs, n, Lx,
                            stream)))
            return rc;
    return 0;
}

static __global__ void accepted(uint32_t *id, const lp_group_tally *tally, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n) id[i] = tally[i].state >= NEW;
}

static __global__ void renumber(uint32_t *masks, const uint32_t *number, int64_t n_px)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    uint32_t g;

    if (i < n_px && (g = masks[i])) masks[i] = number[g - 1] + 1;
}

static __global__ void finish_ids(uint32_t *id, const lp_group_tally *tally, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n) id[i] = tally[i].state >= NEW ? id[i] + 1 : 0;
}

int lp_group_number_cuda(uint32_t *d_masks, uint32_t *d_id, const lp_group_tally *d_tally,
                         uint32_t n, int Ly, int Lx, void *d_scratch, lp_stream stream)
{
    int64_t blocks = lp_blocks(n, THREADS), n_px = (int64_t)Ly * Lx;
    int rc;

    if (!n) return lp_scan_fill_cuda(d_id, 0, 1, stream);
    if ((rc = LP_LAUNCH(accepted, blocks, THREADS, 0, stream, d_id, d_tally, n))) return rc;
    if ((rc = lp_scan_u32_cuda(d_id, d_id, n, d_scratch, stream))) return rc;
    if ((rc = LP_LAUNCH(renumber, lp_blocks(n_px, THREADS), THREADS, 0, stream, d_masks, d_id,
                        n_px)))
        return rc;
    return LP_LAUNCH(finish_ids, blocks, THREADS, 0, stream, d_id, d_tally, n);
}
