/* Normalisation against Cellpose's numbers, the kernels against brute force, and the
 * edges: constant, tiny range, one pixel, NaN, more than 224^3 pixels. */
#include "lp_h5.h"

#include <omp.h>

#include "host/normalize.h"
#include "kernels/normalize.h"
#include "kernels/resize.h"

static float *noise(size_t n, float scale)
{
    float *p = lp_guard_new(n);
    uint32_t s = 777;
    size_t i;

    for (i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        p[i] = scale * ((float)(s >> 8) / 8388608.0f - 1);
    }
    return p;
}

static void run(float *img, int nchan, int Ly, int Lx, const lp_normalize_options *o,
                uint32_t *notes)
{
    lp_err err = {LP_OK, ""};
    lp_status st = lp_normalize(img, nchan, Ly, Lx, o, notes, &err);

    if (st) fail_msg("%s", err.msg);
}

static void golden(void **state)
{
    static const char *const names[] = {"normalize99", "normalize_invert",
                                        "normalize_percentile_3_97", "normalize_sharpen_8"};
    hsize_t d[8];
    int k;
    float *in, *ref, *got;
    size_t i, n;
    uint32_t notes;
    LP_NEED_DATA(path, "golden/stages.h5");

    (void)state;
    in = lp_h5_float(path, "image", d);
    n = (size_t)d[0] * (size_t)d[1];
    for (k = 0; k < 4; k++) {
        lp_normalize_options o = lp_normalize_defaults();

        o.invert = k == 1;
        if (k == 2) {
            o.percentile[0] = 3;
            o.percentile[1] = 97;
        }
        o.sharpen_radius = k == 3 ? 8 : 0;
        ref = lp_h5_float(path, names[k], d);
        got = lp_guard_new(n);
        memcpy(got, in, n * sizeof *got);
        run(got, 1, d[0], d[1], &o, &notes);
        lp_guard_check(got, n);
        assert_int_equal(notes, 0);
        /* A few units in the last place of values about 1; sharpening there is a float32 FFT. */
        for (i = 0; i < n; i++) LP_ASSERT_CLOSE(got[i], ref[i], k == 3 ? 5e-6 : 5e-7, 0);
        lp_guard_free(got);
        free(ref);
    }
    free(in);
}

/* x01 and x99 of a 2D image as planes [2][Ly][Lx], from the kernels. */
static float *tile_planes(const float *img, int Ly, int Lx, int ny, int nx, int by, int bx)
{
    static const double p[2] = {1, 99};
    float *planes = malloc((size_t)2 * (size_t)Ly * (size_t)Lx * sizeof(float));
    float *scratch = malloc((size_t)by * (size_t)bx * sizeof(float)), x01[64], x99[64], tmp[192];
    int j, i;

    assert_true(ny > 1 && nx > 1 && ny * nx <= 64);
    for (j = 0; j < ny; j++)
        for (i = 0; i < nx; i++) {
            lp_window w = {.Ly = by, .Lx = bx, .stride = Lx, .sy = 1, .sx = 1};
            float x[2];

            lp_percentile_ref(
                x, img + (int64_t)((Ly - by) * j / (ny - 1)) * Lx + (Lx - bx) * i / (nx - 1), &w, p,
                scratch);
            x01[j * nx + i] = x[0];
            x99[j * nx + i] = x[1];
        }
    assert_int_equal(lp_tile_maps_ref(x01, x99, ny, nx, tmp), 0);
    lp_resize_ref(planes, x01, 1, ny, nx, Ly, Lx);
    lp_resize_ref(planes + (size_t)Ly * (size_t)Lx, x99, 1, ny, nx, Ly, Lx);
    free(scratch);
    return planes;
}

/* The shared numbers come from normalize_img of a [Ly][Lx][nchan] array, where Cellpose scales
 * every row by the first row's percentiles; its eval passes [z][Ly][Lx][nchan], where each row
 * has its own, and that is what lp_normalize does. */
