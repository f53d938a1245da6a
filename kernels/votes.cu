/* votes - differences along the rows, then sums; components of runs by union-find.
 *
 * Differences are added two to a word: a borrow of the lower half is taken out of the upper one
 * before the rows are summed. Both halves stay within 15 bits, for no pixel has more than
 * LP_MAX_LAYERS (1024) masks. */
#include "util.cuh"

extern "C" {
#include "scan.h"
#include "votes.h"
}

#include "row_runs.cuh"
#include "run_beyond.cuh"

static const int THREADS = 256, WARPS = THREADS / 32;

static __device__ void add_at(uint16_t *v, int64_t i, int by)
{
    atomicAdd((uint32_t *)v + (i >> 1), (uint32_t)by << (i & 1 ? 16 : 0));
}

/* 1 more in x0 .. x1-1, as differences. */
static __device__ void mark(uint16_t *v, int64_t row, int x0, int x1, int Lx)
{
    add_at(v, row + x0, 1);
    if (x1 < Lx) add_at(v, row + x1, -1);
}

/* One warp per mask. */
static __global__ void mark_masks(uint16_t *v, uint16_t *ax, uint16_t *ay, lp_runs m, int Lx)
{
    int64_t l = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    uint64_t i, end, b;

    if (l >= m.n) return;
    end = m.first[l + 1];
    for (i = m.first[l] + (threadIdx.x & 31); i < end; i += 32) {
        lp_run u = m.run[i];
        int64_t row = (int64_t)u.y * Lx;

        mark(v, row, u.x0, u.x1, Lx);
        if (!ax) continue;
        if (u.x1 - 1 > u.x0) mark(ax, row, u.x0, u.x1 - 1, Lx);
        for (b = run_beyond(m.run, i + 1, end, u.y + 1, u.x0); b < end; b++) {
            lp_run w = m.run[b];

            if (w.y != u.y + 1 || w.x0 >= u.x1) break;
            mark(ay, row, max(w.x0, u.x0), min(w.x1, u.x1), Lx);
        }
    }
}

static __global__ void split_words(uint32_t *word, int64_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n) {
        uint32_t w = word[i];

        word[i] = w + ((w & 0x8000u) << 1);
    }
}

/* One block per row. */
static __global__ void sum_rows(uint16_t *v, int Lx)
{
    __shared__ uint32_t shared[LP_SCAN_SHARED];
    uint16_t *row = v + (int64_t)blockIdx.x * Lx;
    uint32_t carry = 0, total;
    int x0;

    for (x0 = 0; x0 < Lx; x0 += THREADS) {
        int x = x0 + (int)threadIdx.x;
        uint32_t own = x < Lx ? row[x] : 0, before = lp_block_scan(own, shared, &total);

        if (x < Lx) row[x] = (uint16_t)(carry + before + own);
        carry += total;
    }
}

int lp_votes_count_cuda(uint16_t *d_v, uint16_t *d_ax, uint16_t *d_ay, const lp_runs *masks, int Ly,
                        int Lx, lp_stream stream)
{
    uint16_t *plane[3] = {d_v, d_ax, d_ay};
    int64_t words = ((int64_t)Ly * Lx + 1) / 2;
    int k, rc;

    for (k = 0; k < 3; k++)
        if (plane[k] && (rc = lp_scan_fill_cuda((uint32_t *)plane[k], 0, words, stream))) return rc;
    if (masks->n && (rc = LP_LAUNCH(mark_masks, lp_blocks(masks->n, WARPS), THREADS, 0, stream, d_v,
                                    d_ax, d_ay, *masks, Lx)))
        return rc;
    for (k = 0; k < 3; k++) {
        if (!plane[k]) continue;
        if ((rc = LP_LAUNCH(split_words, lp_blocks(words, THREADS), THREADS, 0, stream,
                            (uint32_t *)plane[k], words)))
            return rc;
        if ((rc = LP_LAUNCH(sum_rows, Ly, THREADS, 0, stream, plane[k], Lx))) return rc;
    }
    return 0;
}

namespace
{
struct above {
    const uint16_t *v, *ax;
    int t;
    __device__ int in(int64_t i) const
    {
        return v[i] > t;
    }
    __device__ int joined(int64_t i) const
    {
        return !ax || ax[i - 1] > t;
    }
};
} // namespace

static size_t round8(size_t n)
{
    return (n + 7) / 8 * 8;
}

