/* detmath - exp, log, sine and cosine that give the same bits everywhere.
 *
 * The C library's versions differ in the last bit between machines; a seeded picture
 * must not. Accuracy is about 1e-14 relative (absolute for sine and cosine). Plain
 * series in IEEE double, so the compiler must not fuse multiply-adds: gcc -std=c11
 * does not, clang is told below. */
#ifndef LP_DETMATH_H
#define LP_DETMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

/* x * 2^n for a normal result. */
static inline double lp_det_ldexp(double x, int n)
{
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double p;

    memcpy(&p, &bits, sizeof p);
    return x * p;
}

/* e^x for |x| <= 700 (clamped beyond). */
static inline double lp_det_exp(double x)
{
    double n, r, s = 1.0;
    int k;

    x = x < -700.0 ? -700.0 : x > 700.0 ? 700.0 : x;
    n = floor(x * 1.4426950408889634 + 0.5);
    r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    for (k = 13; k >= 1; k--) s = 1.0 + s * r / k; /* |r| <= 0.35: next term < 1e-17 */
    return lp_det_ldexp(s, (int)n);
}

/* Natural logarithm of a normal x > 0. */
static inline double lp_det_log(double x)
{
    uint64_t bits;
    double m, t, t2, s = 0.0;
    int e, k;

    memcpy(&bits, &x, sizeof bits);
    e = (int)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) m *= 0.5, e++;
    t = (m - 1.0) / (m + 1.0); /* |t| <= 0.172: log m = 2 atanh t */
    t2 = t * t;
    for (k = 19; k >= 1; k -= 2) s = s * t2 + 1.0 / k;
    return e * 6.93147180369123816490e-01 + (e * 1.90821492927058770002e-10 + 2.0 * t * s);
}

/* Sine and cosine of 2 pi t (t in turns, |t| < 1e9). */
static inline void lp_det_sincos(double t, double *sn, double *cs)
{
    double q, r, r2, s, c;

    t -= floor(t);
    q = floor(t * 4.0 + 0.5);
    r = (t - q * 0.25) * 6.283185307179586; /* |r| <= pi/4 */
    r2 = r * r;
    s = 1.0 - r2 / 156.0 * (1.0 - r2 / 210.0);
    s = 1.0 - r2 / 72.0 * (1.0 - r2 / 110.0 * s);
    s = r * (1.0 - r2 / 6.0 * (1.0 - r2 / 20.0 * (1.0 - r2 / 42.0 * s)));
    c = 1.0 - r2 / 132.0 * (1.0 - r2 / 182.0 * (1.0 - r2 / 240.0));
    c = 1.0 - r2 / 2.0 *
                  (1.0 - r2 / 12.0 * (1.0 - r2 / 30.0 * (1.0 - r2 / 56.0 * (1.0 - r2 / 90.0 * c))));
    switch ((int)q & 3) {
    case 0:
        *sn = s, *cs = c;
        break;
    case 1:
        *sn = c, *cs = -s;
        break;
    case 2:
        *sn = -s, *cs = -c;
        break;
    default:
        *sn = -c, *cs = s;
    }
}

#endif
