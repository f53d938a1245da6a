/* The overlay: outlines inside, colours of neighbours, scale bar, sizes. */
#include "tmp_dir.h"

#include "host/overlay.h"
#include "host/palette.h"
#include "host/sample_range.h"
#include "host/text.h"

static const uint8_t *at(const lp_rgb *r, int y, int x)
{
    return r->data + ((size_t)y * r->Lx + x) * 3;
}

static int is_grey(const uint8_t *p)
{
    return p[0] == p[1] && p[1] == p[2];
}

static void rect(lp_labels *lb, int y0, int x0, int y1, int x1, uint32_t id)
{
    int y, x;

    for (y = y0; y < y1; y++)
        for (x = x0; x < x1; x++) lb->data[(size_t)y * lb->Lx + x] = id;
}

/* A ramp from 0 to 999 along x. */
static float *ramp(int Ly, int Lx)
{
    float *d = malloc((size_t)Ly * Lx * sizeof *d);
    int i;

    assert_non_null(d);
    for (i = 0; i < Ly * Lx; i++) d[i] = (float)(i % Lx) / (float)(Lx > 1 ? Lx - 1 : 1) * 999;
    return d;
}

static void outlines_lie_inside(void **state)
{
    lp_overlay_opts opts = {.thickness = 2};
    lp_labels lb = {0};
    float *im = ramp(60, 80);
    lp_rgb r = {0};
    int y, x;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 60, 80, NULL), LP_OK);
    rect(&lb, 10, 10, 30, 40, 1);
    rect(&lb, 10, 40, 30, 60, 2);
    assert_int_equal(lp_overlay_draw(im, &lb, NULL, 0, &opts, &r, NULL), LP_OK);
    assert_true(r.Ly == 60 && r.Lx == 80);
    for (y = 0; y < 60; y++)
        for (x = 0; x < 80; x++) {
            int in = lb.data[y * 80 + x] != 0;
            int x0 = x < 40 ? 10 : 40, x1 = x < 40 ? 40 : 60;
            int inner = y >= 12 && y < 28 && x >= x0 + 2 && x < x1 - 2;

            assert_int_equal(is_grey(at(&r, y, x)), !in || inner);
        }
    assert_memory_not_equal(at(&r, 20, 39), at(&r, 20, 40), 3);
    assert_int_equal(at(&r, 0, 0)[0], 0);
    assert_int_equal(at(&r, 0, 79)[0], 255);
    assert_true(at(&r, 0, 40)[0] > 115 && at(&r, 0, 40)[0] < 140);
    lp_rgb_free(&r);
    lp_rgb_free(&r);
    /* A hole of one pixel: two pixels along the axes, one along the diagonals. */
    lb.data[20 * 80 + 25] = 0;
    assert_int_equal(lp_overlay_draw(im, &lb, NULL, 0, &opts, &r, NULL), LP_OK);
    assert_true(!is_grey(at(&r, 20, 27)) && !is_grey(at(&r, 18, 25)) && !is_grey(at(&r, 21, 24)));
    assert_true(is_grey(at(&r, 20, 25)) && is_grey(at(&r, 20, 28)) && is_grey(at(&r, 22, 27)));
    lp_rgb_free(&r);
    free(im);
    lp_labels_free(&lb);
}

static void neighbours_differ(void **state)
{
    lp_labels lb = {0};
    lp_label_index ix = {0};
    uint8_t colour[1000];
    int y, x;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 90, 90, NULL), LP_OK);
    /* Bricks with a pixel of mortar between the rows. Seven to a row, so that going round the
     * palette of six would give the same colour one row down and one to the side. */
    for (y = 0; y < 90; y++)
        for (x = 0; x < 84; x++)
            lb.data[y * 90 + x] = y % 9 ? (uint32_t)(y / 9 * 7 + (x + y / 9 % 2 * 6) / 12 + 1) : 0;
    assert_int_equal(lp_label_index_new(&lb, &ix, NULL), LP_OK);
    assert_true(ix.n < 1000);
    assert_int_equal(lp_palette_assign(&lb, &ix, colour, NULL), LP_OK);
    for (y = 0; y < 88; y++)
        for (x = 0; x < 88; x++) {
            uint32_t a = lb.data[y * 90 + x], b = lb.data[y * 90 + x + 1];
            uint32_t c = lb.data[(y + 2) * 90 + x];

            if (a && b && a != b)
                assert_int_not_equal(colour[lp_label_index_find(&ix, a)],
                                     colour[lp_label_index_find(&ix, b)]);
            if (a && c && a != c)
                assert_int_not_equal(colour[lp_label_index_find(&ix, a)],
                                     colour[lp_label_index_find(&ix, c)]);
        }
    lp_label_index_free(&ix);
    lp_labels_free(&lb);
}