size_t lp_votes_runs_scratch_cuda(int Ly, int Lx)
{
    int64_t n = (int64_t)Ly * lp_row_pieces(Lx);

    return round8(((size_t)n + 1) * sizeof(uint32_t)) + lp_scan_scratch_cuda(n);
}

static __global__ void rows_first(uint32_t *first, const uint32_t *start, int pieces, int Ly)
{
    int64_t y = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (y <= Ly) first[y] = start[y * pieces];
}

int lp_votes_runs_count_cuda(uint32_t *d_first, const uint16_t *d_v, const uint16_t *d_ax, int t,
                             int Ly, int Lx, void *d_scratch, lp_stream stream)
{
    int pieces = lp_row_pieces(Lx), rc;
    int64_t n = (int64_t)Ly * pieces;
    uint32_t *count = (uint32_t *)d_scratch;
    void *rest = (char *)d_scratch + round8(((size_t)n + 1) * sizeof *count);
    above p = {d_v, d_ax, t};

    if ((rc = LP_LAUNCH(lp_row_count<above>, n, LP_PIECE_THREADS, 0, stream, count, p, Lx)))
        return rc;
    if ((rc = lp_scan_u32_cuda(count, count, n, rest, stream))) return rc;
    return LP_LAUNCH(rows_first, lp_blocks((int64_t)Ly + 1, THREADS), THREADS, 0, stream, d_first,
                     count, pieces, Ly);
}

int lp_votes_runs_cuda(lp_run *d_run, const uint16_t *d_v, const uint16_t *d_ax, int t, int Ly,
                       int Lx, const void *d_counted, lp_stream stream)
{
    above p = {d_v, d_ax, t};

    return LP_LAUNCH(lp_row_fill<above>, (int64_t)Ly * lp_row_pieces(Lx), LP_PIECE_THREADS, 0,
                     stream, d_run, (const uint32_t *)d_counted, p, Lx);
}

static __global__ void own_roots(uint32_t *root, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n) root[i] = (uint32_t)i;
}

/* Other threads move roots meanwhile, only ever to what comes earlier in the same component. */
static __device__ uint32_t find(const volatile uint32_t *root, uint32_t i)
{
    uint32_t up;

    while ((up = root[i]) != i) i = up;
    return i;
}

static __device__ void join(uint32_t *root, uint32_t a, uint32_t b)
{
    for (;;) {
        uint32_t was;

        a = find(root, a);
        b = find(root, b);
        if (a == b) return;
        if (a > b) {
            was = a;
            a = b;
            b = was;
        }
        was = atomicMin(&root[b], a);
        if (was == b) return;
        b = was; /* it had been joined to this one: which must be joined to a, too */
    }
}

static __global__ void join_runs(uint32_t *root, const lp_run *run, const uint32_t *first,
                                 const uint16_t *ay, int t, uint32_t n, int Lx)
{
    int64_t j = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    uint64_t i, end;
    lp_run u;

    if (j >= n) return;
    u = run[j];
    if (u.y == 0) return;
    end = first[u.y];
    for (i = run_beyond(run, first[u.y - 1], end, u.y - 1, u.x0); i < end; i++) {
        lp_run w = run[i];
        int x0 = max(w.x0, u.x0), x1 = min(w.x1, u.x1);

        if (w.x0 >= u.x1) break;
        if (ay)
            for (; x0 < x1 && ay[(int64_t)(u.y - 1) * Lx + x0] <= t; x0++) {
            }
        if (x0 < x1) join(root, (uint32_t)i, (uint32_t)j);
    }
}

static __global__ void flatten(uint32_t *root, uint32_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n) root[i] = find(root, (uint32_t)i);
}

int lp_votes_roots_cuda(uint32_t *d_root, const lp_run *d_run, const uint32_t *d_first,
                        const uint16_t *d_ay, int t, uint32_t n_runs, int Lx, lp_stream stream)
{
    int64_t blocks = lp_blocks(n_runs, THREADS);
    int rc;

    if (!n_runs) return 0;
    if ((rc = LP_LAUNCH(own_roots, blocks, THREADS, 0, stream, d_root, n_runs))) return rc;
    if ((rc = LP_LAUNCH(join_runs, blocks, THREADS, 0, stream, d_root, d_run, d_first, d_ay, t,
                        n_runs, Lx)))
        return rc;
    return LP_LAUNCH(flatten, blocks, THREADS, 0, stream, d_root, n_runs);
}
