/* lp_scene - seeded random numbers, and particles with the flows they should have. */
#ifndef LP_SCENE_H
#define LP_SCENE_H

#include "kernels/diffuse.h"
#include "lp_test.h"

static inline uint32_t lp_rand(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*s >> 32);
}

static inline float lp_rand_float(uint64_t *s, float lo, float hi)
{
    return lo + (hi - lo) * (float)lp_rand(s) / 4294967296.0f;
}

/* Draws label l as a disc wherever it is inside the image. */
static inline void lp_scene_disc(uint32_t *labels, int Ly, int Lx, uint32_t l, double cy, double cx,
                                 double r)
{
    int y, x;

    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++)
            if ((y - cy) * (y - cy) + (x - cx) * (x - cx) <= r * r) labels[(size_t)y * Lx + x] = l;
}

/* What a perfect network would say of labels 0..n: flows [2][Ly][Lx] (5.0 is one pixel
 * per step) and cellprob [Ly][Lx], +-3. Both freed by the caller. */
static inline void lp_scene_network(const uint32_t *labels, uint32_t n, int Ly, int Lx,
                                    float **flows, float **cellprob)
{
    size_t plane = (size_t)Ly * Lx, i;
    lp_label_info *info = malloc((n + (size_t)1) * sizeof *info);
    void *scratch;

    assert_non_null(info);
    lp_relabel_info_ref(info, n, labels, Ly, Lx);
    scratch = malloc(lp_diffuse_scratch(info, n, 2) + 1);
    *flows = malloc(2 * plane * sizeof(float));
    *cellprob = malloc(plane * sizeof(float));
    assert_true(scratch && *flows && *cellprob);
    lp_diffuse_cpu(*flows, labels, info, n, Ly, Lx, 2, scratch);
    for (i = 0; i < 2 * plane; i++) (*flows)[i] *= 5;
    for (i = 0; i < plane; i++) (*cellprob)[i] = labels[i] ? 3.0f : -3.0f;
    free(scratch);
    free(info);
}

#endif
