/* simt_warp - CUDA's warp operations and atomics. */
#ifndef SIMT_WARP_H
#define SIMT_WARP_H

#include <stdint.h>
#include <type_traits>

static inline void __syncwarp(unsigned mask = 0xffffffff)
{
    simt_warp("__syncwarp", mask, nullptr, nullptr);
}

template <class T> struct simt_exchange {
    T value, result;
    int from; /* lane */
};
template <class T> static void simt_exchange_all(void *const arg[32], unsigned mask)
{
    for (int i = 0; i < 32; i++) {
        simt_exchange<T> *e;

        if (!(mask >> i & 1)) continue;
        e = static_cast<simt_exchange<T> *>(arg[i]);
        if (!(mask >> e->from & 1))
            simt_fail("lane %d shuffles from lane %d, which takes no part (lanes %08x)", i, e->from,
                      mask);
        e->result = static_cast<simt_exchange<T> *>(arg[e->from])->value;
    }
}
template <class T>
static inline T simt_shuffle(const char *op, unsigned mask, T v, int from, int width)
{
    simt_exchange<T> e = {v, v, from};

    static_assert(std::is_arithmetic<T>::value && (sizeof(T) == 4 || sizeof(T) == 8),
                  "32 or 64 bits");
    if (width < 1 || width > 32 || (width & (width - 1))) simt_fail("%s: width %d", op, width);
    simt_warp(op, mask, &e, simt_exchange_all<T>);
    return e.result;
}
template <class T> static inline T __shfl_sync(unsigned mask, T v, int from, int width = 32)
{
    int base = simt_lane() & ~(width - 1);

    return simt_shuffle("__shfl_sync", mask, v, base + (from & (width - 1)), width);
}
template <class T>
static inline T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32)
{
    int lane = simt_lane(), base = lane & ~(width - 1);

    return simt_shuffle("__shfl_up_sync", mask, v,
                        delta > (unsigned)(lane - base) ? lane : lane - (int)delta, width);
}
template <class T>
static inline T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32)
{
    int lane = simt_lane(), end = (lane & ~(width - 1)) + width;

    return simt_shuffle("__shfl_down_sync", mask, v,
                        delta >= (unsigned)(end - lane) ? lane : lane + (int)delta, width);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T v, int with, int width = 32)
{
    int lane = simt_lane(), end = (lane & ~(width - 1)) + width, from = lane ^ (with & 31);

    return simt_shuffle("__shfl_xor_sync", mask, v, from >= end ? lane : from, width);
}

struct simt_vote {
    unsigned long long value, result;
};
template <class F>
static inline unsigned long long simt_reduce(const char *op, unsigned mask,
                                             unsigned long long value, F)
{
    simt_vote v = {value, 0};

    simt_warp(op, mask, &v, [](void *const arg[32], unsigned m) {
        for (int i = 0; i < 32; i++)
            if (m >> i & 1) static_cast<simt_vote *>(arg[i])->result = F::of(arg, m, i);
    });
    return v.result;
}
static inline unsigned long long simt_value(void *const arg[32], int i)
{
    return static_cast<simt_vote *>(arg[i])->value;
}
/* The lanes of m whose value is that of lane `as`, or not 0. */
struct simt_equal {
    static unsigned long long of(void *const arg[32], unsigned m, int as)
    {
        unsigned r = 0;

        for (int i = 0; i < 32; i++)
            if ((m >> i & 1) && simt_value(arg, i) == simt_value(arg, as)) r |= 1u << i;
        return r;
    }
};
struct simt_nonzero {
    static unsigned long long of(void *const arg[32], unsigned m, int)
    {
        unsigned r = 0;

        for (int i = 0; i < 32; i++)
            if ((m >> i & 1) && simt_value(arg, i)) r |= 1u << i;
        return r;
    }
};
/* As two's complement, so that one addition serves both; min and max by T. */
template <class T, char how> struct simt_fold {
    static unsigned long long of(void *const arg[32], unsigned m, int)
    {
        T r = 0;
        bool first = true;

        for (int i = 0; i < 32; i++) {
            T v;

            if (!(m >> i & 1)) continue;
            v = (T)simt_value(arg, i);
            if (first)
                r = v;
            else if (how == '+')
                r = (T)((unsigned)r + (unsigned)v);
            else if (how == '&')
                r = (T)((unsigned)r & (unsigned)v);
            else if (how == '|')
                r = (T)((unsigned)r | (unsigned)v);
            else if (how == '<' ? v < r : v > r)
                r = v;
            first = false;
        }
        return (unsigned long long)r;
    }
};
static inline unsigned __ballot_sync(unsigned mask, int p)
{
    return (unsigned)simt_reduce("__ballot_sync", mask, p != 0, simt_nonzero());
}
static inline int __any_sync(unsigned mask, int p)
{
    return simt_reduce("__any_sync", mask, p != 0, simt_nonzero()) != 0;
}
static inline int __all_sync(unsigned mask, int p)
{
    return simt_reduce("__all_sync", mask, p == 0, simt_nonzero()) == 0;
}
template <class T> static inline unsigned __match_any_sync(unsigned mask, T v)
{
    unsigned long long bits = 0;

    static_assert(std::is_arithmetic<T>::value && (sizeof v == 4 || sizeof v == 8), "32, 64 bits");
    memcpy(&bits, &v, sizeof v);
    return (unsigned)simt_reduce("__match_any_sync", mask, bits, simt_equal());
}
#define SIMT_REDUCE(T)                                                                             \
    static inline T __reduce_add_sync(unsigned mask, T v)                                          \
    {                                                                                              \
        return (T)simt_reduce("__reduce_add_sync", mask, (unsigned long long)v,                    \
                              simt_fold<T, '+'>());                                                \
    }                                                                                              \
    static inline T __reduce_min_sync(unsigned mask, T v)                                          \
    {                                                                                              \
        return (T)simt_reduce("__reduce_min_sync", mask, (unsigned long long)v,                    \
                              simt_fold<T, '<'>());                                                \
    }                                                                                              \
    static inline T __reduce_max_sync(unsigned mask, T v)                                          \
    {                                                                                              \
        return (T)simt_reduce("__reduce_max_sync", mask, (unsigned long long)v,                    \
                              simt_fold<T, '>'>());                                                \
    }
