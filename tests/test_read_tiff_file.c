/* TIFF files as files: pages, stacks, labels, and what is damaged or lies. Most are made here byte
 * by byte, since libtiff would not write them. */
#include "read_util.h"

#include <sys/resource.h>
#include <tiffio.h>

/* A little-endian TIFF under construction. */
typedef struct {
    uint8_t b[4096];
    size_t n;
} bytes;

static void put(bytes *o, uint64_t v, int n)
{
    for (; n--; v >>= 8) o->b[o->n++] = (uint8_t)v;
}

static void start(bytes *o)
{
    memset(o, 0, sizeof *o);
    put(o, 0x002a4949, 4);
    put(o, 8, 4);
}

typedef struct {
    uint32_t tag, v;
} entry;

/* Appends a directory with these entries (LONG, except that a tag with 0x10000 is SHORT). */
static void directory(bytes *o, const entry *e, int n, uint32_t next)
{
    int i;

    put(o, (uint64_t)n, 2);
    for (i = 0; i < n; i++) {
        put(o, e[i].tag & 0xffff, 2);
        put(o, e[i].tag >> 16 ? 3 : 4, 2);
        put(o, 1, 4);
        put(o, e[i].v, 4);
    }
    put(o, next, 4);
}

/* One 8-bit page of 4 x 2 pixels at `at`, whose directory takes 90 bytes. */
static void page_4x2(bytes *o, uint32_t subfile, uint32_t at, uint32_t next)
{
    const entry e[] = {{254, subfile}, {256, 4}, {257, 2}, {258, 8}, {262, 1}, {273, at}, {279, 8}};

    directory(o, e, 7, next);
}

static const char *write_bytes(const bytes *o)
{
    return write_file("a.tif", o->b, o->n);
}

static int count(const char *path)
{
    lp_err err;
    int n = -1;

    return lp_read_count(path, &n, &err) ? -1 : n;
}

/* Neither SamplesPerPixel nor RowsPerStrip nor Compression: all have defaults. */
static void missing_tags(void **state)
{
    bytes o;
    lp_image im;
    int i;

    (void)state;
    start(&o);
    page_4x2(&o, 0, 98, 0);
    for (i = 0; i < 8; i++) put(&o, (uint64_t)i * 30, 1);
    im = must_read(write_bytes(&o), 0);
    assert_int_equal(im.Ly, 2);
    for (i = 0; i < 8; i++) assert_true(im.data[i] == (float)(i * 30));
    lp_image_free(&im);
}

/* Page sizes 98 + 90 k; thumbnails and masks are not counted. */
static void pages(void **state)
{
    static const uint32_t subfile[5] = {1, 0, 4, 2, 0};
    static const int page_of[3] = {1, 3, 4};
    bytes o;
    int i;

    (void)state;
    start(&o);
    for (i = 0; i < 5; i++)
        page_4x2(&o, subfile[i], 458 + 8 * (uint32_t)i, i < 4 ? 8 + 90 * ((uint32_t)i + 1) : 0);
    assert_int_equal(o.n, 458);
    for (i = 0; i < 40; i++) put(&o, (uint64_t)i, 1);
    write_bytes(&o);
    assert_int_equal(count(tmp_path("a.tif")), 3);
    for (i = 0; i < 3; i++) {
        lp_image im = must_read(tmp_path("a.tif"), i);

        assert_true(im.data[0] == (float)(8 * page_of[i]));
        assert_int_equal(im.page, i);
        assert_int_equal(im.npages, 3);
        lp_image_free(&im);
    }
    must_fail(tmp_path("a.tif"), 3, LP_EARG, "no page 3");
    must_fail(tmp_path("a.tif"), -1, LP_EARG, "no page");
}

/* A chain that returns to page `back` of n. */
static void circles(void **state)
{
    int n, back, i;

    (void)state;
    for (n = 1; n <= 9; n++)
        for (back = 0; back < n; back++) {
            bytes o;

            start(&o);
            for (i = 0; i < n; i++)
                page_4x2(&o, 0, 8, 8 + 90 * (uint32_t)(i < n - 1 ? i + 1 : back));
            assert_int_equal(count(write_bytes(&o)), n);
        }
}

static void broken_chain(void **state)
{
    lp_image im;
    bytes o;

    (void)state;
    start(&o);
    page_4x2(&o, 0, 8, 100000);
    write_bytes(&o);
    assert_int_equal(count(tmp_path("a.tif")), -1);
    im = must_read(tmp_path("a.tif"), 0); /* what is there can be read */
    lp_image_free(&im);
}

