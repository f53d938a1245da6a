#include "read_tiff_layout.h"

#include <string.h>

typedef struct {
    const char *path;
    int page;
    uint16_t bits, format, photometric, codec;
} about;

/* How many times larger than its bytes decoded data of a codec can be, generously. 0: fax, whose
 * rows need at least one bit each however wide they are. */
static double expansion(int codec)
{
    switch (codec) {
    case COMPRESSION_NONE:
        return 1;
    case COMPRESSION_PACKBITS:
        return 64;
    case COMPRESSION_THUNDERSCAN:
        return 64;
    case COMPRESSION_NEXT:
        return 64;
    case COMPRESSION_SGILOG:
    case COMPRESSION_SGILOG24:
        return 512;
    case COMPRESSION_LZW:
        return 2800; /* strings of up to 4096 bytes in 12 bits */
    case COMPRESSION_DEFLATE:
    case COMPRESSION_ADOBE_DEFLATE:
        return 1032;
    case COMPRESSION_PIXARLOG:
        return 1032 * 4;
    case COMPRESSION_JPEG:
    case COMPRESSION_OJPEG:
        return 4096;
    case COMPRESSION_CCITTRLE:
    case COMPRESSION_CCITTRLEW:
    case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4:
        return 0;
    default:
        return 1e6; /* zstd, LZMA, WebP, LERC, JBIG: constant blocks of any size */
    }
}

static lp_status check_size(const lp_tiff_layout *l, const about *a, int64_t size, lp_err *err)
{
    double bytes = (double)l->row_bytes * (double)l->h, most;

    if (l->tiled) bytes = (double)l->w * (double)l->h / 8; /* at least a bit each */
    if (l->separate) bytes *= l->spp;
    most = expansion(a->codec) > 0 ? expansion(a->codec) * (double)size
                                   : 8.0 * (double)size * (double)l->row_bytes;
    if (l->rgba) most *= 4; /* subsampled colour has from 1 byte per pixel */
    if (bytes > most + 4096 ||
        (a->codec != COMPRESSION_NONE && (double)l->block_bytes > most + 4096))
        return lp_fail(
            err, LP_EFORMAT,
            "%s: page %d says %lld x %lld pixels, which a file of %lld bytes cannot hold: "
            "it is cut short or damaged",
            a->path, a->page, (long long)l->w, (long long)l->h, (long long)size);
    return LP_OK;
}

static lp_status sample_type(lp_tiff_layout *l, const about *a, lp_err *err)
{
    int is_signed = a->format == SAMPLEFORMAT_INT, i = is_signed;

    if (a->format == SAMPLEFORMAT_COMPLEXIEEEFP || a->format == SAMPLEFORMAT_COMPLEXINT)
        return lp_fail(err, LP_EFORMAT,
                       "%s: page %d holds complex numbers: convert it to real ones", a->path,
                       a->page);
    if (a->format == SAMPLEFORMAT_IEEEFP) {
        switch (a->bits) {
        case 16:
            l->type = LP_SAMPLE_F16;
            return LP_OK;
        case 32:
            l->type = LP_SAMPLE_F32;
            return LP_OK;
        case 64:
            l->type = LP_SAMPLE_F64;
            return LP_OK;
        default:
            return lp_fail(err, LP_EFORMAT,
                           "%s: page %d: floating point of %d bits is not supported (16, 32 and 64 "
                           "are)",
                           a->path, a->page, a->bits);
        }
    }
    switch (a->bits) {
    case 8:
        l->type = i ? LP_SAMPLE_I8 : LP_SAMPLE_U8;
        return LP_OK;
    case 16:
        l->type = i ? LP_SAMPLE_I16 : LP_SAMPLE_U16;
        return LP_OK;
    case 32:
        l->type = i ? LP_SAMPLE_I32 : LP_SAMPLE_U32;
        return LP_OK;
    case 64:
        l->type = i ? LP_SAMPLE_I64 : LP_SAMPLE_U64;
        return LP_OK;
    default:
        break;
    }
    if (a->bits < 1 || a->bits > 32)
        return lp_fail(err, LP_EFORMAT,
                       "%s: page %d: integers of %d bits are not supported (1 to 32 and 64 are)",
                       a->path, a->page, a->bits);
    l->packed = a->bits;
    l->sign_extend = is_signed;
    l->type = is_signed ? LP_SAMPLE_I32 : LP_SAMPLE_U32;
    return LP_OK;
}

