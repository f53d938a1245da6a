/* TIFF files of every sample type, layout and codec, written here through libtiff. */
#include "read_util.h"

#include <tiffio.h>

typedef struct {
    int w, h, spp, bits, format;                      /* format: SAMPLEFORMAT_* */
    const char *mode;                                 /* of TIFFOpen */
    int planar, rows, tile;                           /* rows per strip; tile side, 0: strips */
    int codec, predictor, photometric, extra, nextra; /* extra samples, all of one kind */
} kind;

/* The value of sample s of pixel i: whole, within every type's range. */
static int value(const kind *k, int i, int s)
{
    int bits = k->format == SAMPLEFORMAT_IEEEFP ? 11 : k->bits > 14 ? 14 : k->bits;
    int v = (i * 7 + s * 101 + i / 3) & ((1 << bits) - 1);

    return k->format == SAMPLEFORMAT_INT ? v - (1 << (bits - 1)) : v;
}

static uint16_t to_half(int v)
{
    int e = 0;

    if (!v) return 0;
    while (v >> (e + 1)) e++;
    return (uint16_t)((e + 15) << 10 | ((v << 10 >> e) & 0x3ff));
}

/* Sample number n of a row that starts at p, as libtiff wants it: whole numbers in this machine's
 * order, others as bits from the highest on. */
static void put_sample(uint8_t *p, const kind *k, int n, int v)
{
    uint64_t u = (uint64_t)(int64_t)v;
    int b;

    if (k->format == SAMPLEFORMAT_IEEEFP && k->bits == 16) {
        u = to_half(v);
    } else if (k->format == SAMPLEFORMAT_IEEEFP && k->bits == 32) {
        float f = (float)v;
        memcpy(&u, &f, 4);
    } else if (k->format == SAMPLEFORMAT_IEEEFP) {
        double d = v;
        memcpy(&u, &d, 8);
    }
    /* 24 bits are packed, whatever the order; libtiff reverses those of "wb" on the way. */
    if (k->bits % 8 == 0 && (k->bits != 24 || (k->mode && k->mode[1] == 'b'))) {
        memcpy(p + n * k->bits / 8, &u, (size_t)k->bits / 8);
        return;
    }
    for (b = 0; b < k->bits; b++) {
        int at = n * k->bits + b;

        if (u >> (k->bits - 1 - b) & 1) p[at / 8] |= (uint8_t)(0x80 >> at % 8);
    }
}

static void fields(TIFF *t, const kind *k)
{
    uint16_t extra[32];
    int i;

    for (i = 0; i < 32; i++) extra[i] = (uint16_t)k->extra;
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, k->w);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, k->h);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, k->spp);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, k->format);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, k->planar ? k->planar : PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k->codec ? k->codec : COMPRESSION_NONE);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k->photometric);
    if (k->nextra) TIFFSetField(t, TIFFTAG_EXTRASAMPLES, k->nextra, extra);
    if (k->predictor) TIFFSetField(t, TIFFTAG_PREDICTOR, k->predictor);
    if (k->tile) {
        TIFFSetField(t, TIFFTAG_TILEWIDTH, k->tile);
        TIFFSetField(t, TIFFTAG_TILELENGTH, 2 * k->tile);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, k->rows ? k->rows : k->h);
    }
    if (k->codec == COMPRESSION_WEBP) TIFFSetField(t, TIFFTAG_WEBP_LOSSLESS, 1);
}

