#include "write_tiff.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>
#include <zlib.h>

#include "atomic.h"

#define STRIP_BYTES ((size_t)256 << 10)
#define BATCH 32 /* strips compressed side by side */

static tmsize_t io_read(thandle_t h, void *buf, tmsize_t n)
{
    return read(lp_atomic_fd(h), buf, (size_t)n);
}
static tmsize_t io_write(thandle_t h, void *buf, tmsize_t n)
{
    return lp_atomic_write(h, buf, (size_t)n, NULL) ? -1 : n;
}
static toff_t io_seek(thandle_t h, toff_t off, int whence)
{
    return (toff_t)lseek(lp_atomic_fd(h), (off_t)off, whence);
}
static int io_close(thandle_t h)
{
    (void)h;
    return 0;
}
static toff_t io_size(thandle_t h)
{
    struct stat sb;

    return fstat(lp_atomic_fd(h), &sb) ? 0 : (toff_t)sb.st_size;
}

/* libtiff would print to stderr; what went wrong is kept in the lp_atomic. */
static int silent(TIFF *t, void *u, const char *module, const char *fmt, va_list ap)
{
    (void)t, (void)u, (void)module, (void)fmt, (void)ap;
    return 1;
}

static TIFF *open_tiff(lp_atomic *a, int big)
{
    TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
    TIFF *t;

    if (!o) return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(o, silent, NULL);
    TIFFOpenOptionsSetWarningHandlerExtR(o, silent, NULL);
    t = TIFFClientOpenExt("labels", big ? "w8" : "w", a, io_read, io_write, io_seek, io_close,
                          io_size, NULL, NULL, o);
    TIFFOpenOptionsFree(o);
    return t;
}

/* TIFF's predictor 2: each sample minus the one nsamples before it in its row. */
static void predict(uint8_t *dst, const uint8_t *src, int rows, int Lx, const lp_tiff_desc *d)
{
    size_t n = (size_t)Lx * d->nsamples, s = (size_t)d->nsamples, i;
    int r;

    for (r = 0; r < rows; r++) {
        if (d->bits == 8) {
            const uint8_t *p = src + (size_t)r * n;
            uint8_t *q = dst + (size_t)r * n;

            for (i = 0; i < s; i++) q[i] = p[i];
            for (; i < n; i++) q[i] = (uint8_t)(p[i] - p[i - s]);
        } else {
            const uint16_t *p = (const uint16_t *)src + (size_t)r * n;
            uint16_t *q = (uint16_t *)dst + (size_t)r * n;

            for (i = 0; i < s; i++) q[i] = p[i];
            for (; i < n; i++) q[i] = (uint16_t)(p[i] - p[i - s]);
        }
    }
}

typedef struct {
    uint8_t *plain, *packed; /* [BATCH][strip], [BATCH][bound] */
    size_t strip, bound;
    uLongf size[BATCH];
} scratch;

static int pack_strip(scratch *sc, int k, const uint8_t *src, int rows, const lp_tiff_desc *d)
{
    size_t bytes = (size_t)rows * d->Lx * d->nsamples * (d->bits / 8);

    if (d->bits < 32) {
        predict(sc->plain + k * sc->strip, src, rows, d->Lx, d);
        src = sc->plain + k * sc->strip;
    }
    sc->size[k] = sc->bound;
    return compress2(sc->packed + k * sc->bound, &sc->size[k], src, bytes, 1) == Z_OK;
}

static int write_strips(TIFF *t, scratch *sc, const uint8_t *page, int rps, const lp_tiff_desc *d)
{
    size_t row = (size_t)d->Lx * d->nsamples * (d->bits / 8);
    int n = (d->Ly + rps - 1) / rps, first, k;

    for (first = 0; first < n; first += BATCH) {
        int m = n - first < BATCH ? n - first : BATCH, ok = 1;

#pragma omp parallel for schedule(dynamic) reduction(& : ok)
        for (k = 0; k < m; k++) {
            int y = (first + k) * rps, rows = d->Ly - y < rps ? d->Ly - y : rps;

            if (d->deflate) ok &= pack_strip(sc, k, page + (size_t)y * row, rows, d);
        }
        for (k = 0; k < m && ok; k++) {
            int y = (first + k) * rps, rows = d->Ly - y < rps ? d->Ly - y : rps;
            const void *p = page + (size_t)y * row;
            size_t bytes = (size_t)rows * row;

            if (d->deflate) {
                p = sc->packed + k * sc->bound;
                bytes = sc->size[k];
            }
            ok = TIFFWriteRawStrip(t, (uint32_t)(first + k), (void *)(uintptr_t)p,
                                   (tmsize_t)bytes) == (tmsize_t)bytes;
        }
        if (!ok) return 0;
    }
    return 1;
}

static void set_tags(TIFF *t, const lp_tiff_desc *d, int rps, int page)
{
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)d->Lx);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)d->Ly);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, d->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, d->nsamples);
    TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, d->is_float ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC,
                 d->nsamples == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, (uint32_t)rps);
    TIFFSetField(t, TIFFTAG_COMPRESSION, d->deflate ? COMPRESSION_ADOBE_DEFLATE : COMPRESSION_NONE);
    if (d->deflate && d->bits < 32) TIFFSetField(t, TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL);
    if (d->npages > 1) TIFFSetField(t, TIFFTAG_PAGENUMBER, page, d->npages);
    if (d->pixel_nm > 0) { /* 1 cm = 1e7 nm */
        TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
        TIFFSetField(t, TIFFTAG_XRESOLUTION, 1e7 / d->pixel_nm);
        TIFFSetField(t, TIFFTAG_YRESOLUTION, 1e7 / d->pixel_nm);
    }
}

lp_status lp_write_tiff(const char *path, const void *data, const lp_tiff_desc *d, lp_err *err)
{
    size_t row = (size_t)d->Lx * d->nsamples * (d->bits / 8), page = row * d->Ly;
    int rps = row >= STRIP_BYTES ? 1 : (int)(STRIP_BYTES / row), i, ok = 1;
    scratch sc = {0};
    lp_atomic *a = NULL;
    TIFF *t = NULL;
    lp_status st;

    if (rps > d->Ly) rps = d->Ly;
    sc.strip = row * rps;
    sc.bound = compressBound(sc.strip);
    if (d->deflate) {
        sc.plain = malloc(BATCH * sc.strip);
        sc.packed = malloc(BATCH * sc.bound);
        if (!sc.plain || !sc.packed) {
            st = lp_fail_mem(err, path, (double)BATCH * (sc.strip + sc.bound));
            goto done;
        }
    }
    if ((st = lp_atomic_open(path, &a, err))) goto done;
    t = open_tiff(a, (double)page * d->npages > 3.9e9);
    ok = t != NULL;
    for (i = 0; i < d->npages && ok; i++) {
        set_tags(t, d, rps, i);
        ok = write_strips(t, &sc, (const uint8_t *)data + i * page, rps, d);
        ok = ok && TIFFWriteDirectory(t);
    }
    if (t) TIFFClose(t);
    if (!ok) lp_atomic_failed(a, ENOMEM); /* counts only where no write failed before it */
    st = lp_atomic_commit(&a, err);
done:
    free(sc.plain);
    free(sc.packed);
    return st;
}