/* Which samples are channels. */
static lp_status channels(TIFF *tif, lp_tiff_layout *l, const about *a, lp_err *err)
{
    uint16_t nextra = 0, *extra = NULL;
    int colours, s, e;

    TIFFGetFieldDefaulted(tif, TIFFTAG_EXTRASAMPLES, &nextra, &extra);
    if (nextra > l->spp) nextra = (uint16_t)l->spp;
    colours = l->spp - nextra;
    switch (a->photometric) {
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR:
        colours = l->spp < 3 ? l->spp : 3;
        break;
    case PHOTOMETRIC_SEPARATED:
        colours = colours < 4 && l->spp >= 4 ? 4 : colours;
        break;
    default:
        break;
    }
    if (l->rgba) colours = 3;
    for (s = 0; s < l->spp; s++) {
        e = s - (l->spp - nextra);
        if (s >= colours) {
            if (a->photometric == PHOTOMETRIC_RGB || a->photometric == PHOTOMETRIC_YCBCR ||
                a->photometric == PHOTOMETRIC_SEPARATED || a->photometric == PHOTOMETRIC_PALETTE ||
                l->rgba)
                break;
            if (e >= 0 && extra &&
                (extra[e] == EXTRASAMPLE_ASSOCALPHA || extra[e] == EXTRASAMPLE_UNASSALPHA))
                continue;
        }
        if (l->nkeep == LP_MAX_CHANNELS)
            return lp_fail(err, LP_EFORMAT,
                           "%s: page %d has %d channels, at most %d are supported: split it into "
                           "pages",
                           a->path, a->page, l->spp, LP_MAX_CHANNELS);
        l->keep[l->nkeep++] = s;
    }
    if (!l->nkeep) l->keep[l->nkeep++] = 0;
    return LP_OK;
}

