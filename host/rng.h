/* rng - counter-based random numbers: Philox4x32-10.
 *
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11. There is no
 * state: the number at (key, counter) is a pure function, so threads and tiles draw
 * the same numbers in any order. Only integer and IEEE arithmetic and detmath.h are
 * used, so the bits are the same on every machine. */
#ifndef LP_RNG_H
#define LP_RNG_H

#include <stdint.h>

/* out: four 32-bit words for counter c (four words) and key k (two words). */
static inline void lp_rng_philox(const uint32_t c[4], const uint32_t k[2], uint32_t out[4])
{
    uint32_t c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3], k0 = k[0], k1 = k[1];
    int round;

    for (round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Uniform in (0, 1), never an end: 53 bits of two words. */
static inline double lp_rng_unit(uint32_t hi, uint32_t lo)
{
    return ((double)((((uint64_t)hi << 32) | lo) >> 12) + 0.5) * (1.0 / 4503599627370496.0);
}

/* A sequence of numbers for sequential use: seed and stream name it. */
typedef struct {
    uint64_t seed;
    uint32_t stream, sub;
    uint64_t next;
    double spare; /* second half of the last normal pair */
    int has_spare;
} lp_rng;

void lp_rng_init(lp_rng *r, uint64_t seed, uint32_t stream, uint32_t sub);
double lp_rng_uniform(lp_rng *r); /* in (0, 1) */
double lp_rng_range(lp_rng *r, double lo, double hi);
double lp_rng_normal(lp_rng *r); /* mean 0, variance 1: Box-Muller */
/* Poisson count of the mean given (0 to 30), by inversion. */
int lp_rng_count(lp_rng *r, double mean);

/* Two independent normals for cell (y, x) of field `stream`. */
void lp_rng_normal_at(uint64_t seed, uint32_t stream, int32_t y, int32_t x, double out[2]);

/* Poisson count of the mean given (>= 0) for cell (y, x). Below a mean of 16 exact,
 * by inversion; above, the Cornish-Fisher expansion of a normal, rounded: mean,
 * variance and skewness are the Poisson distribution's to 1 %. */
double lp_rng_poisson_at(uint64_t seed, uint32_t stream, int32_t y, int32_t x, double mean);

#endif
