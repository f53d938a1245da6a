/* Outlines to labels: by hand, against a test of every pixel, overlaps and limits. */
#include "lp_test.h"

#include "host/rasterize.h"

static void add(lp_shapes *s, const double (*yx)[2], int n, int new_shape)
{
    int i;

    if (new_shape) assert_int_equal(lp_shapes_begin(s, LP_SHAPE_RINGS, NULL), LP_OK);
    assert_int_equal(lp_shapes_ring(s, NULL), LP_OK);
    for (i = 0; i < n; i++) assert_int_equal(lp_shapes_point(s, yx[i][0], yx[i][1], NULL), LP_OK);
}

static void box(lp_shapes *s, double y0, double x0, double y1, double x1, int new_shape)
{
    const double yx[4][2] = {{y0, x0}, {y0, x1}, {y1, x1}, {y1, x0}};

    add(s, yx, 4, new_shape);
}

static void expect(const lp_shapes *s, int Ly, int Lx, const char *want)
{
    lp_labels lb;
    lp_err err;
    int i;

    if (lp_rasterize(s, Ly, Lx, &lb, &err)) fail_msg("%s", err.msg);
    for (i = 0; i < Ly * Lx; i++)
        if (lb.data[i] != (uint32_t)(want[i] == '.' ? 0 : want[i] - '0'))
            fail_msg("pixel %d, %d is %u, not %c", i / Lx, i % Lx, lb.data[i], want[i]);
    lp_labels_free(&lb);
}

static void by_hand(void **state)
{
    lp_shapes s = {0};

    (void)state;
    expect(&s, 2, 3, "......");
    box(&s, 1, 1, 3, 4, 1);
    box(&s, -5, 4, 2, 99, 1); /* cut off at the border, shares an edge with the first */
    expect(&s, 4, 6,
           "....22"
           ".11122"
           ".111.."
           "......");
    lp_shapes_free(&s);
    box(&s, 0, 0, 5, 5, 1);
    box(&s, 4, 4, 1, 1, 0); /* a hole, whatever way it runs */
    box(&s, 2, 2, 3, 3, 0); /* and an island in it */
    expect(&s, 5, 5,
           "11111"
           "1...1"
           "1.1.1"
           "1...1"
           "11111");
    lp_shapes_free(&s);
}

/* The centre decides. */
static void fractions(void **state)
{
    lp_shapes s = {0};

    (void)state;
    box(&s, 0.49, 0.51, 1.51, 2.49, 1);
    expect(&s, 3, 4, ".1...1......");
    lp_shapes_free(&s);
    /* Edges through centres: the left one's, and the one's below. */
    box(&s, 0.5, 0, 1.5, 1.5, 1);
    box(&s, 0.5, 1.5, 1.5, 3, 1);
    expect(&s, 3, 3, "112......");
    lp_shapes_free(&s);
}

static void overlaps(void **state)
{
    lp_shapes s = {0};

    (void)state;
    box(&s, 1, 1, 2, 2, 1); /* inside the larger one that comes later */
    box(&s, 0, 0, 3, 3, 1);
    expect(&s, 3, 3, "222212222");
    lp_shapes_free(&s);
    box(&s, 0, 0, 1, 2, 1);
    box(&s, 0, 1, 1, 3, 1);   /* of equal size: the later */
    box(&s, 9, 9, 10, 10, 1); /* outside: a gap in the numbers */
    box(&s, 0, 3, 1, 4, 1);
    expect(&s, 1, 4, "1224");
    lp_shapes_free(&s);
}

static uint32_t next(uint32_t *s)
{
    return (*s = *s * 1664525u + 1013904223u) >> 8;
}

static int inside(const double (*p)[2], int n, double y, double x)
{
    int i, in = 0;

    for (i = 0; i < n; i++) {
        const double *a = p[i], *b = p[(i + 1) % n];

        if ((a[0] > y) == (b[0] > y)) continue;
        if (x > a[1] + (y - a[0]) / (b[0] - a[0]) * (b[1] - a[1])) in = !in;
    }
    return in;
}

