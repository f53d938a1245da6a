/* group - seeds and groups: similar pairs through a grid, then rounds over the pairs. */
#include "util.cuh"

extern "C" {
#include "group.h"
#include "scan.h"
}

#include "run_beyond.cuh"

static const int THREADS = 256, WARPS = THREADS / 32;
static const unsigned ALL = 0xffffffffu;

enum { OPEN, JOINED, SEED };         /* d_state */
enum { HIT_SEED = 1, HIT_OPEN = 2 }; /* d_hit: what is similar and comes before */

static size_t round8(size_t n)
{
    return (n + 7) / 8 * 8;
}

/* Of step 1's scratch: masks of each cell, where its list starts, the rest. */
typedef struct {
    size_t start, rest, end;
} layout;

static layout plan(const lp_group_grid *g)
{
    int64_t cells = g->ny * g->nx;
    size_t a = lp_scan_scratch_cuda(cells), b = lp_scan_scratch_cuda(g->n_nodes);
    layout l;

    l.start = round8((size_t)cells * 4);
    l.rest = l.start + round8(((size_t)cells + 1) * 4);
    l.end = l.rest + (a > b ? a : b);
    return l;
}

size_t lp_group_nodes_scratch_cuda(const lp_group_grid *g)
{
    return plan(g).end;
}

/* One warp per mask: count (node NULL), or put it into the lists. Their order does not matter. */
static __global__ void meet(lp_group_node *node, uint32_t *count, const uint32_t *start,
                            const lp_runs_box *box, uint32_t n, lp_group_grid g)
{
    int64_t i = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5), k;
    int64_t y0, x0, ny, nx;

    if (i >= n) return;
    y0 = box[i].y0 >> g.shift;
    x0 = box[i].x0 >> g.shift;
    ny = ((box[i].y1 - 1) >> g.shift) - y0 + 1;
    nx = ((box[i].x1 - 1) >> g.shift) - x0 + 1;
    for (k = threadIdx.x & 31; k < ny * nx; k += 32) {
        int64_t c = (y0 + k / nx) * g.nx + x0 + k % nx;

        if (node) {
            lp_group_node m = {(uint32_t)c, (uint32_t)i};

            node[start[c] + atomicSub(&count[c], 1u) - 1] = m;
        } else {
            atomicAdd(&count[c], 1u);
        }
    }
}

/* Whether the boxes of two masks allow an IoU of iou; and whether this is the cell in which the
 * pair is looked at: the first that both meet. */
static __device__ int may_pair(const lp_runs_box *a, const lp_runs_box *b, double iou,
                               uint32_t cell, const lp_group_grid *g)
{
    int y0 = max(a->y0, b->y0), y1 = min(a->y1, b->y1);
    int x0 = max(a->x0, b->x0), x1 = min(a->x1, b->x1);
    int64_t big = a->area > b->area ? a->area : b->area;
    int64_t small = a->area + b->area - big;

    if (y1 <= y0 || x1 <= x0) return 0;
    if ((uint32_t)((int64_t)(y0 >> g->shift) * g->nx + (x0 >> g->shift)) != cell) return 0;
    return !((double)small < iou * (double)big ||
             (double)((int64_t)(y1 - y0) * (x1 - x0)) < iou * (double)big);
}

/* One warp per node: its pairs with the masks before it in this cell. pair NULL: counts them. */
static __global__ void find_pairs(lp_group_pair *pair, uint64_t *offset, const lp_group_node *node,
                                  const uint32_t *start, const lp_runs_box *box, double iou,
                                  lp_group_grid g)
{
    int64_t k = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    uint32_t lane = threadIdx.x & 31, from, to, n = 0, m;
    lp_group_node own;
    lp_runs_box b;
    uint64_t at;

    if (k >= g.n_nodes) return;
    own = node[k];
    b = box[own.mask];
    from = start[own.cell];
    to = start[own.cell + 1];
    at = pair ? offset[k] : 0;
    for (m = from; m < to; m += 32) {
        uint32_t j = m + lane < to ? node[m + lane].mask : own.mask;
        int ok = j < own.mask && may_pair(&b, &box[j], iou, own.cell, &g);
        uint32_t found = __ballot_sync(ALL, ok);

        if (ok && pair) {
            lp_group_pair p = {own.mask, j, 0};

            pair[at + n + (uint32_t)__popc(found & ((1u << lane) - 1))] = p;
        }
        n += (uint32_t)__popc(found);
    }
    if (!pair && lane == 0) offset[k] = n;
}

