/* Measures of shapes that can be worked out by hand. */
#include "lp_test.h"

#include "host/measure.h"

#define PI 3.14159265358979323846

static lp_particle *measure(const lp_labels *lb, const float *image, int64_t n_expected)
{
    lp_particle *p = NULL;
    int64_t n = -1;
    lp_err err;

    assert_int_equal(lp_measure_particles(lb, image, NULL, NULL, 0, 30, &p, &n, &err), LP_OK);
    assert_int_equal(n, n_expected);
    assert_non_null(p);
    return p;
}

static void disc(lp_labels *lb, double cy, double cx, double r, uint32_t id)
{
    int y, x;

    for (y = 0; y < lb->Ly; y++)
        for (x = 0; x < lb->Lx; x++)
            if ((y - cy) * (y - cy) + (x - cx) * (x - cx) <= r * r)
                lb->data[(size_t)y * lb->Lx + x] = id;
}

static void rect(lp_labels *lb, int y0, int x0, int y1, int x1, uint32_t id)
{
    int y, x;

    for (y = y0; y < y1; y++)
        for (x = x0; x < x1; x++) lb->data[(size_t)y * lb->Lx + x] = id;
}

static void single_pixel(void **state)
{
    uint32_t d[12] = {0};
    lp_labels lb = {d, 3, 4};
    lp_particle *p;

    (void)state;
    d[1 * 4 + 2] = 1;
    p = measure(&lb, NULL, 1);
    assert_int_equal(p->id, 1);
    assert_int_equal(p->area, 1);
    assert_true(p->y == 1 && p->x == 2);
    assert_true(p->y0 == 1 && p->y1 == 2 && p->x0 == 2 && p->x1 == 3);
    LP_ASSERT_CLOSE(p->diameter, 2 / sqrt(PI), 1e-12, 0);
    LP_ASSERT_CLOSE(p->major, 4 / sqrt(12.0), 1e-12, 0);
    LP_ASSERT_CLOSE(p->minor, 4 / sqrt(12.0), 1e-12, 0);
    /* 2 crossings along each axis and each diagonal. */
    LP_ASSERT_CLOSE(p->perimeter, PI / 8 * (4 + 4 / sqrt(2.0)), 1e-12, 0);
    assert_true(p->circularity <= 1);
    assert_int_equal(p->touches_edge, 0);
    assert_true(p->support == 1 && p->level == 0);
    assert_true(p->diameter_min == 30 && p->diameter_max == 30);
    assert_true(isnan(p->mean_intensity) && isnan(p->mean_cellprob) && isnan(p->flow_error));
    free(p);
}

/* A rectangle of h x w has variances h^2/12 and w^2/12 (with the pixel's own 1/12), so its
 * axes are 4 h / sqrt(12) and 4 w / sqrt(12). */
static void rectangle(void **state)
{
    lp_labels lb = {0};
    lp_particle *p;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 20, 30, NULL), LP_OK);
    rect(&lb, 3, 5, 9, 25, 4);
    p = measure(&lb, NULL, 1);
    assert_int_equal(p->id, 4);
    assert_int_equal(p->area, 120);
    LP_ASSERT_CLOSE(p->y, 5.5, 1e-12, 0);
    LP_ASSERT_CLOSE(p->x, 14.5, 1e-12, 0);
    LP_ASSERT_CLOSE(p->major, 4 * 20 / sqrt(12.0), 1e-9, 0);
    LP_ASSERT_CLOSE(p->minor, 4 * 6 / sqrt(12.0), 1e-9, 0);
    LP_ASSERT_CLOSE(p->orientation, 0, 1e-9, 0);
    assert_true(p->y0 == 3 && p->x0 == 5 && p->y1 == 9 && p->x1 == 25);
    /* Crossings: rows 2x6, columns 2x20, each diagonal 2 x (6 + 20 - 1). */
    LP_ASSERT_CLOSE(p->perimeter, PI / 8 * (52 + 100 / sqrt(2.0)), 1e-9, 0);
    free(p);
    /* Upright: a quarter turn. */
    memset(lb.data, 0, 20 * 30 * sizeof *lb.data);
    rect(&lb, 1, 5, 19, 8, 1);
    p = measure(&lb, NULL, 1);
    LP_ASSERT_CLOSE(p->orientation, 90, 1e-9, 0);
    free(p);
    lp_labels_free(&lb);
}

/* L of 3 pixels down and 2 more to the right, begun off the corner: sums by hand.
 *   x 1 2 3      y: 1 2 3 3 3 -> 12/5    x: 1 1 1 2 3 -> 8/5 */
static void l_shape(void **state)
{
    static const uint32_t d[5 * 5] = {0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0,
                                      0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0};
    uint32_t copy[25];
    float image[25];
    lp_labels lb = {copy, 5, 5};
    lp_particle *p;
    double cyy = (1.96 + 0.16 + 3 * 0.36) / 5 + 1.0 / 12;
    double cxx = (3 * 0.36 + 0.16 + 1.96) / 5 + 1.0 / 12;
    double cyx = (-1.4 * -0.6 + -0.4 * -0.6 + 0.6 * -0.6 + 0.6 * 0.4 + 0.6 * 1.4) / 5;
    int i;

    (void)state;
    memcpy(copy, d, sizeof d);
    for (i = 0; i < 25; i++) image[i] = (float)i;
    p = measure(&lb, image, 1);
    assert_int_equal(p->area, 5);
    LP_ASSERT_CLOSE(p->y, 2.4, 1e-12, 0);
    LP_ASSERT_CLOSE(p->x, 1.6, 1e-12, 0);
    LP_ASSERT_CLOSE(p->major, 4 * sqrt((cyy + cxx) / 2 + cyx), 1e-9, 0); /* cyy = cxx */
    LP_ASSERT_CLOSE(p->minor, 4 * sqrt((cyy + cxx) / 2 - cyx), 1e-9, 0);
    LP_ASSERT_CLOSE(p->orientation, 45, 1e-6, 0); /* from upper left to lower right */
    LP_ASSERT_CLOSE(p->mean_intensity, (6 + 11 + 16 + 17 + 18) / 5.0, 1e-12, 0);
    free(p);
}

