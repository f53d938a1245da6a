/* bf16 - bfloat16 in plain C: the upper half of a float32, rounded to nearest even. Not for NaN. */
#ifndef LP_BF16_H
#define LP_BF16_H

#include <stdint.h>
#include <string.h>

static inline uint16_t lp_bf16_from(float x)
{
    uint32_t u;

    memcpy(&u, &x, 4);
    u += 0x7fffu + ((u >> 16) & 1u);
    return (uint16_t)(u >> 16);
}

static inline float lp_bf16_to(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float x;

    memcpy(&x, &u, 4);
    return x;
}

#endif
