/* simt - runs CUDA kernels on the CPU: what their source sees of the executor.
 *
 * kernels/util.cuh includes this file where nvcc does not build. Every thread of a block is a
 * fibre; blocks run one after the other. What makes an answer depend on chance on a device is
 * made to show here: blocks, warps and lanes run in an order that a seed chooses, shared memory
 * holds NaN (as integers: -1 or 2143387585) before each block, an asynchronous copy lands when
 * waited for and not earlier. Misuse ends the program with one line: kernel, block, thread, seed.
 *
 * Where CUDA leaves something open, this is stricter:
 * - __syncthreads wants every thread of the block, at the same line; a thread that has returned
 *   is missing (hardware would count it as there).
 * - A warp operation waits for all lanes of its mask that have not returned; it fails where the
 *   caller is not in its own mask, or reads a lane that is not in it. mma and ldmatrix want all
 *   32 lanes.
 * - A thread must not return before it has waited for its asynchronous copies.
 * What tests set (the seed): simt_test.h. */
#ifndef SIMT_H
#define SIMT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simt_record.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
/* One section, so that all of it is found and filled before each block. */
#define __shared__ static __attribute__((section("simt_shared")))

enum { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorInvalidConfiguration = 9 };
typedef int cudaError_t;

#define SIMT_VECTORS(T, name, align)                                                               \
    struct alignas(2 * align) name##2                                                              \
    {                                                                                              \
        T x, y;                                                                                    \
    };                                                                                             \
    struct name##3                                                                                 \
    {                                                                                              \
        T x, y, z;                                                                                 \
    };                                                                                             \
    struct alignas(4 * align > 16 ? 16 : 4 * align) name##4                                        \
    {                                                                                              \
        T x, y, z, w;                                                                              \
    };                                                                                             \
    static inline name##2 make_##name##2(T x, T y)                                                 \
    {                                                                                              \
        return {x, y};                                                                             \
    }                                                                                              \
    static inline name##3 make_##name##3(T x, T y, T z)                                            \
    {                                                                                              \
        return {x, y, z};                                                                          \
    }                                                                                              \
    static inline name##4 make_##name##4(T x, T y, T z, T w)                                       \
    {                                                                                              \
        return {x, y, z, w};                                                                       \
    }
SIMT_VECTORS(signed char, char, 1)
SIMT_VECTORS(unsigned char, uchar, 1)
SIMT_VECTORS(short, short, 2)
SIMT_VECTORS(unsigned short, ushort, 2)
SIMT_VECTORS(int, int, 4)
SIMT_VECTORS(unsigned, uint, 4)
SIMT_VECTORS(float, float, 4)
SIMT_VECTORS(long long, longlong, 8)
SIMT_VECTORS(unsigned long long, ulonglong, 8)
SIMT_VECTORS(double, double, 8)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
static const int warpSize = 32;

int simt_run(const char *name, dim3 grid, dim3 block, size_t shared, void (*thread)(void *),
             void *arg);
/* f holds the kernel's arguments. */
template <class F>
static inline int simt_launch(const char *name, lp_stream stream, dim3 grid, dim3 block,
                              size_t shared, F f)
{
    auto run = [=]() mutable {
        return simt_run(
            name, grid, block, shared, [](void *p) { (*static_cast<F *>(p))(); }, &f);
    };

    return simt_recording(stream) ? simt_record(stream, name, run, &f, sizeof f) : run();
}
void *simt_shared();

/* kind 0: none, '+': how many, '|': any, '&': all. */
int simt_barrier(int kind, int predicate, const char *file, int line);
static inline void __syncthreads(const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    simt_barrier(0, 0, file, line);
}
static inline int __syncthreads_count(int p, const char *file = __builtin_FILE(),
                                      int line = __builtin_LINE())
{
    return simt_barrier('+', p, file, line);
}
static inline int __syncthreads_or(int p, const char *file = __builtin_FILE(),
                                   int line = __builtin_LINE())
{
    return simt_barrier('|', p, file, line);
}
static inline int __syncthreads_and(int p, const char *file = __builtin_FILE(),
                                    int line = __builtin_LINE())
{
    return simt_barrier('&', p, file, line);
}

/* Waits for the lanes of mask, then calls finish once, with every lane's arg. op tells operations
 * apart that must not meet. */
void simt_warp(const char *op, unsigned mask, void *arg,
               void (*finish)(void *const arg[32], unsigned mask));
/* Lane of the running thread. */
int simt_lane();
/* A place where another thread may go on. */
void simt_yield();
/* In builds that look for races: an access, 'r' to read, 'w' to write, 'a' atomic. */
#ifdef LP_SIMT_RACE
void simt_access(const void *p, size_t bytes, char kind);
#else
static inline void simt_access(const void *, size_t, char)
{
}
#endif

#include "simt_math.h"
#include "simt_warp.h"

#endif
