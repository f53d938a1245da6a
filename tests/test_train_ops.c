/* test_train_ops - the operations between the convolutions in training: bfloat16 in its own order
 * against float32 in blocks, on the same values, so that all is exact but one rounding; and one
 * convolution of each kind. */
#include "lp_test.h"

#include "host/big_alloc.h"
#include "host/onednn.h"
#include "host/onednn_train.h"
#include "host/train_ops.h"
#include "host/train_value.h"

enum { N = 2, NBLK = 4, CB = 16, H = 20, W = 36, CP = NBLK * CB, REAL = 57 };

static unsigned seed = 1;
static int wide = CB; /* cb of bfloat16: each test runs with all three */

static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (1 << 23) - 1;
}

/* The same activation in both types: values that bfloat16 has. */
typedef struct {
    lp_tdims d[2];
    void *v[2];
} both;

static both fresh(int h, int w, int fill)
{
    both b = {{{N, NBLK, CB, h, w, 0}, {N, CP / wide, wide, h, w, 1}}, {NULL, NULL}};
    size_t n = lp_tdims_size(&b.d[0]), i, plane = (size_t)h * w;
    float *planes = calloc((size_t)N * REAL * plane, sizeof *planes);

    for (i = 0; fill && i < (size_t)N * REAL * plane; i++)
        planes[i] = lp_bf16_to(lp_bf16_from(noise()));
    for (i = 0; i < 2; i++) {
        b.v[i] = lp_big_alloc(n * sizeof(float));
        assert_non_null(b.v[i]);
        lp_tops_from_planes(&b.d[i], b.v[i], planes, REAL);
    }
    free(planes);
    return b;
}

static void drop(both *b)
{
    free(b->v[0]);
    free(b->v[1]);
}

/* b.v[1] is what b.v[0] is, rounded. */
static void check_rounded(const both *b)
{
    size_t n = lp_tdims_size(&b->d[0]), i;
    uint16_t *r = lp_big_alloc(n * sizeof *r);
    lp_tdims d = b->d[0];

    d.bf16 = 1;
    lp_tops_convert(&d, r, b->v[0]);
    for (i = 0; i < n; i++) assert_int_equal(r[i], ((uint16_t *)b->v[1])[i]);
    free(r);
}

static void random_channels(float *v, int images)
{
    int i, c;

    for (i = 0; i < images; i++)
        for (c = 0; c < CP; c++) v[i * CP + c] = c < REAL ? noise() : 0;
}

static void test_layouts(void **state)
{
    both b = fresh(H, W, 1);
    size_t n = (size_t)N * REAL * H * W, i;
    float *p[2], *back = lp_big_alloc(lp_tdims_size(&b.d[0]) * sizeof *back);
    int k;

    (void)state;
    for (k = 0; k < 2; k++) {
        p[k] = malloc(n * sizeof(float));
        lp_tops_to_planes(&b.d[k], p[k], b.v[k], REAL);
    }
    assert_memory_equal(p[0], p[1], n * sizeof(float));
    for (i = 0; i < (size_t)H * W; i++) { /* channel 17 of image 1, where the header says */
        float v = ((float *)b.v[0])[(((size_t)1 * NBLK + 1) * H * W + i) * CB + 1];

        assert_true(v == p[0][((size_t)REAL + 17) * H * W + i]);
        assert_true(v == lp_value(1, b.v[1], ((size_t)H * W + i) * CP + 17));
    }
    check_rounded(&b);
    lp_tops_convert(&b.d[0], back, b.v[1]);
    assert_memory_equal(back, b.v[0], lp_tdims_size(&b.d[0]) * sizeof(float));
    free(back);
    free(p[0]);
    free(p[1]);
    drop(&b);
}

