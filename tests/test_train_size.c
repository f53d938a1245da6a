/* test_train_size - the size model and the weights of images. */
#include "host/train_crops.h"
#include "host/train_init.h"
#include "host/train_probs.h"
#include "host/train_size.h"
#include "lp_test.h"

static lp_err err;

/* numpy.linalg.solve of Cellpose's formula for these styles, in double. */
static void test_fit(void **state)
{
    enum { N = 7, M = 4 };
    static const double A[M] = {0.12982020273091788, 0.2060645679770044, 0.7489824585954247,
                                -0.13109082346149967};
    static const double smean[M] = {0.06853926, 0.14208305, 0.23009767, 0.631077};
    float styles[N * M];
    double y[N], r;
    lp_size_model *s = NULL;
    int i, j;

    (void)state;
    for (i = 0; i < N; i++) {
        for (j = 0; j < M; j++) styles[i * M + j] = (float)sin(1 + 3 * i + 7 * j + i * j);
        y[i] = (float)cos(i);
    }
    if (lp_size_fit(styles, y, N, M, 30, &s, &r, &err)) fail_msg("%s", err.msg);
    assert_int_equal(s->n, M);
    for (j = 0; j < M; j++) {
        LP_ASSERT_CLOSE(s->A[j], A[j], 1e-6, 0);
        LP_ASSERT_CLOSE(s->smean[j], smean[j], 1e-6, 0);
    }
    LP_ASSERT_CLOSE(s->ymean, 0.10347883, 1e-6, 0);
    LP_ASSERT_CLOSE(s->diam_mean, 30, 0, 0);
    LP_ASSERT_CLOSE(r, 0.9808652349924534, 1e-6, 0);
    lp_size_model_free(&s);

    /* Nothing varies: the mean, and no correlation. */
    for (i = 0; i < N * M; i++) styles[i] = 0.5f;
    if (lp_size_fit(styles, y, N, M, 30, &s, &r, &err)) fail_msg("%s", err.msg);
    for (j = 0; j < M; j++) LP_ASSERT_CLOSE(s->A[j], 0, 1e-12, 0);
    assert_true(isnan(r));
    lp_size_model_free(&s);
}

static int stop_calls;
static int never(void)
{
    return 0;
}
static int later(void)
{
    return ++stop_calls > 3;
}

/* Images of discs of one size each: the same seed gives the same model for any threads, which says
 * more of these sizes than nothing. */
static void test_model(void **state)
{
    enum { N = 4, SIDE = 96 };
    static const int nbase[] = {2, 8, 16};
    lp_train_size_options o = lp_train_size_defaults();
    lp_train_image im[N];
    lp_train_set set = {.image = im, .n = N};
    lp_weights *w = NULL;
    lp_size_model *first = NULL;
    float *px = calloc(SIDE * SIDE, sizeof *px);
    lp_labels lb;
    double r;
    int i, k, y, x;

    (void)state;
    assert_non_null(px);
    for (i = 0; i < N; i++) {
        int pitch = 12 << i;

        if (lp_labels_new(&lb, SIDE, SIDE, &err)) fail_msg("%s", err.msg);
        for (y = 0; y < SIDE; y++)
            for (x = 0; x < SIDE; x++) {
                int dy = y % pitch - pitch / 2, dx = x % pitch - pitch / 2;
                int in = 9 * (dy * dy + dx * dx) < pitch * pitch;

                lb.data[y * SIDE + x] =
                    in ? (uint32_t)(y / pitch * (SIDE / pitch + 1) + x / pitch + 1) : 0;
                px[y * SIDE + x] = (float)in;
            }
        if (lp_train_image_make("disc", px, 1, &lb, &im[i], NULL, &err)) fail_msg("%s", err.msg);
        lp_labels_free(&lb);
    }
    assert_true(im[3].diameter > 4 * im[0].diameter);
    if (lp_train_init(nbase, 3, 30, 1, &w, &err)) fail_msg("%s", err.msg);
    assert_int_equal(o.bsize, 512); /* Cellpose's */
    assert_int_equal(o.epochs, 10);
    o.bsize = 64;
    o.threads = 1;
    o.stop = never;
    if (lp_train_size(&set, &o, w, &r, &err)) fail_msg("%s", err.msg);
    assert_true(r > 0.5 && r <= 1);
    assert_int_equal(w->size->n, 16);
    assert_int_equal(lp_weights_check(w, "w", &err), LP_OK);
    first = w->size;
    w->size = NULL;
    o.threads = 2;
    if (lp_train_size(&set, &o, w, NULL, &err)) fail_msg("%s", err.msg);
    for (k = 0; k < 16; k++) assert_true(first->A[k] == w->size->A[k]);
    o.stop = later;
    assert_int_equal(lp_train_size(&set, &o, w, NULL, &err), LP_ESIGNAL);
    assert_non_null(w->size); /* the one before */
    lp_size_model_free(&first);
    lp_weights_free(&w);
    for (i = 0; i < N; i++) lp_train_image_free(&im[i]);
    free(px);
}

