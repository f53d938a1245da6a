/* Masks read back through libtiff and libpng. */
#include "tmp_dir.h"

#include <omp.h>
#include <png.h>
#include <tiffio.h>

#include "host/write_masks.h"
#include "host/write_png.h"
#include "host/write_tiff.h"

/* Blobs on a background, like masks: long runs, labels up to max. */
static void fill(lp_labels *lb, uint32_t max)
{
    int y, x;

    for (y = 0; y < lb->Ly; y++)
        for (x = 0; x < lb->Lx; x++) {
            uint32_t cell = (uint32_t)(y / 7) * 977u + (uint32_t)(x / 9);

            lb->data[(size_t)y * lb->Lx + x] = (y % 7) && (x % 9) ? cell % max + 1 : 0;
        }
    lb->data[(size_t)lb->Ly * lb->Lx - 1] = max;
}

static int read_tiff(const char *path, const lp_labels *want)
{
    TIFF *t = TIFFOpen(path, "r");
    uint16_t bits = 0, format = 0, compression = 0;
    uint32_t w = 0, h = 0, y, x;
    uint8_t *row;
    char *date = NULL;

    assert_non_null(t);
    TIFFGetField(t, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetField(t, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetField(t, TIFFTAG_COMPRESSION, &compression);
    TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &w);
    TIFFGetField(t, TIFFTAG_IMAGELENGTH, &h);
    assert_int_equal(TIFFGetField(t, TIFFTAG_DATETIME, &date), 0);
    assert_int_equal(format, SAMPLEFORMAT_UINT);
    assert_int_equal(compression, COMPRESSION_ADOBE_DEFLATE);
    assert_int_equal(w, want->Lx);
    assert_int_equal(h, want->Ly);
    row = malloc((size_t)TIFFScanlineSize(t));
    assert_non_null(row);
    for (y = 0; y < h; y++) {
        assert_int_equal(TIFFReadScanline(t, row, y, 0), 1);
        for (x = 0; x < w; x++)
            assert_int_equal(bits == 16 ? ((uint16_t *)row)[x] : ((uint32_t *)row)[x],
                             want->data[(size_t)y * w + x]);
    }
    free(row);
    TIFFClose(t);
    return bits;
}

/* Rows as in the file (16 bits big-endian); the caller checks and frees via png_end. */
typedef struct {
    png_structp png;
    png_infop info;
    FILE *f;
    int Ly, Lx, bits, type;
    png_bytepp rows;
} png_file;

static void png_open(png_file *p, const char *path)
{
    p->f = fopen(path, "rb");
    assert_non_null(p->f);
    p->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    p->info = png_create_info_struct(p->png);
    if (setjmp(png_jmpbuf(p->png))) fail_msg("libpng refuses %s", path);
    png_init_io(p->png, p->f);
    png_read_png(p->png, p->info, PNG_TRANSFORM_IDENTITY, NULL);
    p->Ly = (int)png_get_image_height(p->png, p->info);
    p->Lx = (int)png_get_image_width(p->png, p->info);
    p->bits = png_get_bit_depth(p->png, p->info);
    p->type = png_get_color_type(p->png, p->info);
    p->rows = png_get_rows(p->png, p->info);
}

static void png_end(png_file *p)
{
    png_destroy_read_struct(&p->png, &p->info, NULL);
    fclose(p->f);
}

static void check_png(const char *path, const lp_labels *want)
{
    png_file p;
    int y, x;

    png_open(&p, path);
    assert_true(p.Ly == want->Ly && p.Lx == want->Lx && p.bits == 16);
    assert_int_equal(p.type, PNG_COLOR_TYPE_GRAY);
    for (y = 0; y < p.Ly; y++)
        for (x = 0; x < p.Lx; x++)
            assert_int_equal(p.rows[y][2 * x] << 8 | p.rows[y][2 * x + 1],
                             want->data[(size_t)y * p.Lx + x]);
    png_end(&p);
}

static void masks_of_many_sizes(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 500}, {500, 1}, {7, 13}, {225, 223}, {1100, 1200}};
    char *dir = lp_tmp_dir();
    const char *tif = lp_tmp_path(dir, "x_cp_masks.tif"), *png = lp_tmp_path(dir, "x_cp_masks.png");
    size_t i;

    (void)state;
    for (i = 0; i < sizeof size / sizeof size[0]; i++) {
        lp_labels lb = {0};
        int fits = -1;
        lp_err err;

        assert_int_equal(lp_labels_new(&lb, size[i][0], size[i][1], NULL), LP_OK);
        /* None, then some. */
        assert_int_equal(lp_write_masks(tif, &lb, 0, &err), LP_OK);
        assert_int_equal(read_tiff(tif, &lb), 16);
        fill(&lb, 65535);
        assert_int_equal(lp_write_masks(tif, &lb, 0, &err), LP_OK);
        assert_int_equal(read_tiff(tif, &lb), 16);
        assert_int_equal(lp_write_masks_png(png, &lb, &fits, &err), LP_OK);
        assert_int_equal(fits, 1);
        check_png(png, &lb);
        unlink(png);
        fill(&lb, 65536);
        assert_int_equal(lp_write_masks(tif, &lb, 0, &err), LP_OK);
        assert_int_equal(read_tiff(tif, &lb), 32);
        assert_int_equal(lp_write_masks_png(png, &lb, &fits, &err), LP_OK);
        assert_int_equal(fits, 0);
        assert_int_equal(access(png, F_OK), -1);
        lp_labels_free(&lb);
    }
    assert_int_equal(lp_tmp_count(dir, NULL), 1);
    lp_tmp_remove(dir);
}

