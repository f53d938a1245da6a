/* MRC files byte by byte: header fields by offset, samples of every mode, no file left
 * behind by a failure. */
#include "tmp_dir.h"

#include <sys/stat.h>

#include "host/write_mrc.h"

static char *dir;

static int setup(void **state)
{
    (void)state;
    dir = lp_tmp_dir();
    return 0;
}

static int teardown(void **state)
{
    int left;

    (void)state;
    unlink(lp_tmp_path(dir, "a.mrc"));
    left = lp_tmp_count(dir, NULL); /* temporary files */
    lp_tmp_remove(dir);
    return left;
}

static const char *a_mrc(void)
{
    return lp_tmp_path(dir, "a.mrc");
}

static uint8_t *slurp(const char *path, size_t want)
{
    uint8_t *p = malloc(want + 1);
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    assert_int_equal(fread(p, 1, want + 1, f), want);
    fclose(f);
    return p;
}

static uint32_t u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static float f32(const uint8_t *p)
{
    uint32_t u = u32(p);
    float f;

    memcpy(&f, &u, 4);
    return f;
}

static void make(lp_image *im)
{
    static const float v[6] = {-3.5f, 0.5f, 1.5f, 200.0f, 70000.0f, NAN};

    assert_int_equal(lp_image_new(im, 1, 2, 3, NULL), LP_OK);
    memcpy(im->data, v, sizeof v);
    im->pixel_nm = 0.25;
}

static void header_fields(void **state)
{
    lp_image im;
    uint8_t *p;
    int k;

    (void)state;
    make(&im);
    im.data[5] = -1.0f;
    assert_int_equal(lp_write_mrc(a_mrc(), &im, 2, "made by a test", NULL), LP_OK);
    p = slurp(a_mrc(), 1024 + 24);
    assert_int_equal(u32(p), 3);      /* nx */
    assert_int_equal(u32(p + 4), 2);  /* ny */
    assert_int_equal(u32(p + 8), 1);  /* nz */
    assert_int_equal(u32(p + 12), 2); /* mode */
    for (k = 16; k < 28; k++) assert_int_equal(p[k], 0);
    assert_int_equal(u32(p + 28), 3); /* mx */
    assert_int_equal(u32(p + 32), 2);
    assert_int_equal(u32(p + 36), 1);
    LP_ASSERT_CLOSE(f32(p + 40), 7.5, 0, 1e-6); /* cella: 3 x 2.5 Angstrom */
    LP_ASSERT_CLOSE(f32(p + 44), 5.0, 0, 1e-6);
    LP_ASSERT_CLOSE(f32(p + 48), 2.5, 0, 1e-6);
    for (k = 0; k < 3; k++) {
        LP_ASSERT_CLOSE(f32(p + 52 + 4 * k), 90.0, 0, 0);
        assert_int_equal(u32(p + 64 + 4 * k), k + 1);
    }
    LP_ASSERT_CLOSE(f32(p + 76), -3.5, 0, 0);
    LP_ASSERT_CLOSE(f32(p + 80), 70000.0, 0, 0);
    LP_ASSERT_CLOSE(f32(p + 84), (-3.5 + 0.5 + 1.5 + 200 + 70000 - 1) / 6, 0, 1e-6);
    assert_int_equal(u32(p + 88), 0); /* ispg: image */
    assert_int_equal(u32(p + 92), 0); /* no extended header */
    assert_int_equal(u32(p + 108), 20140);
    assert_memory_equal(p + 208, "MAP \x44\x44\0\0", 8);
    LP_ASSERT_CLOSE(f32(p + 216), 26072.842, 0, 1e-6); /* numpy's std of the six */
    assert_int_equal(u32(p + 220), 1);
    assert_memory_equal(p + 224, "made by a test  ", 16);
    assert_int_equal(p[224 + 79], ' ');
    assert_int_equal(p[224 + 80], 0);
    for (k = 0; k < 6; k++) LP_ASSERT_CLOSE(f32(p + 1024 + 4 * k), im.data[k], 0, 0);
    free(p);
    im.pixel_nm = 0.0; /* unknown */
    assert_int_equal(lp_write_mrc(a_mrc(), &im, 2, NULL, NULL), LP_OK);
    p = slurp(a_mrc(), 1024 + 24);
    LP_ASSERT_CLOSE(f32(p + 40), 0, 0, 0);
    assert_int_equal(u32(p + 220), 0);
    free(p);
    lp_image_free(&im);
}

