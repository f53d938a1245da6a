/* scan - sums per tile, a scan of those, then each tile from its own start; sorting by 8 bits at a
 * time, with one table of counts per digit and tile. */
#include "util.cuh"
#include "scan.cuh"

extern "C" {
#include "scan.h"
}

static const int THREADS = 256, WARPS = THREADS / 32, CHUNKS = 8, TILE = THREADS * CHUNKS;
static const int DIGITS = 256; /* of 8 bits; as many as THREADS */

static int64_t tiles(int64_t n)
{
    return (n + TILE - 1) / TILE;
}

template <class T> static __global__ void tile_sums(T *sum, const T *in, int64_t n)
{
    __shared__ T shared[LP_SCAN_SHARED];
    int64_t at = (int64_t)blockIdx.x * TILE + threadIdx.x;
    T s = 0, total;
    int k;

    for (k = 0; k < CHUNKS; k++, at += THREADS)
        if (at < n) s += in[at];
    lp_block_scan(s, shared, &total);
    if (threadIdx.x == 0) sum[blockIdx.x] = total;
}

/* start [tiles] or NULL. */
template <class T> static __global__ void tile_scan(T *out, const T *in, const T *start, int64_t n)
{
    __shared__ T shared[LP_SCAN_SHARED];
    int64_t at = (int64_t)blockIdx.x * TILE + threadIdx.x;
    T carry = start ? start[blockIdx.x] : 0;
    int k;

    for (k = 0; k < CHUNKS && at - threadIdx.x <= n; k++, at += THREADS) {
        T total, before = lp_block_scan(at < n ? in[at] : 0, shared, &total);

        if (at <= n) out[at] = carry + before;
        carry += total;
    }
}

size_t lp_scan_scratch_cuda(int64_t n)
{
    int64_t m = tiles(n + 1), all = 0;

    for (; m > 1; m = tiles(m + 1)) all += m + 1;
    return (size_t)all * sizeof(uint64_t);
}

template <class T> static int scan(T *out, const T *in, int64_t n, T *scratch, lp_stream stream)
{
    int64_t m = tiles(n + 1);
    T *start = m > 1 ? scratch : NULL;
    int rc;

    if (m > 1) {
        if ((rc = LP_LAUNCH(tile_sums<T>, m, THREADS, 0, stream, start, in, n))) return rc;
        if ((rc = scan<T>(start, start, m, scratch + m + 1, stream))) return rc;
    }
    return LP_LAUNCH(tile_scan<T>, m, THREADS, 0, stream, out, in, (const T *)start, n);
}

int lp_scan_u32_cuda(uint32_t *d_out, const uint32_t *d_in, int64_t n, void *d_scratch,
                     lp_stream stream)
{
    return scan<uint32_t>(d_out, d_in, n, (uint32_t *)d_scratch, stream);
}

int lp_scan_u64_cuda(uint64_t *d_out, const uint64_t *d_in, int64_t n, void *d_scratch,
                     lp_stream stream)
{
    /* The compilers' 64-bit types differ in name only. */
    return scan<unsigned long long>((unsigned long long *)d_out, (const unsigned long long *)d_in,
                                    n, (unsigned long long *)d_scratch, stream);
}

static __global__ void fill(uint32_t *out, uint32_t value, int64_t n)
{
    int64_t i = (int64_t)blockIdx.x * TILE + threadIdx.x;
    int k;

    for (k = 0; k < CHUNKS; k++, i += THREADS)
        if (i < n) out[i] = value;
}

int lp_scan_fill_cuda(uint32_t *d_out, uint32_t value, int64_t n, lp_stream stream)
{
    if (n <= 0) return 0;
    return LP_LAUNCH(fill, tiles(n), THREADS, 0, stream, d_out, value, n);
}

static __global__ void list(uint32_t *index, const uint32_t *offset, int64_t n)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n && offset[i + 1] != offset[i]) index[offset[i]] = (uint32_t)i;
}

int lp_scan_list_cuda(uint32_t *d_index, const uint32_t *d_offset, int64_t n, lp_stream stream)
{
    if (n <= 0) return 0;
    return LP_LAUNCH(list, lp_blocks(n, THREADS), THREADS, 0, stream, d_index, d_offset, n);
}

