/* simt_math - CUDA's scalar intrinsics in plain C++. */
#ifndef SIMT_MATH_H
#define SIMT_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

template <class To, class From> static inline To simt_bits(From v)
{
    To r;

    static_assert(sizeof r == sizeof v, "same size");
    memcpy(&r, &v, sizeof r);
    return r;
}
static inline float __uint_as_float(unsigned v)
{
    return simt_bits<float>(v);
}
static inline float __int_as_float(int v)
{
    return simt_bits<float>(v);
}
static inline unsigned __float_as_uint(float v)
{
    return simt_bits<unsigned>(v);
}
static inline int __float_as_int(float v)
{
    return simt_bits<int>(v);
}
static inline long long __double_as_longlong(double v)
{
    return simt_bits<long long>(v);
}
static inline double __longlong_as_double(long long v)
{
    return simt_bits<double>(v);
}

#define SIMT_MINMAX(T)                                                                             \
    static inline T min(T a, T b)                                                                  \
    {                                                                                              \
        return b < a ? b : a;                                                                      \
    }                                                                                              \
    static inline T max(T a, T b)                                                                  \
    {                                                                                              \
        return a < b ? b : a;                                                                      \
    }
SIMT_MINMAX(int)
SIMT_MINMAX(unsigned)
SIMT_MINMAX(long)
SIMT_MINMAX(unsigned long)
SIMT_MINMAX(long long)
SIMT_MINMAX(unsigned long long)
#undef SIMT_MINMAX
/* Of floats, the number where the other is NaN. */
static inline float min(float a, float b)
{
    return fminf(a, b);
}
static inline float max(float a, float b)
{
    return fmaxf(a, b);
}
static inline double min(double a, double b)
{
    return fmin(a, b);
}
static inline double max(double a, double b)
{
    return fmax(a, b);
}

/* Built without contraction, every operation is rounded once. */
static inline float __fadd_rn(float a, float b)
{
    return a + b;
}
static inline float __fsub_rn(float a, float b)
{
    return a - b;
}
static inline float __fmul_rn(float a, float b)
{
    return a * b;
}
static inline float __fdiv_rn(float a, float b)
{
    return a / b;
}
static inline float __fsqrt_rn(float a)
{
    return sqrtf(a);
}
static inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}
static inline double __dadd_rn(double a, double b)
{
    return a + b;
}
static inline double __dmul_rn(double a, double b)
{
    return a * b;
}
static inline double __ddiv_rn(double a, double b)
{
    return a / b;
}
static inline double __fma_rn(double a, double b, double c)
{
    return fma(a, b, c);
}

/* As the device converts: beyond the range the nearest value, NaN 0. */
static inline int simt_int(float v)
{
    return !(v == v) ? 0 : v >= 2147483648.0f ? INT32_MAX : v < -2147483648.0f ? INT32_MIN : (int)v;
}
static inline int __float2int_rd(float v)
{
    return simt_int(floorf(v));
}
static inline int __float2int_ru(float v)
{
    return simt_int(ceilf(v));
}
static inline int __float2int_rz(float v)
{
    return simt_int(truncf(v));
}
static inline int __float2int_rn(float v)
{
    return simt_int(rintf(v));
}
static inline float __int2float_rn(int v)
{
    return (float)v;
}
static inline float __uint2float_rn(unsigned v)
{
    return (float)v;
}
static inline float __double2float_rn(double v)
{
    return (float)v;
}

static inline int __popc(unsigned v)
{
    return __builtin_popcount(v);
}
static inline int __popcll(unsigned long long v)
{
    return __builtin_popcountll(v);
}
static inline int __ffs(int v)
{
    return __builtin_ffs(v);
}
static inline int __ffsll(long long v)
{
    return __builtin_ffsll(v);
}
static inline int __clz(int v)
{
    return v ? __builtin_clz((unsigned)v) : 32;
}
static inline int __clzll(long long v)
{
    return v ? __builtin_clzll((unsigned long long)v) : 64;
}
static inline unsigned __brev(unsigned v)
{
    unsigned r = 0;
    int i;

    for (i = 0; i < 32; i++) r |= (v >> i & 1) << (31 - i);
    return r;
}
static inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)((uint64_t)a * b >> 32);
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}

template <class T> static inline T __ldg(const T *p)
{
    return *p;
}
template <class T> static inline T __ldcg(const T *p)
{
    return *p;
}
template <class T> static inline T __ldcs(const T *p)
{
    return *p;
}
template <class T> static inline void __stcs(T *p, T v)
{
    *p = v;
}
template <class T> static inline void __stcg(T *p, T v)
{
    *p = v;
}

/* To nearest, ties to even. */
static inline uint16_t simt_bf16(float v)
{
    unsigned u = __float_as_uint(v);

    if (!(v == v)) return 0x7fff;
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
static inline uint16_t simt_f16(float v)
{
    unsigned u = __float_as_uint(v), sign = u >> 16 & 0x8000;
    float a = fabsf(v);

    if (!(v == v)) return 0x7fff;
    if (a >= 65520.0f) return (uint16_t)(sign | 0x7c00);
    if (a < 6.103515625e-05f) /* subnormal: a multiple of 2^-24 */
        return (uint16_t)(sign | (unsigned)rintf(a * 16777216.0f));
    u = (u & 0x7fffffff) - (112u << 23);
    return (uint16_t)(sign | (u + 0xfff + (u >> 13 & 1)) >> 13);
}
static inline float simt_from_f16(uint16_t v)
{
    unsigned sign = (v & 0x8000u) << 16, e = v >> 10 & 31, m = v & 1023;
    float r;

    if (e == 31) return __uint_as_float(sign | 0x7f800000 | m << 13);
    if (!e) {
        r = (float)m * 5.9604644775390625e-08f;
        return sign ? -r : r;
    }
    return __uint_as_float(sign | (e + 112) << 23 | m << 13);
}

#endif
