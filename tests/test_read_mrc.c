/* MRC files of every mode and byte order, written here byte by byte. */
#include "read_util.h"

#include <zlib.h>

typedef struct {
    int nx, ny, nz, mode, big, nsymbt;
    const char *map;     /* 4 bytes, NULL: zeros */
    const char *machine; /* 4 bytes */
    float cell_x, cell_y, dmin, dmax;
    int mx, my, imod, imod_flags, axes;
    size_t extra; /* bytes too many (or, negative, too few) */
} head;

static void put(uint8_t *p, uint64_t v, int n, int big)
{
    int i;

    for (i = 0; i < n; i++) p[big ? n - 1 - i : i] = (uint8_t)(v >> 8 * i);
}

static void put_float(uint8_t *p, float f, int big)
{
    uint32_t u;

    memcpy(&u, &f, 4);
    put(p, u, 4, big);
}

/* Sample (x, y, z): small whole numbers that every mode holds. */
static int sample(int x, int y, int z)
{
    return (x + 3 * y + 7 * z) % 16;
}

static size_t build(uint8_t *out, const head *h)
{
    static const uint16_t half[16] = {0x0000, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500,
                                      0x4600, 0x4700, 0x4800, 0x4880, 0x4900, 0x4980,
                                      0x4a00, 0x4a80, 0x4b00, 0x4b80};
    int b = h->big, x, y, z, c;
    uint8_t *p;

    memset(out, 0, 1024 + (size_t)(h->nsymbt > 0 ? h->nsymbt : 0));
    put(out, (uint32_t)h->nx, 4, b);
    put(out + 4, (uint32_t)h->ny, 4, b);
    put(out + 8, (uint32_t)h->nz, 4, b);
    put(out + 12, (uint32_t)h->mode, 4, b);
    put(out + 28, (uint32_t)h->mx, 4, b);
    put(out + 32, (uint32_t)h->my, 4, b);
    put_float(out + 40, h->cell_x, b);
    put_float(out + 44, h->cell_y, b);
    for (c = 0; c < 3 && h->axes; c++) put(out + 64 + 4 * c, (uint32_t)(c + 1), 4, b);
    put_float(out + 76, h->dmin, b);
    put_float(out + 80, h->dmax, b);
    put(out + 92, (uint32_t)h->nsymbt, 4, b);
    put(out + 152, (uint32_t)h->imod, 4, b);
    put(out + 156, (uint32_t)h->imod_flags, 4, b);
    if (h->map) memcpy(out + 208, h->map, 4);
    if (h->machine) memcpy(out + 212, h->machine, 4);
    p = out + 1024 + (h->nsymbt > 0 ? h->nsymbt : 0);
    for (z = 0; z < h->nz; z++)
        for (y = 0; y < h->ny; y++) {
            for (x = 0; x < h->nx; x++) {
                int v = sample(x, y, z);

                switch (h->mode) {
                case 0:
                    *p++ = (uint8_t)v;
                    break;
                case 1:
                case 6:
                    put(p, (uint64_t)v, 2, b);
                    p += 2;
                    break;
                case 2:
                    put_float(p, (float)v, b);
                    p += 4;
                    break;
                case 12:
                    put(p, half[v], 2, b);
                    p += 2;
                    break;
                case 16:
                    for (c = 0; c < 3; c++) *p++ = (uint8_t)(v + 16 * c);
                    break;
                case 101:
                    if (x & 1)
                        p[-1] |= (uint8_t)(v << 4);
                    else
                        *p++ = (uint8_t)v;
                    break;
                default:
                    break;
                }
            }
        }
    memset(p, 0xee, 16);
    return (size_t)(p - out) + h->extra;
}

static uint8_t buf[1 << 17];

static const head plain = {
    .nx = 7, .ny = 5, .nz = 3, .mode = 2, .map = "MAP ", .machine = "\x44\x44\0\0", .axes = 1};