static void golden_tile(void **state)
{
    lp_normalize_options o = lp_normalize_defaults();
    hsize_t d[8];
    int y, x;
    float *in, *ref, *got, *planes;
    size_t n, i;
    LP_NEED_DATA(path, "golden/stages.h5");

    (void)state;
    in = lp_h5_float(path, "image", d);
    ref = lp_h5_float(path, "normalize_tile_100", d);
    n = (size_t)d[0] * (size_t)d[1];
    /* 233 x 317: ceil(1.2 * 233 / 100) x ceil(1.2 * 317 / 100) blocks */
    planes = tile_planes(in, d[0], d[1], 3, 4, 100, 100);
    for (y = 0; y < (int)d[0]; y++)
        for (x = 0; x < (int)d[1]; x++) {
            float lo = planes[x], hi = planes[n + (size_t)x];

            LP_ASSERT_CLOSE((in[y * d[1] + x] - lo) / (hi - lo), ref[y * d[1] + x], 2e-6, 0);
        }
    got = lp_guard_new(n);
    memcpy(got, in, n * sizeof *got);
    o.tile_norm_blocksize = 100;
    run(got, 1, d[0], d[1], &o, NULL);
    lp_guard_check(got, n);
    for (i = 0; i < n; i++)
        LP_ASSERT_CLOSE(got[i], (in[i] - planes[i]) / (planes[n + i] - planes[i]), 0, 0);
    lp_guard_free(got);
    free(planes);
    free(ref);
    free(in);
}

static void percentiles(void **state)
{
    static const double ps[][2] = {{1, 99}, {0, 100}, {3, 97}, {49.9, 50.1}, {99.5, 99.6}};
    static const lp_window ws[] = {
        {1, 1, 1, 1, 1},     {1, 2, 2, 1, 1},       {7, 13, 13, 1, 1},    {225, 223, 223, 1, 1},
        {50, 40, 223, 1, 1}, {225, 223, 223, 4, 3}, {600, 700, 700, 1, 1}};
    size_t k, j, n = 600 * 700;
    int kind, t, i;

    (void)state;
    for (kind = 0; kind < 3; kind++) {
        float *in = noise(n, kind ? 100.0f : 1e-5f), *scratch = malloc(n * sizeof *scratch);
        void *tables = malloc(lp_percentile_scratch(3));

        for (j = 0; kind == 2 && j < n; j++) in[j] = floorf(in[j] / 20);
        in[0] = INFINITY;
        in[1] = -INFINITY;
        in[2] = -0.0f;
        in[3] = -3e38f;
        for (k = 0; k < sizeof ws / sizeof *ws; k++)
            for (j = 0; j < sizeof ps / sizeof *ps; j++) {
                float ref[2], got[2];

                lp_percentile_ref(ref, in, &ws[k], ps[j], scratch);
                for (t = 1; t <= 3; t++) {
                    memset(tables, 0xff, lp_percentile_scratch(3));
                    lp_percentile_cpu(got, in, &ws[k], ps[j], t, tables);
                    for (i = 0; i < 2; i++) /* between -Inf and Inf there is only NaN */
                        if (!isnan(ref[i]) || !isnan(got[i])) assert_true(got[i] == ref[i]);
                }
            }
        free(tables);
        free(scratch);
        lp_guard_free(in);
    }
}

static void percentile_by_hand(void **state)
{
    static const double p[2] = {1, 99.5};
    lp_window w = {.Ly = 1, .Lx = 101, .stride = 101, .sy = 1, .sx = 1};
    float in[101], x[2], scratch[101];
    int i;

    (void)state;
    for (i = 0; i < 101; i++) in[i] = (float)(i * 37 % 101);
    lp_percentile_ref(x, in, &w, p, scratch);
    assert_true(x[0] == 1.0f && x[1] == 99.5f);
}

