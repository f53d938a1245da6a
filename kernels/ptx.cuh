/* ptx - the tensor core and asynchronous copy instructions that kernels use: all inline PTX.
 *
 * Lane layouts are those of the PTX ISA ("Matrix Fragments for mma.m16n8k16", "ldmatrix"). All
 * 32 lanes of a warp take part in mma and ldmatrix. A copy by lp_cp_async_16 may land at any
 * time until lp_cp_async_wait, and the wait is for the thread's own copies: other threads see
 * them after a barrier that follows it. */
#ifndef LP_PTX_CUH
#define LP_PTX_CUH

#include "util.cuh"

#ifdef __CUDACC__

/* d += a b: a 16 x 16 row-major, b 16 x 8 column-major, d 16 x 8 float32. */
static __device__ __forceinline__ void lp_mma_bf16(float (&d)[4], const uint32_t (&a)[4],
                                                   const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
static __device__ __forceinline__ void lp_mma_f16(float (&d)[4], const uint32_t (&a)[4],
                                                  const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* 8 x 8 matrices of 16-bit values; lane 8 i + r gives the address of row r of matrix i (16 bytes,
 * aligned to 16, in shared memory). The x2 forms use the addresses of lanes 0 to 15. */
static __device__ __forceinline__ void lp_ldmatrix_x4(uint32_t (&r)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}
static __device__ __forceinline__ void lp_ldmatrix_x2(uint32_t (&r)[2], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}
static __device__ __forceinline__ void lp_ldmatrix_x4_trans(uint32_t (&r)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}
static __device__ __forceinline__ void lp_ldmatrix_x2_trans(uint32_t (&r)[2], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}

/* 16 bytes of global memory to shared memory, both aligned to 16: the first `bytes` (0 to 16)
 * are read, the rest becomes 0. */
static __device__ __forceinline__ void lp_cp_async_16(void *shared, const void *global, int bytes)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"((uint32_t)__cvta_generic_to_shared(shared)), "l"(global), "r"(bytes)
                 : "memory");
}
/* The copies since the last commit are one group. */
static __device__ __forceinline__ void lp_cp_async_commit()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Waits until at most the N latest groups are under way. */
template <int N> static __device__ __forceinline__ void lp_cp_async_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#else
#include <simt_ptx.h>
#endif

#endif