static const char *const path[] = {"d/a.tif", "d/b.tif", "d/c.png"};

static lp_status probs(const char *text, double *sum, int *extra)
{
    return lp_train_probs_parse(text, strlen(text), path, 3, sum, extra, NULL, &err);
}

static void test_probs(void **state)
{
    static const struct {
        const char *text;
        lp_status st;
        const char *says;
    } bad[] = {{"", LP_EARG, "d/a.tif"},
               {"a,1\nb,1\n", LP_EARG, "d/c.png"},
               {"a,1\nb,x\nc,1", LP_EFORMAT, "line 2"},
               {"a,1\nb,nan\nc,1", LP_EFORMAT, "line 2"},
               {"a,1\nb\nc,1", LP_EFORMAT, "line 2"},
               {"a,1\n,3\nc,1", LP_EFORMAT, "line 2"},
               {"a,1\nb,1\nc,-1", LP_EFORMAT, "line 3"},
               {"a,1\nb,1\nc,1\na.tif,2", LP_EFORMAT, "line 4"},
               {"a,0\nb,0\nc,0", LP_EARG, "0"},
               {"a,1e308\nb,1e308\nc,1e308", LP_EARG, "inf"}};
    double sum[3];
    int extra;
    size_t k;

    (void)state;
    if (probs("name,weight\r\n\r\n\"b.tif\", 3\r\nx,4\r\nd/a.tif,1\r\nd/c,0\r\n", sum, &extra))
        fail_msg("%s", err.msg);
    LP_ASSERT_CLOSE(sum[0], 0.25, 1e-15, 0);
    assert_true(sum[1] == 1 && sum[2] == 1);
    assert_int_equal(extra, 1);
    for (k = 0; k < sizeof bad / sizeof *bad; k++) {
        sum[0] = 7;
        assert_int_equal(probs(bad[k].text, sum, &extra), bad[k].st);
        if (!strstr(err.msg, bad[k].says)) fail_msg("%s: %s", bad[k].text, err.msg);
        assert_true(sum[0] == 7);
    }
}

/* 4000 draws: each share within 4 standard deviations, a weight of 0 never. */
static void test_draw(void **state)
{
    enum { N = 4000 };
    static const double sum[4] = {0.1, 0.1, 0.4, 1}, share[4] = {0.1, 0, 0.3, 0.6};
    int order[N], again[N], count[4] = {0}, i;

    (void)state;
    lp_train_order_weighted(order, 5, 1, sum, 4, N);
    lp_train_order_weighted(again, 5, 1, sum, 4, N);
    assert_memory_equal(order, again, sizeof order);
    lp_train_order_weighted(again, 5, 2, sum, 4, N);
    assert_memory_not_equal(order, again, sizeof order);
    for (i = 0; i < N; i++) count[order[i]]++;
    for (i = 0; i < 4; i++)
        LP_ASSERT_CLOSE(count[i], N * share[i], 4 * sqrt(N * share[i] * (1 - share[i])), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_probs),
        cmocka_unit_test(test_draw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
