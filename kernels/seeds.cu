/* seeds - on the device: histogram, peaks in order, basins.
 *
 * Peaks are found in any order and listed in that of their pixels (a bit per pixel, and how
 * many bits come before); a stable sort by count does the rest, or one block where they are few:
 * the sort has a dozen launches, each longer than its work would be. Where basins overlap the later
 * seed has the pixel: the larger number, by atomicMax. */
#include "util.cuh"

#include "warp.cuh"

extern "C" {
#include "follow.h"
#include "scan.h"
#include "seeds.h"
}

#define THREADS 256
#define FEW 4096 /* seeds that one block sorts, in shared memory */
#define FEW_THREADS 1024
#define REACH 5 /* rounds of dilation */
#define SIDE (2 * REACH + 1)

/* Where the parts of the scratch begin: for the list, and over it for the sort. */
struct layout {
    uint32_t *bits;   /* [words] peaks */
    uint32_t *before; /* [words + 1] how many peaks lie in the words before */
    void *scan;
    uint64_t *count, *count2; /* [most] of the seeds, being sorted */
    uint32_t *pixel, *pixel2; /* [most] */
    void *sort;
    int64_t words;
    size_t bytes;
};

uint32_t lp_seeds_most_cuda(int Ly, int Lx)
{
    return (uint32_t)((int64_t)Ly * Lx / 11);
}

static layout lay_out(void *scratch, int Ly, int Lx)
{
    const size_t most = ((size_t)lp_seeds_most_cuda(Ly, Lx) + 1) / 2 * 2;
    unsigned char *p = (unsigned char *)scratch;
    size_t list, sort;
    layout a;

    a.words = lp_blocks((int64_t)Ly * Lx, 64) * 2;
    a.bits = (uint32_t *)p;
    a.before = a.bits + a.words;
    a.scan = a.before + a.words + 2;
    list = (2 * (size_t)a.words + 2) * sizeof(uint32_t) + lp_scan_scratch_cuda(a.words);
    a.count = (uint64_t *)p;
    a.count2 = a.count + most;
    a.pixel = (uint32_t *)(a.count2 + most);
    a.pixel2 = a.pixel + most;
    a.sort = a.pixel2 + most;
    sort = most * 24 + lp_scan_sort_scratch_cuda((int64_t)most);
    a.bytes = list > sort ? list : sort;
    return a;
}

size_t lp_seeds_scratch_cuda(int Ly, int Lx)
{
    return lay_out(LP_NOWHERE, Ly, Lx).bytes;
}

/* Neighbours mostly end together: a run of lanes adds at once. */
static __global__ void __launch_bounds__(THREADS)
    seeds_histogram(uint32_t *h, const uint32_t *__restrict__ end, int64_t n)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    const unsigned lane = threadIdx.x & 31;
    const uint32_t to = i < n ? end[i] : LP_FOLLOW_NONE;
    const uint32_t left = __shfl_up_sync(LP_ALL_LANES, to, 1);
    const int head = lane == 0 || left != to;
    const unsigned heads = __ballot_sync(LP_ALL_LANES, head);

    if (head && to != LP_FOLLOW_NONE) {
        const unsigned after = lane < 31 ? heads >> (lane + 1) : 0;

        atomicAdd(h + to, after ? (unsigned)__ffs((int)after) : 32 - lane);
    }
}

int lp_seeds_histogram_cuda(uint32_t *d_h, const uint32_t *d_end, int Ly, int Lx, lp_stream stream)
{
    const int64_t n = (int64_t)Ly * Lx;
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = lp_scan_fill_cuda(d_h, 0, n, stream))) return e;
    return LP_LAUNCH(seeds_histogram, lp_blocks(n, THREADS), THREADS, 0, stream, d_h, d_end, n);
}