/* A stack as ImageJ writes it past 4 GB: one directory, its N images one after the other. */
static void imagej_stack(void **state)
{
    static const char *const mode[] = {"wl", "wb"};
    uint16_t row[6];
    size_t n;
    uint8_t *p;
    int m, i, k;

    (void)state;
    for (m = 0; m < 2; m++) {
        const char *path = tmp_path("ij.tif");
        TIFF *t = TIFFOpen(path, mode[m]);
        uint8_t raw[36];

        for (i = 0; i < 6; i++) row[i] = (uint16_t)(1000 + i);
        TIFFSetField(t, TIFFTAG_IMAGEWIDTH, 3);
        TIFFSetField(t, TIFFTAG_IMAGELENGTH, 2);
        TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 16);
        TIFFSetField(t, TIFFTAG_PHOTOMETRIC, 1);
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 2);
        TIFFSetField(t, TIFFTAG_XRESOLUTION, 4.0);
        TIFFSetField(t, TIFFTAG_YRESOLUTION, 4.0);
        TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, "ImageJ=1.53t\nimages=4\nslices=4\nunit=nm\n");
        TIFFWriteEncodedStrip(t, 0, row, sizeof row);
        TIFFClose(t);
        p = slurp(path, &n);
        /* libtiff writes the pixels right behind the header; make room for three more images. */
        p = realloc(p, 2 * n + 48);
        memmove(p + n, p + 8, 12);
        for (i = 0; i < 18; i++) {
            raw[2 * i + m] = (uint8_t)(2000 + i);
            raw[2 * i + 1 - m] = (uint8_t)((2000 + i) >> 8);
        }
        memcpy(p + n + 12, raw, 36);
        /* Point StripOffsets at the copy, wherever its entry is. */
        for (k = 8; k + 12 < (int)n; k++) {
            const uint8_t want[2] = {m ? 1 : 0x11, m ? 0x11 : 1};

            if (!memcmp(p + k, want, 2) && p[k + (m ? 3 : 2)] >= 3 && p[k + (m ? 7 : 4)] == 1) {
                int four = p[k + (m ? 3 : 2)] == 4, b;

                for (b = 0; b < (four ? 4 : 2); b++)
                    p[k + 8 + (m ? (four ? 3 : 1) - b : b)] = (uint8_t)(n >> 8 * b);
                break;
            }
        }
        write_file("ij.tif", p, n + 48);
        free(p);
        assert_int_equal(count(path), 4);
        for (k = 0; k < 4; k++) {
            lp_image im = must_read(path, k);

            assert_int_equal(im.npages, 4);
            LP_ASSERT_CLOSE(im.pixel_nm, .25, 1e-9, 0);
            for (i = 0; i < 6; i++)
                assert_true(im.data[i] == (float)(k ? 2000 + 6 * (k - 1) + i : 1000 + i));
            lp_image_free(&im);
        }
        must_fail(path, 4, LP_EARG, "no page 4");
        p = slurp(path, &n);
        must_fail(write_file("ij.tif", p, n - 1), 0, LP_EFORMAT, "cut short");
        /* Without room for a second image the text is only a leftover. */
        assert_int_equal(count(write_file("ij.tif", p, n - 36)), 1);
        free(p);
    }
}