/* Writes the current page of k into t. */
static void write_page(TIFF *t, const kind *k)
{
    int planes = k->planar == PLANARCONFIG_SEPARATE ? k->spp : 1;
    int spp = planes > 1 ? 1 : k->spp, p, x0, y0, x, y, s;
    int bw = k->tile ? k->tile : k->w, bh = k->tile ? 2 * k->tile : k->rows ? k->rows : k->h;
    size_t row = ((size_t)bw * (size_t)spp * (size_t)k->bits + 7) / 8;
    uint8_t *buf = malloc(row * (size_t)bh);
    uint32_t block = 0;

    fields(t, k);
    for (p = 0; p < planes; p++)
        for (y0 = 0; y0 < k->h; y0 += bh)
            for (x0 = 0; x0 < k->w; x0 += bw) {
                int rows = k->tile || bh < k->h - y0 ? bh : k->h - y0;
                tmsize_t n = (tmsize_t)row * rows;

                memset(buf, 0, row * (size_t)bh);
                for (y = 0; y < rows && y0 + y < k->h; y++)
                    for (x = 0; x < bw && x0 + x < k->w; x++)
                        for (s = 0; s < spp; s++)
                            put_sample(buf + (size_t)y * row, k, x * spp + s,
                                       value(k, (y0 + y) * k->w + x0 + x, planes > 1 ? p : s));
                assert_true((k->tile ? TIFFWriteEncodedTile(t, block, buf, n)
                                     : TIFFWriteEncodedStrip(t, block, buf, n)) == n);
                block++;
            }
    free(buf);
}

static const char *write_kind(const kind *k)
{
    const char *path = tmp_path("a.tif");
    TIFF *t = TIFFOpen(path, k->mode ? k->mode : "w");

    assert_non_null(t);
    write_page(t, k);
    TIFFClose(t);
    return path;
}

/* keep: channels expected; their sample numbers count up from 0. */
static void check(const kind *k, int keep)
{
    lp_image im = must_read(write_kind(k), 0);
    int i, c, n = k->w * k->h;

    assert_int_equal(im.nchan, keep);
    assert_int_equal(im.Lx, k->w);
    assert_int_equal(im.Ly, k->h);
    assert_int_equal(im.npages, 1);
    for (c = 0; c < keep; c++)
        for (i = 0; i < n; i++)
            if (im.data[c * n + i] != (float)value(k, i, c))
                fail_msg("%d bits, format %d, codec %d, predictor %d, tile %d, mode %s: sample %d "
                         "of channel %d is %g, not %d",
                         k->bits, k->format, k->codec, k->predictor, k->tile,
                         k->mode ? k->mode : "w", i, c, (double)im.data[c * n + i], value(k, i, c));
    lp_image_free(&im);
}

static const kind grey = {.w = 21, .h = 34, .spp = 1, .bits = 16, .format = 1, .photometric = 1};

static void sample_types(void **state)
{
    static const struct {
        int format, bits;
    } t[] = {{1, 1},  {1, 2},  {1, 3},  {1, 4},  {1, 5},  {1, 6},  {1, 7}, {1, 8}, {1, 9},  {1, 10},
             {1, 12}, {1, 14}, {1, 16}, {1, 24}, {1, 32}, {1, 64}, {2, 4}, {2, 8}, {2, 12}, {2, 16},
             {2, 24}, {2, 32}, {2, 64}, {3, 16}, {3, 32}, {3, 64}, {4, 8}, {4, 16}};
    static const char *const mode[] = {"wl", "wb", "wl8", "wb8"};
    size_t i, m;
    int layout;

    (void)state;
    for (i = 0; i < sizeof t / sizeof *t; i++)
        for (m = 0; m < 4; m++)
            for (layout = 0; layout < 8; layout++) {
                kind k = grey;

                k.format = t[i].format;
                k.bits = t[i].bits;
                k.mode = mode[m];
                if (layout & 1) k.tile = 16;
                if (layout & 2) k.spp = k.photometric == 1 ? 3 : 1, k.photometric = 2;
                if (layout & 4) k.planar = PLANARCONFIG_SEPARATE;
                if (!k.tile) k.rows = 7;
                check(&k, k.spp);
            }
}

