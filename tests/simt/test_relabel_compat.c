/* lp_relabel_miscount_cuda and lp_relabel_rank_cuda against their twins, and by hand. */
#include "kernels/relabel_compat.h"

#include "../lp_scene.h"
#include "simt_test.h"

/* info [n + 1] with these counts. */
static void same(const lp_label_info *info, uint32_t n, uint32_t min_size)
{
    const size_t room = lp_relabel_compat_scratch_cuda(n) / sizeof(float);
    float *got = lp_guard_new((size_t)n + 1), *scratch = lp_guard_new(room);
    uint32_t *map = (uint32_t *)(void *)got, kept = 99, l;
    uint32_t *want = malloc(((size_t)n + 1) * sizeof *want), want_kept;

    assert_non_null(want);
    lp_relabel_miscount_ref(want, info, n, min_size);
    assert_int_equal(lp_relabel_miscount_cuda(map, info, n, min_size, scratch, NULL), 0);
    assert_memory_equal(map, want, (n + (size_t)1) * sizeof *want);
    for (l = 0; l <= n; l += 3) want[l] = map[l] = l % 2; /* to be ignored at 0 */
    want_kept = lp_relabel_rank_ref(want, n, info);
    assert_int_equal(lp_relabel_rank_cuda(map, &kept, n, info, scratch, NULL), 0);
    assert_memory_equal(map, want, (n + (size_t)1) * sizeof *want);
    assert_int_equal(kept, want_kept);
    lp_guard_check(got, (size_t)n + 1);
    lp_guard_check(scratch, room);
    lp_guard_free(got);
    lp_guard_free(scratch);
    free(want);
}

static void random_labels(void **state)
{
    static const uint32_t most[] = {0, 1, 2, 31, 255, 256, 257, 5000};
    uint64_t seed = 3;
    size_t k;

    (void)state;
    for (k = 0; k < sizeof most / sizeof *most; k++) {
        const uint32_t n = most[k];
        lp_label_info *info = calloc((size_t)n + 1, sizeof *info);
        uint32_t l, absent;

        assert_non_null(info);
        for (absent = 1; absent < 30; absent *= 3) {
            for (l = 0; l <= n; l++)
                info[l].count = lp_rand(&seed) % absent ? 0 : 1 + lp_rand(&seed) % 40;
            SIMT_SEEDS(s) same(info, n, 15);
        }
        free(info);
    }
}

/* Label 2 is small, but the third label present is 3: that goes. */
static void by_hand(void **state)
{
    lp_label_info info[5] = {
        {.count = 900}, {.count = 0}, {.count = 3}, {.count = 50}, {.count = 60}};
    uint32_t map[5], kept;
    float scratch[64];

    (void)state;
    assert_true(sizeof scratch >= lp_relabel_compat_scratch_cuda(4));
    lp_relabel_miscount_ref(map, info, 4, 15);
    assert_int_equal(map[1], 0); /* the 1st label present is 2 */
    assert_int_equal(map[2], 2);
    info[1].count = 20;
    info[2].count = 0;
    info[3].count = 3; /* the 2nd present */
    assert_int_equal(lp_relabel_miscount_cuda(map, info, 4, 15, scratch, NULL), 0);
    assert_int_equal(map[1], 1);
    assert_int_equal(map[2], 0);
    assert_int_equal(map[3], 3);
    assert_int_equal(map[4], 4);
    assert_int_equal(lp_relabel_rank_cuda(map, &kept, 4, info, scratch, NULL), 0);
    assert_int_equal(kept, 3);
    assert_int_equal(map[3], 2);
    assert_int_equal(map[4], 3);
    info[0].count = 0; /* no background: all numbers are one less, and none below 1 goes */
    info[1].count = 3;
    assert_int_equal(lp_relabel_miscount_cuda(map, info, 4, 15, scratch, NULL), 0);
    assert_int_equal(map[0], 0);
    assert_int_equal(map[1], 0); /* for label 3 */
    assert_int_equal(map[3], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand), cmocka_unit_test(random_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
