#include "read_png.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "read_samples.h"

/* All that must survive libpng's longjmp lives here, outside the jumping function. */
typedef struct {
    lp_bytes *b;
    lp_err *err;
    lp_status st;
    int64_t at; /* next byte to read */
    png_structp png;
    png_infop info;
    uint8_t *rows; /* one row, or the whole picture where it is interlaced */
    lp_image im;
    lp_labels lb;
} job;

static void on_error(png_structp png, png_const_charp msg)
{
    job *j = png_get_error_ptr(png);

    if (!j->st)
        j->st = lp_fail(j->err, LP_EFORMAT, "%s: damaged PNG: %s", lp_bytes_path(j->b), msg);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp msg)
{
    (void)png;
    (void)msg;
}

static void on_read(png_structp png, png_bytep buf, size_t n)
{
    job *j = png_get_io_ptr(png);
    size_t got;

    j->st = lp_bytes_read(j->b, j->at, buf, n, &got, j->err);
    if (j->st) png_error(png, "read");
    if (got < n) png_error(png, "the file is cut short");
    j->at += (int64_t)n;
}

/* A row of a PNG unpacks to at most 1032 times its bytes (deflate). */
static int honest(const job *j, png_uint_32 w, png_uint_32 h, int bits)
{
    int64_t size = lp_bytes_size(j->b);

    return (double)w * bits / 8 * h <= 1032.0 * (double)size + 65536;
}

static void deliver(job *j, const uint8_t *row, int64_t y, int nsamples, lp_sample type)
{
    int64_t n = (int64_t)j->im.Ly * j->im.Lx;
    int c;

    if (j->lb.data) {
        lp_samples_to_labels(j->lb.data + y * j->lb.Lx, row, (size_t)j->lb.Lx, type,
                             (size_t)nsamples);
        return;
    }
    for (c = 0; c < j->im.nchan; c++)
        lp_samples_to_float(j->im.data + c * n + y * j->im.Lx,
                            row + (size_t)c * lp_sample_size(type), (size_t)j->im.Lx, type,
                            (size_t)nsamples);
}

static void setup(job *j)
{
    png_set_user_limits(j->png, LP_MAX_SIDE, LP_MAX_SIDE);
    png_set_chunk_cache_max(j->png, 64);
    png_set_chunk_malloc_max(j->png, 8 << 20);
    /* A wrong check sum is a damaged picture; in a text chunk it does no harm. */
    png_set_crc_action(j->png, PNG_CRC_ERROR_QUIT, PNG_CRC_QUIET_USE);
    png_set_read_fn(j->png, j, on_read);
    png_read_info(j->png, j->info);
}

static void decode(job *j, int labels)
{
    png_uint_32 w = png_get_image_width(j->png, j->info);
    png_uint_32 h = png_get_image_height(j->png, j->info), y;
    int colour = png_get_color_type(j->png, j->info), depth = png_get_bit_depth(j->png, j->info);
    int interlaced = png_get_interlace_type(j->png, j->info) != PNG_INTERLACE_NONE;
    int channels = png_get_channels(j->png, j->info), nsamples;
    const char *path = lp_bytes_path(j->b);
    lp_sample type = depth == 16 ? LP_SAMPLE_U16 : LP_SAMPLE_U8;
    size_t row;

    if ((int64_t)w * h > LP_MAX_PIXELS || !honest(j, w, h, depth * channels)) {
        j->st = lp_fail(j->err, LP_EFORMAT,
                        "%s: PNG says %u x %u pixels, which a file of %lld bytes cannot hold", path,
                        w, h, (long long)lp_bytes_size(j->b));
        return;
    }
    if (labels && colour & PNG_COLOR_MASK_COLOR && colour != PNG_COLOR_TYPE_PALETTE) {
        j->st = lp_fail(j->err, LP_EFORMAT,
                        "%s: a label image has one channel of whole numbers, this PNG is in colour",
                        path);
        return;
    }
    if (depth == 16) png_set_swap(j->png);
    if (labels)
        png_set_packing(j->png);
    else if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(j->png);
    else if (depth < 8)
        png_set_expand_gray_1_2_4_to_8(j->png);
    png_set_interlace_handling(j->png);
    png_read_update_info(j->png, j->info);
    nsamples = png_get_channels(j->png, j->info);
    row = png_get_rowbytes(j->png, j->info);
    if (row != (size_t)w * (size_t)nsamples * lp_sample_size(type)) png_error(j->png, "row size");

    j->rows = calloc(interlaced ? h : 1, row);
    if (!j->rows) {
        j->st = lp_fail_mem(j->err, path, (double)row * (interlaced ? h : 1));
        return;
    }
    j->st = labels ? lp_labels_new(&j->lb, (int)h, (int)w, j->err)
                   : lp_image_new(&j->im, nsamples >= 3 ? 3 : 1, (int)h, (int)w, j->err);
    if (j->st) return;
    if (interlaced) {
        int pass;

        for (pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
            for (y = 0; y < h; y++) png_read_row(j->png, j->rows + y * row, NULL);
        for (y = 0; y < h; y++) deliver(j, j->rows + y * row, y, nsamples, type);
    } else {
        for (y = 0; y < h; y++) {
            png_read_row(j->png, j->rows, NULL);
            deliver(j, j->rows, y, nsamples, type);
        }
    }
}

/* The only function that libpng jumps back into; it changes no local variable after setjmp. */
static void run(job *j, int labels)
{
    if (setjmp(png_jmpbuf(j->png))) return;
    setup(j);
    decode(j, labels);
}

static lp_status read_any(lp_bytes *b, int labels, lp_image *im, lp_labels *lb, lp_err *err)
{
    job j;

    memset(&j, 0, sizeof j);
    j.b = b;
    j.err = err;
    if ((j.st = lp_bytes_load(b, (int64_t)256 << 20, err))) return j.st;
    j.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
    if (j.png) j.info = png_create_info_struct(j.png);
    if (j.info)
        run(&j, labels);
    else
        j.st = lp_fail_mem(err, lp_bytes_path(b), 0);
    png_destroy_read_struct(&j.png, &j.info, NULL);
    free(j.rows);
    if (j.st) {
        lp_image_free(&j.im);
        lp_labels_free(&j.lb);
    } else if (labels) {
        *lb = j.lb;
    } else {
        *im = j.im;
    }
    return j.st;
}

lp_status lp_png_read(lp_bytes *b, lp_image *im, lp_err *err)
{
    return read_any(b, 0, im, NULL, err);
}

lp_status lp_png_read_labels(lp_bytes *b, lp_labels *lb, lp_err *err)
{
    return read_any(b, 1, NULL, lb, err);
}

lp_status lp_png_size(lp_bytes *b, int *Ly, int *Lx, lp_err *err)
{
    uint8_t head[24] = {0};
    uint32_t w, h;
    size_t got;
    lp_status st = lp_bytes_read(b, 0, head, sizeof head, &got, err);

    if (st) return st;
    w = (uint32_t)head[16] << 24 | (uint32_t)head[17] << 16 | (uint32_t)head[18] << 8 | head[19];
    h = (uint32_t)head[20] << 24 | (uint32_t)head[21] << 16 | (uint32_t)head[22] << 8 | head[23];
    if (got < sizeof head || memcmp(head + 12, "IHDR", 4) || w < 1 || h < 1 || w > LP_MAX_SIDE ||
        h > LP_MAX_SIDE)
        return lp_fail(err, LP_EFORMAT, "%s: damaged PNG: no size", lp_bytes_path(b));
    *Ly = (int)h;
    *Lx = (int)w;
    return LP_OK;
}
