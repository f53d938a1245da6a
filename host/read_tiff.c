#include "read_tiff.h"

#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#include "read_samples.h"
#include "read_tiff_layout.h"
#include "read_tiff_meta.h"
#include "read_tiff_pages.h"

/* A packed TIFF (.tif.gz) is unpacked into memory up to this. */
#define MAX_UNPACKED ((int64_t)1 << 30)

/* An open file. Must not move: libtiff keeps its address. */
typedef struct {
    lp_bytes *b;
    int64_t at;
    TIFF *tif;
    lp_tiff_pages pages;
    int stack;     /* pages of a stack behind one directory, else 0 */
    char why[256]; /* libtiff's last complaint */
} file;

static int on_error(TIFF *tif, void *ctx, const char *module, const char *fmt, va_list ap)
{
    file *f = ctx;
    size_t i;

    (void)tif;
    (void)module;
    vsnprintf(f->why, sizeof f->why, fmt, ap);
    for (i = 0; f->why[i]; i++)
        if ((unsigned char)f->why[i] < ' ') f->why[i] = ' ';
    return 1;
}

static int on_warning(TIFF *tif, void *ctx, const char *module, const char *fmt, va_list ap)
{
    (void)tif;
    (void)ctx;
    (void)module;
    (void)fmt;
    (void)ap;
    return 1;
}

static tmsize_t on_read(thandle_t h, void *buf, tmsize_t n)
{
    file *f = (file *)h;
    size_t got;

    if (n < 0 || lp_bytes_read(f->b, f->at, buf, (size_t)n, &got, NULL)) return -1;
    f->at += (int64_t)got;
    return (tmsize_t)got;
}

static tmsize_t on_write(thandle_t h, void *buf, tmsize_t n)
{
    (void)h;
    (void)buf;
    (void)n;
    return -1;
}

static toff_t on_seek(thandle_t h, toff_t off, int whence)
{
    file *f = (file *)h;
    int64_t base = whence == SEEK_CUR ? f->at : whence == SEEK_END ? lp_bytes_size(f->b) : 0;

    if (off > (toff_t)INT64_MAX - (toff_t)base) return (toff_t)-1;
    f->at = base + (int64_t)off;
    return (toff_t)f->at;
}

static int on_close(thandle_t h)
{
    (void)h;
    return 0;
}

static toff_t on_size(thandle_t h)
{
    return (toff_t)lp_bytes_size(((file *)h)->b);
}

static lp_status complain(file *f, int page, lp_err *err)
{
    /* libtiff's words for this name lines by numbers that are not there. */
    if (!strncmp(f->why, "Read error at", 13))
        return lp_fail(err, LP_EFORMAT,
                       "%s: page %d: pixels lie outside the file: it is cut short or damaged",
                       lp_bytes_path(f->b), page);
    return lp_fail(err, LP_EFORMAT, "%s: page %d: damaged or unsupported TIFF: %s",
                   lp_bytes_path(f->b), page, f->why[0] ? f->why : "it cannot be decoded");
}

static void file_close(file *f)
{
    if (f->tif) TIFFClose(f->tif);
    lp_tiff_pages_free(&f->pages);
}

static lp_status set_page(file *f, int page, lp_err *err)
{
    f->why[0] = 0;
    if (!TIFFSetSubDirectory(f->tif, f->pages.at[page])) return complain(f, page, err);
    return LP_OK;
}

/* Whether a tag that libtiff does not know holds single bytes, count first. */
static int text_tag(TIFF *tif, uint32_t tag)
{
    const TIFFField *field = TIFFFindField(tif, tag, TIFF_ANY);
    TIFFDataType type = field ? TIFFFieldDataType(field) : TIFF_NOTYPE;

    return field && TIFFFieldPassCount(field) && TIFFFieldReadCount(field) == TIFF_VARIABLE2 &&
           (type == TIFF_ASCII || type == TIFF_BYTE || type == TIFF_UNDEFINED);
}

