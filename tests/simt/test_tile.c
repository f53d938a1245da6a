/* lp_tile_*_cuda and lp_style_sum_cuda against their twins: the same bits. */
#include "../lp_test.h"
#include "simt_test.h"

#include "host/tiling.h"
#include "kernels/style_sum.h"
#include "kernels/tile.h"

static float *pattern(size_t n, uint32_t s)
{
    float *p = lp_guard_new(n);
    size_t i;

    for (i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        p[i] = (float)(s >> 8) / 4096.0f - 2000.0f;
    }
    return p;
}

static void same(const float *got, const float *ref, size_t n)
{
    lp_guard_check(got, n);
    assert_memory_equal(got, ref, n * sizeof *got);
}

/* Cuts and averages all tiles, `group` to a call. */
static void one(int Ly, int Lx, int bsize, int augment, int nchan, int group)
{
    lp_tiling plan;
    lp_err err;
    size_t img_n = (size_t)nchan * (size_t)Ly * (size_t)Lx, yf_n = (size_t)3 * (size_t)Ly * Lx;
    size_t tile, tiles_n, y_n;
    float *img, *cut_ref, *y, *yf_ref;
    const lp_tile_grid *g;
    int t, n;

    assert_int_equal(lp_tiling_plan(Ly, Lx, bsize, 0.1, augment, &plan, &err), LP_OK);
    g = &plan.grid;
    tile = (size_t)g->ly * (size_t)g->lx;
    tiles_n = tile * (size_t)nchan * (size_t)plan.ntiles;
    y_n = tile * 3 * (size_t)plan.ntiles;
    img = pattern(img_n, 1);
    y = pattern(y_n, 2);
    cut_ref = lp_guard_new(tiles_n);
    lp_tile_cut_ref(cut_ref, img, nchan, g, 0, plan.ntiles);
    yf_ref = lp_guard_new(yf_n);
    memset(yf_ref, 0, yf_n * sizeof *yf_ref);
    lp_tile_average_ref(yf_ref, y, 3, g, 0, plan.ntiles);
    lp_tile_average_end_ref(yf_ref, 3, g);
    SIMT_SEEDS(s)
    {
        float *got = lp_guard_new(tiles_n), *yf = lp_guard_new(yf_n);

        memset(yf, 0, yf_n * sizeof *yf);
        for (t = 0; t < plan.ntiles; t += n) {
            n = plan.ntiles - t < group ? plan.ntiles - t : group;
            assert_int_equal(
                lp_tile_cut_cuda(got + tile * (size_t)(nchan * t), img, nchan, g, t, n, NULL), 0);
            assert_int_equal(lp_tile_average_cuda(yf, y + tile * 3 * (size_t)t, 3, g, t, n, NULL),
                             0);
        }
        assert_int_equal(lp_tile_average_end_cuda(yf, 3, g, NULL), 0);
        same(got, cut_ref, tiles_n);
        same(yf, yf_ref, yf_n);
        lp_guard_free(got);
        lp_guard_free(yf);
    }
    assert_int_not_equal(lp_tile_cut_cuda(NULL, NULL, nchan, g, 1, plan.ntiles, NULL), 0);
    lp_guard_free(img);
    lp_guard_free(cut_ref);
    lp_guard_free(y);
    lp_guard_free(yf_ref);
    lp_tiling_free(&plan);
}

static void tiles(void **state)
{
    (void)state;
    one(1, 1, 224, 0, 1, 1);
    one(7, 13, 32, 1, 2, 3);
    one(100, 61, 32, 0, 2, 5);
    one(100, 61, 32, 1, 1, 7);
    one(61, 130, 48, 0, 3, 100);
}

static void tile_of_cellpose(void **state)
{
    (void)state;
    one(225, 223, 224, 0, 2, 2);
}

static void styles(void **state)
{
    float *in = pattern(70 * 9, 3);
    double ref[70], got[70];
    int k;

    (void)state;
    lp_style_sum_ref(ref, in, 9, 70, 1);
    for (k = 0; k < 70; k++) got[k] = NAN;
    assert_int_equal(lp_style_sum_cuda(got, in, 4, 70, 1, NULL), 0);
    assert_int_equal(lp_style_sum_cuda(got, in + 4 * 70, 5, 70, 0, NULL), 0);
    assert_memory_equal(got, ref, sizeof ref);
    lp_guard_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiles), cmocka_unit_test(tile_of_cellpose),
                                       cmocka_unit_test(styles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
