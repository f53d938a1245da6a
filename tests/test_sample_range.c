/* Percentiles for display against those of a sorted copy. */
#include "lp_test.h"

#include <math.h>
#include <stdlib.h>

#include "host/sample_range.h"
#include "host/sort.h"

/* kind: 0 random, 1 few values, 2 rising, 3 falling, 4 constant, 5 with NaN and infinities. */
static void fill(float *v, size_t n, int kind)
{
    uint32_t s = 7;
    size_t i;

    for (i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        v[i] = kind == 2   ? (float)i
               : kind == 3 ? -(float)i
               : kind == 4 ? 3
               : kind == 1 ? (float)(s >> 30)
                           : (float)(s >> 8) - 8e6f;
        if (kind == 5 && i % 3 == 1) v[i] = i % 2 ? NAN : i % 4 ? INFINITY : -INFINITY;
    }
}

static void as_sorted(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 5, 16, 97, 1000, 131072};
    static const double percent[][2] = {{0, 100}, {1, 99}, {50, 50}, {0.1, 99.9}, {100, 0}};
    size_t a, b, k;
    int kind;

    (void)state;
    for (a = 0; a < sizeof sizes / sizeof *sizes; a++)
        for (kind = 0; kind < 6; kind++) {
            size_t n = sizes[a], m = 0;
            float *v = malloc(n * sizeof *v), *sorted = malloc(n * sizeof *sorted), lo, hi;
            lp_err err;

            fill(v, n, kind);
            for (k = 0; k < n; k++)
                if (isfinite(v[k])) sorted[m++] = v[k];
            qsort(sorted, m, sizeof *sorted, lp_by_float);
            for (b = 0; b < sizeof percent / sizeof *percent; b++) {
                assert_int_equal(
                    lp_sample_range(v, n, percent[b][0], percent[b][1], &lo, &hi, &err), LP_OK);
                assert_true(lo == sorted[(size_t)(percent[b][0] / 100 * (double)(m - 1))]);
                assert_true(hi == sorted[(size_t)ceil(percent[b][1] / 100 * (double)(m - 1))]);
            }
            free(v);
            free(sorted);
        }
}

static void nothing_finite(void **state)
{
    float v[3] = {NAN, INFINITY, -INFINITY}, lo = 5, hi = 5;
    lp_err err;

    (void)state;
    assert_int_equal(lp_sample_range(v, 3, 1, 99, &lo, &hi, &err), LP_OK);
    assert_true(lo == 0 && hi == 1);
    assert_int_equal(lp_sample_range(v, 0, 1, 99, &lo, &hi, &err), LP_OK);
    assert_true(lo == 0 && hi == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_sorted),
                                       cmocka_unit_test(nothing_finite)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
