/* scan.cuh - sums over the threads of a block, for kernels of their own. */
#ifndef LP_SCAN_CUH
#define LP_SCAN_CUH

#define LP_SCAN_SHARED 33 /* values of shared memory that lp_block_scan needs */

/* The sum of v over the threads before this one, and in *total over all of the block. To be called
 * by all threads of a block of a multiple of 32, up to 1024; threads count along x. shared
 * [LP_SCAN_SHARED] may be used again at once. */
template <class T> static __device__ inline T lp_block_scan(T v, T *shared, T *total)
{
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5, k;
    T sum = v, before;

    for (k = 1; k < 32; k *= 2) {
        T left = __shfl_up_sync(0xffffffffu, sum, k);

        if (lane >= k) sum += left;
    }
    if (lane == 31) shared[warp] = sum;
    __syncthreads();
    if (warp == 0) {
        T own = lane < warps ? shared[lane] : 0, all = own;

        for (k = 1; k < 32; k *= 2) {
            T left = __shfl_up_sync(0xffffffffu, all, k);

            if (lane >= k) all += left;
        }
        shared[lane] = all - own;
        if (lane == 31) shared[32] = all;
    }
    __syncthreads();
    before = shared[warp];
    *total = shared[32];
    __syncthreads();
    return before + sum - v;
}

#endif
