/* The tile plan against Cellpose's numbers; cutting and averaging against a plain
 * implementation that makes the padded image, the 2D masks and all tiles. */
#include "lp_h5.h"

#include <omp.h>

#include "host/image.h"
#include "host/tiling.h"

static void golden_starts(void **state)
{
    static const int sizes[][2] = {{80, 500}, {224, 224}, {233, 317}, {600, 1000}};
    char name[64];
    size_t k;
    LP_NEED_DATA(path, "golden/stages.h5");

    (void)state;
    for (k = 0; k < 8; k++) {
        hsize_t d[8];
        int aug = k % 2, L[2], l[2], n[2], start[2][16], a, t;
        double *ref;

        snprintf(name, sizeof name, "tiles_%dx%d_augment%d", sizes[k / 2][0], sizes[k / 2][1], aug);
        ref = lp_h5_double(path, name, d);
        for (a = 0; a < 2; a++) {
            L[a] = sizes[k / 2][a];
            if (aug && L[a] < 224) L[a] = 224;
            l[a] = L[a] < 224 ? L[a] : 224;
            n[a] = lp_tiling_count(L[a], 224, 0.1, aug);
            assert_in_range(n[a], 1, 16);
            lp_tiling_starts(start[a], n[a], L[a], l[a]);
        }
        assert_int_equal(n[0] * n[1], d[0]);
        for (t = 0; t < (int)d[0]; t++) {
            assert_int_equal(start[0][t / n[1]], (int)ref[t * 4]);
            assert_int_equal(start[0][t / n[1]] + l[0], (int)ref[t * 4 + 1]);
            assert_int_equal(start[1][t % n[1]], (int)ref[t * 4 + 2]);
            assert_int_equal(start[1][t % n[1]] + l[1], (int)ref[t * 4 + 3]);
        }
        free(ref);
    }
}

static void golden_pads(void **state)
{
    static const int sizes[][2] = {{80, 500}, {224, 224}, {233, 317}, {600, 1000}};
    char name[64];
    size_t k;
    LP_NEED_DATA(path, "golden/stages.h5");

    (void)state;
    for (k = 0; k < 4; k++) {
        hsize_t d[8];
        int y[2], x[2];
        double *ref;

        snprintf(name, sizeof name, "pad_%dx%d", sizes[k][0], sizes[k][1]);
        ref = lp_h5_double(path, name, d);
        lp_tiling_pad(sizes[k][0], y);
        lp_tiling_pad(sizes[k][1], x);
        assert_true(y[0] == ref[0] && y[1] == ref[1] && x[0] == ref[2] && x[1] == ref[3]);
        free(ref);
    }
}

static void golden_tapers(void **state)
{
    static const int sizes[][2] = {{224, 224}, {224, 96}, {64, 224}};
    double ty[224], tx[224];
    char name[64];
    size_t k;
    hsize_t d[8];
    int y, x;
    LP_NEED_DATA(path, "golden/stages.h5");

    (void)state;
    for (k = 0; k < 3; k++) {
        double *ref;

        snprintf(name, sizeof name, "taper_%dx%d", sizes[k][0], sizes[k][1]);
        ref = lp_h5_double(path, name, d);
        lp_tiling_taper(ty, d[0], 224);
        lp_tiling_taper(tx, d[1], 224);
        for (y = 0; y < (int)d[0]; y++)
            for (x = 0; x < (int)d[1];
                 x++) /* double; exp differs between libraries in its last place */
                LP_ASSERT_CLOSE(ty[y] * tx[x], ref[y * d[1] + x], 0, 1e-14);
        free(ref);
    }
}

/* Stands for the network: three channels with values that depend on the place in the tile. */
static void fake_net(float *y, const float *x, int n, int nchan, int ly, int lx)
{
    int t, c, i, m = ly * lx;

    for (t = 0; t < n; t++)
        for (c = 0; c < 3; c++)
            for (i = 0; i < m; i++) {
                const float *in = x + (size_t)t * (size_t)nchan * (size_t)m;

                y[((size_t)t * 3 + (size_t)c) * (size_t)m + (size_t)i] =
                    (float)(c + 1) * in[i] + in[(nchan - 1) * m + (i * 7 + c) % m] +
                    0.001f * (float)(i % lx) - 0.002f * (float)(i / lx);
            }
}

