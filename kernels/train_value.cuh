/* train_value - four values of an activation in training, float32 or bfloat16, in one access. */
#ifndef LP_TRAIN_VALUE_CUH
#define LP_TRAIN_VALUE_CUH

#include "train_dims.h"
#include "util.cuh"

struct lp_four {
    float v[4];
};

static __device__ __forceinline__ lp_four lp_load4(const float *x, int64_t k)
{
    float4 a = *reinterpret_cast<const float4 *>(x + k);

    return {{a.x, a.y, a.z, a.w}};
}

static __device__ __forceinline__ lp_four lp_load4(const uint16_t *x, int64_t k)
{
    uint2 a = *reinterpret_cast<const uint2 *>(x + k);

    return {{__uint_as_float(a.x << 16), __uint_as_float(a.x & 0xffff0000u),
             __uint_as_float(a.y << 16), __uint_as_float(a.y & 0xffff0000u)}};
}

static __device__ __forceinline__ void lp_store4(float *x, int64_t k, const lp_four &a)
{
    *reinterpret_cast<float4 *>(x + k) = make_float4(a.v[0], a.v[1], a.v[2], a.v[3]);
}

static __device__ __forceinline__ void lp_store4(uint16_t *x, int64_t k, const lp_four &a)
{
    *reinterpret_cast<uint2 *>(x + k) =
        make_uint2(lp_bf16x2(a.v[0], a.v[1]), lp_bf16x2(a.v[2], a.v[3]));
}

static __device__ __forceinline__ float lp_load1(const float *x, int64_t k)
{
    return x[k];
}

static __device__ __forceinline__ float lp_load1(const uint16_t *x, int64_t k)
{
    return lp_from_bf16(x[k]);
}

static __device__ __forceinline__ void lp_store1(float *x, int64_t k, float v)
{
    x[k] = v;
}

static __device__ __forceinline__ void lp_store1(uint16_t *x, int64_t k, float v)
{
    x[k] = lp_bf16(v);
}

/* Values of an activation of dims d; 0 where it is none that kernels take. */
static inline int64_t lp_tmaps_size(const lp_tdims *d)
{
    int64_t cp = (int64_t)d->nblk * d->cb;

    return d->n < 1 || d->h < 1 || d->w < 1 || cp < 8 || cp % 8 || cp > INT32_MAX / 8
               ? 0
               : (int64_t)d->n * d->h * d->w * cp;
}

#endif
