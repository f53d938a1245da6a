/* What a path can be besides a readable image, and readers side by side. */
#include "read_util.h"

#include "host/read_bytes.h"
#include "host/write_masks.h"
#include "host/write_mrc.h"
#include "host/write_tiff.h"

#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <tiffio.h>

static void paths(void **state)
{
    (void)state;
    must_fail(tmp_path("none.tif"), 0, LP_EIO, "no such file");
    must_fail(tmp_dir, 0, LP_EIO, "folder");
    must_fail("/dev/null", 0, LP_EIO, "not a regular file");
    must_fail(write_file("empty.tif", "", 0), 0, LP_EFORMAT, "empty");
    must_fail(tmp_path("empty.tif/x.tif"), 0, LP_EIO, "no such file");
}

static void fifo_does_not_wait(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(tmp_path("fifo"), 0600), 0);
    must_fail(tmp_path("fifo"), 0, LP_EIO, "not a regular file");
}

static void no_permission(void **state)
{
    const char *path = write_file("secret.tif", "II*\0", 4);

    (void)state;
    if (geteuid() == 0) {
        print_message("skip: root may read everything\n");
        skip();
    }
    chmod(path, 0);
    must_fail(path, 0, LP_EIO, "Permission denied");
}

static void other_formats(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *words;
    } t[] = {{"\xff\xd8\xff\xe0rest", 8, "JPEG is not supported: convert it to TIFF, PNG or MRC"},
             {"\x93NUMPY\1\0", 8, "NumPy"},
             {"\xda\xce\xbe\x0a....", 8, "Nikon ND2"},
             {"\0\0\0\x03\0\0\0\1", 8, "Gatan DM3"},
             {"\0\0\0\x04\0\0\0\1", 8, "Gatan DM4"},
             {"\x89HDF\r\n\x1a\n", 8, "HDF5"},
             {"GIF89a..", 8, "GIF"},
             {"BM......", 8, "BMP"},
             {"PK\3\4....", 8, "ZIP"},
             {"hello, world", 12, "not an image of a supported format"},
             {"I", 1, "not an image of a supported format"},
             {"II*\0", 4, "cut short"},
             {"MM\0*\0\0\0\0", 8, "without a page"},
             {"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", 16, "without a page"},
             {"\x89PNG\r\n\x1a\n", 8, "cut short"},
             {"\x1f\x8b\x08\0", 4, "packed"},
             {"BZh9", 4, "packed"}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        const char *path = write_file("x.tif", t[i].bytes, t[i].n);
        lp_labels lb;
        lp_err err;
        int n = -7;

        must_fail(path, 0, LP_EFORMAT, t[i].words);
        assert_int_equal(lp_read_labels(path, &lb, &err), LP_EFORMAT);
        if (!strstr(t[i].words, "cut short"))
            assert_int_equal(lp_read_count(path, &n, &err), LP_EFORMAT);
        if (n != 1) assert_int_equal(n, -7);
    }
}

static void names(void **state)
{
    static const char *const yes[] = {"a.tif",    "a.TIFF",   "b/a.png",  "a.mrc",
                                      "a.MRCS",   "a.map",    "a.rec",    "a.st",
                                      "a.mrc.gz", "a.tif.GZ", "a.map.bz2"};
    static const char *const no[] = {"",          "tif",     ".tif",      ".gz",
                                     "a.gz",      "a.jpg",   "a.tif.txt", "a.tifx",
                                     "a.mrc.zip", ".mrc.gz", "mrc.bz2"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof yes / sizeof *yes; i++) assert_true(lp_read_is_image_name(yes[i]));
    for (i = 0; i < sizeof no / sizeof *no; i++) assert_false(lp_read_is_image_name(no[i]));
}

static void write_tiff(const char *path, int value)
{
    TIFF *t = TIFFOpen(path, "w");
    uint16_t row[100];
    int y, x;

    assert_non_null(t);
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, 100);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, 100);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 16);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, 1);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 10);
    TIFFSetField(t, TIFFTAG_COMPRESSION, COMPRESSION_LZW);
    for (y = 0; y < 100; y++) {
        for (x = 0; x < 100; x++) row[x] = (uint16_t)(value + x * y);
        TIFFWriteScanline(t, row, (uint32_t)y, 0);
    }
    TIFFClose(t);
}

typedef struct {
    char path[700];
    int value, wrong;
} job;

static void *read_often(void *arg)
{
    job *j = arg;
    char words[32];
    lp_image im;
    lp_err err;
    int k;

    snprintf(words, sizeof words, "no page %d", j->value);
    for (k = 0; k < 50; k++) {
        if (lp_read_image(j->path, 0, &im, &err)) {
            j->wrong++;
            continue;
        }
        j->wrong += im.data[9999] != (float)(j->value + 99 * 99);
        lp_image_free(&im);
        /* Messages must not be mixed up either. */
        j->wrong += lp_read_image(j->path, j->value, &im, &err) != LP_EARG ||
                    !strstr(err.msg, words) || !strstr(err.msg, j->path);
    }
    return NULL;
}

