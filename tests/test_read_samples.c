/* Conversion of samples: every half-precision number, extremes, odd strides, repair. */
#include "lp_test.h"

#include "host/read_samples.h"

static void halves(void **state)
{
    uint32_t h;

    (void)state;
    for (h = 0; h < 65536; h++) {
        uint16_t in = (uint16_t)h;
        int e = h >> 10 & 31, m = h & 1023;
        double want = e == 31 ? (m ? NAN : INFINITY) : ldexp(m + (e ? 1024 : 0), (e ? e : 1) - 25);
        float got;

        lp_samples_to_float(&got, &in, 1, LP_SAMPLE_F16, 1);
        if (h & 0x8000) want = -want;
        if (isnan(want) ? !isnan(got) : (double)got != want || !signbit(got) != !signbit(want))
            fail_msg("half 0x%04x: %.9g, expected %.9g", h, (double)got, want);
    }
}

static void strides(void **state)
{
    static const size_t n[] = {1, 7, 33, 100};
    uint8_t raw[100 * 3 * 8 + 1];
    size_t i, k, s;
    int type;

    (void)state;
    for (type = LP_SAMPLE_U8; type <= LP_SAMPLE_F64; type++)
        for (k = 0; k < 4; k++)
            for (s = 1; s <= 3; s++) {
                float *out = lp_guard_new(n[k]);
                size_t size = lp_sample_size((lp_sample)type);

                for (i = 0; i < 100 * s; i++) {
                    uint64_t v = i % 100;

                    if (type == LP_SAMPLE_F16) v = 0x3c00 + v; /* 1 + v / 1024 */
                    if (type == LP_SAMPLE_F32) {
                        float f = (float)v;
                        memcpy(&v, &f, 4);
                    }
                    if (type == LP_SAMPLE_F64) {
                        double f = (double)v;
                        memcpy(&v, &f, 8);
                    }
                    memcpy(raw + 1 + i * size, &v, size); /* unaligned */
                }
                lp_samples_to_float(out, raw + 1, n[k], (lp_sample)type, s);
                for (i = 0; i < n[k]; i++) {
                    float want = (float)(i * s % 100);

                    if (type == LP_SAMPLE_F16) want = 1 + want / 1024;
                    if (!(out[i] == want))
                        fail_msg("type %d stride %zu: sample %zu is %g", type, s, i,
                                 (double)out[i]);
                }
                lp_guard_check(out, n[k]);
                lp_guard_free(out);
            }
}

static void extremes(void **state)
{
    const int64_t i64 = INT64_MIN;
    const uint64_t u64 = UINT64_MAX;
    const double big = -1e300;
    float f;

    (void)state;
    lp_samples_to_float(&f, &i64, 1, LP_SAMPLE_I64, 1);
    assert_true(f == -0x1p63f);
    lp_samples_to_float(&f, &u64, 1, LP_SAMPLE_U64, 1);
    assert_true(f == 0x1p64f);
    lp_samples_to_float(&f, &big, 1, LP_SAMPLE_F64, 1);
    assert_true(isinf(f) && f < 0);
}

static void labels(void **state)
{
    static const double good[3] = {0, 4294967295.0, 16777217}, bad[4] = {-1, .5, 4294967296.0, NAN};
    static const int64_t i64[2] = {4294967295, 4294967296};
    static const uint64_t u64[2] = {7, (uint64_t)1 << 63};
    uint32_t v[3];
    int i;

    (void)state;
    assert_true(lp_samples_to_labels(v, good, 3, LP_SAMPLE_F64, 1));
    assert_int_equal(v[1], 4294967295u);
    assert_int_equal(v[2], 16777217);
    for (i = 0; i < 4; i++) assert_false(lp_samples_to_labels(v, &bad[i], 1, LP_SAMPLE_F64, 1));
    assert_true(lp_samples_to_labels(v, i64, 1, LP_SAMPLE_I64, 1));
    assert_false(lp_samples_to_labels(v, i64, 2, LP_SAMPLE_I64, 1));
    assert_true(lp_samples_to_labels(v, u64, 1, LP_SAMPLE_U64, 1));
    assert_false(lp_samples_to_labels(v, u64, 2, LP_SAMPLE_U64, 1));
}

static void swapping(void **state)
{
    static const size_t sizes[] = {1, 2, 4, 8};
    uint8_t b[8 * 67], want;
    size_t s, i, k;

    (void)state;
    for (s = 0; s < 4; s++) {
        for (i = 0; i < sizeof b; i++) b[i] = (uint8_t)(i * 7);
        lp_samples_swap(b, 67, sizes[s]);
        for (i = 0; i < 67; i++)
            for (k = 0; k < sizes[s]; k++) {
                want = (uint8_t)((i * sizes[s] + sizes[s] - 1 - k) * 7);
                assert_int_equal(b[i * sizes[s] + k], want);
            }
    }
}

/* Per channel; a channel without finite samples becomes 0. */
static void repair(void **state)
{
    float data[9] = {1, NAN, 3, INFINITY, NAN, -INFINITY, 1e38f, 3e38f, -INFINITY};
    lp_image im = {.data = data, .nchan = 3, .Ly = 1, .Lx = 3, .replaced = 0};
    static const float want[9] = {1, 2, 3, 0, 0, 0, 1e38f, 3e38f, 2e38f};
    int i;

    (void)state;
    lp_samples_repair(&im);
    assert_int_equal(im.replaced, 5);
    for (i = 0; i < 9; i++) LP_ASSERT_CLOSE(data[i], want[i], 0, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(halves),   cmocka_unit_test(strides),
                                       cmocka_unit_test(extremes), cmocka_unit_test(labels),
                                       cmocka_unit_test(swapping), cmocka_unit_test(repair)};
    return cmocka_run_group_tests_name("read_samples", tests, NULL, NULL);
}