int lp_group_nodes_cuda(lp_group_node *d_node, uint64_t *d_offset, const lp_runs_box *d_box,
                        uint32_t n, double iou, const lp_group_grid *g, void *d_scratch,
                        lp_stream stream)
{
    layout l = plan(g);
    int64_t cells = g->ny * g->nx;
    uint32_t *count = (uint32_t *)d_scratch;
    uint32_t *start = (uint32_t *)((char *)d_scratch + l.start);
    void *rest = (char *)d_scratch + l.rest;
    int rc;

    if (!n) return lp_scan_fill_cuda((uint32_t *)d_offset, 0, 2, stream);
    if ((rc = lp_scan_fill_cuda(count, 0, cells, stream))) return rc;
    if ((rc = LP_LAUNCH(meet, lp_blocks(n, WARPS), THREADS, 0, stream, NULL, count, NULL, d_box, n,
                        *g)))
        return rc;
    if ((rc = lp_scan_u32_cuda(start, count, cells, rest, stream))) return rc;
    if ((rc = LP_LAUNCH(meet, lp_blocks(n, WARPS), THREADS, 0, stream, d_node, count, start, d_box,
                        n, *g)))
        return rc;
    if ((rc = LP_LAUNCH(find_pairs, lp_blocks(g->n_nodes, WARPS), THREADS, 0, stream, NULL,
                        d_offset, d_node, start, d_box, iou, *g)))
        return rc;
    return lp_scan_u64_cuda(d_offset, d_offset, g->n_nodes, rest, stream);
}

/* One warp per pair, its lanes over the runs of the mask with fewer of them. */
static __global__ void overlaps(lp_group_pair *pair, uint64_t n_pairs, lp_runs masks,
                                const lp_runs_box *box, double iou)
{
    int64_t k = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    uint32_t a, b, common = 0;
    uint64_t i, i1, j, j1;

    if ((uint64_t)k >= n_pairs) return;
    a = pair[k].later;
    b = pair[k].earlier;
    if (masks.first[a + 1] - masks.first[a] > masks.first[b + 1] - masks.first[b]) {
        a = pair[k].earlier;
        b = pair[k].later;
    }
    i1 = masks.first[a + 1];
    j1 = masks.first[b + 1];
    for (i = masks.first[a] + (threadIdx.x & 31); i < i1; i += 32) {
        lp_run u = masks.run[i];

        for (j = run_beyond(masks.run, masks.first[b], j1, u.y, u.x0); j < j1; j++) {
            lp_run w = masks.run[j];

            if (w.y != u.y || w.x0 >= u.x1) break;
            common += (uint32_t)(min(w.x1, u.x1) - max(w.x0, u.x0));
        }
    }
    __syncwarp(ALL);
    common = __reduce_add_sync(ALL, common);
    if ((threadIdx.x & 31) == 0) {
        int64_t both = box[a].area + box[b].area - common;

        pair[k].common = (double)common >= iou * (double)both ? common : 0;
    }
}

int lp_group_pairs_cuda(lp_group_pair *d_pair, uint64_t n_pairs, const lp_group_node *d_node,
                        const uint64_t *d_offset, const lp_runs *masks, const lp_runs_box *d_box,
                        double iou, const lp_group_grid *g, const void *d_nodes_scratch,
                        lp_stream stream)
{
    const uint32_t *start = (const uint32_t *)((const char *)d_nodes_scratch + plan(g).start);
    int rc;

    if (!n_pairs) return 0;
    if ((rc = LP_LAUNCH(find_pairs, lp_blocks(g->n_nodes, WARPS), THREADS, 0, stream, d_pair,
                        (uint64_t *)d_offset, d_node, start, d_box, iou, *g)))
        return rc;
    return LP_LAUNCH(overlaps, lp_blocks((int64_t)n_pairs, WARPS), THREADS, 0, stream, d_pair,
                     n_pairs, *masks, d_box, iou);
}

static __global__ void look_back(uint32_t *hit, const uint32_t *left, const uint32_t *state,
                                 const lp_group_pair *pair, uint64_t n_pairs)
{
    int64_t k = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    lp_group_pair p;
    uint32_t before;

    if (!*left || (uint64_t)k >= n_pairs) return;
    p = pair[k];
    if (!p.common || state[p.later] != OPEN) return;
    before = state[p.earlier];
    if (before != JOINED) atomicOr(&hit[p.later], before == SEED ? HIT_SEED : HIT_OPEN);
}

static __global__ void decide(uint32_t *state, uint32_t *hit, uint32_t *left, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    int open = 0;
    uint32_t of_warp;

    if (!*left) return;
    if (i < n && state[i] == OPEN) {
        uint32_t h = hit[i];

        open = h == HIT_OPEN;
        if (!open) state[i] = h & HIT_SEED ? JOINED : SEED;
        hit[i] = 0;
    }
    of_warp = (uint32_t)__popc(__ballot_sync(ALL, open));
    if (of_warp && (threadIdx.x & 31) == 0) atomicAdd(left + 1, of_warp);
}