static __device__ int is_peak(const uint32_t *h, int64_t i, int Ly, int Lx)
{
    const uint32_t v = h[i];

    if (v <= 10) return 0;
    const int cy = (int)((uint32_t)i / (uint32_t)Lx), cx = (int)((uint32_t)i % (uint32_t)Lx);
    const int y1 = cy + 2 < Ly ? cy + 2 : Ly - 1, x1 = cx + 2 < Lx ? cx + 2 : Lx - 1;

    for (int y = cy < 2 ? 0 : cy - 2; y <= y1; y++)
        for (int x = cx < 2 ? 0 : cx - 2; x <= x1; x++)
            if (h[(int64_t)y * Lx + x] > v) return 0;
    return 1;
}

static __global__ void __launch_bounds__(THREADS)
    seeds_peaks(uint32_t *bits, uint32_t *count, const uint32_t *__restrict__ h, int64_t words,
                int Ly, int Lx)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x, n = (int64_t)Ly * Lx;
    const unsigned b = __ballot_sync(LP_ALL_LANES, i < n && is_peak(h, i, Ly, Lx));

    if ((threadIdx.x & 31) == 0 && i / 32 < words) {
        bits[i / 32] = b;
        count[i / 32] = (uint32_t)__popc(b);
    }
}

static __global__ void __launch_bounds__(THREADS)
    seeds_list(uint64_t *seeds, uint32_t *n, const uint32_t *bits, const uint32_t *before,
               const uint32_t *h, int64_t words)
{
    const int64_t w = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (w == words) *n = before[w];
    if (w >= words) return;
    uint32_t k = before[w];

    for (unsigned b = bits[w]; b; b &= b - 1) {
        const int64_t i = w * 32 + __ffs((int)b) - 1;

        seeds[k++] = (uint64_t)h[i] << 32 | (uint64_t)i;
    }
}

int lp_seeds_list_cuda(uint64_t *d_seeds, uint32_t *d_n, const uint32_t *d_h, int Ly, int Lx,
                       void *d_scratch, lp_stream stream)
{
    const layout a = lay_out(d_scratch, Ly, Lx);
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = LP_LAUNCH(seeds_peaks, lp_blocks(a.words * 32, THREADS), THREADS, 0, stream, a.bits,
                       a.before, d_h, a.words, Ly, Lx)))
        return e;
    if ((e = lp_scan_u32_cuda(a.before, a.before, a.words, a.scan, stream))) return e;
    return LP_LAUNCH(seeds_list, lp_blocks(a.words + 1, THREADS), THREADS, 0, stream, d_seeds, d_n,
                     a.bits, a.before, d_h, a.words);
}

static __global__ void __launch_bounds__(THREADS)
    seeds_split(uint64_t *count, uint32_t *pixel, const uint64_t *seeds, uint32_t n)
{
    const int64_t k = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (k >= n) return;
    count[k] = seeds[k] >> 32;
    pixel[k] = (uint32_t)seeds[k];
}

static __global__ void __launch_bounds__(THREADS)
    seeds_join(uint64_t *seeds, const uint64_t *count, const uint32_t *pixel, uint32_t n)
{
    const int64_t k = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (k < n) seeds[k] = count[k] << 32 | pixel[k];
}

/* Bitonic, padded to `room`, a power of 2. No two are equal. */
static __global__ void __launch_bounds__(FEW_THREADS)
    seeds_sort_few(uint64_t *seeds, int n, int room)
{
    LP_SHARED(uint64_t, s);

    for (int i = (int)threadIdx.x; i < room; i += (int)blockDim.x)
        s[i] = i < n ? seeds[i] : UINT64_MAX;
    for (int k = 2; k <= room; k *= 2)
        for (int j = k / 2; j; j /= 2) {
            __syncthreads();
            for (int i = (int)threadIdx.x; i < room / 2; i += (int)blockDim.x) {
                const int a = 2 * i - (i & (j - 1)), b = a + j;
                const uint64_t u = s[a], v = s[b];

                if ((u > v) != !(a & k)) continue;
                s[a] = v;
                s[b] = u;
            }
        }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) seeds[i] = s[i];
}

