/* Random numbers and the arithmetic below them: known answers, ranges, moments. The
 * exact values pinned here are what makes a seed mean the same picture everywhere. */
#include "lp_test.h"

#include "host/detmath.h"
#include "host/rng.h"

/* From the Random123 distribution, kat_vectors: philox 4x32 10. */
static void philox_known_answers(void **state)
{
    static const uint32_t kat[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    uint32_t w[4];
    int i, k;

    (void)state;
    for (i = 0; i < 3; i++) {
        lp_rng_philox(kat[i], kat[i] + 4, w);
        for (k = 0; k < 4; k++) assert_int_equal(w[k], kat[i][6 + k]);
    }
}

static void uniform_never_reaches_its_ends(void **state)
{
    lp_rng r;
    double sum = 0.0;
    int i;

    (void)state;
    assert_true(lp_rng_unit(0, 0) > 0.0);
    assert_true(lp_rng_unit(0xffffffff, 0xffffffff) < 1.0);
    lp_rng_init(&r, 1, 2, 3);
    for (i = 0; i < 100000; i++) {
        double u = lp_rng_uniform(&r);

        assert_true(u > 0.0 && u < 1.0);
        sum += u;
    }
    LP_ASSERT_CLOSE(sum / 100000, 0.5, 0.005, 0); /* 5 standard errors */
}

static void normal_moments(void **state)
{
    double m1 = 0, m2 = 0, m4 = 0, cross = 0, z[2];
    int x, n = 200000;
    lp_rng r;

    (void)state;
    for (x = 0; x < n / 2; x++) {
        lp_rng_normal_at(7, 1, x / 317, x % 317, z);
        m1 += z[0] + z[1];
        m2 += z[0] * z[0] + z[1] * z[1];
        m4 += z[0] * z[0] * z[0] * z[0] + z[1] * z[1] * z[1] * z[1];
        cross += z[0] * z[1];
    }
    LP_ASSERT_CLOSE(m1 / n, 0.0, 0.012, 0);
    LP_ASSERT_CLOSE(m2 / n, 1.0, 0.016, 0);
    LP_ASSERT_CLOSE(m4 / n, 3.0, 0.12, 0);
    LP_ASSERT_CLOSE(2 * cross / n, 0.0, 0.016, 0);
    lp_rng_init(&r, 9, 0, 0);
    m1 = m2 = 0;
    for (x = 0; x < n; x++) {
        z[0] = lp_rng_normal(&r);
        m1 += z[0];
        m2 += z[0] * z[0];
    }
    LP_ASSERT_CLOSE(m1 / n, 0.0, 0.012, 0);
    LP_ASSERT_CLOSE(m2 / n, 1.0, 0.016, 0);
}

static void poisson_moments(void **state)
{
    static const double means[] = {0.02, 0.7, 5.0, 15.9, 16.1, 100.0, 12800.0};
    const int n = 200000;
    size_t k;

    (void)state;
    for (k = 0; k < sizeof means / sizeof means[0]; k++) {
        double m = means[k], m1 = 0, m2 = 0, m3 = 0;
        int i;

        for (i = 0; i < n; i++) {
            double v = lp_rng_poisson_at(3, 5, i / 501, i % 501, m) - m;

            assert_true(v + m >= 0.0 && v + m == floor(v + m));
            m1 += v;
            m2 += v * v;
            m3 += v * v * v;
        }
        /* 5 standard errors of mean and variance; the rounding adds 1/12 to the variance. */
        LP_ASSERT_CLOSE(m1 / n, 0.0, 5 * sqrt(m / n), 0);
        LP_ASSERT_CLOSE(m2 / n, m, 0.1 + 5 * sqrt((m + 2 * m * m) / n), 0);
        if (m > 1.0 && m < 1000.0)
            LP_ASSERT_CLOSE(m3 / n, m, 0, 0.3 + 0.02 * m); /* skewed as a Poisson count is */
    }
    assert_true(lp_rng_poisson_at(3, 5, 1, 1, 0.0) == 0.0);
    assert_true(lp_rng_poisson_at(3, 5, 1, 1, -1.0) == 0.0);
    assert_true(lp_rng_poisson_at(3, 5, 1, 1, NAN) == 0.0);
}

static void streams_are_apart(void **state)
{
    double a[2], b[2];

    (void)state;
    lp_rng_normal_at(1, 2, 3, 4, a);
    lp_rng_normal_at(1, 2, 3, 4, b);
    assert_memory_equal(a, b, sizeof a);
    lp_rng_normal_at(2, 2, 3, 4, b);
    assert_true(a[0] != b[0]);
    lp_rng_normal_at(1, 3, 3, 4, b);
    assert_true(a[0] != b[0]);
    lp_rng_normal_at(1, 2, -3, 4, b);
    assert_true(a[0] != b[0]);
    lp_rng_normal_at(1, 2, 4, 3, b);
    assert_true(a[0] != b[0]);
    lp_rng_normal_at(1ull << 32 | 1, 2, 3, 4, b);
    assert_true(a[0] != b[0]);
}

static void arithmetic_agrees_with_the_library(void **state)
{
    double x, s, c;

    (void)state;
    for (x = -40.0; x < 40.0; x += 0.0137) LP_ASSERT_CLOSE(lp_det_exp(x), exp(x), 0, 2e-14);
    assert_true(lp_det_exp(0.0) == 1.0);
    assert_true(lp_det_exp(-1e9) > 0.0 && isfinite(lp_det_exp(1e9)));
    for (x = 1e-12; x < 1e12; x *= 1.0173) LP_ASSERT_CLOSE(lp_det_log(x), log(x), 1e-15, 2e-14);
    assert_true(lp_det_log(1.0) == 0.0);
    for (x = -3.0; x < 3.0; x += 0.000713) {
        lp_det_sincos(x, &s, &c);
        LP_ASSERT_CLOSE(s, sin(x * 6.283185307179586), 1e-14, 0);
        LP_ASSERT_CLOSE(c, cos(x * 6.283185307179586), 1e-14, 0);
    }
    lp_det_sincos(0.25, &s, &c);
    assert_true(s == 1.0 && fabs(c) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(uniform_never_reaches_its_ends),
        cmocka_unit_test(normal_moments),
        cmocka_unit_test(poisson_moments),
        cmocka_unit_test(streams_are_apart),
        cmocka_unit_test(arithmetic_agrees_with_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