static void small_sizes(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 300}, {300, 1}, {7, 13}};
    static const int bits[] = {1, 8, 12, 32};
    int i, b, tile;

    (void)state;
    for (i = 0; i < 4; i++)
        for (b = 0; b < 4; b++)
            for (tile = 0; tile <= 64; tile += 32) {
                kind k = grey;

                k.w = size[i][0];
                k.h = size[i][1];
                k.bits = bits[b];
                k.tile = tile;
                check(&k, 1);
            }
}

static void codecs(void **state)
{
    static const int codec[] = {COMPRESSION_LZW,  COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE,
                                COMPRESSION_ZSTD, COMPRESSION_LZMA,          COMPRESSION_PACKBITS,
                                COMPRESSION_LERC};
    static const int fax[] = {COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4};
    static const struct {
        int format, bits;
    } t[] = {{1, 8}, {1, 16}, {2, 32}, {3, 16}, {3, 32}, {3, 64}};
    int c, i, predictor, tile, big;

    (void)state;
    for (c = 0; c < 7; c++)
        for (i = 0; i < 6; i++)
            for (predictor = 1; predictor <= 3; predictor++)
                for (tile = 0; tile <= 16; tile += 16)
                    for (big = 0; big < 2; big++) {
                        kind k = grey;

                        k.spp = tile ? 3 : 1;
                        k.photometric = tile ? 2 : 1;
                        k.codec = codec[c];
                        k.format = t[i].format;
                        k.bits = t[i].bits;
                        k.tile = tile;
                        k.mode = big ? "wb" : "wl";
                        if (codec[c] == COMPRESSION_PACKBITS && predictor > 1) continue;
                        if (codec[c] == COMPRESSION_LERC && (predictor > 1 || k.bits == 16))
                            continue;
                        /* libtiff 4.5 cannot write the last kind. */
                        if (predictor == 3 && big) continue;
                        if (predictor == 3 && k.format != SAMPLEFORMAT_IEEEFP) continue;
                        k.predictor = predictor > 1 ? predictor : 0;
                        if (TIFFIsCODECConfigured((uint16_t)k.codec)) check(&k, k.spp);
                    }
    for (c = 0; c < 3; c++)
        for (i = 0; i < 2; i++) {
            kind k = grey;

            k.bits = 1;
            k.codec = fax[c];
            k.photometric = i;
            check(&k, 1);
        }
    if (TIFFIsCODECConfigured(COMPRESSION_WEBP)) {
        kind k = grey;

        k.bits = 8;
        k.spp = 3;
        k.photometric = 2;
        k.codec = COMPRESSION_WEBP;
        check(&k, 3);
    }
}

/* JPEG is not exact; YCbCr must come out as RGB. */
static void jpeg(void **state)
{
    static const uint8_t colour[3] = {200, 60, 20};
    uint8_t rgb[64 * 64 * 3];
    int i, c, ycbcr;

    (void)state;
    for (i = 0; i < 64 * 64 * 3; i++) rgb[i] = colour[i % 3];
    for (ycbcr = 0; ycbcr < 2; ycbcr++) {
        kind k = {.w = 64, .h = 64, .spp = 3, .bits = 8, .format = 1, .codec = COMPRESSION_JPEG};
        const char *path = tmp_path("j.tif");
        TIFF *t = TIFFOpen(path, "w");
        lp_image im;

        k.photometric = ycbcr ? PHOTOMETRIC_YCBCR : PHOTOMETRIC_RGB;
        fields(t, &k);
        if (ycbcr) TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        assert_true(TIFFWriteEncodedStrip(t, 0, rgb, sizeof rgb) > 0);
        TIFFClose(t);
        im = must_read(path, 0);
        assert_int_equal(im.nchan, 3);
        for (c = 0; c < 3; c++)
            for (i = 0; i < 64 * 64; i++)
                LP_ASSERT_CLOSE(im.data[c * 64 * 64 + i], colour[c], 4, 0);
        lp_image_free(&im);
    }
}

