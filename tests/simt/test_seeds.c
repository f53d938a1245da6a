/* lp_seeds_*_cuda against their twins: the same bits. */
#include "kernels/seeds.h"

#include "../lp_scene.h"
#include "kernels/follow.h"
#include "simt_test.h"

/* Ends that gather around `places`, many of them in as many pixels as others. */
static void gather(uint32_t *end, int Ly, int Lx, int places, uint64_t *seed)
{
    const size_t n = (size_t)Ly * (size_t)Lx;
    size_t i;

    for (i = 0; i < n; i++) {
        const uint32_t place = lp_rand(seed) % (uint32_t)places;
        const int y = (int)(place * 2654435761u % (uint32_t)Ly) + (int)(lp_rand(seed) % 4);
        const int x = (int)(place * 40503u % (uint32_t)Lx) + (int)(lp_rand(seed) % 3);

        end[i] = y < Ly && x < Lx ? (uint32_t)(y * Lx + x) : LP_FOLLOW_NONE;
        if (i % 40 > 20) end[i] = end[i - 1];
    }
}

static void same(const uint32_t *end, int Ly, int Lx, uint32_t *found)
{
    const size_t n = (size_t)Ly * (size_t)Lx, bytes = lp_seeds_scratch_cuda(Ly, Lx);
    const uint32_t most = lp_seeds_most_cuda(Ly, Lx);
    float *h = lp_guard_new(n), *m = lp_guard_new(n), *seeds = lp_guard_new(2 * (size_t)most);
    float *scratch = lp_guard_new((bytes + 3) / 4);
    uint32_t *want = malloc(n * sizeof *want), k = 12345, k_want;
    uint64_t *want_seeds = malloc(((size_t)most + 1) * sizeof *want_seeds);

    assert_true(want && want_seeds);
    assert_int_equal(lp_seeds_histogram_cuda((uint32_t *)h, end, Ly, Lx, NULL), 0);
    lp_seeds_histogram_ref(want, end, Ly, Lx);
    assert_memory_equal(h, want, n * sizeof *want);
    k_want = lp_seeds_find_ref(want_seeds, most, want, Ly, Lx);
    assert_true(k_want <= most);
    assert_int_equal(lp_seeds_list_cuda((uint64_t *)seeds, &k, want, Ly, Lx, scratch, NULL), 0);
    assert_int_equal(k, k_want);
    assert_int_equal(lp_seeds_sort_cuda((uint64_t *)seeds, k, Ly, Lx, scratch, NULL), 0);
    assert_memory_equal(seeds, want_seeds, k * sizeof *want_seeds);
    assert_int_equal(lp_seeds_grow_cuda((uint32_t *)m, (uint32_t *)h, want_seeds, k, Ly, Lx, NULL),
                     0);
    lp_seeds_grow_ref(want, (uint32_t *)h, want_seeds, k, Ly, Lx);
    assert_memory_equal(m, want, n * sizeof *want);
    lp_guard_check(h, n);
    lp_guard_check(m, n);
    lp_guard_check(seeds, 2 * (size_t)most);
    lp_guard_check(scratch, (bytes + 3) / 4);
    lp_guard_free(h);
    lp_guard_free(m);
    lp_guard_free(seeds);
    lp_guard_free(scratch);
    free(want);
    free(want_seeds);
    *found = k;
}

static void sizes(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 12}, {13, 7}, {64, 33}, {225, 223}};
    uint64_t seed = 9;
    size_t k;

    (void)state;
    for (k = 0; k < sizeof size / sizeof *size; k++) {
        const int Ly = size[k][0], Lx = size[k][1];
        const size_t n = (size_t)Ly * (size_t)Lx;
        uint32_t *end = malloc(n * sizeof *end), found, most = 0;
        int places;

        assert_non_null(end);
        for (places = 1; places < 2000; places *= 6) {
            gather(end, Ly, Lx, places, &seed);
            if (places < 200)
                same(end, Ly, Lx, &found);
            else
                SIMT_SEEDS(s) same(end, Ly, Lx, &found);
            if (found > most) most = found;
        }
        if (n > 50000) assert_true(most > 300);
        memset(end, 0xff, n * sizeof *end);
        same(end, Ly, Lx, &found);
        assert_int_equal(found, 0);
        memset(end, 0, n * sizeof *end);
        same(end, Ly, Lx, &found);
        assert_int_equal(found, n > 10);
        free(end);
    }
}

/* As many as there can be, all of the same count, so that only pixels order them; and a plateau. */
static void equal_counts(void **state)
{
    static const uint32_t side[] = {66, 225}; /* few and many */
    size_t k;

    (void)state;
    for (k = 0; k < sizeof side / sizeof *side; k++) {
        const uint32_t L = side[k], n = L * L;
        uint32_t *end = malloc(n * sizeof *end), found, i;

        assert_non_null(end);
        for (i = 0; i < n; i++) end[i] = i / 11 * 7 % n;
        same(end, (int)L, (int)L, &found);
        assert_true(found > 30);
        for (i = 0; i < n; i++) end[i] = i < n / 11 * 11 ? i % (n / 11) : LP_FOLLOW_NONE;
        same(end, (int)L, (int)L, &found);
        assert_int_equal(found, n / 11);
        free(end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(equal_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