SIMT_REDUCE(unsigned)
SIMT_REDUCE(int)
#undef SIMT_REDUCE
static inline unsigned __reduce_and_sync(unsigned mask, unsigned v)
{
    return (unsigned)simt_reduce("__reduce_and_sync", mask, v, simt_fold<unsigned, '&'>());
}
static inline unsigned __reduce_or_sync(unsigned mask, unsigned v)
{
    return (unsigned)simt_reduce("__reduce_or_sync", mask, v, simt_fold<unsigned, '|'>());
}

/* One thread runs at a time, so plain operations are atomic. */
static inline void __threadfence()
{
}
static inline void __threadfence_block()
{
}
#define SIMT_ATOMIC(name, T, expression)                                                           \
    __attribute__((no_sanitize_thread)) static inline T name(T *p, T v)                            \
    {                                                                                              \
        T old = *p;                                                                                \
                                                                                                   \
        simt_access(p, sizeof *p, 'a');                                                            \
        *p = (expression);                                                                         \
        simt_yield();                                                                              \
        return old;                                                                                \
    }
#define SIMT_ATOMICS(T)                                                                            \
    SIMT_ATOMIC(atomicAdd, T, (T)((unsigned long long)old + (unsigned long long)v))                \
    SIMT_ATOMIC(atomicMin, T, v < old ? v : old)                                                   \
    SIMT_ATOMIC(atomicMax, T, v > old ? v : old)                                                   \
    SIMT_ATOMIC(atomicExch, T, v)                                                                  \
    SIMT_ATOMIC(atomicAnd, T, old &v)                                                              \
    SIMT_ATOMIC(atomicOr, T, old | v)                                                              \
    SIMT_ATOMIC(atomicXor, T, old ^ v)                                                             \
    __attribute__((no_sanitize_thread)) static inline T atomicCAS(T *p, T compare, T v)            \
    {                                                                                              \
        T old = *p;                                                                                \
                                                                                                   \
        simt_access(p, sizeof *p, 'a');                                                            \
        if (old == compare) *p = v;                                                                \
        simt_yield();                                                                              \
        return old;                                                                                \
    }
SIMT_ATOMICS(int)
SIMT_ATOMICS(unsigned)
SIMT_ATOMICS(unsigned long long)
static inline int atomicSub(int *p, int v)
{
    return atomicAdd(p, (int)(0u - (unsigned)v));
}
static inline unsigned atomicSub(unsigned *p, unsigned v)
{
    return atomicAdd(p, 0u - v);
}
#undef SIMT_ATOMICS
#undef SIMT_ATOMIC

#endif
