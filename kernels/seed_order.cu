/* seed_order - on the device: the quicksort of std::sort, one level of it at a time, by one block.
 *
 * Parts of the list do not touch each other once they are split, so that a thread takes each. The
 * insertion sort that std::sort ends with never crosses the border of two parts, as counts to the
 * right of it are not smaller, so each short part is sorted at once. A part is one number: where it
 * begins, and 16 bits higher where it ends. */
#include "util.cuh"

extern "C" {
#include "seed_order.h"
}

#define THREADS 1024
#define SHORT 16                             /* parts that are left to the insertion sort */
#define PARTS (LP_SEED_ORDER_STABLE / SHORT) /* longer ones that there can be at a time */

static __device__ inline uint32_t count_of(uint64_t seed)
{
    return (uint32_t)(seed >> 32);
}

static __device__ inline void swap(uint64_t *seeds, int a, int b)
{
    const uint64_t t = seeds[a];

    seeds[a] = seeds[b];
    seeds[b] = t;
}

/* That of a, b, c with the middle count; of equal ones the one that std::sort takes. */
static __device__ int median(const uint64_t *seeds, int a, int b, int c)
{
    const uint32_t u = count_of(seeds[a]), v = count_of(seeds[b]), w = count_of(seeds[c]);

    if (u < v) return v < w ? b : u < w ? c : a;
    return u < w ? a : v < w ? c : b;
}

/* Splits first + 1 .. last - 1 around the count of the median, which goes to first; where the upper
 * part begins. */
static __device__ int split(uint64_t *seeds, int first, int last)
{
    int lo = first + 1, hi = last;

    swap(seeds, first, median(seeds, first + 1, first + (last - first) / 2, last - 1));
    const uint32_t pivot = count_of(seeds[first]);

    for (;; lo++) {
        while (count_of(seeds[lo]) < pivot) lo++;
        hi--;
        while (pivot < count_of(seeds[hi])) hi--;
        if (lo >= hi) return lo;
        swap(seeds, lo, hi);
    }
}

static __device__ void insertion(uint64_t *seeds, int first, int last)
{
    for (int i = first + 1; i < last; i++) {
        const uint64_t s = seeds[i];
        int k = i;

        for (; k > first && count_of(s) < count_of(seeds[k - 1]); k--) seeds[k] = seeds[k - 1];
        seeds[k] = s;
    }
}

/* A part of the next level, or sorted now. */
static __device__ inline void add(uint64_t *seeds, uint32_t *parts, unsigned *n, int first,
                                  int last)
{
    if (last - first <= SHORT)
        insertion(seeds, first, last);
    else
        parts[atomicAdd(n, 1u)] = (uint32_t)first | (uint32_t)last << 16;
}

/* All of the block; 0 where std::sort would turn to a heap. */
static __device__ int quicksort(uint64_t *seeds, int n, int depth)
{
    __shared__ uint32_t parts[2][PARTS];
    __shared__ unsigned length[2];

    if (threadIdx.x == 0) {
        length[0] = length[1] = 0;
        add(seeds, parts[0], &length[0], 0, n);
    }
    for (int now = 0;; now = !now, depth--) {
        __syncthreads();
        const unsigned todo = length[now];

        if (!todo || !depth) return !todo;
        for (unsigned k = threadIdx.x; k < todo; k += THREADS) {
            const int first = (int)(parts[now][k] & 0xffff), last = (int)(parts[now][k] >> 16);
            const int cut = split(seeds, first, last);

            add(seeds, parts[!now], &length[!now], first, cut);
            add(seeds, parts[!now], &length[!now], cut, last);
        }
        __syncthreads();
        if (threadIdx.x == 0) length[now] = 0;
    }
}

static __global__ void __launch_bounds__(THREADS)
    seed_order(uint64_t *seeds, uint64_t *work, int n, int depth)
{
    for (int i = (int)threadIdx.x; i < n; i += THREADS) work[i] = seeds[i];
    __syncthreads();
    const int sorted = quicksort(work, n, depth);

    for (int i = (int)threadIdx.x; i < n; i += THREADS) {
        const uint64_t s = work[i];
        int to = i;

        if (!sorted) { /* by value: as many as there are smaller ones come before */
            to = 0;
            for (int k = 0; k < n; k++) to += work[k] < s;
        }
        seeds[to] = s;
    }
}

size_t lp_seed_order_scratch_cuda(uint32_t n)
{
    return (n < LP_SEED_ORDER_STABLE ? n : LP_SEED_ORDER_STABLE) * sizeof(uint64_t);
}

int lp_seed_order_cuda(uint64_t *d_seeds, uint32_t n, void *d_scratch, lp_stream stream)
{
    int depth = 0;

    if (n >= LP_SEED_ORDER_STABLE) return cudaErrorInvalidValue;
    if (n < 2) return 0;
    for (uint32_t k = n; k > 1; k /= 2) depth += 2;
    return LP_LAUNCH(seed_order, 1, THREADS, 0, stream, d_seeds, (uint64_t *)d_scratch, (int)n,
                     depth);
}
