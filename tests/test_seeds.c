/* Peaks and basins of the histogram of end positions, and labels from them. */
#include <omp.h>

#include "kernels/follow.h"
#include "kernels/label.h"
#include "kernels/relabel.h"
#include "kernels/seeds.h"
#include "lp_h5.h"
#include "lp_scene.h"

/* Out of line: gcc otherwise warns of sizes that cannot occur. */
static __attribute__((noinline)) uint32_t *guarded(size_t n)
{
    return (uint32_t *)lp_guard_new(n);
}

/* Both versions agree on everything for this end map; returns the basins (guarded). */
static uint32_t *basins(const uint32_t *end, int Ly, int Lx, uint32_t *n_out)
{
    size_t n = (size_t)Ly * Lx;
    uint32_t *h = guarded(n), *h2 = guarded(n);
    uint32_t *m = guarded(n), *m2 = guarded(n);
    uint32_t ns;
    uint64_t *s, *s2;

    lp_seeds_histogram_ref(h, end, Ly, Lx);
    lp_seeds_histogram_cpu(h2, end, Ly, Lx);
    assert_memory_equal(h, h2, n * sizeof *h);
    ns = lp_seeds_find_ref(NULL, 0, h, Ly, Lx);
    assert_int_equal(lp_seeds_find_cpu(NULL, 0, h, Ly, Lx), ns);
    assert_true(ns <= n / 11);
    s = malloc((ns + (size_t)1) * sizeof *s);
    s2 = malloc((ns + (size_t)1) * sizeof *s);
    assert_true(s && s2);
    lp_seeds_find_ref(s, ns, h, Ly, Lx);
    lp_seeds_find_cpu(s2, ns, h, Ly, Lx);
    assert_memory_equal(s, s2, ns * sizeof *s);
    lp_seeds_grow_ref(m, h, s, ns, Ly, Lx);
    lp_seeds_grow_cpu(m2, h, s, ns, Ly, Lx);
    assert_memory_equal(m, m2, n * sizeof *m);
    lp_guard_check((float *)h, n);
    lp_guard_check((float *)h2, n);
    lp_guard_check((float *)m, n);
    lp_guard_check((float *)m2, n);
    lp_guard_free((float *)h);
    lp_guard_free((float *)h2);
    lp_guard_free((float *)m2);
    free(s);
    free(s2);
    *n_out = ns;
    return m;
}

static void golden(void **state)
{
    LP_NEED_DATA(path, "golden/stages.h5");
    hsize_t dims[8], d2[8];
    uint32_t *inds = lp_h5_u32(path, "inds", d2), *want = lp_h5_u32(path, "masks_from_seeds", dims);
    float *p = lp_h5_float(path, "follow_niter200_interp1", d2);
    int Ly = (int)dims[0], Lx = (int)dims[1];
    size_t plane = (size_t)Ly * Lx, n = d2[1], i;
    uint32_t *end = malloc(plane * sizeof *end), *m, *map, ns, l;
    lp_label_info *info;
    uint64_t *scratch;

    (void)state;
    assert_non_null(end);
    for (i = 0; i < plane; i++) end[i] = LP_FOLLOW_NONE;
    for (i = 0; i < n; i++)
        end[(size_t)inds[i] * Lx + inds[n + i]] =
            (uint32_t)p[i] * (uint32_t)Lx + (uint32_t)p[n + i];
    m = basins(end, Ly, Lx, &ns);
    lp_label_ref(end, end, m, Ly, Lx);
    info = malloc((ns + (size_t)1) * sizeof *info);
    map = malloc((ns + (size_t)1) * sizeof *map);
    scratch = malloc((ns + (size_t)1) * sizeof *scratch);
    assert_true(info && map && scratch);
    lp_relabel_info_ref(info, ns, end, Ly, Lx);
    for (l = 0; l <= ns; l++) map[l] = info[l].count <= 0.4 * Ly * Lx;
    lp_relabel_order_ref(map, ns, info, scratch);
    lp_relabel_apply_ref(end, map, Ly, Lx);
    /* Upstream sorts equal counts in no particular order; here every pixel agrees. */
    for (i = 0; i < plane; i++) assert_int_equal(end[i], want[i]);
    free(scratch);
    free(map);
    free(info);
    lp_guard_free((float *)m);
    free(end);
    free(p);
    free(want);
    free(inds);
}

