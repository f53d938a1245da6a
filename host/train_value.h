/* train_value - one value of an activation in training, float32 or bfloat16 (train_ops.h).
 *
 * bf16 is a constant where these are called in a loop, or the loop is not vectorised. */
#ifndef LP_TRAIN_VALUE_H
#define LP_TRAIN_VALUE_H

#include <stddef.h>

#include "../kernels/bf16.h"

#define INLINE static inline __attribute__((always_inline))

INLINE float lp_value(const int bf16, const void *x, size_t k)
{
    return bf16 ? lp_bf16_to(((const uint16_t *)x)[k]) : ((const float *)x)[k];
}

INLINE void lp_value_set(const int bf16, void *x, size_t k, float v)
{
    if (bf16)
        ((uint16_t *)x)[k] = lp_bf16_from(v);
    else
        ((float *)x)[k] = v;
}

INLINE void *lp_value_at(const int bf16, void *x, size_t k)
{
    return bf16 ? (void *)((uint16_t *)x + k) : (void *)((float *)x + k);
}

INLINE const void *lp_value_const_at(const int bf16, const void *x, size_t k)
{
    return bf16 ? (const void *)((const uint16_t *)x + k) : (const void *)((const float *)x + k);
}

#endif