/* From the first page, which must be the current one: the other pages of a stack lack the text. */
static double pixel_nm(file *f)
{
    static const uint32_t makers[] = {34682, 34680, 34118};
    lp_tiff_meta m = {0};
    uint16_t unit = RESUNIT_INCH;
    float x = 0, y = 0;
    char *text = NULL;
    uint32_t n = 0;
    void *data = NULL;
    size_t i;

    for (i = 0; i < sizeof makers / sizeof *makers && !m.maker; i++)
        if (text_tag(f->tif, makers[i]) && TIFFGetField(f->tif, makers[i], &n, &data) && data &&
            n < 1 << 24) {
            m.maker = data;
            m.maker_n = (int)n;
        }
    if (TIFFGetField(f->tif, TIFFTAG_IMAGEDESCRIPTION, &text)) m.description = text;
    TIFFGetFieldDefaulted(f->tif, TIFFTAG_RESOLUTIONUNIT, &unit);
    if (TIFFGetField(f->tif, TIFFTAG_XRESOLUTION, &x)) m.xres = (double)x;
    if (TIFFGetField(f->tif, TIFFTAG_YRESOLUTION, &y)) m.yres = (double)y;
    m.unit = unit;
    return lp_tiff_pixel_nm(&m);
}

static lp_status file_open(file *f, lp_bytes *b, lp_err *err)
{
    TIFFOpenOptions *opts;
    lp_status st;

    memset(f, 0, sizeof *f);
    f->b = b;
    if ((st = lp_bytes_load(b, MAX_UNPACKED, err))) return st;
    if ((st = lp_tiff_pages_find(b, &f->pages, err))) return st;
    opts = TIFFOpenOptionsAlloc();
    if (!opts) return lp_fail_mem(err, lp_bytes_path(b), 0);
    TIFFOpenOptionsSetErrorHandlerExtR(opts, on_error, f);
    TIFFOpenOptionsSetWarningHandlerExtR(opts, on_warning, f);
    /* No single table or raw strip can honestly need more. */
    TIFFOpenOptionsSetMaxSingleMemAlloc(opts, (tmsize_t)(lp_bytes_size(b) * 2 + (256 << 20)));
    f->tif = TIFFClientOpenExt(lp_bytes_path(b), "rhm", (thandle_t)f, on_read, on_write, on_seek,
                               on_close, on_size, NULL, NULL, opts);
    TIFFOpenOptionsFree(opts);
    if (!f->tif) return complain(f, 0, err);
    return LP_OK;
}

static lp_status layout(file *f, int page, lp_tiff_layout *l, lp_err *err)
{
    int predictor;
    lp_status st = lp_tiff_pages_predictor(f->b, &f->pages, page, &predictor, err);

    return st ? st : lp_tiff_layout_get(f->tif, f->b, page, predictor, l, err);
}

/* Number of pages, with the first page as the current one where that matters (one directory). */
static lp_status count_pages(file *f, int *npages, lp_err *err)
{
    const char *text = NULL;
    lp_tiff_layout l;
    int n;

    *npages = f->pages.n;
    if (f->pages.n > 1 || f->pages.broken) return LP_OK;
    if (set_page(f, 0, NULL)) return LP_OK; /* lp_tiff_read says what is wrong */
    if (!TIFFGetField(f->tif, TIFFTAG_IMAGEDESCRIPTION, &text)) return LP_OK;
    if (text[0] != '{' && text[0] != 'I') return LP_OK;
    if (layout(f, 0, &l, NULL)) return LP_OK;
    n = lp_tiff_stack_images(text, (double)l.w * (double)l.h * l.spp);
    /* A single image keeps the text of the stack it was taken from: no place for a second one. */
    if (n < 2 || !l.raw_at || l.raw_at + 2 * l.raw_bytes > lp_bytes_size(f->b)) return LP_OK;
    if ((double)l.raw_at + (double)l.raw_bytes * n > (double)lp_bytes_size(f->b))
        return lp_fail(
            err, LP_EFORMAT,
            "%s: stack of %d images behind one page is cut short: %.0f bytes expected, %lld found",
            lp_bytes_path(f->b), n, (double)l.raw_at + (double)l.raw_bytes * n,
            (long long)lp_bytes_size(f->b));
    *npages = f->stack = n;
    return LP_OK;
}

static lp_status no_page(const lp_bytes *b, int page, int npages, lp_err *err)
{
    return lp_fail(err, LP_EARG, "%s: no page %d: the file has %d (0 to %d)", lp_bytes_path(b),
                   page, npages, npages - 1);
}

/* size: NULL, or that of page. */
static lp_status look(lp_bytes *b, int page, int *npages, lp_tiff_layout *size, lp_err *err)
{
    lp_status st;
    int n = 0;
    file f;

    st = file_open(&f, b, err);
    if (!st && f.pages.broken)
        st =
            lp_fail(err, LP_EFORMAT,
                    "%s: TIFF is cut short or damaged after page %d: the next one lies outside the "
                    "file",
                    lp_bytes_path(b), f.pages.n - 1);
    if (!st) st = count_pages(&f, &n, err);
    if (!st && size && (page < 0 || page >= n)) st = no_page(b, page, n, err);
    if (!st && size) st = set_page(&f, f.stack ? 0 : page, err);
    if (!st && size) st = layout(&f, f.stack ? 0 : page, size, err);
    if (!st) *npages = n;
    file_close(&f);
    return st;
}

