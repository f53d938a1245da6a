/* merge_random.h - what many diameters see of one random scene: discs that touch and overlap, some
 * found by some diameters only, grown, shrunk, cut in two, or merged with a neighbour. */
#ifndef LP_TEST_MERGE_RANDOM_H
#define LP_TEST_MERGE_RANDOM_H

#include "../lp_test.h"

#include "host/layers.h"
#include "host/rng.h"

static inline void random_disc(uint32_t *lb, int Ly, int Lx, double cy, double cx, double r,
                               uint32_t l)
{
    int y, x, y0 = cy - r < 0 ? 0 : (int)(cy - r), x0 = cx - r < 0 ? 0 : (int)(cx - r);

    for (y = y0; y < Ly && y <= cy + r; y++)
        for (x = x0; x < Lx && x <= cx + r; x++)
            if ((y - cy) * (y - cy) + (x - cx) * (x - cx) < r * r) lb[(size_t)y * Lx + x] = l;
}

/* n layers of about `count` discs each, radii 0.5 to `most`. The caller frees. */
static inline lp_layers *random_layers(uint64_t seed, int Ly, int Lx, int n, int count, double most)
{
    size_t n_px = (size_t)Ly * Lx;
    uint32_t *lb = malloc(n_px * sizeof *lb);
    float *prob = malloc(n_px * sizeof *prob), *error = malloc((size_t)count * 2 * sizeof *error);
    double(*disc)[3] = malloc((size_t)count * sizeof *disc);
    lp_layers *s = NULL;
    lp_rng r;
    int i, k;
    size_t p;

    assert_true(lb && prob && error && disc);
    assert_int_equal(lp_layers_new(Ly, Lx, &s, NULL), LP_OK);
    lp_rng_init(&r, seed, 0, 0);
    for (k = 0; k < count; k++) {
        disc[k][0] = lp_rng_range(&r, 0, Ly);
        disc[k][1] = lp_rng_range(&r, 0, Lx);
        disc[k][2] = lp_rng_range(&r, 0.5, most);
    }
    for (i = 0; i < n; i++) {
        double d = 8 * pow(1.25, i);

        memset(lb, 0, n_px * sizeof *lb);
        for (k = 0; k < count; k++) {
            double grow = lp_rng_range(&r, 0.85, 1.15), u = lp_rng_uniform(&r);
            uint32_t l = (uint32_t)(u < 0.1 && k ? k : k + 1);

            if (u > 0.75) continue;
            random_disc(lb, Ly, Lx, disc[k][0], disc[k][1], grow * disc[k][2], l);
            if (u > 0.65)
                random_disc(lb, Ly, Lx, disc[k][0], disc[k][1] + disc[k][2], disc[k][2],
                            (uint32_t)(count + k + 1));
        }
        for (p = 0; p < n_px; p++) prob[p] = (float)lp_rng_range(&r, -3, 6);
        for (k = 0; k < 2 * count; k++)
            error[k] = lp_rng_uniform(&r) < 0.1 ? NAN : (float)lp_rng_range(&r, 0, 0.9);
        assert_int_equal(lp_layers_add(s, d, lb, 2 * (uint32_t)count, i % 4 == 3 ? NULL : error,
                                       i % 5 == 4 ? NULL : prob, NULL),
                         LP_OK);
    }
    free(lb);
    free(prob);
    free(error);
    free(disc);
    return s;
}

#endif
