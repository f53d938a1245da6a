/* warp - sums over the lanes of a warp. */
#ifndef LP_WARP_CUH
#define LP_WARP_CUH

#include "util.cuh"

#define LP_ALL_LANES 0xffffffffu

/* Where a scratch is laid out only to learn its size. */
#define LP_NOWHERE ((void *)256)

/* Sum of v over the lanes up to this one. Every lane of the warp calls it. */
static __device__ inline unsigned lp_warp_scan(unsigned v)
{
    const unsigned lane = threadIdx.x & 31;

    for (unsigned k = 1; k < 32; k *= 2) {
        const unsigned w = __shfl_up_sync(LP_ALL_LANES, v, k);

        if (lane >= k) v += w;
    }
    return v;
}

/* v[from] + .. + v[to - 1], added one after the other but read 32 at a time; a sum that begins with
 * 0 is never -0, so that the zeros at the end change nothing. Every lane of the warp calls it, with
 * the same range, and has the sum. */
static __device__ inline double lp_warp_sum_in_order(const double *v, uint64_t from, uint64_t to)
{
    const unsigned lane = threadIdx.x & 31;
    double s = 0;

    for (; from < to; from += 32) {
        const double own = from + lane < to ? v[from + lane] : 0;

#pragma unroll
        for (int k = 0; k < 32; k++) s += __shfl_sync(LP_ALL_LANES, own, k);
    }
    return s;
}

#endif
