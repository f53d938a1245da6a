/* ImageJ ROIs: every kind by its bytes, archives, and what must be refused. That ImageJ itself
 * gives the same pixels was checked with ImageJ 1.53t. */
#include "tmp_dir.h"

#include <zip.h>

#include "host/rasterize.h"
#include "host/read_outlines.h"
#include "host/read_rois.h"
#include "roi_bytes.h"

enum { RECT = 1, OVAL, LINE, FREELINE, POLYLINE, NO_ROI, FREEHAND, TRACED, ANGLE, POINT };

static void expect(const roi_bytes *r, int Ly, int Lx, const char *want)
{
    lp_shapes s = {0};
    lp_labels lb;
    lp_err err;
    int i;

    if (lp_roi_parse(r->b, r->n, &s, &err)) fail_msg("%s", err.msg);
    assert_int_equal(s.n, 1);
    assert_int_equal(lp_rasterize(&s, Ly, Lx, &lb, NULL), LP_OK);
    for (i = 0; i < Ly * Lx; i++)
        if ((lb.data[i] != 0) != (want[i] == '#')) fail_msg("pixel %d, %d", i / Lx, i % Lx);
    lp_labels_free(&lb);
    lp_shapes_free(&s);
}

static void refused(const roi_bytes *r, const char *why)
{
    lp_shapes s = {0};
    lp_err err;

    assert_int_equal(lp_roi_parse(r->b, r->n, &s, &err), LP_EFORMAT);
    if (!strstr(err.msg, why)) fail_msg("%s", err.msg);
    lp_shapes_free(&s);
}

static void kinds(void **state)
{
    static const int box[4][2] = {{0, 0}, {0, 3}, {2, 3}, {2, 0}};
    static const float fbox[4][2] = {{0.4f, 1.6f}, {0.4f, 4}, {1.4f, 4}, {1.4f, 1.6f}};
    /* A square with a hole, then a triangle of a curve and a line. */
    static const float comp[] = {0, 1, 0, 1, 5, 0, 1, 5, 4, 1, 1, 4, 4, 0, 2, 1, 1, 2,
                                 3, 1, 4, 3, 1, 4, 1, 4, 0, 0, 0, 2, 0, 0, 0, 1, 4};
    roi_bytes r;

    (void)state;
    roi_new(&r, 0, 1, 1, 3, 4);
    roi_points(&r, box, 4);
    expect(&r, 4, 5, "......###..###......");
    r.b[6] = FREEHAND;
    expect(&r, 4, 5, "......###..###......");
    r.b[6] = TRACED;
    expect(&r, 4, 5, "......###..###......");
    roi_subpixel(&r, fbox, 4); /* columns from centre 2.5 on, row 0 */
    expect(&r, 4, 5, "..##................");
    roi_u16(&r, 4, 221); /* too old for fractions */
    expect(&r, 4, 5, "......###..###......");
    roi_new(&r, RECT, 1, 1, 3, 4);
    expect(&r, 4, 5, "......###..###......");
    roi_u16(&r, 54, 4); /* corners rounded with a diameter of 4: the rows are cut to the middle */
    expect(&r, 4, 5, "......###..###......");
    roi_new(&r, RECT, 0, 0, 6, 6);
    roi_u16(&r, 54, 6);
    expect(&r, 6, 6, ".####.########################.####.");
    roi_new(&r, OVAL, 0, 0, 4, 4);
    expect(&r, 4, 4, ".##.########.##.");
    roi_new(&r, RECT, 0, 0, 9, 9);
    roi_u16(&r, 50, 128);
    roi_float(&r, 18, 1.6f);
    roi_float(&r, 22, 0.4f);
    roi_float(&r, 26, 2.4f);
    roi_float(&r, 30, 1);
    expect(&r, 4, 5, "..##................");
    roi_new(&r, RECT, 0, 0, 4, 5);
    roi_composite(&r, comp, 26);
    expect(&r, 4, 6, ".####..#..#..#..#..####.");
    roi_composite(&r, comp, (int)(sizeof comp / sizeof *comp)); /* the curve runs along an edge */
    expect(&r, 4, 6, ".####..#..#..#..#..####.");
    /* Coordinates left of and above the image. */
    roi_new(&r, 0, -2, -1, 1, 2);
    roi_points(&r, box, 4);
    expect(&r, 2, 3, "......");
    roi_new(&r, 0, -1, -1, 1, 2);
    roi_points(&r, box, 4);
    expect(&r, 2, 3, "##....");
}

