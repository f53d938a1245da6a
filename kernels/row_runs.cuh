/* row_runs.cuh - the runs of joined pixels in the rows of an image, for runs.cu and votes.cu.
 *
 * A kind of run is a struct P with
 *     int in(int64_t i): pixel i is in a run,
 *     int joined(int64_t i): pixels i - 1 and i, of one row and both in, are in the same.
 * A row is cut into pieces of LP_PIECE pixels, one per block; the sum of the starts in the pieces
 * before says where a piece writes, so runs come out in raster order. */
#ifndef LP_ROW_RUNS_CUH
#define LP_ROW_RUNS_CUH

#include "scan.cuh"

#define LP_PIECE 2048
#define LP_PIECE_THREADS 256

/* Pieces of a row. */
static inline __host__ __device__ int lp_row_pieces(int Lx)
{
    return (Lx + LP_PIECE - 1) / LP_PIECE;
}

template <class P> static __device__ inline int lp_row_starts(const P &p, int64_t i, int x)
{
    return p.in(i) && (x == 0 || !p.in(i - 1) || !p.joined(i));
}

/* count [Ly * pieces]: runs that start in each piece. */
template <class P> static __global__ void lp_row_count(uint32_t *count, P p, int Lx)
{
    __shared__ uint32_t shared[LP_SCAN_SHARED];
    int pieces = lp_row_pieces(Lx), y = (int)(blockIdx.x / pieces);
    int x0 = (int)(blockIdx.x % pieces) * LP_PIECE, x1 = min(x0 + LP_PIECE, Lx), x;
    int64_t row = (int64_t)y * Lx;
    uint32_t n = 0, total;

    for (x = x0 + (int)threadIdx.x; x < x1; x += LP_PIECE_THREADS)
        n += (uint32_t)lp_row_starts(p, row + x, x);
    lp_block_scan(n, shared, &total);
    if (threadIdx.x == 0) count[blockIdx.x] = total;
}

/* run, from the scan of count. A run's end is known where it is, maybe in another piece, and
 * belongs to the last start. */
template <class P>
static __global__ void lp_row_fill(lp_run *run, const uint32_t *start, P p, int Lx)
{
    __shared__ uint32_t shared[LP_SCAN_SHARED];
    int pieces = lp_row_pieces(Lx), y = (int)(blockIdx.x / pieces);
    int x0 = (int)(blockIdx.x % pieces) * LP_PIECE, x1 = min(x0 + LP_PIECE, Lx), x;
    int64_t row = (int64_t)y * Lx;
    uint32_t carry = start[blockIdx.x], total;

    for (; x0 < x1; x0 += LP_PIECE_THREADS) {
        int64_t i;
        int in, starts;
        uint32_t at;

        x = x0 + (int)threadIdx.x;
        i = row + x;
        in = x < x1 && p.in(i);
        starts = in && lp_row_starts(p, i, x);
        at = carry + lp_block_scan((uint32_t)starts, shared, &total);
        if (starts) {
            run[at].y = y;
            run[at].x0 = x;
        }
        if (in && (x == Lx - 1 || !p.in(i + 1) || !p.joined(i + 1)))
            run[at + (uint32_t)starts - 1].x1 = x + 1;
        carry += total;
    }
}

#endif