static void threads(void **state)
{
    pthread_t id[8];
    job jobs[8];
    int i;

    (void)state;
    for (i = 0; i < 8; i++) {
        char name[32];

        snprintf(name, sizeof name, "t%d.tif", i);
        snprintf(jobs[i].path, sizeof jobs[i].path, "%s", tmp_path(name));
        jobs[i].value = 100 + i;
        jobs[i].wrong = 0;
        write_tiff(jobs[i].path, jobs[i].value);
    }
    for (i = 0; i < 8; i++) assert_int_equal(pthread_create(&id[i], NULL, read_often, &jobs[i]), 0);
    for (i = 0; i < 8; i++) {
        pthread_join(id[i], NULL);
        assert_int_equal(jobs[i].wrong, 0);
    }
}

/* gzip and bzip2 around TIFF, which is read by jumping about. */
static void packed_tiff(void **state)
{
    char cmd[2048];
    lp_image im;
    int i;

    (void)state;
    write_tiff(tmp_path("p.tif"), 7);
    snprintf(cmd, sizeof cmd, "cd '%s' && gzip -k p.tif && bzip2 -k p.tif", tmp_dir);
    if (system(cmd)) {
        print_message("skip: no gzip or bzip2 program\n");
        skip();
    }
    for (i = 0; i < 2; i++) {
        im = must_read(tmp_path(i ? "p.tif.gz" : "p.tif.bz2"), 0);
        assert_true(im.data[9999] == 7 + 99 * 99);
        lp_image_free(&im);
    }
}

/* A damaged stream stays damaged: libbz2 overran its stack where it was called again. */
static void read_after_error(void **state)
{
    static const uint8_t bad[] = {
        0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0xd4, 0x3d, 0xe0, 0xb6, 0x00,
        0x00, 0x48, 0x0a, 0x34, 0xb1, 0xb0, 0xb2, 0x71, 0x70, 0x71, 0x31, 0x02, 0x3a, 0x13, 0x33,
        0x0b, 0x50, 0x10, 0x08, 0xfe, 0x6e, 0x89, 0xd5, 0x0d, 0xa3, 0x60, 0x14, 0x8c, 0x02, 0x01,
        0x64, 0x62, 0x61, 0xe3, 0xe0, 0xe4, 0xe3, 0x66, 0x60, 0x60, 0x64, 0x06, 0x0a, 0x34, 0xb1,
        0xb0, 0xb2, 0x71, 0x70, 0x98, 0x67, 0x60, 0x09, 0x60, 0x41, 0x82, 0x67, 0x50, 0xa2, 0x2e,
        0xdc, 0xc2, 0x30, 0xc5, 0x73, 0xc4, 0xa0, 0x5e, 0xa0, 0xd6, 0x92, 0x00, 0x22, 0xd4, 0xda,
        0xa4, 0xb3, 0x68, 0x1a, 0x6f, 0x0b, 0x56, 0x6a, 0x6f, 0x29, 0xa1, 0x7e, 0x32, 0xf6, 0xdb,
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x4d, 0x72, 0x72, 0x72, 0x72, 0xc3, 0x47, 0x00,
        0x26, 0x12, 0x02, 0xb0, 0x39, 0x29, 0x2d, 0xc5, 0x0b, 0xec, 0xa1, 0xdc, 0xa3, 0x15, 0x38,
        0x4b, 0xb5, 0x8d, 0xe4, 0x17, 0x96, 0x7c, 0x39, 0x06, 0xa0, 0xff, 0x17, 0x72, 0x45, 0x38,
        0x50, 0x90, 0xd4, 0x3d, 0xe0, 0xb6};
    lp_bytes *b = NULL;
    uint8_t buf[2000];
    size_t got;
    int k;

    (void)state;
    assert_int_equal(lp_bytes_open_mem("bad.bz2", bad, sizeof bad, &b, NULL), LP_OK);
    for (k = 0; k < 20; k++) {
        lp_err err = {0};

        assert_int_equal(lp_bytes_read(b, k == 0 ? 700 : 0, buf, sizeof buf, &got, &err),
                         LP_EFORMAT);
        assert_string_equal(err.msg, "bad.bz2: the file has damaged bzip2 data");
    }
    lp_bytes_close(&b);
}

/* The size from the header is that of what is read. */
static void same_size(const char *path, int want_pages)
{
    lp_image im = {0};
    int n = -1, Ly = -1, Lx = -1;
    lp_err err;

    if (lp_read_size(path, 0, &n, &Ly, &Lx, &err)) fail_msg("%s", err.msg);
    if (lp_read_image(path, 0, &im, &err)) fail_msg("%s", err.msg);
    assert_int_equal(n, want_pages);
    assert_int_equal(Ly, im.Ly);
    assert_int_equal(Lx, im.Lx);
    lp_image_free(&im);
}

