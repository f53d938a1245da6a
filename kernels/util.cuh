/* util - what every kernel file includes first: launches, shared memory, conversions.
 *
 * The same kernel source is built twice: by nvcc for the device, and by g++ for the executor
 * that runs it in the tests (tests/simt). What differs stands here and in ptx.cuh only.
 *
 *   LP_LAUNCH(kernel, grid, block, shared_bytes, stream, args...)
 *       queues the kernel; its value is 0 or a cudaError_t. grid and block: dim3 or an integer
 *       of any width, 1 to 2^31 - 1. A template with several parameters needs parentheses:
 *       LP_LAUNCH((kernel<3, 4>), ...).
 *   LP_SHARED(T, name);
 *       T *name: the launch's dynamic shared memory, aligned to 128 bytes.
 *   LP_BOTH
 *       in front of a static inline function of a C header that kernels call too; such a header
 *       begins with  #ifndef LP_BOTH / #define LP_BOTH / #endif.
 *
 * Missing on purpose: float atomics (the same input must give the same bytes), __activemask,
 * work launched from the device, synchronisation of the whole grid. */
#ifndef LP_UTIL_CUH
#define LP_UTIL_CUH

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <type_traits>

#include "stream.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#define LP_BOTH __host__ __device__
#define LP_SHARED(T, name)                                                                         \
    extern __shared__ __align__(128) unsigned char lp_shared_bytes[];                              \
    T *name = reinterpret_cast<T *>(lp_shared_bytes)
#else
#include <simt.h>
#define LP_BOTH
#define LP_SHARED(T, name) T *name = static_cast<T *>(simt_shared())
#endif

/* A grid or block; sizes beyond what a launch takes are kept as they are and then refused. */
struct lp_dim {
    int64_t x, y, z;
    lp_dim(dim3 d) : x(d.x), y(d.y), z(d.z)
    {
    }
    template <class T, class = typename std::enable_if<std::is_integral<T>::value>::type>
    lp_dim(T n) : x((int64_t)n), y(1), z(1)
    {
    }
    bool fits() const
    {
        return x > 0 && x <= INT32_MAX && y > 0 && y <= 65535 && z > 0 && z <= 65535;
    }
    dim3 get() const
    {
        return dim3((unsigned)x, (unsigned)y, (unsigned)z);
    }
};

template <class... P> struct lp_launcher {
    void (*kernel)(P...);
    const char *name;

    int operator()(lp_dim grid, lp_dim block, size_t shared, lp_stream stream, P... args) const
    {
        if (!grid.fits() || !block.fits()) return cudaErrorInvalidConfiguration;
#ifdef __CUDACC__
        void *p[] = {(void *)&args..., nullptr};

        /* Beyond 48 KB, with the static part, the kernel has to ask. What it asks for is also the
         * most that another thread may launch it with at that moment: never less than 48 KB, and no
         * kernel is launched with two sizes above that. */
        if (shared > 16384) {
            size_t most = shared > 49152 ? shared : 49152;
            int e = cudaFuncSetAttribute((const void *)kernel,
                                         cudaFuncAttributeMaxDynamicSharedMemorySize, (int)most);
            if (e) return e;
        }
        return cudaLaunchKernel((const void *)kernel, grid.get(), block.get(), p, shared, stream);
#else
        return simt_launch(name, stream, grid.get(), block.get(), shared,
                           [=, run = kernel] { run(args...); });
#endif
    }
};

template <class... P>
static inline lp_launcher<P...> lp_launch_of(void (*kernel)(P...), const char *name)
{
    return {kernel, name};
}

#define LP_LAUNCH(kernel, ...) lp_launch_of(kernel, #kernel)(__VA_ARGS__)

/* Blocks of `block` threads that cover n. */
LP_BOTH static inline int64_t lp_blocks(int64_t n, int block)
{
    return (n + block - 1) / block;
}

/* float -> bfloat16 and binary16 as bits, to nearest, ties to even; and back. The x2 forms pack
 * two, lo in the lower half: the order of mma's registers and of memory. */
#ifdef __CUDACC__
static __device__ __forceinline__ uint16_t lp_bf16(float v)
{
    return __bfloat16_as_ushort(__float2bfloat16_rn(v));
}
static __device__ __forceinline__ uint16_t lp_f16(float v)
{
    return __half_as_ushort(__float2half_rn(v));
}
static __device__ __forceinline__ float lp_from_f16(uint16_t v)
{
    return __half2float(__ushort_as_half(v));
}
static __device__ __forceinline__ uint32_t lp_bf16x2(float lo, float hi)
{
    __nv_bfloat162 v = __floats2bfloat162_rn(lo, hi);
    uint32_t r;

    memcpy(&r, &v, sizeof r);
    return r;
}
static __device__ __forceinline__ uint32_t lp_f16x2(float lo, float hi)
{
    __half2 v = __floats2half2_rn(lo, hi);
    uint32_t r;

    memcpy(&r, &v, sizeof r);
    return r;
}
#else
static inline uint16_t lp_bf16(float v)
{
    return simt_bf16(v);
}
static inline uint16_t lp_f16(float v)
{
    return simt_f16(v);
}
static inline float lp_from_f16(uint16_t v)
{
    return simt_from_f16(v);
}
static inline uint32_t lp_bf16x2(float lo, float hi)
{
    return simt_bf16(lo) | (uint32_t)simt_bf16(hi) << 16;
}
static inline uint32_t lp_f16x2(float lo, float hi)
{
    return simt_f16(lo) | (uint32_t)simt_f16(hi) << 16;
}
#endif
static __device__ __forceinline__ float lp_from_bf16(uint16_t v)
{
    return __uint_as_float((uint32_t)v << 16);
}

#endif
