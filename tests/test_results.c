/* What is said of the results of an image. */
#include "lp_test.h"

#include <math.h>

#include "host/results.h"

static int doubtful(const double *flow_error, int n)
{
    lp_particle p[8] = {{0}};
    lp_results r = {.particle = p, .n = n};
    int i;

    for (i = 0; i < n; i++) p[i].flow_error = flow_error[i];
    return lp_results_doubtful(&r);
}

static void noise_is_doubtful(void **state)
{
    static const double good[] = {0.1, 0.2, 0.15, 0.5, 0.6}, noise[] = {0.36, 0.2, 0.45, 0.31},
                        half[] = {0.1, 0.4}, unknown[] = {NAN, NAN, NAN}, one[] = {NAN, 0.4, NAN};

    (void)state;
    assert_false(doubtful(good, 5));
    assert_true(doubtful(noise, 4));
    assert_false(doubtful(half, 2));
    assert_false(doubtful(unknown, 3));
    assert_true(doubtful(one, 3));
    assert_false(doubtful(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(noise_is_doubtful)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