static void check(const head *h)
{
    const char *path = write_file("a.mrc", buf, build(buf, h));
    int nchan = h->mode == 16 ? 3 : 1, x, y, z, c, n = 0;
    lp_err err;

    if (lp_read_count(path, &n, &err)) fail_msg("%s", err.msg);
    assert_int_equal(n, h->nz);
    for (z = h->nz - 1; z >= 0; z--) {
        lp_image im = must_read(path, z);

        assert_int_equal(im.nchan, nchan);
        assert_int_equal(im.Lx, h->nx);
        assert_int_equal(im.Ly, h->ny);
        assert_int_equal(im.page, z);
        assert_int_equal(im.npages, h->nz);
        assert_int_equal(im.replaced, 0);
        for (c = 0; c < nchan; c++)
            for (y = 0; y < h->ny; y++)
                for (x = 0; x < h->nx; x++)
                    if (im.data[(c * h->ny + y) * h->nx + x] != (float)(sample(x, y, z) + 16 * c))
                        fail_msg("mode %d big %d: sample %d %d %d is %g", h->mode, h->big, x, y, z,
                                 (double)im.data[(c * h->ny + y) * h->nx + x]);
        lp_image_free(&im);
    }
}

static void modes(void **state)
{
    static const int mode[] = {0, 1, 2, 6, 12, 16, 101};
    size_t i;
    int big;

    (void)state;
    for (i = 0; i < sizeof mode / sizeof *mode; i++)
        for (big = 0; big < 2; big++) {
            head h = plain;

            h.mode = mode[i];
            h.big = big;
            h.machine = big ? "\x11\x11\0\0" : "\x44\x41\0\0";
            check(&h);
            h.nsymbt = 1;
            check(&h);
            h.nsymbt = 4096;
            h.extra = 9;
            check(&h);
            h.nsymbt = 0;
            h.nx = h.ny = h.nz = 1;
            check(&h);
        }
}

/* Blocks of more than a megabyte. */
/* More than a block: through a buffer, and in place. */
static void large(void **state)
{
    static const int modes[][3] = {{6, 2, 0}, {6, 2, 1}, {2, 4, 0}, {2, 4, 1}}; /* bytes, big */
    const size_t n = 1200;
    uint8_t *p = malloc(1024 + 4 * n * n);
    size_t k, i;

    (void)state;
    assert_non_null(p);
    for (k = 0; k < sizeof modes / sizeof *modes; k++) {
        int size = modes[k][1], big = modes[k][2];
        head h = plain;
        lp_image im;

        h.nz = 0;
        h.mode = modes[k][0];
        h.big = big;
        h.machine = big ? "\x11\x11\0\0" : plain.machine;
        build(p, &h);
        put(p, n, 4, big);
        put(p + 4, n, 4, big);
        put(p + 8, 1, 4, big);
        for (i = 0; i < n * n; i++) {
            if (size == 2)
                put(p + 1024 + 2 * i, i % 65521, 2, big);
            else
                put_float(p + 1024 + 4 * i, (float)(i % 65521), big);
        }
        im = must_read(write_file("large.mrc", p, 1024 + (size_t)size * n * n), 0);
        for (i = 0; i < n * n; i++)
            if (im.data[i] != (float)(i % 65521))
                fail_msg("mode %d: sample %zu is %g", h.mode, i, (double)im.data[i]);
        lp_image_free(&im);
    }
    free(p);
}

static void stamps(void **state)
{
    static const char *const stamp[] = {"\x44\x41\0\0", "\x44\x44\0\0", "\x11\x11\0\0",
                                        "\0\0\0\0",     "XYZ!",         "\x11\x44\0\0"};
    size_t i;
    int big;

    (void)state;
    for (i = 0; i < sizeof stamp / sizeof *stamp; i++)
        for (big = 0; big < 2; big++) { /* also stamps that lie about the order */
            head h = plain;

            h.machine = stamp[i];
            h.big = big;
            check(&h);
            h.map = NULL; /* older than MRC2000 */
            check(&h);
            h.axes = 0;
            check(&h);
        }
}

