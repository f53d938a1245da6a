/* Outlines: order and shape by hand, ROI polygons against the area of the label. */
#include "tmp_dir.h"

#include <zip.h>

#include "host/outline.h"
#include "host/write_outlines.h"

static void expect(const lp_labels *lb, lp_outline_kind kind, int64_t k, const int32_t (*yx)[2],
                   int64_t n)
{
    lp_outlines o = {0};
    int64_t i;

    assert_int_equal(lp_outline_trace(lb, kind, &o, NULL), LP_OK);
    assert_true(k < o.n);
    assert_int_equal(o.start[k + 1] - o.start[k], n);
    for (i = 0; i < n; i++) {
        assert_int_equal(o.yx[o.start[k] + i][0], yx[i][0]);
        assert_int_equal(o.yx[o.start[k] + i][1], yx[i][1]);
    }
    lp_outlines_free(&o);
}

#define N(a) (int64_t)(sizeof(a) / sizeof((a)[0]))

/* Pixel order as cv2.findContours gives it. */
static void by_hand(void **state)
{
    uint32_t d[5 * 6] = {
        1, 0, 2, 2, 2, 0, /* 1: a pixel and, by its corner, two more */
        0, 1, 2, 0, 2, 0, /* 2: a ring */
        0, 1, 2, 2, 2, 0, /*   */
        0, 0, 0, 0, 0, 0, /*   */
        3, 3, 3, 0, 9, 0, /* 3: a line to and fro; 9: one pixel */
    };
    static const int32_t one[][2] = {{0, 0}, {1, 1}, {2, 1}, {1, 1}};
    static const int32_t two[][2] = {{0, 2}, {1, 2}, {2, 2}, {2, 3},
                                     {2, 4}, {1, 4}, {0, 4}, {0, 3}};
    static const int32_t three[][2] = {{4, 0}, {4, 1}, {4, 2}, {4, 1}};
    static const int32_t nine[][2] = {{4, 4}};
    static const int32_t ring[][2] = {{0, 2}, {0, 5}, {3, 5}, {3, 2}};
    static const int32_t line[][2] = {{4, 0}, {4, 3}, {5, 3}, {5, 0}};
    static const int32_t pixel[][2] = {{4, 4}, {4, 5}, {5, 5}, {5, 4}};
    lp_labels lb = {d, 5, 6};

    (void)state;
    expect(&lb, LP_OUTLINE_PIXELS, 0, one, N(one));
    expect(&lb, LP_OUTLINE_PIXELS, 1, two, N(two));
    expect(&lb, LP_OUTLINE_PIXELS, 2, three, N(three));
    expect(&lb, LP_OUTLINE_PIXELS, 3, nine, N(nine));
    expect(&lb, LP_OUTLINE_CORNERS, 1, ring, N(ring));
    expect(&lb, LP_OUTLINE_CORNERS, 2, line, N(line));
    expect(&lb, LP_OUTLINE_CORNERS, 3, pixel, N(pixel));
}

/* The piece with the longer border stands for a label in two pieces; a hole never does. */
static void pieces_and_holes(void **state)
{
    uint32_t d[7 * 12] = {0};
    static const int32_t box[][2] = {{1, 5}, {1, 11}, {7, 11}, {7, 5}};
    lp_labels lb = {d, 7, 12};
    int y, x;

    (void)state;
    d[0] = d[1] = 5;
    for (y = 1; y < 7; y++)
        for (x = 5; x < 11; x++) d[y * 12 + x] = 5;
    for (y = 2; y < 6; y++)
        for (x = 6; x < 10; x++) d[y * 12 + x] = 0;
    d[5 * 12 + 8] = 5; /* a bump on the inner side, met as a top of its own */
    expect(&lb, LP_OUTLINE_CORNERS, 0, box, 4);
}

static int64_t area2(const lp_outlines *o, int64_t k)
{
    int64_t s = 0, i, n = o->start[k + 1];

    for (i = o->start[k]; i < n; i++) {
        const int32_t *p = o->yx[i], *q = o->yx[i + 1 < n ? i + 1 : o->start[k]];

        s += (int64_t)p[1] * q[0] - (int64_t)q[1] * p[0];
    }
    return s;
}

/* Discs side by side: the polygon's area is the number of pixels; all points are of the label. */
static void discs(void **state)
{
    lp_labels lb = {0};
    lp_outlines o = {0};
    int64_t area[17] = {0}, i;
    int y, x;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 101, 99, NULL), LP_OK);
    for (y = 0; y < 101; y++)
        for (x = 0; x < 99; x++) {
            int cy = y / 25 * 25 + 12, cx = x / 25 * 25 + 12, id = y / 25 * 4 + x / 25 + 1;

            if (y >= 100 || (y - cy) * (y - cy) + (x - cx) * (x - cx) > 10 * id + 4) continue;
            lb.data[y * 99 + x] = (uint32_t)id;
            area[id]++;
        }
    assert_int_equal(lp_outline_trace(&lb, LP_OUTLINE_CORNERS, &o, NULL), LP_OK);
    assert_int_equal(o.n, 16);
    for (i = 0; i < 16; i++) {
        assert_int_equal(o.ids[i], i + 1);
        assert_int_equal(area2(&o, i), 2 * area[i + 1]);
    }
    lp_outlines_free(&o);
    assert_int_equal(lp_outline_trace(&lb, LP_OUTLINE_PIXELS, &o, NULL), LP_OK);
    for (i = 0; i < o.start[16]; i++) assert_true(lb.data[o.yx[i][0] * 99 + o.yx[i][1]] != 0);
    lp_outlines_free(&o);
    lp_labels_free(&lb);
}