/* Each says more than the file can hold and must be refused before memory is asked for. */
static void lies(void **state)
{
    static const struct {
        uint32_t w, h, bits, codec, tile;
        const char *words;
    } t[] = {{100000, 100000, 8, 1, 0, "100000 x 100000"},
             {30000, 30000, 8, 1, 0, "cannot hold"},
             {30000, 30000, 8, 5, 0, "cannot hold"},
             {60000, 30000, 8, 8, 0, "cannot hold"},
             {60000, 30000, 8, 32773, 0, "cannot hold"},
             {60000, 30000, 8, 50000, 0, "cannot hold"},
             {60000, 30000, 1, 4, 0, "cannot hold"},
             {60000, 30000, 8, 1, 60000, "cannot hold"},
             {60000, 30000, 8, 5, 200000, "200000 x 200000"},
             {16, 16, 8, 5, 200000, "200000 x 200000"},
             {4294967295, 1, 8, 1, 0, "4294967295 x 1"},
             {0, 7, 8, 1, 0, "zero"},
             {7, 0, 8, 1, 0, ""},
             {7, 7, 8, 65001, 0, "EER"},
             {7, 7, 8, 12345, 0, "compression 12345"},
             {7, 7, 48, 1, 0, "48 bits"}};
    struct rlimit old, low;
    size_t i;

    (void)state;
    getrlimit(RLIMIT_AS, &old);
#ifndef LP_SANITIZE
    low = old;
    low.rlim_cur = 512u << 20;
    setrlimit(RLIMIT_AS, &low);
#else
    (void)low;
#endif
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        const entry strip[] = {{256, t[i].w},     {257, t[i].h}, {258, t[i].bits},
                               {259, t[i].codec}, {262, 1},      {273, 8},
                               {277, 1},          {278, t[i].h}, {279, 100}};
        const entry tiles[] = {{256, t[i].w}, {257, t[i].h}, {258, t[i].bits}, {259, t[i].codec},
                               {262, 1},      {277, 1},      {322, t[i].tile}, {323, t[i].tile},
                               {324, 8},      {325, 100}};
        bytes o;

        start(&o);
        if (t[i].tile)
            directory(&o, tiles, 10, 0);
        else
            directory(&o, strip, 9, 0);
        o.n += 100;
        must_fail(write_bytes(&o), 0, LP_EFORMAT, t[i].words);
    }
    setrlimit(RLIMIT_AS, &old);
}

/* Every prefix of a file is an error, or (once all pixels are there) the image. */
static void cut_short(void **state)
{
    static const int codec[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                                COMPRESSION_JPEG};
    uint8_t row[40], *p;
    size_t c, n, k;
    int y;

    (void)state;
    for (c = 0; c < 4; c++) {
        const char *path = tmp_path("whole.tif");
        TIFF *t = TIFFOpen(path, "w");

        TIFFSetField(t, TIFFTAG_IMAGEWIDTH, 40);
        TIFFSetField(t, TIFFTAG_IMAGELENGTH, 24);
        TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8);
        TIFFSetField(t, TIFFTAG_PHOTOMETRIC, 1);
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 8);
        TIFFSetField(t, TIFFTAG_COMPRESSION, codec[c]);
        for (y = 0; y < 24; y++) {
            for (k = 0; k < 40; k++) row[k] = (uint8_t)((int)k * y);
            TIFFWriteScanline(t, row, (uint32_t)y, 0);
        }
        TIFFClose(t);
        p = slurp(path, &n);
        for (k = 0; k < n; k++) must_fail(write_file("cut.tif", p, k), 0, LP_EFORMAT, "");
        free(p);
    }
}

static void labels(void **state)
{
    static const uint32_t v32[4] = {0, 1, 70000, 4294967295u};
    static const float real[4] = {0, 1, 2, 70000}, part[4] = {0, 1, 2.5f, 3},
                       minus[4] = {0, -1, 2, 3};
    static const struct {
        const void *v;
        int bits, format;
        const char *words; /* NULL: fine */
    } t[] = {{v32, 32, SAMPLEFORMAT_UINT, NULL},
             {v32, 32, SAMPLEFORMAT_INT, "whole numbers"},
             {real, 32, SAMPLEFORMAT_IEEEFP, NULL},
             {part, 32, SAMPLEFORMAT_IEEEFP, "whole numbers"},
             {minus, 32, SAMPLEFORMAT_IEEEFP, "whole numbers"}};
    lp_labels lb;
    lp_err err;
    size_t i;
    int k;

    (void)state;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        const char *path = tmp_path("l.tif");
        TIFF *f = TIFFOpen(path, "w");
        lp_status st;

        TIFFSetField(f, TIFFTAG_IMAGEWIDTH, 2);
        TIFFSetField(f, TIFFTAG_IMAGELENGTH, 2);
        TIFFSetField(f, TIFFTAG_BITSPERSAMPLE, t[i].bits);
        TIFFSetField(f, TIFFTAG_SAMPLEFORMAT, t[i].format);
        TIFFSetField(f, TIFFTAG_PHOTOMETRIC, 1);
        TIFFSetField(f, TIFFTAG_ROWSPERSTRIP, 2);
        TIFFWriteEncodedStrip(f, 0, (void *)(uintptr_t)t[i].v, 16);
        TIFFClose(f);
        st = lp_read_labels(path, &lb, &err);
        if (t[i].words) {
            assert_int_equal(st, LP_EFORMAT);
            assert_non_null(strstr(err.msg, t[i].words));
            continue;
        }
        if (st) fail_msg("%s", err.msg);
        assert_int_equal(lb.Ly, 2);
        for (k = 0; k < 4; k++)
            assert_int_equal(lb.data[k],
                             t[i].format == SAMPLEFORMAT_UINT ? v32[k] : (uint32_t)real[k]);
        lp_labels_free(&lb);
    }
}

