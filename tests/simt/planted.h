/* planted - kernels with one fault each, which the executor must find, and the same kernels
 * without it. All are launched on host memory; fault 0 is the right kernel. */
#ifndef PLANTED_H
#define PLANTED_H

#include <stdint.h>

/* out [n] = in [n] reversed within blocks of 64 (n a multiple of 64), through shared memory. */
enum { RIGHT, NO_BARRIER, NO_WARP_BARRIER, BEYOND_STATIC, BEYOND_DYNAMIC, UNWRITTEN };
int planted_reverse(float *out, const float *in, int n, int fault);

/* out [128] = in [128], by asynchronous copies in two groups. */
enum { NO_WAIT = 1, WAIT_FOR_ONE, NO_COMMIT, UNALIGNED, NOT_SHARED, NO_BARRIER_AFTER_WAIT };
int planted_async(float *out, const float *in, int fault);

/* out [1]: a result of all blocks: their number, or with the fault the last one to run. */
int planted_order(int *out, int blocks, int fault);

/* out [64] = 64. */
enum { HALF_WAITS = 1, TWO_PLACES, EARLY_RETURN };
int planted_barrier(int *out, int fault);

/* out [32]: sum of the lanes 0 to 31, or to 15 with a mask of those. */
enum { NOT_IN_MASK = 1, FROM_INACTIVE, DIFFERENT_MASKS, LANE_MISSING, HALF_A_WARP };
int planted_shuffle(int *out, int fault);

/* d [16][8] += A [16][16] B [16][8], 16-bit values; A from shared memory by ldmatrix, B by
 * ldmatrix.trans from rows (layout 0) or from columns (layout 1). f16: binary16, else bfloat16. */
int planted_product(float *d, const uint16_t *A, const uint16_t *B, int f16, int layout);

/* Reads four matrices by ldmatrix, whose rows are pitch bytes apart. */
int planted_rows(int pitch);

/* out [n]: how often each of the warp operations gave something else than CUDA's manual says. */
int planted_warp_operations(int *out);

/* One block of `threads` with `shared` bytes. */
int planted_launch(int *out, long blocks, int threads, long shared);

#endif