/* count [DIGITS][tiles] */
static __global__ void digit_counts(uint32_t *count, const uint64_t *key, int64_t n, int shift,
                                    uint32_t mask)
{
    __shared__ uint32_t of[DIGITS];
    int64_t at = (int64_t)blockIdx.x * TILE + threadIdx.x;
    int k;

    of[threadIdx.x] = 0;
    __syncthreads();
    for (k = 0; k < CHUNKS; k++, at += THREADS)
        if (at < n) atomicAdd(&of[(uint32_t)(key[at] >> shift) & mask], 1u);
    __syncthreads();
    count[(int64_t)threadIdx.x * gridDim.x + blockIdx.x] = of[threadIdx.x];
}

/* start: the scan of count. Within a tile the order is kept: chunk by chunk, warp by warp, lane by
 * lane. */
static __global__ void scatter(uint64_t *key_out, uint32_t *value_out, const uint64_t *key,
                               const uint32_t *value, const uint32_t *start, int64_t n, int shift,
                               uint32_t mask)
{
    __shared__ uint32_t of[WARPS][DIGITS];
    int64_t at = (int64_t)blockIdx.x * TILE + threadIdx.x;
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, k, w;
    uint32_t next = start[(int64_t)threadIdx.x * gridDim.x + blockIdx.x]; /* of digit threadIdx.x */

    for (k = 0; k < CHUNKS && at - threadIdx.x < n; k++, at += THREADS) {
        int valid = at < n;
        uint64_t own = valid ? key[at] : 0;
        uint32_t digit = valid ? (uint32_t)(own >> shift) & mask : (uint32_t)DIGITS;
        uint32_t same, rank;

        for (w = 0; w < WARPS; w++) of[w][threadIdx.x] = 0;
        __syncthreads();
        same = __match_any_sync(0xffffffffu, digit);
        rank = (uint32_t)__popc(same & ((1u << lane) - 1));
        if (valid && rank == 0) of[warp][digit] = (uint32_t)__popc(same);
        __syncthreads();
        for (w = 0; w < WARPS; w++) {
            uint32_t c = of[w][threadIdx.x];

            of[w][threadIdx.x] = next;
            next += c;
        }
        __syncthreads();
        if (valid) {
            int64_t to = (int64_t)of[warp][digit] + rank;

            key_out[to] = own;
            value_out[to] = value[at];
        }
        __syncthreads();
    }
}

size_t lp_scan_sort_scratch_cuda(int64_t n)
{
    int64_t m = tiles(n) * DIGITS;

    return ((size_t)m + 2) / 2 * 8 + lp_scan_scratch_cuda(m);
}

int lp_scan_sort_cuda(uint64_t *d_key, uint32_t *d_value, int64_t n, int bits, uint64_t *d_key2,
                      uint32_t *d_value2, void *d_scratch, lp_stream stream)
{
    int64_t m = tiles(n);
    uint32_t *count = (uint32_t *)d_scratch;
    void *rest = (char *)d_scratch + ((size_t)(m * DIGITS) + 2) / 2 * 8;
    int pass, rc, passes = (bits + 15) / 16 * 2; /* even: the result is where it was */

    if (n <= 1) return 0;
    for (pass = 0; pass < passes; pass++) {
        int shift = pass * 8, left = bits - shift;
        uint32_t mask = left >= 8 ? DIGITS - 1 : left > 0 ? (1u << left) - 1 : 0;
        uint64_t *k = d_key, *k2 = d_key2;
        uint32_t *v = d_value, *v2 = d_value2;

        if (pass & 1) k = d_key2, k2 = d_key, v = d_value2, v2 = d_value;
        if ((rc = LP_LAUNCH(digit_counts, m, THREADS, 0, stream, count, k, n, shift, mask)))
            return rc;
        if ((rc = lp_scan_u32_cuda(count, count, m * DIGITS, rest, stream))) return rc;
        if ((rc = LP_LAUNCH(scatter, m, THREADS, 0, stream, k2, v2, k, v, count, n, shift, mask)))
            return rc;
    }
    return 0;
}
