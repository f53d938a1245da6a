#include "half.h"

#include "../kernels/simd.h"

LP_SIMD void lp_half_to_float(float *dst, const uint16_t *src, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) dst[i] = lp_half_to_float1(src[i]);
}

LP_SIMD void lp_half_to_float_shuffled(float *dst, const unsigned char *src, size_t n)
{
    const unsigned char *hi = src + n;
    size_t i;

    for (i = 0; i < n; i++) dst[i] = lp_half_to_float1((uint16_t)(src[i] | hi[i] << 8));
}

static uint16_t from_float(float f, size_t *over)
{
    uint32_t u, sign, e, m, h, rest, tie;

    memcpy(&u, &f, 4);
    sign = u >> 16 & 0x8000;
    u &= 0x7fffffff;
    if (u > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (u == 0x7f800000) return (uint16_t)(sign | 0x7c00);
    if (u >= 0x477ff000) { /* 65520 rounds up to 65536 */
        ++*over;
        return (uint16_t)(sign | 0x7c00);
    }
    e = u >> 23;
    if (e < 102) return (uint16_t)sign; /* below half of the smallest subnormal, 2^-25 */
    m = u & 0x7fffff;
    if (e < 113) { /* subnormal half: value = m * 2^(e-150), unit 2^-24 */
        uint32_t shift = 126 - e;

        m |= 0x800000;
        h = m >> shift;
        rest = m & ((1u << shift) - 1);
        tie = 1u << (shift - 1);
    } else {
        h = (e - 112) << 10 | m >> 13;
        rest = m & 0x1fff;
        tie = 0x1000;
    }
    h += rest > tie || (rest == tie && (h & 1)); /* a carry into the exponent is right */
    return (uint16_t)(sign | h);
}

size_t lp_half_from_float(uint16_t *dst, const float *src, size_t n)
{
    size_t i, over = 0;

    for (i = 0; i < n; i++) dst[i] = from_float(src[i], &over);
    return over;
}

void lp_bf16_to_float(float *dst, const uint16_t *src, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        uint32_t u = (uint32_t)src[i] << 16;

        memcpy(dst + i, &u, 4);
    }
}