lp_status lp_tiff_count(lp_bytes *b, int *npages, lp_err *err)
{
    return look(b, 0, npages, NULL, err);
}

lp_status lp_tiff_size(lp_bytes *b, int page, int *npages, int *Ly, int *Lx, lp_err *err)
{
    lp_tiff_layout l;
    lp_status st = look(b, page, npages, &l, err);

    if (st) return st;
    *Ly = (int)l.h;
    *Lx = (int)l.w;
    return LP_OK;
}

/* Where decoded rows go: an image or labels. */
typedef struct {
    lp_image *im;
    lp_labels *lb;
    const lp_tiff_layout *l;
    uint32_t *wide; /* one unpacked row where bits are packed */
    int bad;        /* samples that are no labels */
} sink;

/* Brings unpacked numbers back to their number of bits. */
static void wrap(uint32_t *v, size_t n, const lp_tiff_layout *l)
{
    uint32_t high = (uint32_t)1 << (l->packed - 1);
    size_t i;

    for (i = 0; i < n; i++) {
        v[i] &= high | (high - 1);
        if (l->sign_extend && v[i] & high) v[i] |= ~(high - 1);
    }
}

/* n pixels at x of row y, from src, which is overwritten: all samples of a pixel (plane -1) or one
 * plane's. */
static void put(sink *s, uint8_t *src, int64_t y, int64_t x, int64_t n, int plane)
{
    const lp_tiff_layout *l = s->l;
    size_t stride = plane < 0 ? (size_t)l->spp : 1, all = (size_t)n * stride, size;
    int64_t at = y * l->w + x;
    int c, first = plane < 0 ? 0 : plane, last = plane < 0 ? l->nkeep : plane + 1;

    if (l->swapped24) TIFFSwabArrayOfTriples(src, (tmsize_t)all);
    if (l->packed) lp_samples_unpack(s->wide, src, all, l->packed);
    if (l->packed) src = (uint8_t *)s->wide;
    if (l->differences) lp_samples_undo_differences(src, all, l->type, stride);
    if (l->packed && (l->differences || l->sign_extend)) wrap(s->wide, all, l);
    size = lp_sample_size(l->type);
    for (c = first; c < last; c++) {
        const uint8_t *p = src + (plane < 0 ? (size_t)l->keep[c] * size : 0);

        if (s->lb)
            s->bad |= !lp_samples_to_labels(s->lb->data + at, p, (size_t)n, l->type, stride);
        else
            lp_samples_to_float(s->im->data + (int64_t)c * l->w * l->h + at, p, (size_t)n, l->type,
                                stride);
    }
}

/* Decodes the strip or tile with pixel (x, y) of plane s into buf. */
static int64_t decode_block(TIFF *tif, const lp_tiff_layout *l, int64_t x, int64_t y, int s,
                            uint8_t *buf)
{
    if (l->rgba) {
        int ok = l->tiled ? TIFFReadRGBATileExt(tif, (uint32_t)x, (uint32_t)y, (uint32_t *)buf, 1)
                          : TIFFReadRGBAStripExt(tif, (uint32_t)y, (uint32_t *)buf, 1);

        return ok ? l->block_bytes : -1;
    }
    if (l->tiled)
        return TIFFReadEncodedTile(tif,
                                   TIFFComputeTile(tif, (uint32_t)x, (uint32_t)y, 0, (uint16_t)s),
                                   buf, (tmsize_t)l->block_bytes);
    return TIFFReadEncodedStrip(tif, TIFFComputeStrip(tif, (uint32_t)y, (uint16_t)s), buf,
                                (tmsize_t)l->block_bytes);
}

static lp_status read_blocks(file *f, const lp_tiff_layout *l, int page, sink *s, lp_err *err)
{
    int planes = l->separate ? l->nkeep : 1, p;
    uint8_t *buf = calloc(1, (size_t)l->block_bytes);
    int64_t x, y, r, rows, n;
    lp_status st = LP_OK;

    if (!buf) return lp_fail_mem(err, lp_bytes_path(f->b), (double)l->block_bytes);
    for (p = 0; p < planes && !st; p++)
        for (y = 0; y < l->h && !st; y += l->bh)
            for (x = 0; x < l->w && !st; x += l->bw) {
                int64_t got = decode_block(f->tif, l, x, y, l->keep[p], buf);

                rows = l->bh < l->h - y ? l->bh : l->h - y;
                n = l->bw < l->w - x ? l->bw : l->w - x;
                if (got < rows * l->row_bytes) {
                    st = complain(f, page, err);
                    break;
                }
                for (r = 0; r < rows; r++) {
                    /* libtiff's RGBA blocks have their last row first; a strip's are not padded. */
                    int64_t from = !l->rgba ? r : (l->tiled ? l->bh : rows) - 1 - r;

                    put(s, buf + from * l->row_bytes, y + r, x, n, l->separate ? p : -1);
                }
            }
    free(buf);
    return st;
}