/* The first bytes of these say Leica, Bitmap, gzip, Gatan to whoever looks no further. */
static void look_alikes(void **state)
{
    static const int nx[] = {0x70, 0x4d42, 0x8b1f, 3};
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        head h = plain;

        h.nx = nx[i];
        h.ny = h.nz = 1;
        h.mode = 0;
        h.map = NULL;
        h.big = nx[i] == 3;
        h.machine = h.big ? "\x11\x11\0\0" : "\x44\x44\0\0";
        check(&h);
    }
}

static float only_sample(const head *h, uint8_t byte)
{
    size_t n = build(buf, h);
    lp_image im;
    float v;

    buf[n - 1] = byte;
    im = must_read(write_file("s.mrc", buf, n), 0);
    v = im.data[0];
    lp_image_free(&im);
    return v;
}

static void signedness(void **state)
{
    head h = plain;

    (void)state;
    h.nx = h.ny = h.nz = 1;
    h.mode = 0;
    assert_true(only_sample(&h, 200) == -56);
    h.dmin = 3;
    h.dmax = 100;
    assert_true(only_sample(&h, 200) == -56);
    h.dmax = 250; /* signed bytes cannot reach this */
    assert_true(only_sample(&h, 200) == 200);
    h.imod = 1146047817;
    h.imod_flags = 1;
    assert_true(only_sample(&h, 200) == -56);
    h.dmin = -5;
    h.dmax = 5;
    h.imod_flags = 6;
    assert_true(only_sample(&h, 200) == 200);
}

static double size_of(const head *h)
{
    lp_image im = must_read(write_file("p.mrc", buf, build(buf, h)), 0);
    double nm = im.pixel_nm;

    lp_image_free(&im);
    return nm;
}

static void pixel_size(void **state)
{
    head h = plain;

    (void)state;
    assert_true(size_of(&h) == 0);
    h.mx = 7;
    h.my = 5;
    h.cell_x = 14;
    h.cell_y = 10;
    LP_ASSERT_CLOSE(size_of(&h), 0.2, 1e-9, 0);
    h.mx = h.my = 0; /* falls back to nx, ny */
    LP_ASSERT_CLOSE(size_of(&h), 0.2, 1e-9, 0);
    h.cell_y = 40; /* 2 and 8 Angstrom: not square */
    assert_true(size_of(&h) == 0);
    h.cell_y = NAN;
    LP_ASSERT_CLOSE(size_of(&h), 0.2, 1e-9, 0);
    h.cell_x = -3;
    assert_true(size_of(&h) == 0);
    h.cell_x = h.cell_y = 1e30f;
    assert_true(size_of(&h) == 0);
}

static void not_finite(void **state)
{
    size_t n = build(buf, &plain);
    uint8_t *second = buf + 1024 + 35 * 4;
    lp_image im;
    double sum = 0;
    int i;

    (void)state;
    put_float(second, NAN, 0);
    put_float(second + 4, INFINITY, 0);
    put_float(second + 8, -INFINITY, 0);
    im = must_read(write_file("nan.mrc", buf, n), 1);
    for (i = 3; i < 35; i++) sum += sample(i % 7, i / 7, 1);
    assert_int_equal(im.replaced, 3);
    for (i = 0; i < 3; i++) LP_ASSERT_CLOSE(im.data[i], sum / 32, 1e-5, 0);
    assert_true(im.data[3] == (float)sample(3, 0, 1));
    lp_image_free(&im);

    for (i = 0; i < 35; i++) put_float(second + 4 * i, NAN, 0);
    im = must_read(write_file("nan.mrc", buf, n), 1);
    assert_int_equal(im.replaced, 35);
    for (i = 0; i < 35; i++) assert_true(im.data[i] == 0);
    lp_image_free(&im);
}