/* More than 65,535 points have their number elsewhere, and 16 bits are unsigned where they must. */
static void large(void **state)
{
    enum { N = 70000 };
    uint8_t *b = calloc(1, 64 + 4 * N);
    lp_shapes s = {0};
    int i;

    (void)state;
    assert_non_null(b);
    memcpy(b, "Iout\0\xe4\0\0", 8);
    b[8] = 60000 >> 8;
    b[9] = 60000 & 255;
    b[18 + 1] = N >> 16;
    b[18 + 2] = (N >> 8) & 255;
    b[18 + 3] = N & 255;
    for (i = 0; i < N; i++) b[64 + 2 * i + 1] = (uint8_t)i;
    assert_int_equal(lp_roi_parse(b, 64 + 4 * N, &s, NULL), LP_OK);
    assert_int_equal(s.n_points, N);
    LP_ASSERT_CLOSE(s.yx[300][0], 60000, 0, 0);
    LP_ASSERT_CLOSE(s.yx[300][1], 300 & 255, 0, 0);
    lp_shapes_free(&s);
    assert_int_equal(lp_roi_parse(b, 64 + 4 * N - 1, &s, NULL), LP_EFORMAT);
    lp_shapes_free(&s);
    free(b);
}

static void bad(void **state)
{
    static const int box[3][2] = {{0, 0}, {0, 3}, {2, 3}};
    static const float far[3][2] = {{0, 1e9f}, {0, 4}, {1, 4}}, nan_[3][2] = {{0, NAN}, {0, 4}};
    static const float comp[] = {1, 1, 1}, kind[] = {7, 1, 1}, shortly[] = {0, 1, 1, 3, 0, 0, 1, 1};
    static const int no_inside[] = {LINE, FREELINE, POLYLINE, ANGLE, POINT};
    roi_bytes r;
    size_t i;

    (void)state;
    roi_new(&r, 0, 1, 1, 3, 4);
    refused(&r, "0 points");
    roi_points(&r, box, 2);
    refused(&r, "2 points");
    roi_points(&r, box, 3);
    r.n--;
    refused(&r, "cut short");
    r.n = 63;
    refused(&r, "cut short");
    roi_points(&r, box, 3);
    roi_subpixel(&r, far, 3);
    refused(&r, "a point at x 1e+09");
    roi_subpixel(&r, nan_, 3);
    refused(&r, "a point at x nan");
    for (i = 0; i < sizeof no_inside / sizeof *no_inside; i++) {
        roi_new(&r, no_inside[i], 1, 1, 3, 4);
        refused(&r, "has no inside");
    }
    roi_new(&r, 11, 1, 1, 3, 4);
    refused(&r, "unknown type 11");
    roi_new(&r, RECT, 1, 1, 3, 4);
    roi_u16(&r, 48, 1);
    refused(&r, "text");
    roi_new(&r, RECT, 5, 1, 3, 4);
    refused(&r, "a box");
    roi_new(&r, RECT, 1, 1, 3, 4);
    roi_composite(&r, comp, 3);
    refused(&r, "damaged");
    roi_composite(&r, kind, 3);
    refused(&r, "damaged");
    roi_composite(&r, shortly, 8);
    refused(&r, "damaged");
    roi_u16(&r, 36, 0xffff);
    refused(&r, "cut short");
    roi_new(&r, 0, 1, 1, 3, 4);
    r.b[0] = 'X';
    refused(&r, "no ImageJ ROI");
}

