/* Labels on the device: info, rules, order, tables, resizing; against the twins, the same bits. */
#include "kernels/relabel.h"

#include "../lp_scene.h"
#include "kernels/follow.h"
#include "kernels/label.h"
#include "simt_test.h"

/* Discs, and pixels anywhere; some of the labels 0 .. n are absent. */
static uint32_t *draw(int Ly, int Lx, uint32_t n, int mode, uint64_t *seed)
{
    const size_t size = (size_t)Ly * (size_t)Lx;
    uint32_t *labels = calloc(size, sizeof *labels), l;
    size_t i;

    assert_non_null(labels);
    for (l = 1; l <= n && mode != 1; l++)
        if (l % 5)
            lp_scene_disc(labels, Ly, Lx, l, lp_rand(seed) % (uint32_t)Ly,
                          lp_rand(seed) % (uint32_t)Lx, lp_rand(seed) % 40);
    for (i = 0; i < size && mode == 2; i += 1 + lp_rand(seed) % 9)
        labels[i] = lp_rand(seed) % (n + 1);
    return labels;
}

static void same(const uint32_t *labels, uint32_t n, int Ly, int Lx)
{
    const size_t size = (size_t)Ly * (size_t)Lx, m = n + (size_t)1,
                 words = sizeof(lp_label_info) / 4;
    const size_t bytes = lp_relabel_scratch_cuda(Ly, Lx);
    float *info = lp_guard_new(m * words), *info2 = lp_guard_new(m * words);
    float *map = lp_guard_new(m), *scratch = lp_guard_new((bytes + 3) / 4);
    lp_label_info *want = malloc(m * sizeof *want);
    uint32_t *want_map = malloc(m * sizeof *want_map), l, kept = 77, left;
    uint32_t *a = malloc(size * sizeof *a), *b = malloc(size * sizeof *b);
    uint64_t *order = malloc(m * sizeof *order);
    double *error = malloc(m * sizeof *error), *error2 = malloc(m * sizeof *error2);
    lp_relabel_rule rule = {3, 900, 0.5, 1, Ly, Lx};

    assert_true(want && want_map && a && b && order && error && error2);
    assert_int_equal(lp_relabel_info_cuda((lp_label_info *)info, n, labels, Ly, Lx, NULL), 0);
    lp_relabel_info_ref(want, n, labels, Ly, Lx);
    want[0].y0 = want[0].y1 = want[0].x0 = want[0].x1 = 0;
    assert_memory_equal(info, want, m * sizeof *want);

    for (l = 0; l <= n; l++) {
        const lp_label_info *f = want + l;
        const int edge = f->y0 == 0 || f->x0 == 0 || f->y1 == Ly || f->x1 == Lx;

        error[l] = l % 3 ? l % 7 / 7.0 : NAN;
        want_map[l] = l && f->count >= 3 && f->count <= 900 && !(error[l] > 0.5) && !edge ? l : 0;
    }
    assert_int_equal(lp_relabel_keep_cuda((uint32_t *)map, want, error, n, rule, NULL), 0);
    assert_memory_equal(map, want_map, m * sizeof *want_map);
    rule = (lp_relabel_rule){.max_count = INFINITY, .max_error = INFINITY};
    rule.min_count = n % 2;
    assert_int_equal(lp_relabel_keep_cuda((uint32_t *)map, want, error, n, rule, NULL), 0);
    for (l = 0; l <= n; l++) want_map[l] = want[l].count >= n % 2 ? l : 0;
    want_map[0] = 0;
    assert_memory_equal(map, want_map, m * sizeof *want_map);

    left = lp_relabel_order_ref(want_map, n, want, order);
    assert_int_equal(lp_relabel_order_cuda((uint32_t *)map, &kept, n, want, Ly, Lx, scratch, NULL),
                     0);
    assert_int_equal(kept, left);
    assert_memory_equal(map, want_map, m * sizeof *want_map);
    assert_int_equal(
        lp_relabel_move_cuda((lp_label_info *)info2, error2, want, error, want_map, n, NULL), 0);
    for (l = 1; l <= n; l++)
        if (want_map[l]) {
            assert_memory_equal((lp_label_info *)info2 + want_map[l], want + l, sizeof *want);
            assert_memory_equal(error2 + want_map[l], error + l, sizeof *error);
        }
    for (l = left + 1; l <= n; l++) {
        assert_int_equal(((lp_label_info *)info2)[l].count, 0);
        assert_true(isnan(error2[l]));
    }
    memcpy(a, labels, size * sizeof *a);
    memcpy(b, labels, size * sizeof *b);
    lp_relabel_apply_ref(a, want_map, Ly, Lx);
    assert_int_equal(lp_relabel_apply_cuda(b, want_map, Ly, Lx, NULL), 0);
    assert_memory_equal(a, b, size * sizeof *a);
    lp_guard_check(info, m * words);
    lp_guard_check(info2, m * words);
    lp_guard_check(map, m);
    lp_guard_check(scratch, (bytes + 3) / 4);
    lp_guard_free(info);
    lp_guard_free(info2);
    lp_guard_free(map);
    lp_guard_free(scratch);
    free(want);
    free(want_map);
    free(a);
    free(b);
    free(order);
    free(error);
    free(error2);
}

