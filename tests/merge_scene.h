/* merge_scene.h - small scenes to merge, and a merge that checks what always holds. */
#ifndef LP_TEST_MERGE_SCENE_H
#define LP_TEST_MERGE_SCENE_H

#include "lp_test.h"

#include "host/merge.h"

enum { LY = 120, LX = 140, NPX = LY * LX };

static inline void disc(uint32_t *lb, double cy, double cx, double r, uint32_t l)
{
    int y, x;

    for (y = 0; y < LY; y++)
        for (x = 0; x < LX; x++)
            if ((y - cy) * (y - cy) + (x - cx) * (x - cx) < r * r) lb[y * LX + x] = l;
}

static inline lp_layers *layers_new(void)
{
    lp_layers *s = NULL;

    assert_int_equal(lp_layers_new(LY, LX, &s, NULL), LP_OK);
    return s;
}

static inline void add(lp_layers *s, double d, const uint32_t *lb, uint32_t n)
{
    assert_int_equal(lp_layers_add(s, d, lb, n, NULL, NULL, NULL), LP_OK);
}

static inline lp_merge_options options(lp_merge_method m, double t)
{
    lp_merge_options o = lp_merge_defaults();

    o.method = m;
    o.threshold = t;
    return o;
}

/* What a merge makes of no layers, of empty ones, and of labels without pixels, by every method. */
static inline void scenes_of_nothing(void (*check)(const lp_layers *s, const lp_merge_options *o))
{
    static uint32_t none[NPX];
    int method;

    for (method = 0; method < 3; method++) {
        lp_layers *s = layers_new();
        lp_merge_options o = options((lp_merge_method)method, NAN);

        check(s, &o);
        add(s, 30, none, 0);
        add(s, 40, none, 3);
        check(s, &o);
        lp_layers_free(&s);
    }
}

static inline lp_merged merge(const lp_layers *s, const lp_merge_options *o)
{
    lp_merged m = {0};
    uint32_t *seen, l;
    lp_err err;
    int i;

    if (lp_merge(s, o, &m, &err)) fail_msg("%s", err.msg);
    /* Every particle has pixels, every label a particle. */
    seen = calloc(m.n + (size_t)1, sizeof *seen);
    assert_non_null(seen);
    for (i = 0; i < m.Ly * m.Lx; i++) {
        assert_true(m.masks[i] <= m.n);
        seen[m.masks[i]]++;
    }
    for (l = 1; l <= m.n; l++) assert_true(seen[l] > 0);
    free(seen);
    for (l = 0; l < m.n; l++) {
        const lp_merged_particle *p = &m.particle[l];

        assert_true(p->support > p->level && p->n_diameters > 0);
        assert_true(p->diameter_min <= p->diameter_max);
        if (l) assert_true(p[-1].level >= p->level);
    }
    return m;
}

#endif
