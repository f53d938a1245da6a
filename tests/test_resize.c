/* Bilinear resize against numbers from cv2 (through Cellpose) and from hand; the tuned version
 * against the plain one; labels by nearest neighbour. */
#include "lp_h5.h"

#include "kernels/label.h"
#include "kernels/resize.h"

static const int sizes[][4] = {/* Ly, Lx, Ly2, Lx2 */
                               {1, 1, 1, 1},        {1, 1, 5, 7},       {5, 7, 1, 1},
                               {1, 40, 1, 17},      {40, 1, 17, 3},     {7, 13, 7, 29},
                               {7, 13, 31, 5},      {224, 224, 83, 83}, {225, 223, 427, 424},
                               {225, 223, 50, 301}, {2, 2, 224, 225}};

static float *pattern(size_t n)
{
    float *p = lp_guard_new(n);
    uint32_t s = 12345;
    size_t i;

    for (i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        p[i] = (float)(s >> 8) / 4096.0f - 2000.0f;
    }
    return p;
}

static void golden(void **state)
{
    static const char *const names[] = {"resize_0.37", "resize_1.0", "resize_1.9"};
    hsize_t d[8], e[8];
    float *in, *ref, *out;
    size_t k, i, n;
    LP_NEED_DATA(path, "golden/stages.h5");

    (void)state;
    in = lp_h5_float(path, "image", d);
    for (k = 0; k < 3; k++) {
        ref = lp_h5_float(path, names[k], e);
        n = (size_t)e[0] * (size_t)e[1];
        out = lp_guard_new(n);
        lp_resize_ref(out, in, 1, d[0], d[1], e[0], e[1]);
        lp_guard_check(out, n);
        /* Values reach 3,500: cv2 may fuse a multiply-add, which is one unit in the last place. */
        for (i = 0; i < n; i++) LP_ASSERT_CLOSE(out[i], ref[i], 5e-4, 0);
        lp_guard_free(out);
        free(ref);
    }
    free(in);
}

static void by_hand(void **state)
{
    static const float up[] = {0, 1}, up4[] = {0, 0.25f, 0.75f, 1}, down[] = {0, 1, 2, 3};
    static const float grid[] = {0, 8, 16, 24}, mid[] = {12};
    float out[4];
    int i;

    (void)state;
    lp_resize_ref(out, up, 1, 1, 2, 1, 4);
    for (i = 0; i < 4; i++) assert_true(out[i] == up4[i]);
    lp_resize_ref(out, up, 1, 2, 1, 4, 1);
    for (i = 0; i < 4; i++) assert_true(out[i] == up4[i]);
    lp_resize_ref(out, down, 1, 1, 4, 1, 2);
    assert_true(out[0] == 0.5f && out[1] == 2.5f);
    lp_resize_ref(out, grid, 1, 2, 2, 1, 1);
    assert_true(out[0] == mid[0]);
}

/* The same bits as the plain version for any number of threads, also for huge values. */
static void tuned(void **state)
{
    size_t k, n, m;
    int t, c;

    (void)state;
    for (k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int *s = sizes[k];

        for (c = 1; c <= 3; c++) {
            float *in = pattern(n = (size_t)c * (size_t)s[0] * (size_t)s[1]);
            float *ref = lp_guard_new(m = (size_t)c * (size_t)s[2] * (size_t)s[3]);

            if (n > 3) in[n / 2] = 3e38f;
            lp_resize_ref(ref, in, c, s[0], s[1], s[2], s[3]);
            lp_guard_check(ref, m);
            for (t = 1; t <= 4; t++) {
                float *out = lp_guard_new(m);
                size_t bytes = (lp_resize_scratch(s[3], t) + 63) / 64 * 64;
                void *scratch = aligned_alloc(64, bytes);

                assert_non_null(scratch);
                memset(scratch, 0xff, bytes);
                lp_resize_cpu(out, in, c, s[0], s[1], s[2], s[3], t, scratch);
                lp_guard_check(out, m);
                assert_memory_equal(out, ref, m * sizeof *out);
                free(scratch);
                lp_guard_free(out);
            }
            lp_guard_free(ref);
            lp_guard_free(in);
        }
    }
}

static void constant(void **state)
{
    static const float in[6] = {7.7f, 7.7f, 7.7f, 7.7f, 7.7f, 7.7f};
    float out[35];
    int i;

    (void)state;
    lp_resize_ref(out, in, 1, 2, 3, 5, 7);
    /* Two rounded weights sum to 1 within a unit in the last place, in both axes. */
    for (i = 0; i < 35; i++) LP_ASSERT_CLOSE(out[i], 7.7f, 0, 3e-7);
}

static void nearest(void **state)
{
    static const uint32_t in[] = {10, 11, 12, 13, 4000000000u};
    static const uint32_t down[] = {10, 11, 13}, up[] = {10, 10, 10, 11, 11, 12, 12};
    uint32_t out[9] = {0};
    uint32_t grid[4] = {1, 2, 3, 4};

    (void)state;
    lp_label_resize_ref(out, in, 1, 5, 1, 3);
    assert_memory_equal(out, down, sizeof down);
    lp_label_resize_ref(out, in, 3, 1, 7, 1);
    assert_memory_equal(out, up, sizeof up);
    lp_label_resize_ref(out, in + 4, 1, 1, 2, 2);
    assert_int_equal(out[3], 4000000000u);
    lp_label_resize_ref(out, grid, 2, 2, 3, 3);
    assert_int_equal(out[0] + 10 * out[1] + 100 * out[2], 1 + 10 + 200);
    assert_int_equal(out[6] + 10 * out[7] + 100 * out[8], 3 + 30 + 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(by_hand),
                                       cmocka_unit_test(tuned), cmocka_unit_test(constant),
                                       cmocka_unit_test(nearest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
