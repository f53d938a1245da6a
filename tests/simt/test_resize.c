/* lp_resize_cuda against its twin: the same bits. */
#include "../lp_test.h"
#include "simt_test.h"

#include "kernels/resize.h"

static const int sizes[][4] = {/* Ly, Lx, Ly2, Lx2 */
                               {1, 1, 1, 1},        {1, 1, 5, 7},       {5, 7, 1, 1},
                               {1, 40, 1, 17},      {40, 1, 17, 3},     {7, 13, 7, 29},
                               {7, 13, 31, 5},      {224, 224, 83, 83}, {225, 223, 127, 124},
                               {225, 223, 225, 50}, {31, 33, 31, 33},   {2, 2, 65, 64}};

static float *pattern(size_t n)
{
    float *p = lp_guard_new(n);
    uint32_t s = 12345;
    size_t i;

    for (i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        p[i] = (float)(s >> 8) / 4096.0f - 2000.0f;
    }
    if (n > 3) p[n / 2] = 3e38f;
    return p;
}

static void same_bits(void **state)
{
    size_t k, n, m;
    int c;

    (void)state;
    for (k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (c = 1; c <= 3; c += 2) {
            const int *s = sizes[k];
            float *in = pattern(n = (size_t)c * (size_t)s[0] * (size_t)s[1]);
            float *ref = lp_guard_new(m = (size_t)c * (size_t)s[2] * (size_t)s[3]);

            lp_resize_ref(ref, in, c, s[0], s[1], s[2], s[3]);
            SIMT_SEEDS(seed)
            {
                float *out = lp_guard_new(m);

                assert_int_equal(lp_resize_cuda(out, in, c, s[0], s[1], s[2], s[3], NULL), 0);
                lp_guard_check(out, m);
                assert_memory_equal(out, ref, m * sizeof *out);
                lp_guard_free(out);
            }
            lp_guard_check(in, n);
            lp_guard_free(ref);
            lp_guard_free(in);
        }
}

static void extreme(void **state)
{
    float in[6] = {INFINITY, -INFINITY, 0, -0.0f, 1e-45f, NAN};
    float out[6], ref[6];

    (void)state;
    assert_int_equal(lp_resize_cuda(out, in, 1, 2, 3, 2, 3, NULL), 0);
    lp_same_floats(out, in, 6);
    assert_int_equal(lp_resize_cuda(out, in, 1, 2, 3, 3, 2, NULL), 0);
    lp_resize_ref(ref, in, 1, 2, 3, 3, 2);
    lp_same_floats(out, ref, 6);
    assert_int_not_equal(lp_resize_cuda(out, in, 1, 0, 3, 3, 2, NULL), 0);
}

/* More rows than a grid has blocks in y. */
static void tall(void **state)
{
    static float in[2], out[65536 * 8 + 11], ref[65536 * 8 + 11];
    int n = (int)(sizeof out / sizeof *out);

    (void)state;
    in[0] = 1;
    in[1] = 2;
    lp_resize_ref(ref, in, 1, 2, 1, n, 1);
    assert_int_equal(lp_resize_cuda(out, in, 1, 2, 1, n, 1, NULL), 0);
    assert_memory_equal(out, ref, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits), cmocka_unit_test(extreme),
                                       cmocka_unit_test(tall)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