/* Crossings are whole numbers, so one disc scatters (by 3 % at diameter 10, 1 % at 30); the
 * mean over positions must not be off. */
static void discs_are_round(void **state)
{
    lp_labels lb = {0};
    double d;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 220, 220, NULL), LP_OK);
    for (d = 10; d <= 200; d *= 1.13) {
        double off, sum = 0;
        int n = 0;

        for (off = 0.06; off < 0.9; off += 0.11) {
            lp_particle *p;

            memset(lb.data, 0, 220 * 220 * sizeof *lb.data);
            disc(&lb, 105 + off, 107 - off / 2, d / 2, 1);
            p = measure(&lb, NULL, 1);
            sum += 4 * PI * (double)p->area / (p->perimeter * p->perimeter);
            n++;
            assert_true(p->circularity <= 1);
            LP_ASSERT_CLOSE(p->circularity, 1, d < 20 ? 0.08 : 0.05, 0);
            LP_ASSERT_CLOSE(p->diameter, d, 0.4, 0);
            LP_ASSERT_CLOSE(p->major, d, 0.6, 0);
            LP_ASSERT_CLOSE(p->y, 105 + off, 0.3, 0);
            free(p);
        }
        LP_ASSERT_CLOSE(sum / n, 1, d < 20 ? 0.03 : 0.015, 0);
    }
    /* A long bar is far from round: 4 pi 200 / 404^2. */
    memset(lb.data, 0, 220 * 220 * sizeof *lb.data);
    rect(&lb, 4, 4, 5, 204, 1);
    {
        lp_particle *p = measure(&lb, NULL, 1);

        assert_true(p->circularity < 0.05);
        free(p);
    }
    lp_labels_free(&lb);
}

static void gaps_edges_and_touching(void **state)
{
    lp_labels lb = {0};
    float image[40 * 40], cellprob[40 * 40], flow_error[3] = {0.1f, 0.2f, 0.3f};
    lp_particle *p;
    int64_t n;
    int i;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 40, 40, NULL), LP_OK);
    for (i = 0; i < 1600; i++) {
        image[i] = (float)(i / 40);
        cellprob[i] = (float)(i % 40);
    }
    rect(&lb, 0, 4, 6, 10, 3);      /* top edge; label 2 is missing */
    rect(&lb, 10, 10, 20, 20, 1);   /* two that touch */
    rect(&lb, 10, 20, 20, 30, 900); /* beyond flow_error */
    rect(&lb, 30, 30, 40, 34, 4000000000u);
    assert_int_equal(lp_measure_particles(&lb, image, cellprob, flow_error, 3, 12.5, &p, &n, NULL),
                     LP_OK);
    assert_int_equal(n, 4);
    assert_int_equal(p[0].id, 1);
    assert_int_equal(p[1].id, 3);
    assert_int_equal(p[2].id, 900);
    assert_int_equal(p[3].id, 4000000000u);
    assert_true(!p[0].touches_edge && p[1].touches_edge && !p[2].touches_edge && p[3].touches_edge);
    LP_ASSERT_CLOSE(p[0].flow_error, 0.1, 1e-6, 0);
    LP_ASSERT_CLOSE(p[1].flow_error, 0.3, 1e-6, 0);
    assert_true(isnan(p[2].flow_error));
    LP_ASSERT_CLOSE(p[0].mean_intensity, 14.5, 1e-9, 0);
    LP_ASSERT_CLOSE(p[2].mean_cellprob, 24.5, 1e-9, 0);
    /* The border shared with a neighbour counts, and so does the image's. */
    LP_ASSERT_CLOSE(p[0].perimeter, p[2].perimeter, 1e-12, 0);
    LP_ASSERT_CLOSE(p[1].perimeter, PI / 8 * (24 + 44 / sqrt(2.0)), 1e-9, 0);
    LP_ASSERT_CLOSE(p[0].diameter_max, 12.5, 0, 0);
    free(p);
    lp_labels_free(&lb);
}

static void nothing_and_one_pixel_images(void **state)
{
    uint32_t d[1] = {0};
    float v[1] = {3};
    lp_labels lb = {d, 1, 1};
    lp_particle *p;

    (void)state;
    free(measure(&lb, NULL, 0));
    d[0] = 1;
    p = measure(&lb, v, 1);
    assert_true(p->touches_edge && p->area == 1 && p->mean_intensity == 3);
    free(p);
}

/* Far from the origin the second moments must not drown in the coordinates. */
static void large_coordinates(void **state)
{
    lp_labels lb = {0};
    lp_particle *p;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 2, LP_MAX_SIDE, NULL), LP_OK);
    rect(&lb, 0, LP_MAX_SIDE - 7, 2, LP_MAX_SIDE, 1);
    p = measure(&lb, NULL, 1);
    LP_ASSERT_CLOSE(p->x, LP_MAX_SIDE - 4, 1e-9, 0);
    LP_ASSERT_CLOSE(p->major, 28 / sqrt(12.0), 1e-9, 0);
    free(p);
    lp_labels_free(&lb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_pixel),
        cmocka_unit_test(rectangle),
        cmocka_unit_test(l_shape),
        cmocka_unit_test(discs_are_round),
        cmocka_unit_test(gaps_edges_and_touching),
        cmocka_unit_test(nothing_and_one_pixel_images),
        cmocka_unit_test(large_coordinates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
