/* The choice of diameters, as numbers. */
#include "lp_test.h"

#include <math.h>
#include <stdlib.h>

#include "host/layers.h"
#include "host/pilot.h"

static const double unknown[2], wide[2] = {1, 1e6};

static void grid(void **state)
{
    int j;

    (void)state;
    for (j = -3; j < 6; j++) assert_true(lp_pilot_grid(30, 5 * j) == ldexp(30, j));
    for (j = -10; j < 30; j++) {
        double d = lp_pilot_grid(30, j), next = lp_pilot_grid(30, j + 1), again;
        char text[40];

        assert_true(fabs(next / d - 1.1487) < 0.002);
        snprintf(text, sizeof text, "%.10g", d);
        again = strtod(text, NULL);
        assert_true(again == d); /* what is printed can be given */
    }
}

static void limits(void **state)
{
    static const double range[2] = {40, 100}, tiny[2] = {1, 2};
    lp_pilot_limits l = lp_pilot_limit(30, unknown, 500, 400);

    (void)state;
    assert_true(l.min == 15 && l.max == 400);
    l = lp_pilot_limit(30, range, 500, 400);
    assert_true(l.min == 20 && l.max == 200);
    l = lp_pilot_limit(30, range, 500, 120);
    assert_true(l.min == 20 && l.max == 120);
    l = lp_pilot_limit(30, unknown, 1, 1000);
    assert_true(l.min == 15 && l.max == 15);
    l = lp_pilot_limit(30, tiny, 500, 500);
    assert_true(l.min == 7.5 && l.max == 7.5);
}

static void diameters(void **state)
{
    static const double want[] = {480, 240, 120, 60, 30, 15, 7.5};
    lp_pilot_limits l = {7.5, 512};
    double d[LP_PILOT_MAX];
    int i;

    (void)state;
    assert_int_equal(lp_pilot_diameters(30, &l, d), 7);
    for (i = 0; i < 7; i++) assert_true(d[i] == want[i]);
    l.max = 479;
    assert_int_equal(lp_pilot_diameters(30, &l, d), 6);
    assert_true(d[0] == 240);
    l = (lp_pilot_limits){20, 25}; /* nothing a factor of 2 apart lies within */
    assert_int_equal(lp_pilot_diameters(30, &l, d), 1);
    assert_true(d[0] == 30);
    l = (lp_pilot_limits){7.5, 7.5};
    assert_int_equal(lp_pilot_diameters(30, &l, d), 1);
    assert_true(d[0] == 7.5);
    l = (lp_pilot_limits){1e-30, 1e30};
    assert_in_range(lp_pilot_diameters(30, &l, d), 1, LP_PILOT_MAX);
    assert_in_range(lp_pilot_choose(30, &l, wide, 1e10, d), 1, LP_PILOT_MAX);
}

static void range(void **state)
{
    lp_pilot_size one[] = {{47, 3, NAN}}, many[100], specks[24];
    double r[2] = {-1, -2};
    int i;

    (void)state;
    assert_int_equal(lp_pilot_range(one, 0, r), 0);
    assert_true(r[0] == -1 && r[1] == -2);
    assert_int_equal(lp_pilot_range(one, 1, r), 1);
    assert_true(r[0] == 47 && r[1] == 47);
    for (i = 0; i < 100; i++) many[i] = (lp_pilot_size){1 + (i * 37) % 100, 1, 0.1};
    assert_int_equal(lp_pilot_range(many, 100, r), 1);
    assert_true(r[0] >= 5 && r[0] <= 6 && r[1] >= 95 && r[1] <= 96);
    /* Four sure particles and twenty doubtful specks. */
    for (i = 0; i < 4; i++) specks[i] = (lp_pilot_size){240 + i, lp_pilot_weight(15, 240 + i), 0.2};
    for (; i < 24; i++) specks[i] = (lp_pilot_size){8 + i % 5, lp_pilot_weight(7, 8 + i % 5), 0.5};
    assert_int_equal(lp_pilot_range(specks, 24, r), 1);
    assert_true(r[0] == 240 && r[1] == 243);
    /* The same twenty, as sure as the others. */
    for (i = 0; i < 24; i++) specks[i].weight = lp_pilot_weight(15, specks[i].diameter);
    assert_int_equal(lp_pilot_range(specks, 24, r), 1);
    assert_true(r[0] < 15 && r[1] == 243);
}