static void set_codec(TIFF *tif, lp_tiff_layout *l, about *a)
{
    int ycbcr = a->photometric == PHOTOMETRIC_YCBCR;

    if (ycbcr && a->codec == COMPRESSION_JPEG && !l->separate)
        TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    else if (ycbcr)
        l->rgba = 1;
    if (a->codec == COMPRESSION_SGILOG || a->codec == COMPRESSION_SGILOG24)
        TIFFSetField(tif, TIFFTAG_SGILOGDATAFMT, SGILOGDATAFMT_FLOAT);
    if (a->codec == COMPRESSION_PIXARLOG)
        TIFFSetField(tif, TIFFTAG_PIXARLOGDATAFMT,
                     a->bits == 32   ? PIXARLOGDATAFMT_FLOAT
                     : a->bits == 16 ? PIXARLOGDATAFMT_16BIT
                                     : PIXARLOGDATAFMT_8BIT);
    /* Rows as stored, whatever the orientation tag says. */
    if (l->rgba) TIFFSetField(tif, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
}

/* Strip or tile sizes, which must be what libtiff will write into the buffer. */
static lp_status blocks(TIFF *tif, lp_tiff_layout *l, const about *a, lp_err *err)
{
    int samples = l->separate ? 1 : l->spp;
    uint32_t v = 0;
    uint64_t lib;

    l->tiled = TIFFIsTiled(tif) != 0;
    if (l->tiled) {
        TIFFGetField(tif, TIFFTAG_TILEWIDTH, &v);
        l->bw = v;
        v = 0;
        TIFFGetField(tif, TIFFTAG_TILELENGTH, &v);
        l->bh = v;
    } else {
        TIFFGetFieldDefaulted(tif, TIFFTAG_ROWSPERSTRIP, &v);
        l->bw = l->w;
        l->bh = v < l->h ? v : l->h;
    }
    /* A tile may be larger than a small image, but not without bounds. */
    if (l->bw < 1 || l->bh < 1 || l->bw > 2 * LP_MAX_SIDE || l->bh > 2 * LP_MAX_SIDE ||
        l->bw * l->bh > 4 * l->w * l->h + (64 << 20))
        return lp_fail(err, LP_EFORMAT, "%s: page %d: strips or tiles of %lld x %lld pixels",
                       a->path, a->page, (long long)l->bw, (long long)l->bh);
    l->row_bytes = l->rgba ? 4 * l->bw : (l->bw * samples * a->bits + 7) / 8;
    l->block_bytes = l->row_bytes * l->bh;
    if (l->rgba) return LP_OK;
    lib = l->tiled ? TIFFTileSize64(tif) : TIFFVStripSize64(tif, (uint32_t)l->bh);
    if (lib != (uint64_t)l->block_bytes)
        return lp_fail(err, LP_EFORMAT,
                       "%s: page %d: strips or tiles of %lld bytes where %lld are expected: this "
                       "kind of TIFF is not supported",
                       a->path, a->page, (long long)lib, (long long)l->block_bytes);
    return LP_OK;
}

lp_status lp_tiff_layout_get(TIFF *tif, lp_bytes *b, int page, int predictor, lp_tiff_layout *l,
                             lp_err *err)
{
    about a = {.path = lp_bytes_path(b), .page = page};
    uint32_t w = 0, h = 0, depth = 1;
    uint16_t planar = PLANARCONFIG_CONTIG, spp = 1;
    lp_status st;

    memset(l, 0, sizeof *l);
    TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &w);
    TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &h);
    if (w < 1 || h < 1 || w > LP_MAX_SIDE || h > LP_MAX_SIDE || (int64_t)w * h > LP_MAX_PIXELS)
        return lp_fail(err, LP_EFORMAT,
                       "%s: page %d says %u x %u pixels: sides of 1 to %d are supported", a.path,
                       page, w, h, LP_MAX_SIDE);
    TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &a.codec);
    if (!TIFFIsCODECConfigured(a.codec))
        return lp_fail(err, LP_EFORMAT,
                       "%s: page %d: compression %d is not supported%s: convert it to plain TIFF",
                       a.path, page, a.codec,
                       a.codec >= 65000 && a.codec <= 65002 ? " (EER movie)" : "");
    if (TIFFGetField(tif, TIFFTAG_IMAGEDEPTH, &depth) && depth > 1)
        return lp_fail(err, LP_EFORMAT,
                       "%s: page %d is a volume of %u slices: save the slices as pages", a.path,
                       page, depth);
    l->w = w;
    l->h = h;
    if (!TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &a.photometric))
        a.photometric = PHOTOMETRIC_MINISBLACK;
    TIFFGetFieldDefaulted(tif, TIFFTAG_PLANARCONFIG, &planar);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &spp);
    TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &a.bits);
    l->separate = planar == PLANARCONFIG_SEPARATE && spp > 1;
    set_codec(tif, l, &a);
    /* Codecs for real-valued pictures have just changed these. */
    TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &a.bits);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLEFORMAT, &a.format);
    l->spp = spp;
    if (l->rgba) {
        char why[1024] = "";

        if (!TIFFRGBAImageOK(tif, why))
            return lp_fail(err, LP_EFORMAT, "%s: page %d: YCbCr picture: %s", a.path, page, why);
        l->spp = 4;
        l->separate = 0;
        l->type = LP_SAMPLE_U8;
    } else if ((st = sample_type(l, &a, err))) {
        return st;
    }
    l->swapped24 = l->packed == 24 && TIFFIsByteSwapped(tif);
    /* libtiff undoes predictors in its codecs only; Adobe's and tifffile's readers always do. */
    if (a.codec == COMPRESSION_NONE && predictor == 3)
        return lp_fail(err, LP_EFORMAT,
                       "%s: page %d: floating point predictor without compression is not supported",
                       a.path, page);
    l->differences = a.codec == COMPRESSION_NONE && predictor == 2;
    if (l->spp < 1) return lp_fail(err, LP_EFORMAT, "%s: page %d has no samples", a.path, page);
    if ((st = channels(tif, l, &a, err))) return st;
    if ((st = blocks(tif, l, &a, err))) return st;
    if ((st = check_size(l, &a, lp_bytes_size(b), err))) return st;
    if (a.codec == COMPRESSION_NONE && !l->tiled && !l->separate && !l->rgba && !l->packed) {
        uint32_t last = TIFFNumberOfStrips(tif) - 1;
        uint64_t at = TIFFGetStrileOffset(tif, 0), n = (uint64_t)(l->row_bytes * l->h);
        uint64_t end = TIFFGetStrileOffset(tif, last) + TIFFGetStrileByteCount(tif, last);

        if (at < (uint64_t)1 << 62 && end == at + n) {
            l->raw_at = (int64_t)at;
            l->raw_bytes = (int64_t)n;
        }
    }
    return LP_OK;
}
