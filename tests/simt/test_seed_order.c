/* lp_seed_order_cuda against its twin: the same order of equal counts. */
#include "kernels/seed_order.h"

#include "../lp_scene.h"
#include "simt_test.h"

static uint64_t seed_of(uint32_t count, size_t pixel)
{
    return (uint64_t)count << 32 | (uint64_t)pixel;
}

/* Returns whether it is another order than that by count and pixel. */
static int same(const uint64_t *seeds, uint32_t n)
{
    const size_t room = lp_seed_order_scratch_cuda(n) / sizeof(float);
    float *got = lp_guard_new(2 * (size_t)n), *scratch = lp_guard_new(room);
    uint64_t *want = malloc(((size_t)n + 1) * sizeof *want);
    int unstable = 0;
    uint32_t k;

    assert_non_null(want);
    memcpy(want, seeds, n * sizeof *want);
    memcpy(got, seeds, n * sizeof *want);
    lp_seed_order_ref(want, n);
    assert_int_equal(lp_seed_order_cuda((uint64_t *)(void *)got, n, scratch, NULL), 0);
    assert_memory_equal(got, want, n * sizeof *want);
    for (k = 1; k < n; k++) unstable |= want[k] < want[k - 1];
    lp_guard_check(got, 2 * (size_t)n);
    lp_guard_check(scratch, room);
    lp_guard_free(got);
    lp_guard_free(scratch);
    free(want);
    return unstable;
}

/* Of `counts` different counts. */
static void random_counts(void **state)
{
    static const uint32_t length[] = {0,  1,  2,   3,    15,   16,   17,   18,
                                      33, 64, 300, 1025, 4097, 9000, 32767};
    uint64_t seed = 5;
    size_t k;

    (void)state;
    for (k = 0; k < sizeof length / sizeof *length; k++) {
        const uint32_t n = length[k];
        uint64_t *seeds = malloc(((size_t)n + 1) * sizeof *seeds);
        uint32_t counts, i;
        int unstable = 0;

        assert_non_null(seeds);
        for (counts = 1; counts < 100000; counts *= 9) {
            for (i = 0; i < n; i++) seeds[i] = seed_of(11 + lp_rand(&seed) % counts, 3 * i);
            if (n < 2000)
                SIMT_SEEDS(s) unstable |= same(seeds, n);
            else
                unstable |= same(seeds, n);
        }
        assert_true(unstable == (n > 16));
        free(seeds);
    }
}

static void shapes(void **state)
{
    enum { N = 700 };
    uint64_t seeds[N];
    int shape;
    uint32_t i;

    (void)state;
    for (shape = 0; shape < 5; shape++) {
        for (i = 0; i < N; i++) {
            const uint32_t count[] = {i, N - i, i < N / 2 ? i : N - i, i % 2 ? i : N - i, i / 40};

            seeds[i] = seed_of(20 + count[shape], 7 * (size_t)i);
        }
        same(seeds, N);
    }
}

/* Counts that give the worst median each time (Musser's killer sequence), so that std::sort gives
 * quicksort up; the last ones are equal, where a stable order shows. */
static void worst_medians(void **state)
{
    enum { K = 300, N = 2 * K };
    uint64_t seeds[N], want[N];
    uint32_t i;

    (void)state;
    for (i = 1; i <= K; i++) {
        seeds[i - 1] = seed_of(10 + (i % 2 ? i : K + i - 1), i - 1);
        seeds[K + i - 1] = seed_of(10 + 2 * i, K + i - 1);
    }
    for (i = N - 40; i < N; i++) seeds[i] = seed_of(5000, i);
    assert_int_equal(same(seeds, N), 0); /* no ties but at the end, in order */
    memcpy(want, seeds, sizeof want);
    lp_seed_order_ref(want, N);
    for (i = N - 40; i < N; i++) assert_true((uint32_t)want[i] == i);
}

static void refusals(void **state)
{
    uint64_t one = 7;

    (void)state;
    assert_int_not_equal(lp_seed_order_cuda(&one, LP_SEED_ORDER_STABLE, NULL, NULL), 0);
    assert_true(one == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_counts), cmocka_unit_test(shapes),
                                       cmocka_unit_test(worst_medians), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