/* Many specks of one size with the flow errors of noise are no range, few among many sure ones are
 * no harm. */
static void noise(void **state)
{
    lp_pilot_size size[50];
    double r[2] = {-1, -2};
    int i;

    (void)state;
    for (i = 0; i < 50; i++) size[i] = (lp_pilot_size){14 + i % 3, 10, 0.25 + 0.005 * i};
    assert_int_equal(lp_pilot_range(size, 50, r), 0);
    assert_true(r[0] == -1 && r[1] == -2);
    for (i = 0; i < 50; i++) size[i] = (lp_pilot_size){14 + i % 3, 10, i < 40 ? 0.15 : 0.6};
    assert_int_equal(lp_pilot_range(size, 50, r), 1);
    for (i = 0; i < 50; i++) size[i] = (lp_pilot_size){14 + i % 3, 10, NAN}; /* no flow QC */
    assert_int_equal(lp_pilot_range(size, 50, r), 1);
}

static void goes_on(void **state)
{
    static const double small[2] = {20, 100}, large[2] = {50, 100};

    (void)state;
    assert_true(lp_pilot_goes_on(60, 30, NULL) && lp_pilot_goes_on(30, 30, NULL));
    assert_false(lp_pilot_goes_on(15, 30, NULL));
    assert_true(lp_pilot_goes_on(60, 30, small) && lp_pilot_goes_on(30, 30, small));
    assert_false(lp_pilot_goes_on(15, 30, small) || lp_pilot_goes_on(60, 30, large));
}

static void choose(void **state)
{
    static const double sizes[2] = {45, 90}, above[2] = {900, 1000}, below[2] = {1, 2};
    lp_pilot_limits l = {7.5, 512};
    double d[LP_PILOT_MAX];
    int n = lp_pilot_choose(30, &l, sizes, 1.5, d), i;

    (void)state;
    assert_int_equal(n, 12); /* 30 to 137.8: 11 steps */
    for (i = 0; i < n; i++) assert_true(d[i] == lp_pilot_grid(30, i));
    n = lp_pilot_choose(30, &l, above, 1.5, d);
    assert_true(n == 1 && d[0] <= 512 && d[0] > 445);
    n = lp_pilot_choose(30, &l, below, 1.5, d);
    assert_true(n == 1 && d[0] == 7.5);
    l = (lp_pilot_limits){40, 42};
    n = lp_pilot_choose(30, &l, sizes, 1.5, d);
    assert_true(n == 1 && fabs(d[0] / 41 - 1) < 0.15);
}

static void tells(void **state)
{
    static const uint32_t none[4];
    lp_diameters_result r = {.source = LP_RANGE_PILOT, .n_pilot = 5, .pilot_particles = 63};
    char text[200];
    lp_err err;

    (void)state;
    assert_int_equal(lp_layers_new(2, 2, &r.layers, &err), LP_OK);
    assert_int_equal(lp_layers_add(r.layers, 137.84, none, 0, NULL, NULL, &err), LP_OK);
    assert_int_equal(lp_layers_add(r.layers, 26.12, none, 0, NULL, NULL, &err), LP_OK);
    lp_pilot_tell(text, sizeof text, &r);
    assert_string_equal(text, "diameters 26.12 to 137.84 px, 2 of them (pilot: 5 diameters, 63 "
                              "particles)");
    r.source = LP_RANGE_DEFAULT;
    lp_pilot_tell(text, sizeof text, &r);
    assert_non_null(strstr(text, "what it found may be noise, so the usual ones"));
    r.pilot_particles = 0;
    lp_pilot_tell(text, sizeof text, &r);
    assert_non_null(strstr(text, "nothing found, so the usual ones"));
    lp_layers_free(&r.layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid),  cmocka_unit_test(limits),  cmocka_unit_test(diameters),
        cmocka_unit_test(range), cmocka_unit_test(goes_on), cmocka_unit_test(choose),
        cmocka_unit_test(tells), cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