/* Page `page` of a stack behind one directory, in the file's byte order. */
static lp_status read_stack_page(file *f, const lp_tiff_layout *l, int page, sink *s, lp_err *err)
{
    int64_t at = l->raw_at + l->raw_bytes * page, y;
    size_t size = lp_sample_size(l->type), got;
    uint8_t *row = malloc((size_t)l->row_bytes);
    lp_status st = LP_OK;

    if (!row) return lp_fail_mem(err, lp_bytes_path(f->b), (double)l->row_bytes);
    for (y = 0; y < l->h && !st; y++) {
        st = lp_bytes_read(f->b, at + y * l->row_bytes, row, (size_t)l->row_bytes, &got, err);
        if (!st && got < (size_t)l->row_bytes)
            st = lp_fail(err, LP_EFORMAT, "%s: page %d is cut short", lp_bytes_path(f->b), page);
        if (st) break;
        if (f->pages.big_endian) lp_samples_swap(row, (size_t)l->row_bytes / size, size);
        put(s, row, y, 0, l->w, -1);
    }
    free(row);
    return st;
}

/* Decodes page into s->im or s->lb, which it allocates. */
static lp_status read_page(file *f, int page, sink *s, lp_err *err)
{
    const char *path = lp_bytes_path(f->b);
    lp_tiff_layout l;
    lp_status st;

    if ((st = set_page(f, f->stack ? 0 : page, err))) return st;
    if ((st = layout(f, f->stack ? 0 : page, &l, err))) return st;
    if (s->lb && l.nkeep != 1)
        return lp_fail(err, LP_EFORMAT,
                       "%s: a label image has one channel of whole numbers, this has %d", path,
                       l.nkeep);
    st = s->lb ? lp_labels_new(s->lb, (int)l.h, (int)l.w, err)
               : lp_image_new(s->im, l.nkeep, (int)l.h, (int)l.w, err);
    if (st) return st;
    s->l = &l;
    if (l.packed) {
        s->wide = malloc((size_t)l.bw * (size_t)l.spp * sizeof(uint32_t));
        if (!s->wide) return lp_fail_mem(err, path, (double)l.bw * l.spp * 4);
    }
    f->why[0] = 0;
    st = f->stack ? read_stack_page(f, &l, page, s, err) : read_blocks(f, &l, page, s, err);
    free(s->wide);
    if (!st && s->bad)
        st = lp_fail(
            err, LP_EFORMAT,
            "%s: a label image holds whole numbers from 0 to 4294967295, this one does not", path);
    if (!st && s->im && l.type >= LP_SAMPLE_F16) lp_samples_repair(s->im);
    return st;
}

lp_status lp_tiff_read(lp_bytes *b, int page, lp_image *im, lp_err *err)
{
    lp_image tmp = {0};
    sink s = {.im = &tmp};
    double nm = 0;
    int npages = 0;
    lp_status st;
    file f;

    st = file_open(&f, b, err);
    if (!st) st = count_pages(&f, &npages, err);
    if (!st && (page < 0 || page >= npages)) st = no_page(b, page, npages, err);
    if (!st && !set_page(&f, 0, NULL)) nm = pixel_nm(&f);
    if (!st) st = read_page(&f, page, &s, err);
    if (st) {
        lp_image_free(&tmp);
    } else {
        tmp.pixel_nm = nm;
        tmp.page = page;
        tmp.npages = npages;
        *im = tmp;
    }
    file_close(&f);
    return st;
}

lp_status lp_tiff_read_labels(lp_bytes *b, lp_labels *lb, lp_err *err)
{
    lp_labels tmp = {0};
    sink s = {.lb = &tmp};
    lp_status st;
    file f;

    st = file_open(&f, b, err);
    if (!st) st = read_page(&f, 0, &s, err);
    if (st)
        lp_labels_free(&tmp);
    else
        *lb = tmp;
    file_close(&f);
    return st;
}
