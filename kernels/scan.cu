/* scan - sums of blocks, their running sums by one block, and the two added; sort by bytes.
 *
 * No block waits for another: what a block needs of others was written by an earlier launch. */
#include "util.cuh"

#include "scan.cuh"

extern "C" {
#include "scan.h"
}

#define EACH 8                   /* elements per thread */
#define THREADS 256              /* of the blocks that share a scan */
#define TILE (EACH * THREADS)    /* elements per block */
#define ALONE_THREADS 1024       /* of the block that does it alone */
#define ALONE_MOST (1 << 14)     /* elements for which that is faster */
#define DIGITS 256               /* of the sort */
#define ROUNDS 8                 /* tiles of THREADS keys per block of the sort */
#define KEYS (ROUNDS * THREADS)  /* keys per block */

static int64_t blocks_of(int64_t n, int64_t each)
{
    return (n + each - 1) / each;
}

static __device__ inline unsigned value_at(const uint32_t *in, int64_t i, int64_t n, int popcount)
{
    unsigned v = i < n ? in[i] : 0;

    return popcount ? (unsigned)__popc(v) : v;
}

static __global__ void scan_sums(uint32_t *sum, const uint32_t *in, int64_t n, int popcount)
{
    __shared__ unsigned sums[33];
    const int64_t base = (int64_t)blockIdx.x * TILE;
    unsigned v = 0, total;

    for (int j = 0; j < EACH; j++)
        v += value_at(in, base + j * THREADS + (int)threadIdx.x, n, popcount);
    lp_block_scan(v, &total, sums);
    if (threadIdx.x == 0) sum[blockIdx.x] = total;
}

/* Elements from base on, EACH per thread, `before` added to all. Returns their sum. */
static __device__ unsigned scan_part(uint32_t *out, const uint32_t *in, int64_t base, int64_t n,
                                     int popcount, unsigned before, unsigned *sums)
{
    const int64_t at = base + (int64_t)threadIdx.x * EACH;
    unsigned v[EACH], sum = 0, total;

#pragma unroll
    for (int j = 0; j < EACH; j++) {
        v[j] = value_at(in, at + j, n, popcount);
        sum += v[j];
    }
    sum = before + lp_block_scan(sum, &total, sums);
#pragma unroll
    for (int j = 0; j < EACH; j++) {
        if (at + j < n) out[at + j] = sum;
        sum += v[j];
    }
    return total;
}

static __global__ void scan_apply(uint32_t *out, const uint32_t *in, const uint32_t *before,
                                  int64_t n, int popcount)
{
    __shared__ unsigned sums[33];

    scan_part(out, in, (int64_t)blockIdx.x * TILE, n, popcount, before[blockIdx.x], sums);
}

static __global__ void scan_alone(uint32_t *out, uint32_t *total, const uint32_t *in, int64_t n,
                                  int popcount)
{
    __shared__ unsigned sums[33];
    unsigned before = 0;

    for (int64_t base = 0; base < n; base += (int64_t)ALONE_THREADS * EACH)
        before += scan_part(out, in, base, n, popcount, before, sums);
    if (threadIdx.x == 0 && total) *total = before;
}

size_t lp_scan_scratch_cuda(int64_t n)
{
    return (size_t)(blocks_of(n, TILE) + 1) * sizeof(uint32_t);
}

int lp_scan_cuda(uint32_t *d_out, uint32_t *d_total, const uint32_t *d_in, int64_t n, int popcount,
                 void *d_scratch, lp_stream stream)
{
    const int64_t blocks = blocks_of(n, TILE);
    uint32_t *sum = (uint32_t *)d_scratch;
    int e;

    if (n <= ALONE_MOST)
        return LP_LAUNCH(scan_alone, 1, ALONE_THREADS, 0, stream, d_out, d_total, d_in, n,
                         popcount);
    if ((e = LP_LAUNCH(scan_sums, (unsigned)blocks, THREADS, 0, stream, sum, d_in, n, popcount)))
        return e;
    if ((e = LP_LAUNCH(scan_alone, 1, ALONE_THREADS, 0, stream, sum, d_total, sum, blocks, 0)))
        return e;
    return LP_LAUNCH(scan_apply, (unsigned)blocks, THREADS, 0, stream, d_out, d_in, sum, n,
                     popcount);
}

