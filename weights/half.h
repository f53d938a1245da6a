/* half - IEEE binary16 to float32 and back, and bfloat16 to float32.
 *
 * To half rounds to nearest, ties to even. What is finite and too large for half
 * (65520 and more) is counted, not turned into Inf: see lp_half_from_float. */
#ifndef LP_HALF_H
#define LP_HALF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline float lp_half_to_float1(uint16_t h)
{
    uint32_t em = (uint32_t)(h & 0x7fff) << 13, u;
    float f;

    /* The exponent's bias differs by 112; the product is exact, subnormals included. */
    memcpy(&f, &em, 4);
    f *= 0x1p112f;
    memcpy(&u, &f, 4);
    u |= (h & 0x7fff) >= 0x7c00 ? 0x7f800000u : 0u; /* Inf and NaN */
    u |= (uint32_t)(h & 0x8000) << 16;
    memcpy(&f, &u, 4);
    return f;
}

/* dst [n], src [n]: little-endian half values in native order. */
void lp_half_to_float(float *dst, const uint16_t *src, size_t n);
/* The same from HDF5's shuffled bytes: n low bytes, then n high bytes. */
void lp_half_to_float_shuffled(float *dst, const unsigned char *src, size_t n);
/* dst [n], src [n]. Returns the number of values that half cannot hold (finite ones that
 * round beyond 65504), for which Inf is written. */
size_t lp_half_from_float(uint16_t *dst, const float *src, size_t n);
void lp_bf16_to_float(float *dst, const uint16_t *src, size_t n);

#endif