int lp_group_rounds_cuda(uint32_t *d_state, uint32_t *d_hit, uint32_t *d_left, int rounds,
                         int begin, const lp_group_pair *d_pair, uint64_t n_pairs, uint32_t n,
                         lp_stream stream)
{
    int k, rc;

    if (begin && ((rc = lp_scan_fill_cuda(d_state, OPEN, n, stream)) ||
                  (rc = lp_scan_fill_cuda(d_hit, 0, n, stream))))
        return rc;
    if ((rc = lp_scan_fill_cuda(d_left, 0, (int64_t)rounds + 1, stream))) return rc;
    if (n && (rc = lp_scan_fill_cuda(d_left, 1, 1, stream))) return rc;
    for (k = 0; k < rounds && n; k++) {
        if (n_pairs && (rc = LP_LAUNCH(look_back, lp_blocks((int64_t)n_pairs, THREADS), THREADS, 0,
                                       stream, d_hit, d_left + k, d_state, d_pair, n_pairs)))
            return rc;
        if ((rc = LP_LAUNCH(decide, lp_blocks(n, THREADS), THREADS, 0, stream, d_state, d_hit,
                            d_left + k, n)))
            return rc;
    }
    return 0;
}

/* floor(2^63 c / u), for 0 < c <= u <= 2^31: as different fractions are at least 2^-62 apart, this
 * orders them, and is the same for equal ones only. */
static __device__ unsigned long long order_of(uint32_t c, uint64_t u)
{
    uint64_t high = (uint64_t)c << 32;

    return (unsigned long long)((high / u << 31) + (high % u << 31) / u);
}

/* key NULL: the second pass, which takes the earliest of the best. */
static __global__ void best_seed(unsigned long long *key, uint32_t *at, const uint32_t *state,
                                 const lp_group_pair *pair, uint64_t n_pairs,
                                 const unsigned long long *best, const lp_runs_box *box)
{
    int64_t k = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    unsigned long long own;
    lp_group_pair p;

    if ((uint64_t)k >= n_pairs) return;
    p = pair[k];
    if (!p.common || state[p.later] != JOINED || state[p.earlier] != SEED) return;
    own = order_of(p.common, (uint64_t)(box[p.later].area + box[p.earlier].area - p.common));
    if (key)
        atomicMax(&key[p.later], own);
    else if (own == best[p.later])
        atomicMin(&at[p.later], p.earlier);
}

static __global__ void is_seed(uint32_t *number, const uint32_t *state, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n) number[i] = state[i] == SEED;
}

static __global__ void take_number(uint32_t *group, const uint32_t *number, const uint32_t *state,
                                   const uint32_t *at, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n) group[i] = number[state[i] == SEED ? (uint32_t)i : at[i]];
}

size_t lp_group_join_scratch_cuda(uint32_t n)
{
    return (size_t)n * 8 + round8((size_t)n * 4) + lp_scan_scratch_cuda(n);
}

int lp_group_join_cuda(uint32_t *d_group, uint32_t *d_number, const uint32_t *d_state,
                       const lp_group_pair *d_pair, uint64_t n_pairs, uint32_t n,
                       const lp_runs_box *d_box, void *d_scratch, lp_stream stream)
{
    unsigned long long *key = (unsigned long long *)d_scratch;
    uint32_t *at = (uint32_t *)(key + n);
    void *rest = (char *)at + round8((size_t)n * 4);
    int64_t blocks = lp_blocks(n, THREADS), pair_blocks = lp_blocks((int64_t)n_pairs, THREADS);
    int rc;

    if (!n) return lp_scan_fill_cuda(d_number, 0, 1, stream);
    if ((rc = lp_scan_fill_cuda((uint32_t *)key, 0, (int64_t)n * 2, stream))) return rc;
    if ((rc = lp_scan_fill_cuda(at, ALL, n, stream))) return rc;
    if (n_pairs) {
        if ((rc = LP_LAUNCH(best_seed, pair_blocks, THREADS, 0, stream, key, NULL, d_state, d_pair,
                            n_pairs, NULL, d_box)))
            return rc;
        if ((rc = LP_LAUNCH(best_seed, pair_blocks, THREADS, 0, stream, NULL, at, d_state, d_pair,
                            n_pairs, key, d_box)))
            return rc;
    }
    if ((rc = LP_LAUNCH(is_seed, blocks, THREADS, 0, stream, d_number, d_state, n))) return rc;
    if ((rc = lp_scan_u32_cuda(d_number, d_number, n, rest, stream))) return rc;
    return LP_LAUNCH(take_number, blocks, THREADS, 0, stream, d_group, d_number, d_state, at, n);
}
