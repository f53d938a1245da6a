/* PNG files of every colour type and depth, written here through libpng. */
#include "read_util.h"

#include <png.h>

/* Writes w x h rows of row_bytes each; returns the path. */
static const char *write_png(const char *name, int w, int h, int depth, int colour, int interlace,
                             uint8_t *rows, size_t row_bytes)
{
    const char *path = tmp_path(name);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t alpha[3] = {0, 128, 255};
    png_bytep at[512];
    png_color pal[256];
    FILE *f = fopen(path, "wb");
    int i;

    assert_non_null(f);
    for (i = 0; i < h; i++) at[i] = rows + (size_t)i * row_bytes;
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, depth, colour, interlace,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        for (i = 0; i < 1 << depth; i++) {
            pal[i].red = (png_byte)(i * 3);
            pal[i].green = (png_byte)(255 - i);
            pal[i].blue = 7;
        }
        png_set_PLTE(png, info, pal, 1 << depth);
        png_set_tRNS(png, info, alpha, depth == 1 ? 2 : 3, NULL);
    }
    png_set_pHYs(png, info, 3937, 3937, PNG_RESOLUTION_METER);
    png_set_rows(png, info, at);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
    return path;
}

static uint8_t rows[512 * 512 * 8];

static int stored(int i, int depth)
{
    return (i * 37 + i / 5) & ((1 << depth) - 1);
}

/* Sample i of each row goes into the row's bits, high bits first. */
static size_t fill(int w, int h, int depth, int channels)
{
    size_t row = ((size_t)w * (size_t)channels * (size_t)depth + 7) / 8;
    int y, i;

    memset(rows, 0, row * (size_t)h);
    for (y = 0; y < h; y++)
        for (i = 0; i < w * channels; i++) {
            int v = stored(y * w * channels + i, depth);
            uint8_t *p = rows + (size_t)y * row;

            if (depth == 16) {
                p[2 * i] = (uint8_t)(v >> 8);
                p[2 * i + 1] = (uint8_t)v;
            } else {
                p[i * depth / 8] |= (uint8_t)(v << (8 - depth - i * depth % 8));
            }
        }
    return row;
}

static void kinds(void **state)
{
    static const struct {
        int colour, depth, channels, keep;
    } k[] = {{0, 1, 1, 1},  {0, 2, 1, 1},  {0, 4, 1, 1}, {0, 8, 1, 1},  {0, 16, 1, 1},
             {4, 8, 2, 1},  {4, 16, 2, 1}, {2, 8, 3, 3}, {2, 16, 3, 3}, {6, 8, 4, 3},
             {6, 16, 4, 3}, {3, 1, 1, 3},  {3, 2, 1, 3}, {3, 4, 1, 3},  {3, 8, 1, 3}};
    static const int size[][2] = {{1, 1}, {7, 13}, {64, 33}};
    size_t i, s;
    int inter, c, p;

    (void)state;
    for (i = 0; i < sizeof k / sizeof *k; i++)
        for (s = 0; s < 3; s++)
            for (inter = 0; inter < 2; inter++) {
                int w = size[s][0], h = size[s][1], n = w * h;
                size_t row = fill(w, h, k[i].depth, k[i].channels);
                lp_image im = must_read(write_png("a.png", w, h, k[i].depth, k[i].colour,
                                                  inter ? PNG_INTERLACE_ADAM7 : 0, rows, row),
                                        0);

                assert_int_equal(im.nchan, k[i].keep);
                assert_int_equal(im.Lx, w);
                assert_int_equal(im.Ly, h);
                assert_true(im.pixel_nm == 0);
                for (c = 0; c < im.nchan; c++)
                    for (p = 0; p < n; p++) {
                        int v = stored(p * k[i].channels + (k[i].colour == 3 ? 0 : c), k[i].depth);

                        if (k[i].colour == 0 && k[i].depth < 8) v *= 255 / ((1 << k[i].depth) - 1);
                        if (k[i].colour == 3) v = c == 0 ? v * 3 & 255 : c == 1 ? 255 - v : 7;
                        if (im.data[c * n + p] != (float)v)
                            fail_msg("colour %d depth %d: pixel %d of channel %d is %g, not %d",
                                     k[i].colour, k[i].depth, p, c, (double)im.data[c * n + p], v);
                    }
                lp_image_free(&im);
            }
}

static void labels(void **state)
{
    static const int depth[] = {1, 2, 4, 8, 16};
    size_t i, row;
    lp_labels lb;
    lp_err err;
    int p, palette;

    (void)state;
    for (i = 0; i < 5; i++)
        for (palette = 0; palette < (depth[i] < 16 ? 2 : 1); palette++) {
            row = fill(7, 13, depth[i], 1);
            if (lp_read_labels(write_png("l.png", 7, 13, depth[i], palette ? 3 : 0, 0, rows, row),
                               &lb, &err))
                fail_msg("%s", err.msg);
            for (p = 0; p < 91; p++) assert_int_equal(lb.data[p], stored(p, depth[i]));
            lp_labels_free(&lb);
        }
    row = fill(7, 13, 8, 3);
    assert_int_equal(
        lp_read_labels(write_png("l.png", 7, 13, 8, PNG_COLOR_TYPE_RGB, 0, rows, row), &lb, &err),
        LP_EFORMAT);
    assert_non_null(strstr(err.msg, "colour"));
}

static void damaged(void **state)
{
    size_t row = fill(40, 30, 8, 1), n, k;
    const char *path = write_png("a.png", 40, 30, 8, 0, 0, rows, row);
    uint8_t *p = slurp(path, &n);

    (void)state;
    must_fail(path, 1, LP_EARG, "no page 1");
    for (k = 1; k + 24 < n; k++) /* the last 12 bytes hold nothing of the picture */
        must_fail(write_file("cut.png", p, k), 0, LP_EFORMAT, "");
    for (k = 12; k < 33; k++) {
        p[k] ^= 0x40;
        must_fail(write_file("bad.png", p, n), 0, LP_EFORMAT, "");
        p[k] ^= 0x40;
    }
    p[n - 40] ^= 1;
    must_fail(write_file("bad.png", p, n), 0, LP_EFORMAT, "damaged PNG");
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(labels),
                                       cmocka_unit_test(damaged)};
    return cmocka_run_group_tests_name("read_png", tests, make_tmp, drop_tmp);
}
