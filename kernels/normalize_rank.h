/* normalize_rank - what the versions of lp_percentile share: the order of floats and
 * np.percentile's interpolation between two ranks. */
#ifndef LP_NORMALIZE_RANK_H
#define LP_NORMALIZE_RANK_H

#include <stdint.h>

/* Bits of a float -> an integer with the same order (-0 just below +0, NaN outermost). */
static inline uint32_t lp_rank_key(uint32_t bits)
{
    return bits ^ ((0u - (bits >> 31)) | 0x80000000u);
}

static inline uint32_t lp_rank_bits(uint32_t key)
{
    return key ^ (((key >> 31) - 1u) | 0x80000000u);
}

/* The two ranks around percentile p of n samples, and the weight of the second. */
typedef struct {
    int64_t k[2];
    double t;
} lp_rank;

static inline lp_rank lp_rank_of(double p, int64_t n)
{
    double v = p / 100 * (double)(n - 1);
    lp_rank r;

    r.k[0] = (int64_t)v;
    if (r.k[0] > n - 1) r.k[0] = n - 1;
    r.k[1] = r.k[0] < n - 1 ? r.k[0] + 1 : r.k[0];
    r.t = v - (double)r.k[0];
    return r;
}

static inline float lp_rank_lerp(float a, float b, double t)
{
    float d = b - a;

    return t >= 0.5 ? (float)(b - d * (1 - t)) : (float)(a + d * t);
}

#endif