static void text_file(void **state)
{
    uint32_t d[5 * 5] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 3, 3, 0, 0, 0};
    lp_labels lb = {d, 5, 5}, none = {NULL, 2, 2};
    uint32_t zero[4] = {0};
    char *dir = lp_tmp_dir(), *s;
    const char *path = lp_tmp_path(dir, "x_cp_outlines.txt");

    (void)state;
    assert_int_equal(lp_write_outlines_txt(path, &lb, NULL), LP_OK);
    s = lp_tmp_read(path, NULL);
    /* The second label has too few points: an empty line, as Cellpose writes. */
    assert_string_equal(s, "1,1,1,2,1,3,2,3,3,3,3,2,3,1,2,1\n\n");
    free(s);
    none.data = zero;
    assert_int_equal(lp_write_outlines_txt(path, &none, NULL), LP_OK);
    s = lp_tmp_read(path, NULL);
    assert_string_equal(s, "");
    free(s);
    lp_tmp_remove(dir);
}

static int be16(const uint8_t *p)
{
    return (int16_t)(p[0] << 8 | p[1]);
}

/* Offsets of ImageJ's RoiDecoder. */
static void roi_file(void **state)
{
    uint32_t d[6 * 8] = {0};
    lp_labels lb = {d, 6, 8};
    char *dir = lp_tmp_dir(), *a, *b;
    const char *path = lp_tmp_path(dir, "x_rois.zip"), *path2 = lp_tmp_path(dir, "y_rois.zip");
    static const int x_want[] = {0, 3, 3, 0}, y_want[] = {0, 0, 2, 2};
    uint8_t roi[256];
    zip_stat_t sb;
    zip_file_t *f;
    zip_t *z;
    size_t n, n2;
    int i, y, x;

    (void)state;
    for (y = 2; y < 4; y++)
        for (x = 4; x < 7; x++) d[y * 8 + x] = 12;
    d[0] = 2;
    assert_int_equal(lp_write_rois(path, &lb, NULL), LP_OK);
    z = zip_open(path, ZIP_RDONLY, NULL);
    assert_non_null(z);
    assert_int_equal(zip_get_num_entries(z, 0), 2);
    assert_string_equal(zip_get_name(z, 0, 0), "0002.roi");
    assert_string_equal(zip_get_name(z, 1, 0), "0012.roi");
    assert_int_equal(zip_stat_index(z, 1, 0, &sb), 0);
    assert_int_equal(sb.size, 64 + 4 * 4 + 64 + 2 * 4);
    f = zip_fopen_index(z, 1, 0);
    assert_int_equal(zip_fread(f, roi, sizeof roi), (int)sb.size);
    zip_fclose(f);
    zip_close(z);
    assert_memory_equal(roi, "Iout", 4);
    assert_int_equal(roi[6], 8);
    assert_true(be16(roi + 8) == 2 && be16(roi + 10) == 4 && be16(roi + 12) == 4 &&
                be16(roi + 14) == 7);
    assert_int_equal(be16(roi + 16), 4);
    for (i = 0; i < 4; i++) {
        assert_int_equal(be16(roi + 64 + 2 * i), x_want[i]);
        assert_int_equal(be16(roi + 72 + 2 * i), y_want[i]);
    }
    assert_int_equal(be16(roi + 62), 80);           /* header2 */
    assert_int_equal(be16(roi + 80 + 18), 80 + 64); /* name */
    assert_int_equal(be16(roi + 80 + 22), 4);
    assert_memory_equal(roi + 144, "\0000\0000\0001\0002", 8);
    assert_int_equal(lp_write_rois(path2, &lb, NULL), LP_OK);
    a = lp_tmp_read(path, &n);
    b = lp_tmp_read(path2, &n2);
    assert_int_equal(n, n2);
    assert_memory_equal(a, b, n);
    assert_memory_equal(a + 10, "\0\0\x21\0", 4); /* 1980-01-01 00:00 */
    free(a);
    free(b);
    /* No particles: a valid archive without entries. */
    memset(d, 0, sizeof d);
    assert_int_equal(lp_write_rois(path, &lb, NULL), LP_OK);
    a = lp_tmp_read(path, &n);
    assert_int_equal(n, 22);
    assert_memory_equal(a, "PK\5\6", 4);
    free(a);
    lp_tmp_remove(dir);
}

/* Beyond ImageJ's 16-bit coordinates floats follow. */
static void roi_far_away(void **state)
{
    lp_labels lb = {0};
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x_rois.zip");
    uint8_t roi[512];
    uint32_t u;
    float v;
    zip_t *z;
    zip_file_t *f;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 1, 70001, NULL), LP_OK);
    lb.data[70000] = 1;
    assert_int_equal(lp_write_rois(path, &lb, NULL), LP_OK);
    z = zip_open(path, ZIP_RDONLY, NULL);
    assert_non_null(z);
    f = zip_fopen_index(z, 0, 0);
    assert_true(zip_fread(f, roi, sizeof roi) > 64 + 4 * 12);
    zip_fclose(f);
    zip_close(z);
    assert_int_equal(be16(roi + 50), 128);
    u = (uint32_t)roi[80] << 24 | (uint32_t)roi[81] << 16 | (uint32_t)roi[82] << 8 | roi[83];
    memcpy(&v, &u, 4);
    assert_true(v == 70000);
    lp_labels_free(&lb);
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),  cmocka_unit_test(pieces_and_holes),
        cmocka_unit_test(discs),    cmocka_unit_test(text_file),
        cmocka_unit_test(roi_file), cmocka_unit_test(roi_far_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