/* make_tiles and average_tiles as described, with the padded image in memory. */
typedef struct {
    float *tiles, *yf; /* [n][nchan][ly][lx], [3][Ly][Lx] */
} brute;

static int flipped(int p, int l, int flip)
{
    return flip ? l - 1 - p : p;
}

static brute run_brute(const float *img, int nchan, const lp_tiling *p)
{
    const lp_tile_grid *g = &p->grid;
    size_t padded = (size_t)g->Lyt * (size_t)g->Lxt, m = (size_t)g->ly * (size_t)g->lx, px;
    size_t n = (size_t)p->ntiles;
    float *pad = calloc(padded * (size_t)nchan, sizeof *pad);
    float *yp = calloc(padded * 3, sizeof *yp), *y = malloc(n * 3 * m * sizeof *y);
    double *navg = calloc(padded, sizeof *navg);
    brute b = {malloc(n * (size_t)nchan * m * sizeof(float)),
               malloc((size_t)3 * (size_t)g->Ly * (size_t)g->Lx * sizeof(float))};
    int t, c, i, k;

    for (c = 0; c < nchan; c++)
        for (i = 0; i < g->Ly; i++)
            for (k = 0; k < g->Lx; k++)
                pad[(size_t)c * padded + (size_t)(i + p->ypad[0]) * (size_t)g->Lxt +
                    (size_t)(k + p->xpad[0])] =
                    img[((size_t)c * (size_t)g->Ly + (size_t)i) * (size_t)g->Lx + (size_t)k];
#define PADDED(i_, k_)                                                                             \
    ((size_t)(g->ystart[j] + flipped(i_, g->ly, fy)) * (size_t)g->Lxt +                            \
     (size_t)(g->xstart[q] + flipped(k_, g->lx, fx)))
    for (t = 0; t < p->ntiles; t++) {
        int j = t / g->nx, q = t % g->nx, fy = g->augment && q % 2, fx = g->augment && j % 2;

        for (c = 0; c < nchan; c++)
            for (i = 0; i < g->ly; i++)
                for (k = 0; k < g->lx; k++)
                    b.tiles[((size_t)t * (size_t)nchan + (size_t)c) * m + (size_t)(i * g->lx + k)] =
                        pad[(size_t)c * padded + PADDED(i, k)];
    }
    fake_net(y, b.tiles, p->ntiles, nchan, g->ly, g->lx);
    for (t = 0; t < p->ntiles; t++) {
        int j = t / g->nx, q = t % g->nx, fy = g->augment && q % 2, fx = g->augment && j % 2;

        for (i = 0; i < g->ly; i++)
            for (k = 0; k < g->lx; k++) {
                double mask = g->ytaper[flipped(i, g->ly, fy)] * g->xtaper[flipped(k, g->lx, fx)];

                px = PADDED(i, k);
                navg[px] += mask;
                for (c = 0; c < 3; c++) {
                    float v = y[((size_t)t * 3 + (size_t)c) * m + (size_t)(i * g->lx + k)];

                    if ((c == 0 && fy) || (c == 1 && fx)) v = -v;
                    yp[(size_t)c * padded + px] = (float)(yp[(size_t)c * padded + px] + v * mask);
                }
            }
    }
#undef PADDED
    for (c = 0; c < 3; c++)
        for (i = 0; i < g->Ly; i++)
            for (k = 0; k < g->Lx; k++) {
                px = (size_t)(i + p->ypad[0]) * (size_t)g->Lxt + (size_t)(k + p->xpad[0]);
                b.yf[((size_t)c * (size_t)g->Ly + (size_t)i) * (size_t)g->Lx + (size_t)k] =
                    (float)(yp[(size_t)c * padded + px] / navg[px]);
            }
    free(pad);
    free(yp);
    free(y);
    free(navg);
    return b;
}