static void rgb_png(void **state)
{
    static const int size[][2] = {{1, 1}, {3, 5}, {1000, 901}};
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x.png");
    size_t i, k;

    (void)state;
    for (i = 0; i < 3; i++) {
        size_t n = (size_t)size[i][0] * size[i][1] * 3;
        uint8_t *d = malloc(n);
        uint32_t r = 1;
        png_file p;
        int y;

        for (k = 0; k < n; k++) d[k] = (uint8_t)((r = r * 1664525u + 1013904223u) >> 24);
        assert_int_equal(lp_write_png(path, d, size[i][0], size[i][1], 3, 8, NULL), LP_OK);
        png_open(&p, path);
        assert_true(p.Ly == size[i][0] && p.Lx == size[i][1] && p.bits == 8);
        assert_int_equal(p.type, PNG_COLOR_TYPE_RGB);
        for (y = 0; y < p.Ly; y++)
            assert_memory_equal(p.rows[y], d + (size_t)y * p.Lx * 3, (size_t)p.Lx * 3);
        png_end(&p);
        free(d);
    }
    lp_tmp_remove(dir);
}

/* 8-bit RGB with predictor, and float planes without compression. */
static void other_tiffs(void **state)
{
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x.tif");
    uint8_t rgb[5 * 7 * 3], row[7 * 3];
    float planes[2][5][7], frow[7];
    lp_tiff_desc d = {.npages = 1, .Ly = 5, .Lx = 7, .nsamples = 3, .bits = 8, .deflate = 1};
    TIFF *t;
    uint32_t y;
    size_t i;
    int page;

    (void)state;
    for (i = 0; i < sizeof rgb; i++) rgb[i] = (uint8_t)(i * 37);
    for (i = 0; i < 70; i++) ((float *)planes)[i] = (float)i / 3;
    assert_int_equal(lp_write_tiff(path, rgb, &d, NULL), LP_OK);
    t = TIFFOpen(path, "r");
    assert_non_null(t);
    for (y = 0; y < 5; y++) {
        assert_int_equal(TIFFReadScanline(t, row, y, 0), 1);
        assert_memory_equal(row, rgb + y * 21, 21);
    }
    TIFFClose(t);
    d = (lp_tiff_desc){.npages = 2, .Ly = 5, .Lx = 7, .nsamples = 1, .bits = 32, .is_float = 1};
    assert_int_equal(lp_write_tiff(path, planes, &d, NULL), LP_OK);
    t = TIFFOpen(path, "r");
    assert_non_null(t);
    for (page = 0; page < 2; page++) {
        assert_int_equal(TIFFSetDirectory(t, (tdir_t)page), 1);
        for (y = 0; y < 5; y++) {
            assert_int_equal(TIFFReadScanline(t, frow, y, 0), 1);
            assert_memory_equal(frow, planes[page][y], sizeof frow);
        }
    }
    TIFFClose(t);
    lp_tmp_remove(dir);
}

static void bytes_do_not_depend_on_threads(void **state)
{
    char *dir = lp_tmp_dir(), *one[2], *many[2];
    const char *tif = lp_tmp_path(dir, "a.tif"), *png = lp_tmp_path(dir, "a.png");
    const char *tif2 = lp_tmp_path(dir, "other.tif"), *png2 = lp_tmp_path(dir, "other.png");
    int threads = omp_get_max_threads(), fits;
    size_t n[2], m[2];
    lp_labels lb = {0};

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 1500, 1501, NULL), LP_OK);
    fill(&lb, 5000);
    omp_set_num_threads(1);
    assert_int_equal(lp_write_masks(tif, &lb, 0, NULL), LP_OK);
    assert_int_equal(lp_write_masks_png(png, &lb, &fits, NULL), LP_OK);
    one[0] = lp_tmp_read(tif, &n[0]);
    one[1] = lp_tmp_read(png, &n[1]);
    omp_set_num_threads(5);
    assert_int_equal(lp_write_masks(tif2, &lb, 0, NULL), LP_OK);
    assert_int_equal(lp_write_masks_png(png2, &lb, &fits, NULL), LP_OK);
    many[0] = lp_tmp_read(tif2, &m[0]);
    many[1] = lp_tmp_read(png2, &m[1]);
    omp_set_num_threads(threads);
    assert_int_equal(n[0], m[0]);
    assert_int_equal(n[1], m[1]);
    assert_memory_equal(one[0], many[0], n[0]);
    assert_memory_equal(one[1], many[1], n[1]);
    free(one[0]);
    free(one[1]);
    free(many[0]);
    free(many[1]);
    lp_labels_free(&lb);
    lp_tmp_remove(dir);
}

static void no_folder(void **state)
{
    uint32_t d[4] = {0, 1, 2, 3};
    lp_labels lb = {d, 2, 2};
    int fits = -1;
    lp_err err;

    (void)state;
    assert_int_equal(lp_write_masks("/dev/null/x.tif", &lb, 0, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "/dev/null/x.tif"));
    assert_int_equal(lp_write_masks_png("/dev/null/x.png", &lb, &fits, &err), LP_EIO);
    assert_int_equal(fits, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_of_many_sizes), cmocka_unit_test(rgb_png),
        cmocka_unit_test(other_tiffs),         cmocka_unit_test(bytes_do_not_depend_on_threads),
        cmocka_unit_test(no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
