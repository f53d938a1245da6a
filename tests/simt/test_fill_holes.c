/* lp_fill_holes_cuda and lp_fill_holes_over_cuda against their twin: nested masks, holes of several
 * masks at once, boxes of every size. */
#include "kernels/fill_holes.h"

#include "../lp_scene.h"
#include "simt_test.h"

static int most_rounds; /* of any call */

static int over(uint32_t *labels, const lp_label_info *info, uint32_t n, int Ly, int Lx,
                void *scratch)
{
    uint32_t changed = 1;
    int rounds = 0, e = 0;

    while (changed && !e && rounds <= (int)n + 1) {
        e = lp_fill_holes_over_cuda(labels, &changed, info, n, Ly, Lx, scratch, NULL);
        rounds++;
    }
    assert_int_equal(changed, 0);
    if (rounds > most_rounds) most_rounds = rounds;
    return e ? e : lp_fill_holes_over_end_cuda(labels, n, Ly, Lx, scratch, NULL);
}

/* Returns how many pixels were filled. */
static int same_as(const uint32_t *labels, uint32_t n, int Ly, int Lx, int compat)
{
    const size_t size = (size_t)Ly * (size_t)Lx;
    const size_t bytes =
        compat ? lp_fill_holes_over_scratch_cuda(n, Ly, Lx) : lp_fill_holes_scratch_cuda(n, Ly, Lx);
    float *out = lp_guard_new(size), *scratch = lp_guard_new((bytes + 3) / 4);
    lp_label_info *info = malloc((n + (size_t)1) * sizeof *info);
    uint32_t *want = malloc(size * sizeof *want), *got = (uint32_t *)(void *)out;
    int filled = 0, e;
    void *ref;
    size_t i;

    assert_true(info && want);
    lp_relabel_info_ref(info, n, labels, Ly, Lx);
    ref = malloc(lp_fill_holes_scratch(info, n) + 1);
    assert_non_null(ref);
    memcpy(want, labels, size * sizeof *want);
    memcpy(out, labels, size * sizeof *want);
    lp_fill_holes_ref(want, info, n, Lx, compat, ref);
    e = compat ? over(got, info, n, Ly, Lx, scratch)
               : lp_fill_holes_cuda(got, info, n, Ly, Lx, scratch, NULL);
    assert_int_equal(e, 0);
    for (i = 0; i < size; i++) filled += want[i] != labels[i];
    assert_memory_equal(out, want, size * sizeof *want);
    lp_guard_check(out, size);
    lp_guard_check(scratch, (bytes + 3) / 4);
    lp_guard_free(out);
    lp_guard_free(scratch);
    free(ref);
    free(want);
    free(info);
    return filled;
}

static int same(const uint32_t *labels, uint32_t n, int Ly, int Lx)
{
    same_as(labels, n, Ly, Lx, 1);
    return same_as(labels, n, Ly, Lx, 0);
}

static void random_masks(void **state)
{
    uint64_t seed = 11;
    int round, filled = 0;

    (void)state;
    for (round = 0; round < 250; round++) {
        const int Ly = 1 + (int)(lp_rand(&seed) % 20), Lx = 1 + (int)(lp_rand(&seed) % 70);
        const uint32_t n = 1 + lp_rand(&seed) % 6, fraction = 1 + lp_rand(&seed) % 4;
        uint32_t labels[20 * 70];
        int i;

        for (i = 0; i < Ly * Lx; i++)
            labels[i] = lp_rand(&seed) % 5 < fraction ? 1 + lp_rand(&seed) % n : 0;
        filled += same(labels, n, Ly, Lx);
    }
    assert_true(filled > 100);
    assert_true(most_rounds > 1);
}

static void ring(uint32_t *labels, int L, uint32_t l, int at, int width)
{
    int y, x;

    for (y = at; y < L - at; y++)
        for (x = at; x < L - at; x++)
            if (y < at + width || x < at + width || y >= L - at - width || x >= L - at - width)
                labels[(size_t)y * (size_t)L + (size_t)x] = l;
}