/* Random polygons, most of which cross themselves. */
static void every_pixel(void **state)
{
    enum { LY = 31, LX = 37 };
    uint32_t seed = 5;
    int t, i, y, x;

    (void)state;
    for (t = 0; t < 60; t++) {
        double p[60][2];
        lp_shapes s = {0};
        lp_labels lb;
        int n = 3 + (int)(next(&seed) % 57);

        for (i = 0; i < n; i++) {
            p[i][0] = (next(&seed) % 60000) / 1000.0 - 15.0001;
            p[i][1] = (next(&seed) % 60000) / 1000.0 - 12.0001;
        }
        add(&s, (const double(*)[2])p, n, 1);
        assert_int_equal(lp_rasterize(&s, LY, LX, &lb, NULL), LP_OK);
        for (y = 0; y < LY; y++)
            for (x = 0; x < LX; x++)
                assert_int_equal(lb.data[y * LX + x],
                                 inside((const double(*)[2])p, n, y + .5, x + .5));
        lp_labels_free(&lb);
        lp_shapes_free(&s);
    }
}

static void ellipses(void **state)
{
    /* Pixels of an ImageJ oval of this diameter, by ImageJ 1.53t. */
    static const int area[][2] = {{1, 1}, {2, 4}, {3, 9}, {4, 12}, {10, 80}, {31, 749}, {40, 1264}};
    size_t k;

    (void)state;
    for (k = 0; k < sizeof area / sizeof *area; k++) {
        lp_shapes s = {0};
        lp_labels lb;
        int i, n = 0;

        assert_int_equal(lp_shapes_begin(&s, LP_SHAPE_ELLIPSE, NULL), LP_OK);
        assert_int_equal(lp_shapes_ring(&s, NULL), LP_OK);
        assert_int_equal(lp_shapes_point(&s, 3, 2, NULL), LP_OK);
        assert_int_equal(lp_shapes_point(&s, 3 + area[k][0], 2 + area[k][0], NULL), LP_OK);
        assert_int_equal(lp_rasterize(&s, 50, 50, &lb, NULL), LP_OK);
        for (i = 0; i < 2500; i++) n += lb.data[i] == 1;
        assert_int_equal(n, area[k][1]);
        lp_labels_free(&lb);
        lp_shapes_free(&s);
    }
}

static void limits(void **state)
{
    lp_shapes s = {0};
    lp_labels lb = {0};
    lp_err err;
    int i;

    (void)state;
    assert_int_equal(lp_shapes_begin(&s, LP_SHAPE_RINGS, NULL), LP_OK);
    expect(&s, 1, 1, "."); /* no rings */
    assert_int_equal(lp_shapes_ring(&s, NULL), LP_OK);
    expect(&s, 1, 1, "."); /* no points */
    assert_int_equal(lp_shapes_point(&s, NAN, 0, &err), LP_EFORMAT);
    assert_int_equal(lp_shapes_point(&s, 0, INFINITY, &err), LP_EFORMAT);
    assert_int_equal(lp_shapes_point(&s, 0, -1e7, &err), LP_EFORMAT);
    assert_int_equal(lp_rasterize(&s, 0, 5, &lb, &err), LP_EARG);
    /* The whole image many times over. */
    for (i = 0; i < 3000; i++) box(&s, -1e6, -1e6, 1e6, 1e6, 1);
    assert_int_equal(lp_rasterize(&s, 500, 500, &lb, &err), LP_EFORMAT);
    assert_null(lb.data);
    lp_shapes_free(&s);
    /* Up and down the whole image, each time for half a pixel. */
    assert_int_equal(lp_shapes_begin(&s, LP_SHAPE_RINGS, NULL), LP_OK);
    assert_int_equal(lp_shapes_ring(&s, NULL), LP_OK);
    for (i = 0; i < 100000; i++)
        assert_int_equal(lp_shapes_point(&s, i % 2 ? 2000 : 0, i * 1e-3, NULL), LP_OK);
    assert_int_equal(lp_rasterize(&s, 2000, 200, &lb, &err), LP_EFORMAT);
    lp_shapes_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),     cmocka_unit_test(fractions), cmocka_unit_test(overlaps),
        cmocka_unit_test(every_pixel), cmocka_unit_test(ellipses),  cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
