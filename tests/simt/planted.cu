#include "kernels/ptx.cuh"

extern "C" {
#include "planted.h"
}

static __global__ void reverse(float *out, const float *in, int fault)
{
    LP_SHARED(float, dynamic);
    __shared__ float fixed[64];
    int i = (int)threadIdx.x, at = (int)blockIdx.x * 64, k = 63 - i;
    float *volatile p = fixed; /* so that the compiler does not know how large it is */

    if (fault == NO_WARP_BARRIER) k = i ^ 31;
    if (fault != UNWRITTEN || i != 17) p[i + (fault == BEYOND_STATIC && i == 63)] = in[at + i];
    dynamic[i + (fault == BEYOND_DYNAMIC && i == 63)] = 0;
    if (fault != NO_BARRIER && fault != NO_WARP_BARRIER) __syncthreads();
    out[at + i] = fixed[k];
}

int planted_reverse(float *out, const float *in, int n, int fault)
{
    return LP_LAUNCH(reverse, n / 64, 64, 64 * sizeof(float), nullptr, out, in, fault);
}

static __global__ void async(float *out, const float *in, int fault)
{
    __shared__ __align__(16) float s[128];
    float here[8] = {0};
    int i = (int)threadIdx.x, k;

    if (fault == NOT_SHARED)
        lp_cp_async_16(here, in, 16);
    else
        lp_cp_async_16(s + i * 4, in + i * 4 + (fault == UNALIGNED), 16);
    lp_cp_async_commit();
    lp_cp_async_16(s + 64 + i * 4, in + 64 + i * 4, 16);
    if (fault != NO_COMMIT) lp_cp_async_commit();
    if (fault == WAIT_FOR_ONE)
        lp_cp_async_wait<1>();
    else if (fault != NO_WAIT)
        lp_cp_async_wait<0>();
    if (fault != NO_BARRIER_AFTER_WAIT) __syncwarp(0xffff);
    for (k = 0; k < 8; k++) out[k * 16 + i] = s[k * 16 + i];
    if (fault == NO_WAIT || fault == WAIT_FOR_ONE) lp_cp_async_wait<0>();
}

int planted_async(float *out, const float *in, int fault)
{
    return LP_LAUNCH(async, 1, 16, 0, nullptr, out, in, fault);
}

static __global__ void order(int *out, int fault)
{
    if (fault)
        *out = (int)blockIdx.x;
    else
        atomicAdd(out, 1);
}

int planted_order(int *out, int blocks, int fault)
{
    return LP_LAUNCH(order, blocks, 1, 0, nullptr, out, fault);
}

static __global__ void barrier(int *out, int fault)
{
    __shared__ int n;
    int i = (int)threadIdx.x;

    if (!i) n = 0;
    __syncthreads();
    if (fault == EARLY_RETURN && i == 40) return;
    if (fault != HALF_WAITS) atomicAdd(&n, 1);
    if (fault == TWO_PLACES && i >= 32) {
        __syncthreads();
    } else if (fault != HALF_WAITS || i >= 32) {
        __syncthreads();
    }
    out[i] = n + (__syncthreads_count(i < 10) - 10) + (__syncthreads_or(i == 3) - 1) +
             __syncthreads_and(i != 3);
}

int planted_barrier(int *out, int fault)
{
    return LP_LAUNCH(barrier, 1, 64, 0, nullptr, out, fault);
}

static __global__ void shuffle(int *out, int fault)
{
    int i = (int)threadIdx.x, v = i, k;
    unsigned mask = fault == NOT_IN_MASK || fault == FROM_INACTIVE ? 0xffff : 0xffffffff;

    if (fault == FROM_INACTIVE && i >= 16) return;
    if (fault == LANE_MISSING && i == 5) {
        __syncwarp();
        return;
    }
    if (fault == DIFFERENT_MASKS && i >= 16) mask = 0xffff0000;
    for (k = 16; k; k /= 2) v += __shfl_xor_sync(mask, v, k);
    out[i] = v;
}

int planted_shuffle(int *out, int fault)
{
    return LP_LAUNCH(shuffle, 1, fault == HALF_A_WARP ? 16 : 32, 0, nullptr, out, fault);
}