static void damaged(void **state)
{
    size_t n = build(buf, &plain), k;
    head h = plain;
    lp_image im;

    (void)state;
    must_fail(write_file("a.mrc", buf, n), 3, LP_EARG, "no page 3");
    must_fail(write_file("a.mrc", buf, n), -1, LP_EARG, "no page -1");
    must_fail(write_file("cut.mrc", buf, n - 1), 0, LP_EFORMAT, "1444 bytes expected, 1443 found");
    for (k = 1; k < n; k += k < 1020 ? 37 : 1)
        must_fail(write_file("cut.mrc", buf, k), 0, LP_EFORMAT, "");

    h.nsymbt = -5;
    check(&h);
    h = plain;
    build(buf, &h);
    put(buf + 92, 1u << 30, 4, 0); /* the size of the file says that there is none */
    im = must_read(write_file("lie.mrc", buf, n), 0);
    lp_image_free(&im);
    must_fail(write_file("lie.mrc", buf, n + 1), 0, LP_EFORMAT, "cut short");

    build(buf, &h);
    put(buf, 100000, 4, 0);
    put(buf + 4, 100000, 4, 0);
    must_fail(write_file("huge.mrc", buf, n), 0, LP_EFORMAT, "100000 x 100000");
    put(buf + 4, 20000, 4, 0);
    must_fail(write_file("huge.mrc", buf, n), 0, LP_EFORMAT, "cut short");
    put(buf, (uint32_t)-7, 4, 0);
    must_fail(write_file("huge.mrc", buf, n), 0, LP_EFORMAT, "-7 x 20000");
    for (k = 3; k <= 4; k++) {
        h.mode = (int)k;
        build(buf, &h);
        must_fail(write_file("complex.mrc", buf, n), 0, LP_EFORMAT, "complex");
    }
    h.mode = 9;
    build(buf, &h);
    must_fail(write_file("mode.mrc", buf, n), 0, LP_EFORMAT, "mode 9");
}

/* Sections of a packed stack, forward and backward; cut-off and over-long streams. */
static void packed(void **state)
{
    size_t n, k;
    uint8_t *z;
    lp_image im;
    gzFile g;
    int page, half;

    (void)state;
    n = build(buf, &plain);
    for (half = 0; half < 2; half++) { /* the second time in two members */
        const char *path = tmp_path("a.mrc.gz");

        g = gzopen(path, "wb");
        assert_int_equal(gzwrite(g, buf, half ? 500 : (unsigned)n), half ? 500 : (int)n);
        gzclose(g);
        if (half) {
            g = gzopen(path, "ab");
            gzwrite(g, buf + 500, (unsigned)n - 500);
            gzclose(g);
        }
        for (page = 2; page >= 0; page--) {
            im = must_read(path, page);
            assert_true(im.data[8] == (float)sample(1, 1, page));
            assert_int_equal(im.npages, 3);
            lp_image_free(&im);
        }
        z = slurp(path, &n);
        for (k = 3; k < n; k++) must_fail(write_file("cut.mrc.gz", z, k), 2, LP_EFORMAT, "");
        z[n - 8 - 3] ^= 0x55;
        must_fail(write_file("bad.mrc.gz", z, n), 2, LP_EFORMAT, "");
        free(z);
        n = build(buf, &plain);
    }
    g = gzopen(tmp_path("short.gz"), "wb");
    gzwrite(g, buf, (unsigned)n - 4);
    gzclose(g);
    must_fail(tmp_path("short.gz"), 2, LP_EFORMAT, "1444 bytes expected, 1440 found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes),       cmocka_unit_test(large),      cmocka_unit_test(stamps),
        cmocka_unit_test(look_alikes), cmocka_unit_test(signedness), cmocka_unit_test(pixel_size),
        cmocka_unit_test(not_finite),  cmocka_unit_test(damaged),    cmocka_unit_test(packed),
    };
    return cmocka_run_group_tests_name("read_mrc", tests, make_tmp, drop_tmp);
}