/* Random patterns of flat tiles: the nearest other tile is searched among all. */
static void tile_maps(void **state)
{
    uint32_t s = 4;
    int round;

    (void)state;
    for (round = 0; round < 300; round++) {
        int ny = 1 + round % 7, nx = 1 + round % 11, n = ny * nx, i, k, y, flat = 0, all, pass;
        float x01[2][77], x99[2][77], *scratch = lp_guard_new(3 * (size_t)n);
        double v[2][77], u[2][77];

        for (i = 0; i < n; i++) {
            s = s * 1664525u + 1013904223u;
            x01[0][i] = (float)(s >> 20);
            x99[0][i] = x01[0][i] + ((s >> 8) % 4 ? 0 : 100 + (float)i);
            if (round % 5 == 4) x99[0][i] = x01[0][i];
            flat += x99[0][i] == x01[0][i];
        }
        for (i = 0; i < n; i++) {
            int best = i, d = 1 << 30;

            if (x99[0][i] == x01[0][i])
                for (k = 0; k < n; k++) {
                    int e = (k / nx - i / nx) * (k / nx - i / nx) +
                            (k % nx - i % nx) * (k % nx - i % nx);

                    if (x99[0][k] != x01[0][k] && e < d) {
                        d = e;
                        best = k;
                    }
                }
            v[0][i] = flat == n ? 0 : x01[0][best];
            v[1][i] = flat == n ? 1 : x99[0][best];
        }
        for (pass = 0; pass < 4; pass++) {
            const double *a = pass < 2 ? v[pass] : u[pass - 2];
            double *b = pass < 2 ? u[pass] : v[pass - 2];

            for (i = 0; i < n; i++) {
                double sum = 0, weights = 0;

                for (k = -4; k <= 4; k++) {
                    for (y = i / nx + k; y < 0 || y >= ny;) y = y < 0 ? -1 - y : 2 * ny - 1 - y;
                    sum += exp(-0.5 * k * k) * a[y * nx + i % nx];
                    weights += exp(-0.5 * k * k);
                }
                b[i] = sum / weights;
            }
        }
        all = lp_tile_maps_ref(x01[0], x99[0], ny, nx, scratch);
        lp_guard_check(scratch, 3 * (size_t)n);
        lp_guard_free(scratch);
        assert_int_equal(all, flat == n);
        for (i = 0; i < n; i++) {
            /* two roundings to float32 */
            LP_ASSERT_CLOSE(x01[0][i], v[0][i], 1e-30, 2e-7);
            LP_ASSERT_CLOSE(x99[0][i], v[1][i], 1e-30, 2e-7);
        }
    }
}