/* 500 px of 2 nm: a fifth is 200 nm, so the bar is 200 nm = 100 px of white. */
static void scale_bar(void **state)
{
    lp_overlay_opts opts = {.pixel_nm = 2};
    lp_labels lb = {0};
    float *im = calloc(400 * 500, sizeof *im);
    lp_rgb r = {0};
    int y, x, longest = 0;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 400, 500, NULL), LP_OK);
    assert_int_equal(lp_overlay_draw(im, &lb, NULL, 0, &opts, &r, NULL), LP_OK);
    for (y = 0; y < 400; y++) {
        int run = 0;

        for (x = 0; x < 500; x++) {
            run = at(&r, y, x)[0] == 255 ? run + 1 : 0;
            if (run > longest) longest = run;
        }
    }
    assert_int_equal(longest, 100);
    lp_rgb_free(&r);
    opts.pixel_nm = 0;
    assert_int_equal(lp_overlay_draw(im, &lb, NULL, 0, &opts, &r, NULL), LP_OK);
    for (y = 0; y < 400 * 500 * 3; y++) assert_int_equal(r.data[y], 0);
    lp_rgb_free(&r);
    free(im);
    lp_labels_free(&lb);
}

static void all_sizes_with_everything(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 300}, {300, 1}, {7, 13}, {64, 64}, {1000, 30}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof size / sizeof size[0]; i++) {
        int Ly = size[i][0], Lx = size[i][1], k;
        float *im = ramp(Ly, Lx);
        lp_particle *p = NULL;
        lp_labels lb = {0};
        int64_t n = 0;

        im[0] = NAN;
        assert_int_equal(lp_labels_new(&lb, Ly, Lx, NULL), LP_OK);
        lb.data[0] = 1;
        lb.data[(size_t)Ly * Lx - 1] = 4000000000u;
        assert_int_equal(lp_measure_particles(&lb, im, NULL, NULL, 0, 1, &p, &n, NULL), LP_OK);
        for (k = 0; k < 3; k++) {
            lp_overlay_opts opts = {
                .ids = 1, .count = 1, .pixel_nm = k ? 1e-3 : 1e6, .max_side = k == 2 ? 50 : 0};
            lp_rgb r = {0};

            assert_int_equal(lp_overlay_draw(im, &lb, p, n, &opts, &r, NULL), LP_OK);
            assert_true(k < 2 ? r.Ly == Ly && r.Lx == Lx : r.Ly <= 50 && r.Lx <= 50);
            assert_true(r.Ly >= 1 && r.Lx >= 1);
            lp_rgb_free(&r);
        }
        free(p);
        free(im);
        lp_labels_free(&lb);
    }
}

static void cellpose_outlines(void **state)
{
    lp_labels lb = {0};
    float *im = ramp(20, 20);
    lp_rgb r = {0};
    static const uint8_t red[3] = {255, 0, 0};

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 20, 20, NULL), LP_OK);
    rect(&lb, 0, 0, 10, 10, 1);
    assert_int_equal(lp_overlay_outlines(im, &lb, &r, NULL), LP_OK);
    assert_memory_equal(at(&r, 5, 9), red, 3);
    assert_memory_equal(at(&r, 9, 0), red, 3);
    assert_memory_equal(at(&r, 0, 5), red, 3); /* the image's border too, as cv2.findContours */
    assert_true(is_grey(at(&r, 1, 5)) && is_grey(at(&r, 5, 8)) && is_grey(at(&r, 5, 10)));
    lp_rgb_free(&r);
    free(im);
    lp_labels_free(&lb);
}

static void percentiles(void **state)
{
    float v[1001], lo, hi;
    int i;

    (void)state;
    for (i = 0; i <= 1000; i++) v[i] = (float)((i * 617) % 1001);
    assert_int_equal(lp_sample_range(v, 1001, 1, 99, &lo, &hi, NULL), LP_OK);
    assert_true(lo == 10 && hi == 990);
    for (i = 0; i <= 1000; i++) v[i] = NAN;
    assert_int_equal(lp_sample_range(v, 1001, 1, 99, &lo, &hi, NULL), LP_OK);
    assert_true(lo == 0 && hi == 1);
}

static void words(void **state)
{
    uint8_t rgb[10 * 12 * 3] = {0};
    static const uint8_t white[3] = {255, 255, 255};
    int i, n = 0;

    (void)state;
    assert_int_equal(lp_text_width("", 3), 0);
    assert_int_equal(lp_text_width("12", 3), 33);
    lp_text_draw(rgb, 10, 12, 1, 1, "1?", 1, white);
    for (i = 0; i < 120; i++) n += rgb[3 * i] == 255;
    assert_int_equal(n, 10); /* the pixels of the 1; no glyph for the other */
    lp_text_draw(rgb, 10, 12, -4, -3, "888", 2, white); /* cut at the border */
    lp_text_draw(rgb, 10, 12, 9, 11, "888", 2, white);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outlines_lie_inside),
        cmocka_unit_test(neighbours_differ),
        cmocka_unit_test(scale_bar),
        cmocka_unit_test(all_sizes_with_everything),
        cmocka_unit_test(cellpose_outlines),
        cmocka_unit_test(percentiles),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