static __global__ void product(float *d, const uint16_t *A, const uint16_t *B, int f16, int layout)
{
    __shared__ __align__(16) uint16_t a[16][24], b[16][24];
    int lane = (int)threadIdx.x, i;
    uint32_t ra[4], rb[2];
    float c[4];

    for (i = lane; i < 256; i += 32) a[i / 16][i % 16] = A[i];
    for (i = lane; i < 128; i += 32)
        if (layout)
            b[i % 8][i / 8] = B[i];
        else
            b[i / 8][i % 8] = B[i];
    for (i = 0; i < 4; i++) c[i] = d[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2];
    __syncwarp();
    /* Matrices in the order of a's registers: rows 0 to 7, 8 to 15, then the right half. */
    lp_ldmatrix_x4(ra, &a[lane % 16][lane / 16 * 8]);
    if (layout)
        lp_ldmatrix_x2(rb, &b[lane % 8][lane / 8 % 2 * 8]);
    else
        lp_ldmatrix_x2_trans(rb, &b[lane % 16][0]);
    if (f16)
        lp_mma_f16(c, ra, rb);
    else
        lp_mma_bf16(c, ra, rb);
    for (i = 0; i < 4; i++) d[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = c[i];
}

int planted_product(float *d, const uint16_t *A, const uint16_t *B, int f16, int layout)
{
    return LP_LAUNCH(product, 1, 32, 0, nullptr, d, A, B, f16, layout);
}

static __global__ void warp_operations(int *out)
{
    const unsigned all = 0xffffffff;
    int i = (int)threadIdx.x, k = 0;
    double d = i * 0.5;
    unsigned half = i < 8 ? 0xffu : 0xffffff00u;

#define EXPECT(x) atomicAdd(&out[k++], !(x))
    EXPECT(__shfl_sync(all, i, 35) == 3);
    EXPECT(__shfl_sync(all, i, 1, 8) == i / 8 * 8 + 1);
    EXPECT(__shfl_up_sync(all, i, 3) == (i < 3 ? i : i - 3));
    EXPECT(__shfl_up_sync(all, i, 3, 16) == (i % 16 < 3 ? i : i - 3));
    EXPECT(__shfl_down_sync(all, i, 30) == (i < 2 ? i + 30 : i));
    EXPECT(__shfl_down_sync(all, i, 2, 4) == (i % 4 < 2 ? i + 2 : i));
    EXPECT(__shfl_xor_sync(all, d, 5) == (i ^ 5) * 0.5);
    EXPECT(__ballot_sync(all, i % 3 == 0) == 0x49249249u);
    EXPECT(__ballot_sync(half, 1) == half);
    EXPECT(__any_sync(all, i == 31) && !__any_sync(half, i > 40));
    EXPECT(__all_sync(half, i < 8) == (i < 8));
    EXPECT(__match_any_sync(all, i % 2) == (i % 2 ? 0xaaaaaaaau : 0x55555555u));
    EXPECT(__reduce_add_sync(all, (unsigned)i) == 496);
    EXPECT(__reduce_min_sync(all, -i) == -31 && __reduce_max_sync(all, -i) == 0);
    EXPECT(__reduce_max_sync(all, (unsigned)-i) == (unsigned)-1);
    EXPECT(__reduce_min_sync(half, i) == (i < 8 ? 0 : 8));
    EXPECT(__brev(1u << i) == 1u << (31 - i) && __clz(1 << i) == 31 - i && __ffs(1 << i) == i + 1);
#undef EXPECT
}

int planted_warp_operations(int *out)
{
    return LP_LAUNCH(warp_operations, 1, 32, 0, nullptr, out);
}

static __global__ void count(int *out, int last)
{
    LP_SHARED(unsigned char, s);

    if (last >= 0 && !threadIdx.x) s[last] = 1;
    atomicAdd(out, 1);
}

int planted_launch(int *out, long blocks, int threads, long shared)
{
    return LP_LAUNCH(count, blocks, threads, (size_t)shared, nullptr, out, (int)shared - 1);
}

/* Reads matrices whose rows are pitch bytes apart. */
static __global__ void rows(int pitch)
{
    LP_SHARED(unsigned char, shared);
    uint32_t r[4];

    for (int i = threadIdx.x; i < 32 * pitch; i += 32) shared[i] = 0;
    __syncwarp();
    lp_ldmatrix_x4(r, shared + (int)threadIdx.x * pitch);
}

int planted_rows(int pitch)
{
    return LP_LAUNCH(rows, 1, 32, (size_t)32 * pitch, NULL, pitch);
}