static void sizes(void **state)
{
    static const int side[][2] = {{1, 1}, {7, 13}, {225, 223}};
    uint8_t *bytes;
    size_t n, i;
    lp_err err;

    (void)state;
    for (i = 0; i < 3; i++) {
        lp_image im;
        lp_labels lb;
        int fits;

        assert_int_equal(lp_image_new(&im, 1, side[i][0], side[i][1], NULL), LP_OK);
        memset(im.data, 0, (size_t)im.Ly * im.Lx * sizeof *im.data);
        assert_int_equal(lp_labels_new(&lb, side[i][0], side[i][1], NULL), LP_OK);
        assert_int_equal(lp_write_mrc(tmp_path("s.mrc"), &im, 2, NULL, NULL), LP_OK);
        assert_int_equal(lp_write_masks(tmp_path("s.tif"), &lb, 0, NULL), LP_OK);
        assert_int_equal(lp_write_masks_png(tmp_path("s.png"), &lb, &fits, NULL), LP_OK);
        same_size(tmp_path("s.mrc"), 1);
        same_size(tmp_path("s.tif"), 1);
        same_size(tmp_path("s.png"), 1);
        assert_int_equal(lp_read_size(tmp_path("s.tif"), 1, &fits, &fits, &fits, NULL), LP_EARG);
        assert_int_equal(lp_read_size(tmp_path("s.mrc"), 1, &fits, &fits, &fits, NULL), LP_EARG);
        assert_int_equal(lp_read_size(tmp_path("s.png"), 1, &fits, &fits, &fits, NULL), LP_EARG);
        lp_labels_free(&lb);
        lp_image_free(&im);
    }
    /* Cut short before the size, or lying about it. */
    bytes = slurp(tmp_path("s.png"), &n);
    for (i = 1; i < 24; i++) {
        int pages = -1, Ly = -1, Lx = -1;

        assert_int_equal(lp_read_size(write_file("c.png", bytes, i), 0, &pages, &Ly, &Lx, &err),
                         LP_EFORMAT);
        assert_true(pages == -1 && Ly == -1 && Lx == -1);
    }
    bytes[16] = 0xff;
    assert_int_equal(
        lp_read_size(write_file("c.png", bytes, n), 0, &(int){0}, &(int){0}, &(int){0}, &err),
        LP_EFORMAT);
    free(bytes);
    assert_int_equal(lp_read_size(tmp_path("none"), 0, &(int){0}, &(int){0}, &(int){0}, &err),
                     LP_EIO);
}

/* Pages as channels of one image. */
static void channels(void **state)
{
    static const float v[4][2][3] = {{{1, 2, 3}, {4, 5, 6}},
                                     {{7, 8, 9}, {0, NAN, -1}},
                                     {{9, 9, 9}, {8, 8, 8}},
                                     {{0, 0, 0}, {1, 1, 1}}};
    lp_tiff_desc d = {.npages = 2, .Ly = 2, .Lx = 3, .nsamples = 1, .bits = 32, .is_float = 1};
    static const float many[17];
    const char *path = tmp_path("channels.tif");
    lp_image im = {0}, one = {0};
    lp_err err;

    (void)state;
    assert_int_equal(lp_write_tiff(path, v, &d, NULL), LP_OK);
    assert_int_equal(lp_read_channels(path, &im, NULL), LP_OK);
    assert_int_equal(im.nchan, 2);
    assert_true(im.Ly == 2 && im.Lx == 3 && im.replaced == 1 && im.npages == 1);
    assert_memory_equal(im.data, v[0], sizeof v[0]);
    assert_memory_equal(im.data + 6, v[1][0], sizeof v[1][0]);
    lp_image_free(&im);
    /* A file of one page keeps the channels that it has. */
    d.npages = 1;
    d.nsamples = 3;
    assert_int_equal(lp_write_tiff(path, v, &d, NULL), LP_OK);
    assert_int_equal(lp_read_image(path, 0, &one, NULL), LP_OK);
    assert_int_equal(lp_read_channels(path, &im, NULL), LP_OK);
    assert_int_equal(im.nchan, 3);
    assert_memory_equal(im.data, one.data, 3 * 6 * sizeof(float));
    lp_image_free(&one);
    lp_image_free(&im);
    /* What cannot be channels leaves the result alone. */
    d.npages = 2;
    d.Ly = 1;
    d.nsamples = 3;
    assert_int_equal(lp_write_tiff(path, v, &d, NULL), LP_OK);
    assert_int_equal(lp_read_channels(path, &im, &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "page 1 has"));
    d = (lp_tiff_desc){.npages = 17, .Ly = 1, .Lx = 1, .nsamples = 1, .bits = 32, .is_float = 1};
    assert_int_equal(lp_write_tiff(path, many, &d, NULL), LP_OK);
    assert_int_equal(lp_read_channels(path, &im, &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "at most 16"));
    assert_int_equal(lp_read_channels(tmp_path("none.tif"), &im, &err), LP_EIO);
    assert_null(im.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),         cmocka_unit_test(fifo_does_not_wait),
        cmocka_unit_test(no_permission), cmocka_unit_test(other_formats),
        cmocka_unit_test(names),         cmocka_unit_test(threads),
        cmocka_unit_test(packed_tiff),   cmocka_unit_test(read_after_error),
        cmocka_unit_test(sizes),         cmocka_unit_test(channels),
    };
    return cmocka_run_group_tests_name("read", tests, make_tmp, drop_tmp);
}
