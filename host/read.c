#include "read.h"

#include <string.h>
#include <strings.h>

#include "read_bytes.h"
#include "read_mrc.h"
#include "read_png.h"
#include "read_tiff.h"

typedef enum { TIFF_FILE, PNG_FILE, MRC_FILE } kind;

typedef struct {
    const char *name;
    int at, n;
    const char *magic;
} known;

/* Formats that users try, told by their first bytes. */
static const known others[] = {
    {"JPEG", 0, 3, "\xff\xd8\xff"},
    {"JPEG 2000", 0, 8, "\0\0\0\x0cjP  "},
    {"JPEG 2000", 0, 4, "\xff\x4f\xff\x51"},
    {"GIF", 0, 4, "GIF8"},
    {"BMP", 0, 2, "BM"},
    {"WebP", 8, 4, "WEBP"},
    {"NumPy (.npy)", 0, 6, "\x93NUMPY"},
    {"ZIP or NumPy (.npz)", 0, 4, "PK\x03\x04"},
    {"HDF5", 0, 4, "\x89HDF"},
    {"Nikon ND2", 0, 4, "\xda\xce\xbe\x0a"},
    {"Zeiss CZI", 0, 10, "ZISRAWFILE"},
    {"Leica LIF", 0, 4, "\x70\0\0\0"},
    {"TIA SER", 0, 4, "II\x97\x01"},
    {"Gatan DM3", 0, 4, "\0\0\0\x03"},
    {"Gatan DM4", 0, 4, "\0\0\0\x04"},
    {"Microsoft compound (OIB, ZVI)", 0, 4, "\xd0\xcf\x11\xe0"},
    {"NRRD", 0, 4, "NRRD"},
    {"FITS", 0, 6, "SIMPLE"},
    {"PDF", 0, 4, "%PDF"},
    {"xz-compressed", 0, 6,
     "\xfd"
     "7zXZ\0"},
    {"Zstandard-compressed", 0, 4, "\x28\xb5\x2f\xfd"},
    {"gzip inside gzip or bzip2", 0, 2, "\x1f\x8b"},
};

static lp_status sniff(lp_bytes *b, kind *k, lp_err *err)
{
    uint8_t head[LP_MRC_HEADER] = {0};
    size_t got, i;
    lp_status st = lp_bytes_read(b, 0, head, sizeof head, &got, err);
    int mrc;

    if (st) return st;
    if (got >= 4 && (!memcmp(head, "II*\0", 4) || !memcmp(head, "MM\0*", 4) ||
                     !memcmp(head, "II+\0", 4) || !memcmp(head, "MM\0+", 4))) {
        *k = TIFF_FILE;
        return LP_OK;
    }
    if (got >= 4 && !memcmp(head, "\x89PNG", 4)) {
        *k = PNG_FILE;
        return LP_OK;
    }
    mrc = lp_mrc_probe(head, got);
    /* Some of these magic numbers are short: a whole sensible MRC header weighs more. */
    if (!mrc)
        for (i = 0; i < sizeof others / sizeof *others; i++)
            if (got >= (size_t)(others[i].at + others[i].n) &&
                !memcmp(head + others[i].at, others[i].magic, (size_t)others[i].n))
                return lp_fail(err, LP_EFORMAT,
                               "%s: %s is not supported: convert it to TIFF, PNG or MRC",
                               lp_bytes_path(b), others[i].name);
    if (!mrc)
        return lp_fail(err, LP_EFORMAT,
                       "%s: not an image of a supported format (TIFF, PNG, MRC), or damaged",
                       lp_bytes_path(b));
    *k = MRC_FILE;
    return LP_OK;
}

lp_status lp_read_count(const char *path, int *npages, lp_err *err)
{
    lp_bytes *b = NULL;
    lp_status st;
    kind k;

    if ((st = lp_bytes_open(path, &b, err))) return st;
    st = sniff(b, &k, err);
    if (!st && k == TIFF_FILE) st = lp_tiff_count(b, npages, err);
    if (!st && k == MRC_FILE) st = lp_mrc_count(b, npages, err);
    if (!st && k == PNG_FILE) *npages = 1;
    lp_bytes_close(&b);
    return st;
}