static void test_statistics(void **state)
{
    both b = fresh(H, W, 1), g = fresh(H, W, 1);
    double s[2][5][N * CP], *work;
    float f[N * CP], scale[CP], shift[N * CP];
    int k, i, c;

    (void)state;
    random_channels(f, N);
    random_channels(scale, 1);
    random_channels(shift, N);
    for (k = 0; k < 2; k++) {
        work = malloc(lp_tdims_work(&b.d[k]) * sizeof *work);
        lp_tops_stats(&b.d[k], b.v[k], f, s[k][0], s[k][1], s[k][2], work);
        lp_tops_norm_sums(&b.d[k], g.v[k], b.v[k], scale, shift, s[k][3], s[k][4], work);
        free(work);
    }
    for (c = 0; c < CP; c++)
        for (i = 0; i < 2; i++) LP_ASSERT_CLOSE(s[1][i][c], s[0][i][c], 1e-6, 1e-6);
    for (i = 2; i < 5; i++) /* sums of 720 values below 1 */
        for (c = 0; c < N * CP; c++) LP_ASSERT_CLOSE(s[1][i][c], s[0][i][c], 1e-4, 1e-6);
    for (c = REAL; c < CP; c++) assert_true(s[1][3][c] == 0 && s[1][0][c] == 0);
    lp_tops_means(&b.d[0], b.v[0], s[0][0]);
    lp_tops_means(&b.d[1], b.v[1], s[1][0]);
    for (c = 0; c < N * CP; c++) {
        LP_ASSERT_CLOSE(s[1][0][c], s[0][0][c], 1e-12, 0);
        LP_ASSERT_CLOSE(s[1][0][c] + f[c], s[0][2][c], 1e-6, 1e-6);
    }
    drop(&b);
    drop(&g);
}

static void test_norm(void **state)
{
    both x = fresh(H, W, 1), g = fresh(H, W, 1), e = fresh(H, W, 1), out = fresh(H, W, 0);
    both copy = fresh(H, W, 0);
    float scale[CP], shift[N * CP], p[CP], q[N * CP];
    int k, add, extra;

    (void)state;
    random_channels(scale, 1);
    random_channels(shift, N);
    random_channels(p, 1);
    random_channels(q, N);
    for (k = 0; k < 2; k++) lp_tops_norm(&x.d[k], out.v[k], copy.v[k], x.v[k], scale, shift);
    check_rounded(&out);
    assert_memory_equal(copy.v[1], x.v[1], lp_tdims_size(&x.d[1]) * 2);
    for (add = 0; add < 2; add++)
        for (extra = 0; extra < 2; extra++) {
            both dx = fresh(H, W, 1);

            for (k = 0; k < 2; k++)
                lp_tops_norm_back(&x.d[k], dx.v[k], add, g.v[k], x.v[k], scale, shift, p, q,
                                  extra ? e.v[k] : NULL);
            check_rounded(&dx);
            drop(&dx);
        }
    drop(&x);
    drop(&g);
    drop(&e);
    drop(&out);
    drop(&copy);
}

static void test_shapes(void **state)
{
    both x = fresh(2 * H, 2 * W, 1), small = fresh(H, W, 1), big = fresh(2 * H, 2 * W, 1);
    both out = fresh(H, W, 0);
    float f[N * CP];
    int k;

    (void)state;
    random_channels(f, N);
    for (k = 0; k < 2; k++) lp_tops_pool(&out.d[k], out.v[k], x.v[k]);
    check_rounded(&out);
    for (k = 0; k < 2; k++) lp_tops_pool_back(&out.d[k], big.v[k], small.v[k], x.v[k]);
    check_rounded(&big);
    for (k = 0; k < 2; k++) lp_tops_up_back(&out.d[k], out.v[k], x.v[k]);
    check_rounded(&out);
    for (k = 0; k < 2; k++) lp_tops_up(&small.d[k], big.v[k], small.v[k]);
    check_rounded(&big);
    for (k = 0; k < 2; k++) lp_tops_add_channels(&small.d[k], small.v[k], f);
    check_rounded(&small);
    drop(&x);
    drop(&small);
    drop(&big);
    drop(&out);
}

