#include "rng.h"

#include <math.h>

#include "detmath.h"

void lp_rng_init(lp_rng *r, uint64_t seed, uint32_t stream, uint32_t sub)
{
    *r = (lp_rng){.seed = seed, .stream = stream, .sub = sub};
}

static void block(uint64_t seed, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t out[4])
{
    const uint32_t ctr[4] = {a, b, c, d}, key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};

    lp_rng_philox(ctr, key, out);
}

double lp_rng_uniform(lp_rng *r)
{
    uint32_t w[4];

    block(r->seed, (uint32_t)r->next, (uint32_t)(r->next >> 32), r->sub, r->stream, w);
    r->next++;
    return lp_rng_unit(w[0], w[1]);
}

double lp_rng_range(lp_rng *r, double lo, double hi)
{
    return lo + (hi - lo) * lp_rng_uniform(r);
}

/* Two independent normals from two uniforms (Box and Muller 1958). */
static void box_muller(double u, double v, double out[2])
{
    double m = sqrt(-2.0 * lp_det_log(u)), s, c;

    lp_det_sincos(v, &s, &c);
    out[0] = m * c;
    out[1] = m * s;
}

double lp_rng_normal(lp_rng *r)
{
    double z[2], u;

    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    u = lp_rng_uniform(r);
    box_muller(u, lp_rng_uniform(r), z);
    r->spare = z[1];
    r->has_spare = 1;
    return z[0];
}

/* Smallest k with P(X <= k) >= u. */
static int invert_poisson(double mean, double u)
{
    double p = lp_det_exp(-mean), sum = p;
    int k = 0;

    while (u > sum && k < 200) {
        k++;
        p *= mean / k;
        sum += p;
    }
    return k;
}

int lp_rng_count(lp_rng *r, double mean)
{
    return invert_poisson(mean > 30.0 ? 30.0 : mean, lp_rng_uniform(r));
}

void lp_rng_normal_at(uint64_t seed, uint32_t stream, int32_t y, int32_t x, double out[2])
{
    uint32_t w[4];

    block(seed, (uint32_t)x, (uint32_t)y, 0, stream, w);
    box_muller(lp_rng_unit(w[0], w[1]), lp_rng_unit(w[2], w[3]), out);
}

double lp_rng_poisson_at(uint64_t seed, uint32_t stream, int32_t y, int32_t x, double mean)
{
    uint32_t w[4];
    double z[2], k;

    if (!(mean > 0.0)) return 0.0;
    block(seed, (uint32_t)x, (uint32_t)y, 0, stream, w);
    if (mean < 16.0) return invert_poisson(mean, lp_rng_unit(w[0], w[1]));
    box_muller(lp_rng_unit(w[0], w[1]), lp_rng_unit(w[2], w[3]), z);
    k = floor(mean + sqrt(mean) * z[0] + (z[0] * z[0] - 1.0) / 6.0 + 0.5);
    return k > 0.0 ? k : 0.0;
}
