/* Support: cases worked by hand. */
#include "lp_test.h"

#include "host/merge_support.h"

static double expect(double S, double e, double c, int border)
{
    return 20 / (1 + exp(-(4.2 + 0.2 * log(S) - 8 * e + 1.8 * log(c + 0.001) + 1.5 * border)));
}

/* Sizes e^2 and e^6: 8 WIDTHs apart, so neither is company to the other. */
static void worked_by_hand(void **state)
{
    const lp_merge_evidence e[3] = {
        {1, 0, exp(2), 100, 0}, {4, 0.1, exp(6), 300, 1}, {2, NAN, exp(2), 200, 0}};
    double u0 = 100, u1 = 300 * exp(-0.4), u2 = 200 * exp(-0.8), all = u0 + u1 + u2, got[3], c[3];

    (void)state;
    assert_int_equal(lp_merge_support(got, c, e, 3, NULL), LP_OK);
    LP_ASSERT_CLOSE(got[0], expect(1, 0, (u0 + u2) / all, 0), 0, 1e-3);
    LP_ASSERT_CLOSE(got[1], expect(4, 0.1, u1 / all, 1), 0, 1e-3);
    LP_ASSERT_CLOSE(c[1], u1 / all, 0, 1e-3);
    LP_ASSERT_CLOSE(got[2], expect(2, 0.2, (u0 + u2) / all, 0), 0, 1e-3);
}

/* One WIDTH apart: exp(-1/2) of the other counts. */
static void near_sizes(void **state)
{
    const lp_merge_evidence e[2] = {{1, 0, exp(3), 100, 0}, {1, 0, exp(3.5), 300, 0}};
    double got[2], c[2];

    (void)state;
    assert_int_equal(lp_merge_support(got, c, e, 2, NULL), LP_OK);
    LP_ASSERT_CLOSE(got[0], expect(1, 0, (100 + 300 * exp(-0.5)) / 400, 0), 0, 1e-3);
    LP_ASSERT_CLOSE(got[1], expect(1, 0, (300 + 100 * exp(-0.5)) / 400, 0), 0, 1e-3);
}

static void any_order(void **state)
{
    enum { N = 200 };
    static lp_merge_evidence e[N], back[N];
    static double a[N], b[N], c[N];
    int i;

    (void)state;
    for (i = 0; i < N; i++) {
        e[i] = (lp_merge_evidence){0.01 + i % 9, 0.003 * i, 3 + 7.3 * (i % 31), 10 + 97.7 * i,
                                   i % 3 == 0};
        back[N - 1 - i] = e[i];
    }
    assert_int_equal(lp_merge_support(a, c, e, N, NULL), LP_OK);
    assert_int_equal(lp_merge_support(b, c, back, N, NULL), LP_OK);
    for (i = 0; i < N; i++) {
        assert_true(a[i] == b[N - 1 - i]);
        assert_true(a[i] >= 0 && a[i] <= LP_SUPPORT_MAX);
    }
    assert_int_equal(lp_merge_support(a, c, e, 0, NULL), LP_OK);
}

/* Sizes and errors beyond reason stay finite. */
static void extremes(void **state)
{
    const lp_merge_evidence e[4] = {
        {1e-7, 0, 1.1, 1, 0}, {1e6, 50, 1e12, 1e24, 1}, {1, 0, 1e300, 1, 1}, {1, 1e6, 30, 1, 0}};
    double got[4], c[4];
    int i;

    (void)state;
    assert_int_equal(lp_merge_support(got, c, e, 4, NULL), LP_OK);
    for (i = 0; i < 4; i++) assert_true(got[i] >= 0 && got[i] <= LP_SUPPORT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_by_hand),
        cmocka_unit_test(near_sizes),
        cmocka_unit_test(any_order),
        cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