/* Predictor 2 without a codec: libtiff ignores it, Adobe and tifffile do not. */
static void plain_differences(void **state)
{
    const entry e[] = {{256, 4},   {257, 2}, {258, 12}, {259, 1},  {262, 1},
                       {273, 146}, {277, 1}, {278, 2},  {279, 12}, {317, 2}};
    static const uint8_t raw[12] = {0x06, 0x40, 0x64, 0x06, 0x40, 0x64,
                                    0x3e, 0x83, 0xe8, 0x3e, 0x8f, 0xff};
    static const float want[8] = {100, 200, 300, 400, 1000, 2000, 3000, 2999};
    lp_image im;
    bytes o;
    int i;

    (void)state;
    start(&o);
    directory(&o, e, 10, 0);
    o.n = 146;
    for (i = 0; i < 12; i++) put(&o, raw[i], 1);
    im = must_read(write_bytes(&o), 0);
    for (i = 0; i < 8; i++) assert_true(im.data[i] == want[i]);
    lp_image_free(&im);
}

/* The tags reach read_tiff_meta; later pages, which lack them, have the first one's size. */
static void pixel_size(void **state)
{
    static const TIFFFieldInfo maker[2] = {
        {34682, TIFF_VARIABLE2, TIFF_VARIABLE2, TIFF_ASCII, FIELD_CUSTOM, 1, 1, (char *)"a"},
        {34118, TIFF_VARIABLE2, TIFF_VARIABLE2, TIFF_BYTE, FIELD_CUSTOM, 1, 1, (char *)"b"}};
    static const char fei[] = "[Scan]\r\nPixelWidth=1.5e-009\r\n";
    static const char zeiss[] = "AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 2.5 nm\r\n";
    static const char ome[] = "<?xml?><OME><Image><Pixels PhysicalSizeX='0.0035'/></Image></OME>";
    static const double want[4] = {1.5, 2.5, 3.5, 5};
    uint8_t pixel = 7;
    int k, page;

    (void)state;
    for (k = 0; k < 4; k++) {
        const char *path = tmp_path("size.tif");
        TIFF *t = TIFFOpen(path, "w");

        TIFFMergeFieldInfo(t, maker, 2);
        for (page = 0; page < 2; page++) {
            TIFFSetField(t, TIFFTAG_IMAGEWIDTH, 1);
            TIFFSetField(t, TIFFTAG_IMAGELENGTH, 1);
            TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8);
            TIFFSetField(t, TIFFTAG_PHOTOMETRIC, 1);
            if (k == 0 && !page) TIFFSetField(t, 34682, (uint32_t)sizeof fei, fei);
            if (k == 1 && !page) TIFFSetField(t, 34118, (uint32_t)sizeof zeiss - 1, zeiss);
            if (k == 2 && !page) TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, ome);
            if (k == 3 && !page) {
                TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
                TIFFSetField(t, TIFFTAG_XRESOLUTION, 2e6);
                TIFFSetField(t, TIFFTAG_YRESOLUTION, 2e6);
            }
            TIFFWriteEncodedStrip(t, 0, &pixel, 1);
            TIFFWriteDirectory(t);
        }
        TIFFClose(t);
        for (page = 0; page < 2; page++) {
            lp_image im = must_read(path, page);

            LP_ASSERT_CLOSE(im.pixel_nm, want[k], 0, 1e-6);
            lp_image_free(&im);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_tags),      cmocka_unit_test(pages),
        cmocka_unit_test(circles),           cmocka_unit_test(broken_chain),
        cmocka_unit_test(imagej_stack),      cmocka_unit_test(lies),
        cmocka_unit_test(cut_short),         cmocka_unit_test(labels),
        cmocka_unit_test(plain_differences), cmocka_unit_test(pixel_size),
    };
    return cmocka_run_group_tests_name("read_tiff_file", tests, make_tmp, drop_tmp);
}