static void whole_number_modes_round_and_saturate(void **state)
{
    static const int m0[6] = {-4, 0, 2, 127, 127, 0}, m1[6] = {-4, 0, 2, 200, 32767, 0};
    static const int m6[6] = {0, 0, 2, 200, 65535, 0};
    lp_image im;
    uint8_t *p;
    int k;

    (void)state;
    make(&im);
    assert_int_equal(lp_write_mrc(a_mrc(), &im, 0, NULL, NULL), LP_OK);
    p = slurp(a_mrc(), 1024 + 6);
    for (k = 0; k < 6; k++) assert_int_equal((int8_t)p[1024 + k], m0[k]);
    LP_ASSERT_CLOSE(f32(p + 80), 127.0, 0, 0); /* as stored */
    free(p);
    assert_int_equal(lp_write_mrc(a_mrc(), &im, 1, NULL, NULL), LP_OK);
    p = slurp(a_mrc(), 1024 + 12);
    for (k = 0; k < 6; k++)
        assert_int_equal((int16_t)(p[1024 + 2 * k] | p[1025 + 2 * k] << 8), m1[k]);
    free(p);
    assert_int_equal(lp_write_mrc(a_mrc(), &im, 6, NULL, NULL), LP_OK);
    p = slurp(a_mrc(), 1024 + 12);
    for (k = 0; k < 6; k++) assert_int_equal(p[1024 + 2 * k] | p[1025 + 2 * k] << 8, m6[k]);
    free(p);
    assert_int_equal(lp_write_mrc(a_mrc(), &im, 12, NULL, NULL), LP_OK);
    p = slurp(a_mrc(), 1024 + 12);
    assert_int_equal(u32(p + 108), 20141);
    assert_int_equal(p[1024] | p[1025] << 8, 0xC300); /* -3.5 */
    assert_int_equal(p[1032] | p[1033] << 8, 0x7BFF); /* 65504 */
    free(p);
    lp_image_free(&im);
}

static void half_precision(void **state)
{
    /* value, bits: as numpy.float16 gives them, but for the saturation */
    static const struct {
        float v;
        uint16_t h;
    } t[] = {{0.0f, 0},
             {-0.0f, 0x8000},
             {1.0f, 0x3C00},
             {-2.0f, 0xC000},
             {0.1f, 0x2E66},
             {1.0f + 1.0f / 2048, 0x3C00},
             {1.0f + 3.0f / 2048, 0x3C02},
             {2047.5f, 0x6800},
             {65504.0f, 0x7BFF},
             {65520.0f, 0x7BFF},
             {1e9f, 0x7BFF},
             {-INFINITY, 0xFBFF},
             {6.1035156e-05f, 0x0400},
             {6.097555e-05f, 0x03FF},
             {5.9604645e-08f, 0x0001},
             {2.9802322e-08f, 0x0000},
             {2.99e-08f, 0x0001},
             {8.940697e-08f, 0x0002},
             {1e-12f, 0x0000}};
    size_t k;

    (void)state;
    for (k = 0; k < sizeof t / sizeof t[0]; k++)
        assert_int_equal(lp_write_mrc_half(t[k].v), t[k].h);
    assert_int_equal(lp_write_mrc_half(NAN) & 0x7E00, 0x7E00);
}

static void failures_say_where(void **state)
{
    char path[1100];
    lp_image im;
    lp_err err;

    (void)state;
    make(&im);
    assert_int_equal(lp_write_mrc(a_mrc(), &im, 3, NULL, &err), LP_EARG);
    assert_non_null(strstr(err.msg, "mode 3"));
    snprintf(path, sizeof path, "%s/none/a.mrc", dir);
    assert_int_equal(lp_write_mrc(path, &im, 2, NULL, &err), LP_EIO);
    assert_non_null(strstr(err.msg, path));
    /* The name is taken by a folder: nothing is left beside it. */
    snprintf(path, sizeof path, "%s/folder", dir);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(lp_write_mrc(path, &im, 2, NULL, &err), LP_EIO);
    assert_int_equal(rmdir(path), 0);
    lp_image_free(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(header_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(whole_number_modes_round_and_saturate, setup, teardown),
        cmocka_unit_test(half_precision),
        cmocka_unit_test_setup_teardown(failures_say_where, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
