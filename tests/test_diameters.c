/* Lists of diameters from text. */
#include "lp_test.h"

#include "host/diameters.h"

static void good(const char *text, int n, double first, double last)
{
    lp_diameters d = {0};
    lp_err err;
    int i;

    if (lp_diameters_parse(text, &d, &err)) fail_msg("%s: %s", text, err.msg);
    assert_int_equal(d.n, n);
    LP_ASSERT_CLOSE(d.d[0], first, 0, 1e-12);
    LP_ASSERT_CLOSE(d.d[n - 1], last, 0, 1e-12);
    for (i = 1; i < n; i++) assert_true(d.d[i] > d.d[i - 1]);
    lp_diameters_free(&d);
    assert_null(d.d);
}

static void lists(void **state)
{
    (void)state;
    good("20:150:5", 27, 20, 150);
    good("20:151:5", 27, 20, 150);
    good("0.1:0.3:0.1", 3, 0.1, 0.3); /* 0.1 + 2 * 0.1 is above 0.3 by rounding */
    good("10:80:x2", 4, 10, 80);
    good("20:150:x1.2", 12, 20, 20 * pow(1.2, 11));
    good("30:30:5", 1, 30, 30);
    good("30", 1, 30, 30);
    good("50,20,30,20", 3, 20, 50);
    good("1e2,2.5e1", 2, 25, 100);
}

static void bad_lists(void **state)
{
    /* text, and what the message must name */
    static const char *const bad[][2] = {
        {"", "MIN:MAX:STEP"},
        {"auto", "MIN:MAX:STEP"},
        {"20:150", "MIN:MAX:STEP"},
        {"20:150:", "MIN"},
        {"20:150:5:6", "MIN"},
        {"20,", "MIN"},
        {",20", "MIN"},
        {"20 30", "MIN"},
        {"20:150:y2", "MIN"},
        {"0:100:5", "0"},
        {"-5,20", "-5"},
        {"nan", "nan"},
        {"20:nan:5", "nan"},
        {"20:150:nan", "nan"},
        {"inf", "inf"},
        {"20:inf:5", "inf"},
        {"150:20:5", "below"},
        {"20:150:0", "step 0"},
        {"20:150:-5", "step"},
        {"20:150:x1", "ratio 1"},
        {"20:150:x0.5", "ratio 0.5"},
        {"20:150:xnan", "ratio"},
        {"1:500:1", "500 diameters"},
        {"20:150:1e-300", "diameters, at"},
        {"2e6", "2e+06"},
        {"20:150:x1.0000001", "diameters, at"},
    };
    char many[2000] = "1";
    lp_diameters d = {0};
    lp_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (lp_diameters_parse(bad[i][0], &d, &err) != LP_EARG) fail_msg("took %s", bad[i][0]);
        assert_non_null(strstr(err.msg, "--diameters"));
        if (!strstr(err.msg, bad[i][1])) fail_msg("%s: %s", bad[i][0], err.msg);
        assert_null(d.d);
    }
    for (i = 0; i < LP_MAX_DIAMETERS; i++) strcat(many, ",2");
    assert_int_equal(lp_diameters_parse(many, &d, &err), LP_EARG);
}

/* The minimum that is suggested works, and says which diameter did not. */
static void too_small(void **state)
{
    static const struct {
        int Ly, Lx;
        double memory;
    } c[] = {{4096, 4096, 0}, {4096, 4096, 16e9}, {100, 5000, 0}, {4096, 4096, 1e9}, {1, 1, 0}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof c / sizeof *c; i++) {
        double d[3] = {60, 1e-4, 20}, min;
        lp_err err;
        char *at;

        assert_int_equal(lp_diameters_check(d, 3, 30, c[i].Ly, c[i].Lx, c[i].memory, &err),
                         LP_EARG);
        assert_non_null(strstr(err.msg, "diameter 0.0001"));
        assert_non_null(at = strstr(err.msg, "possible is "));
        min = atof(at + strlen("possible is "));
        assert_true(min > 0);
        d[1] = min;
        if (lp_diameters_check(d, 3, 30, c[i].Ly, c[i].Lx, c[i].memory, &err))
            if (min < 20) fail_msg("%s", err.msg);
        if (min >= 20) d[0] = d[2] = min;
        assert_int_equal(lp_diameters_check(d, 3, 30, c[i].Ly, c[i].Lx, c[i].memory, &err), LP_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(bad_lists),
        cmocka_unit_test(too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