/* count [DIGITS][blocks]: how many keys of each block have the digit at `shift`. */
static __global__ void sort_count(uint32_t *count, const uint64_t *key, uint32_t n, int shift)
{
    __shared__ unsigned have[DIGITS];
    const int64_t base = (int64_t)blockIdx.x * KEYS;

    have[threadIdx.x] = 0;
    __syncthreads();
    for (int r = 0; r < ROUNDS; r++) {
        int64_t i = base + r * THREADS + (int)threadIdx.x;

        if (i < n) atomicAdd(&have[key[i] >> shift & (DIGITS - 1)], 1u);
    }
    __syncthreads();
    count[(int64_t)threadIdx.x * gridDim.x + blockIdx.x] = have[threadIdx.x];
}

/* Keys to their places; at [DIGITS][blocks]: where those of a digit and block begin. Rounds, warps
 * and lanes are taken in order, which makes the sort stable. */
static __global__ void sort_move(uint64_t *out, const uint64_t *key, const uint32_t *at, uint32_t n,
                                 int shift)
{
    __shared__ unsigned place[THREADS / 32][DIGITS]; /* of the next key of this warp */
    __shared__ unsigned next[DIGITS];
    const unsigned lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int64_t base = (int64_t)blockIdx.x * KEYS;

    next[threadIdx.x] = at[(int64_t)threadIdx.x * gridDim.x + blockIdx.x];
    for (int r = 0; r < ROUNDS; r++) {
        const int64_t i = base + r * THREADS + (int)threadIdx.x;
        const uint64_t k = i < n ? key[i] : 0;
        const unsigned digit = i < n ? (unsigned)(k >> shift & (DIGITS - 1)) : DIGITS;
        const unsigned same = __match_any_sync(LP_ALL_LANES, digit);
        const unsigned rank = (unsigned)__popc(same & ((1u << lane) - 1));

        for (int w = 0; w < THREADS / 32; w++) place[w][threadIdx.x] = 0;
        __syncthreads();
        if (i < n && rank == 0) place[warp][digit] = (unsigned)__popc(same);
        __syncthreads();
        for (int w = 0; w < THREADS / 32; w++) {
            unsigned here = place[w][threadIdx.x];

            place[w][threadIdx.x] = next[threadIdx.x];
            next[threadIdx.x] += here;
        }
        __syncthreads();
        if (i < n) out[place[warp][digit] + rank] = k;
        __syncthreads();
    }
}

size_t lp_scan_sort_scratch_cuda(uint32_t n)
{
    const int64_t counts = blocks_of(n, KEYS) * DIGITS;

    return (size_t)counts * sizeof(uint32_t) + lp_scan_scratch_cuda(counts);
}

int lp_scan_sort_cuda(uint64_t *d_key, uint64_t *d_other, uint32_t n, int bits, void *d_scratch,
                      lp_stream stream)
{
    const int64_t blocks = blocks_of(n, KEYS), counts = blocks * DIGITS;
    uint32_t *count = (uint32_t *)d_scratch;
    uint64_t *from = d_key, *to = d_other;
    int e, shift;

    if (n < 2) return 0;
    /* An even number of passes, so that the result is in d_key. */
    for (shift = 32; shift < 32 + bits || (shift - 32) % 16; shift += 8) {
        uint64_t *swap = from;

        if ((e = LP_LAUNCH(sort_count, (unsigned)blocks, DIGITS, 0, stream, count, from, n, shift)))
            return e;
        if ((e = lp_scan_cuda(count, NULL, count, counts, 0, count + counts, stream))) return e;
        if ((e = LP_LAUNCH(sort_move, (unsigned)blocks, THREADS, 0, stream, to, from, count, n,
                           shift)))
            return e;
        from = to;
        to = swap;
    }
    return 0;
}

static __global__ void fill_words(uint32_t *out, int64_t n, uint32_t value)
{
    const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;

    if (i < n) out[i] = value;
}

int lp_scan_fill_cuda(uint32_t *d_out, int64_t n, uint32_t value, lp_stream stream)
{
    if (n < 1) return 0;
    return LP_LAUNCH(fill_words, (unsigned)blocks_of(n, 256), 256, 0, stream, d_out, n, value);
}
