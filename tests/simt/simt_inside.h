/* simt_inside - what the files of the executor know of each other. */
#ifndef SIMT_INSIDE_H
#define SIMT_INSIDE_H

#include <stddef.h>

/* Number of the running thread in its block, -1 outside of kernels. */
int simt_thread();
/* Place of p in the block's shared memory, of *size bytes in all; (size_t)-1 if it is elsewhere. */
size_t simt_shared_offset(const void *p, size_t *size);
/* Told to the runtime. 0: the kernel is to run; -1: it is left out; else the value of the launch.
 */
int simt_kernel_starts();

#ifdef LP_SIMT_RACE
void simt_race_block();
void simt_race_barrier();
void simt_race_warp(int warp, unsigned mask); /* a __syncwarp */
#else
static inline void simt_race_block()
{
}
static inline void simt_race_barrier()
{
}
static inline void simt_race_warp(int, unsigned)
{
}
#endif

#endif
