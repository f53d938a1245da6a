/* Merging over diameters: what must hold for any masks. */
#include "merge_scene.h"

#include <omp.h>

#include "host/rng.h"

/* Scenes as a network gives them: each diameter sees most particles near its size, shifted and
 * resized a little, later ones over earlier ones, and some that are not there. */
enum { N_SCENE = 9 };
static double scene_diameter(int i)
{
    return 10 * pow(1.25, i);
}
static uint32_t scene_labels(uint32_t *lb, int seed, int i)
{
    lp_rng place, own;
    uint32_t n = 0;
    int k;

    lp_rng_init(&place, (uint64_t)seed, 0, 0);
    lp_rng_init(&own, (uint64_t)seed, 1, (uint32_t)i);
    memset(lb, 0, NPX * sizeof *lb);
    for (k = 0; k < 24; k++) {
        double cy = lp_rng_uniform(&place) * LY, cx = lp_rng_uniform(&place) * LX;
        double r = 4 + 16 * lp_rng_uniform(&place), fit = fabs(log(2 * r / scene_diameter(i)));

        if (lp_rng_uniform(&own) < fit - 0.2) continue;
        disc(lb, cy + 2 * lp_rng_uniform(&own), cx + 2 * lp_rng_uniform(&own),
             r * (0.9 + 0.2 * lp_rng_uniform(&own)), ++n);
    }
    return n;
}
static lp_layers *scene(int seed, int backwards)
{
    static uint32_t lb[NPX];
    lp_layers *s = layers_new();
    int i;

    for (i = 0; i < N_SCENE; i++) {
        int k = backwards ? (i * 5 + 7) % N_SCENE : i;

        add(s, scene_diameter(k), lb, scene_labels(lb, seed, k));
    }
    return s;
}

static void same(const lp_merged *a, const lp_merged *b)
{
    uint32_t l;

    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->masks, b->masks, NPX * sizeof *a->masks);
    for (l = 0; l < a->n; l++) {
        const lp_merged_particle *p = &a->particle[l], *q = &b->particle[l];

        assert_true(p->support == q->support && p->level == q->level);
        assert_int_equal(p->n_diameters, q->n_diameters);
        assert_true(p->diameter_min == q->diameter_min && p->diameter_max == q->diameter_max);
    }
}

static void lower_threshold_only_adds(void **state)
{
    int method, seed, k;

    (void)state;
    for (method = 0; method < 3; method++)
        for (seed = 1; seed <= 6; seed++) {
            lp_layers *s = scene(seed, 0);
            lp_merged high = {0};
            uint32_t most = 0;

            for (k = 40; k >= 0; k--) {
                lp_merge_options o = options((lp_merge_method)method, k * 0.2);
                lp_merged low = merge(s, &o);
                uint32_t l;
                int i;

                assert_true(low.n >= high.n);
                for (i = 0; high.masks && i < NPX; i++) {
                    if (high.masks[i]) assert_int_equal(low.masks[i], high.masks[i]);
                    if (low.masks[i] && low.masks[i] <= high.n)
                        assert_int_equal(low.masks[i], high.masks[i]);
                }
                for (l = 0; l < high.n; l++)
                    assert_true(low.particle[l].support == high.particle[l].support);
                lp_merged_free(&high);
                high = low;
                most = low.n;
            }
            assert_true(most > 5);
            lp_merged_free(&high);
            lp_layers_free(&s);
        }
}

static void empty_top_level(void **state)
{
    int method;

    (void)state;
    for (method = 0; method < 3; method++) {
        lp_layers *s = scene(3, 0);
        lp_merge_options a = options((lp_merge_method)method, NAN), b;
        lp_merged x, y;

        a.n_levels = 3;
        a.levels[0] = 6;
        a.levels[1] = 2;
        a.levels[2] = 0;
        b = a;
        b.n_levels = 4;
        b.levels[0] = 1000;
        memcpy(b.levels + 1, a.levels, 3 * sizeof *a.levels);
        x = merge(s, &a);
        y = merge(s, &b);
        assert_true(x.n > 5);
        same(&x, &y);
        lp_merged_free(&x);
        lp_merged_free(&y);
        lp_layers_free(&s);
    }
}

static void order_and_threads(void **state)
{
    int method, seed, before = omp_get_max_threads();

    (void)state;
    for (method = 0; method < 3; method++)
        for (seed = 1; seed <= 4; seed++) {
            lp_layers *s = scene(seed, 0), *r = scene(seed, 1);
            lp_merge_options o = options((lp_merge_method)method, NAN);
            lp_merged a, b;

            omp_set_num_threads(1);
            a = merge(s, &o);
            omp_set_num_threads(3);
            b = merge(r, &o);
            omp_set_num_threads(before);
            same(&a, &b);
            lp_merged_free(&a);
            lp_merged_free(&b);
            lp_layers_free(&s);
            lp_layers_free(&r);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_threshold_only_adds),
        cmocka_unit_test(empty_top_level),
        cmocka_unit_test(order_and_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