/* Cut, fake network and average in batches of `batch`; yf is a guarded array. */
static float *run_batches(const float *img, int nchan, const lp_tiling *p, int batch,
                          const float *tiles)
{
    const lp_tile_grid *g = &p->grid;
    size_t m = (size_t)g->ly * (size_t)g->lx, n_yf = (size_t)3 * (size_t)g->Ly * (size_t)g->Lx;
    float *x = lp_guard_new((size_t)batch * (size_t)nchan * m), *yf = lp_guard_new(n_yf);
    float *y = malloc((size_t)batch * 3 * m * sizeof *y);
    int t, n;

    memset(yf, 0, n_yf * sizeof *yf);
    for (t = 0; t < p->ntiles; t += n) {
        size_t len;

        n = p->ntiles - t < batch ? p->ntiles - t : batch;
        len = (size_t)n * (size_t)nchan * m;
        lp_tile_cut_ref(x, img, nchan, g, t, n);
        assert_memory_equal(x, tiles + (size_t)t * (size_t)nchan * m, len * sizeof *x);
        fake_net(y, x, n, nchan, g->ly, g->lx);
        lp_tile_average_ref(yf, y, 3, g, t, n);
    }
    lp_guard_check(x, (size_t)batch * (size_t)nchan * m);
    lp_tile_average_end_ref(yf, 3, g);
    lp_guard_check(yf, n_yf);
    lp_guard_free(x);
    free(y);
    return yf;
}

static void round_trip(void **state)
{
    static const struct {
        int Ly, Lx, bsize;
        double overlap;
        int augment;
    } cases[] = {{1, 1, 224, 0.1, 0},     {1, 1, 224, 0.1, 1},     {1, 90, 32, 0.1, 0},
                 {7, 13, 64, 0.1, 1},     {90, 1, 32, 0.5, 0},     {224, 224, 224, 0.1, 0},
                 {225, 223, 224, 0.1, 0}, {225, 223, 224, 0.1, 1}, {131, 157, 48, 0.05, 0},
                 {131, 157, 64, 0.3, 1},  {40, 333, 96, 0.5, 0},   {240, 240, 0, 0.1, 0},
                 {230, 420, 0, 0.1, 0},   {130, 60, 0, 0.1, 1}};
    int threads = omp_get_max_threads();
    size_t k, i;

    (void)state;
    for (k = 0; k < sizeof cases / sizeof *cases; k++) {
        int Ly = cases[k].Ly, Lx = cases[k].Lx, nchan = k % 2 ? 1 : 2;
        size_t n = (size_t)3 * (size_t)Ly * (size_t)Lx;
        float *img = malloc((size_t)nchan * (size_t)Ly * (size_t)Lx * sizeof *img), *yf[3];
        lp_tiling p;
        lp_err err;
        brute b;

        for (i = 0; i < (size_t)nchan * (size_t)Ly * (size_t)Lx; i++)
            img[i] = sinf((float)i * 0.37f) + (float)(i % 11);
        assert_int_equal(
            lp_tiling_plan(Ly, Lx, cases[k].bsize, cases[k].overlap, cases[k].augment, &p, &err),
            LP_OK);
        b = run_brute(img, nchan, &p);
        yf[0] = run_batches(img, nchan, &p, p.ntiles, b.tiles);
        omp_set_num_threads(1);
        yf[1] = run_batches(img, nchan, &p, 1, b.tiles);
        omp_set_num_threads(3);
        yf[2] = run_batches(img, nchan, &p, 3, b.tiles);
        omp_set_num_threads(threads);
        /* The sum of masks is a product of sums here: one unit in the last place. */
        for (i = 0; i < n; i++) LP_ASSERT_CLOSE(yf[0][i], b.yf[i], 1e-30, 1.3e-7);
        /* Batches and threads do not change a bit. */
        assert_memory_equal(yf[0], yf[1], n * sizeof(float));
        assert_memory_equal(yf[0], yf[2], n * sizeof(float));
        for (i = 0; i < 3; i++) lp_guard_free(yf[i]);
        free(b.tiles);
        free(b.yf);
        free(img);
        lp_tiling_free(&p);
        assert_null(p.mem);
    }
}