/* Largest difference relative to the largest value. */
static void near(const float *a, const float *b, size_t n, double bound)
{
    double most = 0, d = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        most = fmax(most, fabs((double)b[i]));
        if (!(fabs((double)a[i] - b[i]) <= d)) d = fabs((double)a[i] - b[i]);
    }
    LP_ASSERT_CLOSE(d / most, 0, bound, 0);
}

/* Values and weights that bfloat16 has: what is float32 differs by the order of sums (and the
 * Winograd transform), what is bfloat16 by one rounding. */
static void check_conv(int k, int sum, int f32)
{
    both x = fresh(H, W, 1), g = fresh(H, W, 1), dst = fresh(H, W, 1), dx = fresh(H, W, 0);
    size_t nw = (size_t)REAL * REAL * k * k, plane = (size_t)N * REAL * H * W, i;
    float *w = malloc(nw * sizeof *w), *dw[2], *p[2], bias[CP] = {0}, db[2][CP];
    int t;

    for (i = 0; i < nw; i++) w[i] = lp_bf16_to(lp_bf16_from(noise()));
    for (i = 0; i < REAL; i++) bias[i] = noise();
    for (t = 0; t < 2; t++) {
        const lp_tconv_spec sp = {N, REAL, REAL, H, W, k, CB, sum, t, t && f32};
        lp_tdims d = x.d[t];
        lp_tconv *c = NULL;
        void *scratch;
        lp_err err;

        if (lp_tconv_new(&sp, 1, &c, &err)) fail_msg("%s", err.msg);
        scratch = lp_big_alloc(lp_tconv_scratch(c) + 64);
        dw[t] = malloc(nw * sizeof(float));
        p[t] = malloc(plane * sizeof(float));
        assert_int_equal(lp_tconv_weights(c, w, 1), 0);
        assert_int_equal(lp_tconv_forward(c, bias, x.v[t], dst.v[t], scratch), 0);
        if (t && f32) { /* channels last still, but float32: as planes of one wide block */
            d.bf16 = 0;
            d.nblk = 1;
            d.cb = CP;
        }
        lp_tops_to_planes(&d, p[t], dst.v[t], REAL);
        assert_int_equal(lp_tconv_backward_data(c, g.v[t], dx.v[t], scratch), 0);
        assert_int_equal(lp_tconv_backward_weights(c, x.v[t], g.v[t], dw[t], db[t], scratch), 0);
        lp_tconv_free(&c);
        free(scratch);
    }
    near(p[1], p[0], plane, f32 ? 1e-5 : 4e-3);
    near(dw[1], dw[0], nw, 1e-4);
    near(db[1], db[0], CP, 1e-5);
    for (t = 0; t < 2; t++) lp_tops_to_planes(&dx.d[t], p[t], dx.v[t], REAL);
    near(p[1], p[0], plane, 4e-3);
    for (t = 0; t < 2; t++) {
        free(dw[t]);
        free(p[t]);
    }
    free(w);
    drop(&x);
    drop(&g);
    drop(&dst);
    drop(&dx);
}

static void test_convolutions(void **state)
{
    (void)state;
    if (!lp_onednn_has_bf16()) skip();
    check_conv(3, 0, 0);
    check_conv(3, 1, 0);
    check_conv(1, 0, 0);
    check_conv(1, 0, 1);
}

static int set_wide(void **state)
{
    wide = *(const int *)*state;
    return 0;
}

int main(void)
{
    static int cb[] = {16, 32, 64};
#define TEST(f)                                                                                    \
    cmocka_unit_test_prestate_setup_teardown(f, set_wide, NULL, &cb[0]),                           \
        cmocka_unit_test_prestate_setup_teardown(f, set_wide, NULL, &cb[1]),                       \
        cmocka_unit_test_prestate_setup_teardown(f, set_wide, NULL, &cb[2])
    const struct CMUnitTest tests[] = {
        TEST(test_layouts),
        TEST(test_statistics),
        TEST(test_norm),
        TEST(test_shapes),
        cmocka_unit_test(test_convolutions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
