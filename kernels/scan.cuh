/* scan - running sums within a warp and within a block. */
#ifndef LP_SCAN_CUH
#define LP_SCAN_CUH

#include "util.cuh"

#define LP_ALL_LANES 0xffffffffu

/* Sum of v over the lanes up to this one. Every lane of the warp calls it. */
static __device__ inline unsigned lp_warp_scan(unsigned v)
{
    const unsigned lane = threadIdx.x & 31;

    for (unsigned k = 1; k < 32; k *= 2) {
        unsigned w = __shfl_up_sync(LP_ALL_LANES, v, k);

        if (lane >= k) v += w;
    }
    return v;
}

/* Sum of v over the threads before this one, *total over all. Every thread of the block calls it;
 * blocks are one-dimensional, of whole warps. sums: shared [33], free again on return. */
static __device__ inline unsigned lp_block_scan(unsigned v, unsigned *total, unsigned *sums)
{
    const unsigned lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    unsigned s = lp_warp_scan(v), before;

    if (lane == 31) sums[warp] = s;
    __syncthreads();
    if (warp == 0) {
        unsigned w = lane < warps ? sums[lane] : 0, r = lp_warp_scan(w);

        sums[lane] = r - w;
        if (lane == 31) sums[32] = r;
    }
    __syncthreads();
    before = sums[warp] + s - v;
    *total = sums[32];
    __syncthreads();
    return before;
}

#endif