static const int size[][2] = {{1, 1}, {1, 70}, {70, 1}, {7, 13}, {64, 96}, {225, 223}};

static void tables(void **state)
{
    uint64_t seed = 3;
    size_t k, i;
    int mode;

    (void)state;
    for (k = 0; k < sizeof size / sizeof *size; k++)
        for (mode = 0; mode < 4; mode++) {
            const int Ly = size[k][0], Lx = size[k][1];
            const uint32_t n = mode == 1 ? 0 : 1 + (uint32_t)(Ly * Lx) / 50;
            uint32_t *labels = draw(Ly, Lx, n, mode, &seed);

            for (i = 0; i < (size_t)Ly * (size_t)Lx && mode == 3; i++) labels[i] = n;
            SIMT_SEEDS(s) same(labels, n, Ly, Lx);
            free(labels);
        }
}

static void by_end(void **state)
{
    enum { LY = 31, LX = 45, N = LY * LX };
    uint32_t end[N], m[N], want[N], i;
    uint64_t seed = 8;

    (void)state;
    for (i = 0; i < N; i++) {
        end[i] = lp_rand(&seed) % 4 ? lp_rand(&seed) % N : LP_FOLLOW_NONE;
        m[i] = lp_rand(&seed);
    }
    lp_label_ref(want, end, m, LY, LX);
    assert_int_equal(lp_label_cuda(end, end, m, LY, LX, NULL), 0);
    assert_memory_equal(end, want, sizeof want);
}

static void resized(void **state)
{
    uint64_t seed = 8;
    size_t k, j, i;

    (void)state;
    for (k = 0; k < sizeof size / sizeof *size; k++)
        for (j = 0; j < sizeof size / sizeof *size; j++) {
            const size_t n = (size_t)size[k][0] * (size_t)size[k][1];
            const size_t n2 = (size_t)size[j][0] * (size_t)size[j][1];
            uint32_t *in = malloc(n * sizeof *in), *want = malloc(n2 * sizeof *want);
            float *out = lp_guard_new(n2);

            assert_true(in && want);
            for (i = 0; i < n; i++) in[i] = lp_rand(&seed);
            lp_label_resize_ref(want, in, size[k][0], size[k][1], size[j][0], size[j][1]);
            assert_int_equal(lp_label_resize_cuda((uint32_t *)out, in, size[k][0], size[k][1],
                                                  size[j][0], size[j][1], NULL),
                             0);
            assert_memory_equal(out, want, n2 * sizeof *want);
            lp_guard_check(out, n2);
            lp_guard_free(out);
            free(want);
            free(in);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(by_end),
                                       cmocka_unit_test(resized)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