static void add(zip_t *z, const char *name, const roi_bytes *r)
{
    zip_source_t *s = zip_source_buffer(z, r->b, r->n, 0);

    assert_true(zip_file_add(z, name, s, 0) >= 0);
}

static void write_all(const char *path, const void *b, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(b, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void fails(const char *path, lp_status want, const char *why)
{
    lp_labels lb;
    lp_err err;

    assert_int_equal(lp_read_outlines(path, 4, 5, &lb, &err), want);
    if (!strstr(err.msg, why) || !strstr(err.msg, path)) fail_msg("%s", err.msg);
}

static void archives(void **state)
{
    static const uint8_t want[20] = {1, 1, 1, 0, 0, 1, 3, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 2};
    char *dir = lp_tmp_dir(), path[2048], *bytes;
    roi_bytes a, b, c, line;
    lp_labels lb;
    lp_err err;
    size_t n, i;
    zip_t *z;

    (void)state;
    snprintf(path, sizeof path, "%s/x_RoiSet.zip", dir);
    roi_new(&a, RECT, 0, 0, 3, 3);
    roi_new(&b, RECT, 3, 4, 4, 5);
    roi_new(&c, OVAL, 1, 1, 2, 2);
    roi_new(&line, LINE, 0, 0, 3, 3);
    z = zip_open(path, ZIP_CREATE, NULL);
    add(z, "b/a.roi", &a); /* in the archive's order, not by name */
    add(z, "a.ROI", &b);
    add(z, "__MACOSX/._a.roi", &line);
    add(z, "notes.txt", &line);
    add(z, "c.roi", &c);
    assert_int_equal(zip_close(z), 0);
    if (lp_read_outlines(path, 4, 5, &lb, &err)) fail_msg("%s", err.msg);
    for (i = 0; i < 20; i++) assert_int_equal(lb.data[i], want[i]);
    lp_labels_free(&lb);
    bytes = lp_tmp_read(path, &n);
    for (i = 0; i < n; i += 7) { /* cut off anywhere */
        write_all(path, bytes, i);
        fails(path, LP_EFORMAT, "");
    }
    bytes[40] ^= 0x55; /* within the first entry */
    write_all(path, bytes, n);
    fails(path, LP_EFORMAT, "");
    free(bytes);
    unlink(path);
    z = zip_open(path, ZIP_CREATE, NULL);
    add(z, "a.roi", &a);
    add(z, "0002.roi", &line);
    assert_int_equal(zip_close(z), 0);
    fails(path, LP_EFORMAT, "0002.roi: a line has no inside");
    unlink(path);
    z = zip_open(path, ZIP_CREATE, NULL);
    add(z, "a.png", &a);
    assert_int_equal(zip_close(z), 0);
    fails(path, LP_EFORMAT, "without ImageJ ROIs");
    write_all(path, "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
    assert_int_equal(lp_read_outlines(path, 4, 5, &lb, &err), LP_OK);
    for (i = 0; i < 20; i++) assert_int_equal(lb.data[i], 0);
    lp_labels_free(&lb);
    snprintf(path, sizeof path, "%s/one.roi", dir);
    write_all(path, b.b, b.n);
    assert_int_equal(lp_read_outlines(path, 4, 5, &lb, &err), LP_OK);
    assert_int_equal(lb.data[19], 1);
    lp_labels_free(&lb);
    assert_int_equal(lp_read_outlines(path, 3, 4, &lb, &err), LP_EFORMAT); /* all outside */
    assert_non_null(strstr(err.msg, "another one"));
    unlink(path);
    fails(path, LP_EIO, "");
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(large),
        cmocka_unit_test(bad),
        cmocka_unit_test(archives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