lp_status lp_read_size(const char *path, int page, int *npages, int *Ly, int *Lx, lp_err *err)
{
    lp_bytes *b = NULL;
    int n = 1, y = 0, x = 0;
    lp_status st;
    kind k;

    if ((st = lp_bytes_open(path, &b, err))) return st;
    st = sniff(b, &k, err);
    if (!st && k == TIFF_FILE) st = lp_tiff_size(b, page, &n, &y, &x, err);
    if (!st && k == MRC_FILE) st = lp_mrc_size(b, &n, &y, &x, err);
    if (!st && k == PNG_FILE) st = lp_png_size(b, &y, &x, err);
    if (!st && (page < 0 || page >= n))
        st = lp_fail(err, LP_EARG, "%s: no page %d: the file has %d (0 to %d)", path, page, n,
                     n - 1);
    lp_bytes_close(&b);
    if (st) return st;
    *npages = n;
    *Ly = y;
    *Lx = x;
    return LP_OK;
}

lp_status lp_read_image(const char *path, int page, lp_image *im, lp_err *err)
{
    lp_bytes *b = NULL;
    lp_status st;
    kind k;

    if ((st = lp_bytes_open(path, &b, err))) return st;
    st = sniff(b, &k, err);
    if (!st && k == PNG_FILE && page != 0)
        st = lp_fail(err, LP_EARG, "%s: no page %d: a PNG has one (0)", path, page);
    if (!st && k == TIFF_FILE) st = lp_tiff_read(b, page, im, err);
    if (!st && k == MRC_FILE) st = lp_mrc_read(b, page, im, err);
    if (!st && k == PNG_FILE) st = lp_png_read(b, im, err);
    lp_bytes_close(&b);
    return st;
}

lp_status lp_read_channels(const char *path, lp_image *out, lp_err *err)
{
    lp_image im = {0}, one = {0};
    int npages, p;
    size_t n;
    lp_status st;

    if ((st = lp_read_count(path, &npages, err))) return st;
    if (npages == 1) return lp_read_image(path, 0, out, err);
    if (npages > LP_MAX_CHANNELS)
        return lp_fail(err, LP_EFORMAT, "%s: %d pages are too many channels (at most %d)", path,
                       npages, LP_MAX_CHANNELS);
    for (p = 0; p < npages; p++) {
        if ((st = lp_read_image(path, p, &one, err))) goto done;
        if (p == 0) {
            if ((st = lp_image_new(&im, npages, one.Ly, one.Lx, err))) goto done;
            im.pixel_nm = one.pixel_nm;
            im.npages = 1;
        }
        if (one.nchan != 1 || one.Ly != im.Ly || one.Lx != im.Lx) {
            st = lp_fail(err, LP_EFORMAT,
                         "%s: pages cannot be channels of one image: page %d has %d x %d pixels "
                         "and %d channels, the first one %d x %d",
                         path, p + 1, one.Lx, one.Ly, one.nchan, im.Lx, im.Ly);
            goto done;
        }
        n = (size_t)im.Ly * (size_t)im.Lx;
        memcpy(im.data + (size_t)p * n, one.data, n * sizeof *im.data);
        im.replaced += one.replaced;
        lp_image_free(&one);
    }
    *out = im;
    memset(&im, 0, sizeof im);
done:
    lp_image_free(&one);
    lp_image_free(&im);
    return st;
}

lp_status lp_read_labels(const char *path, lp_labels *lb, lp_err *err)
{
    lp_bytes *b = NULL;
    lp_status st;
    kind k;

    if ((st = lp_bytes_open(path, &b, err))) return st;
    st = sniff(b, &k, err);
    if (!st && k == MRC_FILE)
        st = lp_fail(err, LP_EFORMAT, "%s: labels are read from TIFF or PNG, this is MRC", path);
    if (!st && k == TIFF_FILE) st = lp_tiff_read_labels(b, lb, err);
    if (!st && k == PNG_FILE) st = lp_png_read_labels(b, lb, err);
    lp_bytes_close(&b);
    return st;
}

int lp_read_is_image_name(const char *name)
{
    static const char *const ends[] = {".tif",  ".tiff", ".png", ".mrc",
                                       ".mrcs", ".map",  ".rec", ".st"};
    size_t n = strlen(name), i, m;

    if (n > 3 && !strcasecmp(name + n - 3, ".gz"))
        n -= 3;
    else if (n > 4 && !strcasecmp(name + n - 4, ".bz2"))
        n -= 4;
    for (i = 0; i < sizeof ends / sizeof *ends; i++) {
        m = strlen(ends[i]);
        if (n > m && !strncasecmp(name + n - m, ends[i], m)) return 1;
    }
    return 0;
}