static void random_ends(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 60}, {60, 1}, {7, 13}, {120, 75}, {5, 5}};
    uint64_t seed = 3;
    int before = omp_get_max_threads(), t;
    size_t k, i;

    (void)state;
    for (k = 0; k < sizeof size / sizeof size[0]; k++) {
        int Ly = size[k][0], Lx = size[k][1];
        size_t n = (size_t)Ly * Lx;
        uint32_t *end = malloc(n * sizeof *end), *m, ns;

        assert_non_null(end);
        for (t = 1; t <= 8; t++) {
            omp_set_num_threads(t);
            /* A few attractors, many equal counts, many at the border. */
            for (i = 0; i < n; i++) {
                uint32_t v = lp_rand(&seed);

                end[i] = v % 4 == 0 ? LP_FOLLOW_NONE : (uint32_t)(v / 4 % (n / 9 + 1) * 9 % n);
                if (v % 4 == 3) end[i] = (uint32_t)(n - 1 - v / 4 % 3 % n);
            }
            m = basins(end, Ly, Lx, &ns);
            lp_guard_free((float *)m);
        }
        free(end);
    }
    omp_set_num_threads(before);
}

/* The rules themselves, on one row where they can be counted by hand. */
static void rules(void **state)
{
    enum { L = 150 };
    uint32_t end[L], *m, ns, i, k = 0;
    static const struct {
        uint32_t at, count;
    } hist[] = {{2, 10}, {20, 11}, {21, 3}, {22, 2}, {30, 12}, {31, 12}, {33, 3}, {60, 13},
                {61, 4}, {80, 20}, {81, 3}, {82, 3}, {83, 3},  {84, 3},  {85, 3}, {86, 3}};

    (void)state;
    for (i = 0; i < L; i++) end[i] = LP_FOLLOW_NONE;
    for (i = 0; i < sizeof hist / sizeof hist[0]; i++) {
        uint32_t c;

        for (c = 0; c < hist[i].count; c++) end[k++] = hist[i].at;
    }
    m = basins(end, 1, L, &ns);
    assert_int_equal(ns, 5); /* 10 is too few; both of two equal neighbours count */
    assert_int_equal(m[2], 0);
    assert_int_equal(m[20], 1); /* fewest first */
    assert_int_equal(m[21], 1); /* more than 2 joins */
    assert_int_equal(m[22], 0);
    assert_int_equal(m[30], 3); /* of equal counts the later pixel overwrites */
    assert_int_equal(m[31], 3);
    assert_int_equal(m[33], 0); /* not connected */
    assert_int_equal(m[61], 4);
    assert_int_equal(m[85], 5); /* five rounds reach five pixels */
    assert_int_equal(m[86], 0);
    lp_guard_free((float *)m);
}

static void resize_like_opencv(void **state)
{
    /* cv2.resize(np.arange(n, dtype=uint16)[None], (n2, 1), interpolation=INTER_NEAREST) */
    static const uint32_t in[] = {0, 1, 2, 3, 4, 5, 6};
    static const uint32_t up[] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6};
    static const uint32_t down[] = {0, 2, 4};
    uint32_t out[26];

    (void)state;
    lp_label_resize_ref(out, in, 1, 7, 1, 13);
    assert_memory_equal(out, up, sizeof up);
    lp_label_resize_ref(out, in, 1, 7, 1, 3);
    assert_memory_equal(out, down, sizeof down);
    lp_label_resize_ref(out, in, 7, 1, 13, 2);
    assert_int_equal(out[24], 6);
    assert_int_equal(out[25], 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(random_ends),
        cmocka_unit_test(rules),
        cmocka_unit_test(resize_like_opencv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