/* bsize 0: one tile along an axis where tiles of 224 would be two; else as with 224. */
static void whole_axes(void **state)
{
    static const struct {
        int Ly, Lx, augment, ny, nx, ly, lx;
    } cases[] = {{208, 100, 0, 1, 1, 224, 128}, {240, 240, 0, 1, 1, 256, 256},
                 {352, 209, 0, 1, 1, 368, 240}, {353, 240, 0, 3, 1, 224, 256},
                 {240, 900, 0, 1, 5, 256, 224}, {600, 900, 0, 4, 5, 224, 224},
                 {240, 240, 1, 3, 3, 224, 224}};
    lp_err err;
    size_t k;
    int i;

    (void)state;
    for (k = 0; k < sizeof cases / sizeof *cases; k++) {
        lp_tiling p, cellpose;
        const lp_tile_grid *g = &p.grid, *c = &cellpose.grid;

        assert_int_equal(
            lp_tiling_plan(cases[k].Ly, cases[k].Lx, 0, 0.1, cases[k].augment, &p, &err), LP_OK);
        assert_int_equal(
            lp_tiling_plan(cases[k].Ly, cases[k].Lx, 224, 0.1, cases[k].augment, &cellpose, &err),
            LP_OK);
        assert_int_equal(g->ny, cases[k].ny);
        assert_int_equal(g->nx, cases[k].nx);
        assert_int_equal(g->ly, cases[k].ly);
        assert_int_equal(g->lx, cases[k].lx);
        assert_int_equal(p.ntiles, g->ny * g->nx);
        assert_true(g->Lyt == c->Lyt && g->Lxt == c->Lxt && g->ypad == c->ypad);
        if (g->lx == c->lx && g->lx >= 224) /* cut and weighted as Cellpose does */
            for (i = 0; i < g->lx; i++) assert_true(g->xtaper[i] == c->xtaper[i]);
        if (g->nx == c->nx)
            for (i = 0; i < g->nx; i++) assert_int_equal(g->xstart[i], c->xstart[i]);
        lp_tiling_free(&p);
        lp_tiling_free(&cellpose);
    }
}

static void refused(void **state)
{
    static const struct {
        int Ly, Lx, bsize;
        double overlap;
        lp_status st;
    } cases[] = {{0, 5, 224, 0.1, LP_EARG},
                 {5, -1, 224, 0.1, LP_EARG},
                 {LP_MAX_SIDE + 1, 1, 224, 0.1, LP_EARG},
                 {LP_MAX_SIDE, LP_MAX_SIDE, 224, 0.1, LP_EARG},
                 {50, 50, 0, 0.6, LP_EARG},
                 {50, 50, 16, 0.1, LP_EARG},
                 {50, 50, 100, 0.1, LP_EARG},
                 {50, 50, LP_MAX_BSIZE + 16, 0.1, LP_EARG},
                 {50, 50, -224, 0.1, LP_EARG},
                 {50, 50, 224, 0.6, LP_EARG},
                 {50, 50, 224, 0.04, LP_EARG},
                 {50, 50, 224, NAN, LP_EARG},
                 {131072, 16384, 32, 0.5, LP_ENOMEM}};
    lp_tiling p, before;
    lp_err err;
    size_t k;

    (void)state;
    memset(&p, 0x5a, sizeof p);
    before = p;
    for (k = 0; k < sizeof cases / sizeof *cases; k++) {
        err.msg[0] = 0;
        assert_int_equal(
            lp_tiling_plan(cases[k].Ly, cases[k].Lx, cases[k].bsize, cases[k].overlap, 0, &p, &err),
            cases[k].st);
        assert_true(strlen(err.msg) > 0);
        assert_memory_equal(&p, &before, sizeof p);
    }
    /* tile_overlap means nothing with augment. */
    assert_int_equal(lp_tiling_plan(50, 50, 224, 0.6, 1, &p, &err), LP_OK);
    lp_tiling_free(&p);
    lp_tiling_free(&p);
    lp_tiling_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_starts), cmocka_unit_test(golden_pads),
        cmocka_unit_test(golden_tapers), cmocka_unit_test(round_trip),
        cmocka_unit_test(whole_axes),    cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