static void channels(void **state)
{
    static const struct {
        int spp, photometric, nextra, extra, keep; /* keep 0: refused */
    } t[] = {{4, 2, 1, EXTRASAMPLE_UNASSALPHA, 3},
             {4, 2, 1, EXTRASAMPLE_UNSPECIFIED, 3},
             {2, 1, 1, EXTRASAMPLE_ASSOCALPHA, 1},
             {2, 1, 1, EXTRASAMPLE_UNSPECIFIED, 2},
             {5, 1, 4, EXTRASAMPLE_UNSPECIFIED, 5},
             {4, 5, 0, 0, 4},
             {5, 5, 1, EXTRASAMPLE_UNASSALPHA, 4},
             {16, 1, 15, 0, 16},
             {17, 1, 16, 0, 0},
             {1, 0, 0, 0, 1}};
    size_t i;
    int planar;

    (void)state;
    for (i = 0; i < sizeof t / sizeof *t; i++)
        for (planar = 1; planar <= 2; planar++) {
            kind k = grey;

            k.spp = t[i].spp;
            k.photometric = t[i].photometric;
            k.nextra = t[i].nextra;
            k.extra = t[i].extra;
            k.planar = planar;
            if (t[i].keep)
                check(&k, t[i].keep);
            else
                must_fail(write_kind(&k), 0, LP_EFORMAT, "17 channels");
        }
}

static void palette_and_orientation(void **state)
{
    kind k = grey;
    uint16_t map[256];
    lp_image im;
    TIFF *t = TIFFOpen(tmp_path("p.tif"), "w");
    int i;

    (void)state;
    k.bits = 8;
    k.photometric = PHOTOMETRIC_PALETTE;
    for (i = 0; i < 256; i++) map[i] = (uint16_t)(65535 - 257 * i);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(t, TIFFTAG_COLORMAP, map, map, map);
    TIFFSetField(t, TIFFTAG_ORIENTATION, ORIENTATION_BOTRIGHT);
    write_page(t, &k);
    TIFFClose(t);
    im = must_read(tmp_path("p.tif"), 0);
    for (i = 0; i < k.w * k.h; i++) assert_true(im.data[i] == (float)value(&k, i, 0));
    lp_image_free(&im);
}

static void not_finite(void **state)
{
    kind k = grey;
    double v[4] = {NAN, 1e300, 3, 5};
    TIFF *t = TIFFOpen(tmp_path("n.tif"), "w");
    lp_image im;

    (void)state;
    k.w = 4;
    k.h = 1;
    k.bits = 64;
    k.format = SAMPLEFORMAT_IEEEFP;
    fields(t, &k);
    TIFFWriteEncodedStrip(t, 0, v, sizeof v);
    TIFFClose(t);
    im = must_read(tmp_path("n.tif"), 0);
    assert_int_equal(im.replaced, 2);
    assert_true(im.data[0] == 4 && im.data[1] == 4 && im.data[2] == 3 && im.data[3] == 5);
    lp_image_free(&im);
}

static void complex_numbers(void **state)
{
    kind k = grey;
    uint8_t row[16] = {0};
    TIFF *t = TIFFOpen(tmp_path("c.tif"), "w");

    (void)state;
    k.w = 2;
    k.h = 1;
    k.bits = 64;
    k.format = SAMPLEFORMAT_COMPLEXIEEEFP;
    fields(t, &k);
    TIFFWriteEncodedStrip(t, 0, row, sizeof row);
    TIFFClose(t);
    must_fail(tmp_path("c.tif"), 0, LP_EFORMAT, "complex");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_types), cmocka_unit_test(small_sizes),
        cmocka_unit_test(codecs),       cmocka_unit_test(jpeg),
        cmocka_unit_test(channels),     cmocka_unit_test(palette_and_orientation),
        cmocka_unit_test(not_finite),   cmocka_unit_test(complex_numbers),
    };
    return cmocka_run_group_tests_name("read_tiff", tests, make_tmp, drop_tmp);
}
