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

#endif