/* smooth_sharpen_img as the circular correlation that its FFTs compute. */
static void sharpen(void **state)
{
    static const int sizes[][2] = {{7, 13}, {16, 9}, {1, 5}, {5, 1}, {40, 41}};
    static const double radii[][2] = {{2, 0}, {0, 3}, {1.5, 4}, {50, 0}, {0, 0.4}};
    size_t k, r;

    (void)state;
    for (k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (r = 0; r < sizeof radii / sizeof *radii; r++) {
            int Ly = sizes[k][0], Lx = sizes[k][1], n = Ly * Lx, y, x, i, j, s;
            float *img = noise((size_t)n, 50), *in = noise((size_t)n, 50);
            double *kern = calloc((size_t)n, sizeof *kern), *one = malloc((size_t)n * sizeof *one);
            lp_normalize_options o = lp_normalize_defaults();

            for (s = 0; s < 2; s++) {
                double sum = 0;

                if (!(radii[r][s] > 0)) continue;
                for (y = 0; y < Ly; y++)
                    for (x = 0; x < Lx; x++) {
                        double py = -Ly / 2.0 + (Ly > 1 ? y * (Ly + 1.0) / (Ly - 1) : 0);
                        double px = -Ly / 2.0 + (Lx > 1 ? x * (Ly + 1.0) / (Lx - 1) : 0);

                        sum += one[y * Lx + x] =
                            exp(-(py * py + px * px) / 2 / radii[r][s] / radii[r][s]);
                    }
                for (i = 0; i < n; i++) kern[i] += (s ? -1 : 1) * one[i] / sum;
            }
            if (!(radii[r][0] > 0)) kern[Ly / 2 * Lx + Lx / 2] = 1;
            o.normalize = 0;
            o.smooth_radius = radii[r][0];
            o.sharpen_radius = radii[r][1];
            run(img, 1, Ly, Lx, &o, NULL);
            lp_guard_check(img, (size_t)n);
            for (y = 0; y < Ly; y++)
                for (x = 0; x < Lx; x++) {
                    double v = 0;

                    for (i = 0; i < Ly; i++)
                        for (j = 0; j < Lx; j++)
                            v += kern[i * Lx + j] *
                                 in[(y + i - Ly / 2 + Ly) % Ly * Lx + (x + j - Lx / 2 + Lx) % Lx];
                    /* values up to 50; two blurs are rounded before they are subtracted */
                    LP_ASSERT_CLOSE(img[y * Lx + x], v, 1e-5, 1e-6);
                }
            free(one);
            free(kern);
            lp_guard_free(in);
            lp_guard_free(img);
        }
}

static void special_values(void **state)
{
    lp_normalize_options o = lp_normalize_defaults();
    float *img = noise(3 * 91, 1);
    uint32_t notes = 99;
    int i;

    (void)state;
    /* Channel 0 constant, 1 tiny range, 2 normal. */
    for (i = 0; i < 91; i++) {
        img[i] = 5;
        img[91 + i] *= 1e-4f;
    }
    run(img, 3, 7, 13, &o, &notes);
    lp_guard_check(img, 3 * 91);
    assert_int_equal(notes, 1u << 1);
    for (i = 0; i < 91; i++) {
        assert_true(img[i] == 5 && img[91 + i] == 0);
        assert_true(img[182 + i] > -1 && img[182 + i] < 2);
    }
    lp_guard_free(img);

    img = noise(91, 1);
    img[5] = NAN;
    run(img, 1, 7, 13, &o, NULL); /* must not crash */
    o.tile_norm_blocksize = 4;
    run(img, 1, 7, 13, &o, NULL);
    o.sharpen_radius = 2;
    run(img, 1, 7, 13, &o, NULL);
    lp_guard_free(img);

    img = noise(1, 1);
    run(img, 1, 1, 1, &o, &notes);
    assert_int_equal(notes, 0);
    lp_guard_free(img);
}

static void lowhigh_and_invert(void **state)
{
    lp_normalize_options o = lp_normalize_defaults();
    float img[4] = {10, 20, 5, 7}, flat[2] = {0, 1e-5f};
    uint32_t notes;

    (void)state;
    o.use_lowhigh = 1;
    o.lowhigh[0][0] = 10;
    o.lowhigh[0][1] = 30;
    o.lowhigh[1][0] = 7;
    o.lowhigh[1][1] = 5;  /* falling is allowed */
    o.sharpen_radius = 3; /* has no effect */
    run(img, 2, 1, 2, &o, &notes);
    assert_true(img[0] == 0 && img[1] == 0.5f && img[2] == 1 && img[3] == 0);
    o.invert = 1;
    o.lowhigh[0][0] = 0;
    o.lowhigh[0][1] = 1;
    run(img, 1, 1, 2, &o, &notes);
    assert_true(img[0] == 1 && img[1] == 0.5f);
    assert_int_equal(notes, 0);

    /* A zeroed channel counts as normalised. */
    o = lp_normalize_defaults();
    o.invert = 1;
    run(flat, 1, 1, 2, &o, &notes);
    assert_true(flat[0] == 1 && flat[1] == 1);
    assert_int_equal(notes, 1);
    o.tile_norm_blocksize = 50;
    run(img, 1, 1, 2, &o, &notes);
    assert_int_equal(notes, LP_NORMALIZE_INVERT_IGNORED);
}

static void refused(void **state)
{
    float img[6] = {0, 1, 2, 3, 4, 5};
    int k, i;

    (void)state;
    for (k = 0; k < 13; k++) {
        lp_normalize_options o = lp_normalize_defaults();
        lp_err err = {LP_OK, ""};

        if (k == 0) o.percentile[0] = 99;
        if (k == 1) o.percentile[0] = -1;
        if (k == 2) o.percentile[1] = 100.5;
        if (k == 3) o.percentile[1] = NAN;
        if (k == 4) o.sharpen_radius = -1;
        if (k == 5) o.smooth_radius = NAN;
        if (k == 6) o.smooth_radius = 1e-300;
        if (k == 7) o.tile_norm_blocksize = -1;
        if (k == 12) o.tile_norm_blocksize = 2; /* refused before img, which is small, is read */
        if (k == 8) o.use_lowhigh = 1;
        if (k == 9) o.invert = 1, o.normalize = 0;
        if (k == 10) o.use_lowhigh = 1, o.lowhigh[0][1] = INFINITY;
        assert_int_equal(lp_normalize(img, k == 11 ? 0 : 1, k == 12 ? 2000 : 2, k == 12 ? 2000 : 3,
                                      &o, NULL, &err),
                         LP_EARG);
        assert_true(strlen(err.msg) > 0);
        for (i = 0; i < 6; i++) assert_true(img[i] == (float)i);
    }
}

/* Above 224^3 pixels, percentiles are taken of every (L / 224)th row and column. */
static void large(void **state)
{
    static const double p[2] = {1, 99};
    int Ly = 3400, Lx = 3320;
    size_t n = (size_t)Ly * (size_t)Lx, i;
    lp_window w = {.Ly = Ly, .Lx = Lx, .stride = Lx, .sy = 15, .sx = 14};
    lp_normalize_options o = lp_normalize_defaults();
    float *in = noise(n, 100), *img, x[2];
    void *tables = malloc(lp_percentile_scratch(1));

    (void)state;
    for (i = 0; i < n; i += 14) in[i] = in[i] * 2 + 3;
    img = malloc(n * sizeof *img);
    memcpy(img, in, n * sizeof *img);
    lp_percentile_cpu(x, in, &w, p, 1, tables);
    run(img, 1, Ly, Lx, &o, NULL);
    for (i = 0; i < n; i += 101) assert_true(img[i] == (in[i] - x[0]) / (x[1] - x[0]));
    free(tables);
    free(img);
    lp_guard_free(in);
}

static void threads(void **state)
{
    int most = omp_get_max_threads(), t, k;
    size_t n = 2 * 225 * 223;

    (void)state;
    for (k = 0; k < 3; k++) {
        lp_normalize_options o = lp_normalize_defaults();
        float *one = noise(n, 30), *many = noise(n, 30);

        o.tile_norm_blocksize = k == 1 ? 40 : 0;
        o.sharpen_radius = k == 2 ? 9 : 0;
        o.smooth_radius = k == 2 ? 1 : 0;
        omp_set_num_threads(1);
        run(one, 2, 225, 223, &o, NULL);
        for (t = 2; t <= 5; t += 3) {
            float *again = noise(n, 30);

            omp_set_num_threads(t);
            memcpy(many, again, n * sizeof *many);
            run(many, 2, 225, 223, &o, NULL);
            assert_memory_equal(one, many, n * sizeof *one);
            lp_guard_free(again);
        }
        omp_set_num_threads(most);
        lp_guard_free(one);
        lp_guard_free(many);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),         cmocka_unit_test(golden_tile),
        cmocka_unit_test(percentiles),    cmocka_unit_test(percentile_by_hand),
        cmocka_unit_test(tile_maps),      cmocka_unit_test(sharpen),
        cmocka_unit_test(special_values), cmocka_unit_test(lowhigh_and_invert),
        cmocka_unit_test(refused),        cmocka_unit_test(large),
        cmocka_unit_test(threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
