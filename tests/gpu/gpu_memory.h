/* gpu_memory - lets the kernels of a real GPU into the memory of tests written for the executor:
 * what they allocate, their static arrays, their stack.
 *
 * The linker sends malloc and its kin here (Makefile: GPU_WRAP). Each block is managed memory of
 * its own, of exactly the size asked for, so that compute-sanitizer sees what lies beyond it.
 * Variables and the stack are host memory that is pinned and mapped. Constants are in neither:
 * what a kernel reads must not be static const. Libraries loaded at run time keep their own
 * malloc; what they allocate may be freed here, but nothing of here by them. */
#ifndef GPU_MEMORY_H
#define GPU_MEMORY_H

#include <stddef.h>

/* To be called once, before there is a second thread. Blocks from before stay the host's. stack
 * [GPU_STACK]: for the thread that runs the tests, never freed. 0 or a cudaError_t. */
#define GPU_STACK ((size_t)64 << 20)
int gpu_memory_open(void **stack);

#endif