static int sort_few(uint64_t *d_seeds, uint32_t n, lp_stream stream)
{
    int room = 64;

    while ((uint32_t)room < n) room *= 2;
    return LP_LAUNCH(seeds_sort_few, 1, room / 2 < FEW_THREADS ? room / 2 : FEW_THREADS,
                     (size_t)room * sizeof *d_seeds, stream, d_seeds, (int)n, room);
}

int lp_seeds_sort_cuda(uint64_t *d_seeds, uint32_t n, int Ly, int Lx, void *d_scratch,
                       lp_stream stream)
{
    const layout a = lay_out(d_scratch, Ly, Lx);
    const int64_t most = (int64_t)Ly * Lx; /* of a count */
    int bits = 1, e;

    if (n < 2) return 0;
    if (n <= FEW) return sort_few(d_seeds, n, stream);
    while (most >> bits) bits++;
    if ((e = LP_LAUNCH(seeds_split, lp_blocks(n, THREADS), THREADS, 0, stream, a.count, a.pixel,
                       d_seeds, n)))
        return e;
    if ((e = lp_scan_sort_cuda(a.count, a.pixel, n, bits, a.count2, a.pixel2, a.sort, stream)))
        return e;
    return LP_LAUNCH(seeds_join, lp_blocks(n, THREADS), THREADS, 0, stream, d_seeds, a.count,
                     a.pixel, n);
}

/* A warp per seed; lane y holds row y of the window as bits. */
static __global__ void __launch_bounds__(THREADS)
    seeds_grow(uint32_t *m, const uint32_t *__restrict__ h, const uint64_t *__restrict__ seeds,
               uint32_t n, int Ly, int Lx)
{
    const int64_t k = ((int64_t)blockIdx.x * THREADS + threadIdx.x) / 32;
    const int lane = (int)(threadIdx.x & 31);

    if (k >= n) return; /* the whole warp */
    const uint32_t pixel = (uint32_t)seeds[k];
    const int sy = (int)(pixel / (uint32_t)Lx) - REACH, sx = (int)(pixel % (uint32_t)Lx) - REACH;
    const int x = sx + lane, in_x = lane < SIDE && x >= 0 && x < Lx;
    unsigned may = 0, in = lane == REACH ? 1u << REACH : 0;

    for (int r = 0; r < SIDE; r++) {
        const int y = sy + r;
        const int ok = in_x && y >= 0 && y < Ly && h[(int64_t)y * Lx + x] > 2;
        const unsigned row = __ballot_sync(LP_ALL_LANES, ok);

        if (lane == r) may = row;
    }
    for (int round = 0; round < REACH; round++) {
        const unsigned up = __shfl_up_sync(LP_ALL_LANES, in, 1);
        const unsigned down = __shfl_down_sync(LP_ALL_LANES, in, 1);
        const unsigned v = in | (lane ? up : 0) | (lane < 31 ? down : 0);

        in = (v | v << 1 | v >> 1) & may;
    }
    for (int r = 0; r < SIDE; r++) {
        const unsigned row = __shfl_sync(LP_ALL_LANES, in, r);

        if (row >> lane & 1) atomicMax(m + (int64_t)(sy + r) * Lx + x, (uint32_t)k + 1);
    }
}

int lp_seeds_grow_cuda(uint32_t *d_m, const uint32_t *d_h, const uint64_t *d_seeds, uint32_t n,
                       int Ly, int Lx, lp_stream stream)
{
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = lp_scan_fill_cuda(d_m, 0, (int64_t)Ly * Lx, stream)) || n == 0) return e;
    return LP_LAUNCH(seeds_grow, lp_blocks((int64_t)n * 32, THREADS), THREADS, 0, stream, d_m, d_h,
                     d_seeds, n, Ly, Lx);
}