/* Rings in rings, the smaller label outside and inside; a pixel of an inner one outside of all
 * makes its box the largest, so that the outer ring gets its hole. */
static void nested(void **state)
{
    static const int side[] = {24, 60, 140, 500}; /* every kernel has some of these boxes */
    size_t k;

    (void)state;
    for (k = 0; k < sizeof side / sizeof *side; k++) {
        const int L = side[k];
        int turn;

        for (turn = 0; turn < 4; turn++) {
            uint32_t *labels = calloc((size_t)L * (size_t)L, sizeof *labels), l;

            assert_non_null(labels);
            for (l = 1; l <= 3; l++)
                ring(labels, L, turn % 2 ? l : 4 - l, 2 + (int)l * L / 10, 1 + (int)l % 2);
            if (turn / 2) labels[L * L - 1] = 2;
            if (turn / 2) labels[0] = 2;
            if (turn == 3) labels[(size_t)(L / 2) * (size_t)L + (size_t)L / 2] = 3;
            if (L < 200)
                SIMT_SEEDS(s) assert_true(same(labels, 4, L, L) > L);
            else
                assert_true(same(labels, 4, L, L) > L);
            free(labels);
        }
    }
}

/* A winding way in: nothing is a hole until the way is closed. */
static void spiral(void **state)
{
    static const int side[] = {40, 160};
    size_t k;

    (void)state;
    for (k = 0; k < sizeof side / sizeof *side; k++) {
        const int L = side[k];
        uint32_t *labels = calloc((size_t)L * (size_t)L, sizeof *labels);
        int at;

        assert_non_null(labels);
        for (at = 1; at < L / 2 - 4; at += 3) {
            ring(labels, L, 1, at, 1);
            labels[(size_t)(at % 2 ? at : L - 1 - at) * (size_t)L + (size_t)L / 2] = 0;
        }
        assert_int_equal(same(labels, 1, L, L), 0);
        labels[(size_t)L + (size_t)L / 2] = 1;
        assert_true(same(labels, 1, L, L) > L);
        free(labels);
    }
}

/* Rings in rings, numbered from the outside: each takes all that is inside it, pixels of the next
 * ones too, which then have nothing to fill. From the inside: all fill, and the outermost has it
 * all in the end. In between, labels that depend on each other over many rounds. */
static void rounds(void **state)
{
    enum { L = 64, N = 10 };
    int turn;

    (void)state;
    for (turn = 0; turn < 3; turn++) {
        uint32_t labels[L * L] = {0}, l;

        most_rounds = 0;
        for (l = 1; l <= N; l++) {
            const uint32_t id = turn == 0 ? l : turn == 1 ? N + 1 - l : (l * 7) % (N + 1);

            ring(labels, L, id, 3 * (int)l - 2, 1);
        }
        SIMT_SEEDS(s) assert_true(same_as(labels, N, L, L, 1) > L);
        print_message("%d rounds\n", most_rounds);
        assert_in_range(most_rounds, turn == 1 ? 1 : 2, N + 1);
    }
}

/* Two masks that only together enclose something; diagonal walls. */
static void by_hand(void **state)
{
    static const uint32_t two[] = {1, 1, 1, 2, 2, 1, 0, 0, 0, 2, 1, 1, 0, 2, 2, 1, 1, 1, 2, 2};
    static const uint32_t diagonal[] = {0, 1, 0, 1, 0, 1, 0, 1, 0};
    static const uint32_t open[] = {1, 1, 1, 1, 0, 1, 1, 0, 1};

    (void)state;
    assert_int_equal(same(two, 2, 4, 5), 0);
    assert_int_equal(same(diagonal, 1, 3, 3), 1);
    assert_int_equal(same(open, 1, 3, 3), 0);
    assert_int_equal(same(diagonal, 0, 1, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand), cmocka_unit_test(random_masks),
                                       cmocka_unit_test(nested), cmocka_unit_test(spiral),
                                       cmocka_unit_test(rounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
