/* Folds: how images are dealt, and what the folds add up to. What runs them: cli/crossval.sh. */
#include "host/crossval.h"
#include "lp_test.h"

enum { N = 23 };

static void deal(uint64_t seed, int n_folds, int *particles, int *fold)
{
    lp_err err;
    int i;

    for (i = 0; i < N; i++) particles[i] = (i * 7) % N; /* all different */
    if (lp_crossval_deal(particles, N, n_folds, seed, fold, &err)) fail_msg("%s", err.msg);
}

static void test_deal(void **state)
{
    static const int folds[] = {2, 3, 5, 23};
    int particles[N], fold[N], again[N], other[N], count[N];
    size_t k;
    int i;

    (void)state;
    for (k = 0; k < sizeof folds / sizeof *folds; k++) {
        int n = folds[k], row;

        deal(1, n, particles, fold);
        deal(1, n, particles, again);
        assert_memory_equal(fold, again, sizeof fold);
        deal(2, n, particles, other);
        assert_memory_not_equal(fold, other, sizeof fold);
        memset(count, 0, sizeof count);
        for (i = 0; i < N; i++) {
            assert_true(fold[i] >= 0 && fold[i] < n);
            count[fold[i]]++;
        }
        for (i = 0; i < n; i++) assert_in_range(count[i], N / n, (N + n - 1) / n);
        /* The n most crowded images are in n folds, and so the next n. */
        for (row = 0; (row + 1) * n <= N; row++) {
            int seen[N] = {0};

            for (i = 0; i < N; i++)
                if ((N - 1 - particles[i]) / n == row) seen[fold[i]]++;
            for (i = 0; i < n; i++) assert_int_equal(seen[i], 1);
        }
    }
}

static void test_stat(void **state)
{
    const double v[] = {1, 2, 4, NAN};
    lp_cv_stat s = lp_cv_over(v, 3);

    (void)state;
    LP_ASSERT_CLOSE(s.mean, 7.0 / 3, 1e-15, 0);
    LP_ASSERT_CLOSE(s.sd, 1.5275252316519465, 1e-15, 0);
    assert_true(isnan(lp_cv_over(v, 4).mean));
    assert_true(isnan(lp_cv_over(v, 1).sd));
}

/* An image with n_true particles and predictions of falling support, right or wrong. */
static lp_sweep_image image(int n_true, int np, const double *key, const int *right,
                            const double *size, int tp_median)
{
    lp_sweep_image im = {.nt = n_true, .np = np, .n_single = 3};
    int i, k;

    im.diameter_true = calloc((size_t)n_true, sizeof(double));
    im.key = calloc((size_t)np + 1, sizeof(double));
    im.hit = calloc((size_t)np + 1, sizeof(uint16_t));
    im.diameter = calloc(3, sizeof(double));
    im.single = calloc(3, sizeof *im.single);
    assert_true(im.diameter_true && im.key && im.hit && im.diameter && im.single);
    for (i = 0; i < n_true; i++) im.diameter_true[i] = 20;
    for (i = 0; i < np; i++) {
        im.key[i] = key[i];
        im.hit[i] = right[i] ? 0x3ff : 0;
    }
    for (i = 0; i < 3; i++) {
        im.diameter[i] = size[i];
        im.single[i].n_true = n_true;
        im.single[i].n_pred = 4;
        for (k = 0; k < LP_EVAL_NTH; k++) im.single[i].tp[k] = i == 1 ? tp_median : 1;
    }
    return im;
}

static lp_eval_sweep sweep(lp_sweep_image im)
{
    lp_eval_sweep s = {.n = 1, .masks_at = 12};
    lp_err err;

    s.im = malloc(sizeof *s.im);
    s.ptr = malloc(sizeof *s.ptr);
    assert_true(s.im && s.ptr);
    s.im[0] = im;
    s.ptr[0] = s.im;
    if (lp_sweep_new(s.ptr, 1, LP_MERGE_SCALE, &s.all, &err)) fail_msg("%s", err.msg);
    return s;
}

static void test_score(void **state)
{
    static const double key[2][4] = {{19, 15, 13, 5}, {19, 15, 13, 5}};
    static const int right[2][4] = {{1, 1, 0, 0}, {1, 1, 1, 1}};
    lp_crossval_plan p = {.n_folds = 2, .size = {{10, 20, 30}, {11, 21, 31}}};
    lp_eval_sweep merged[2], cellpose[2];
    lp_crossval_scores s = {0};
    lp_cv_stat st;
    lp_err err;
    int f;

    (void)state;
    for (f = 0; f < 2; f++) {
        merged[f] = sweep(image(5, 4, key[f], right[f], p.size[f], 0));
        cellpose[f] = sweep(image(5, 0, NULL, NULL, p.size[f], 2 + f));
    }
    if (lp_crossval_score(&p, merged, cellpose, &s, &err)) fail_msg("%s", err.msg);

    /* At 12: three predictions in both folds; two and three are right. */
    st = lp_cv_stat_of(s.row[LP_CV_MERGED].fold, 2, LP_CV_PRECISION);
    LP_ASSERT_CLOSE(st.mean, (2.0 / 3 + 1) / 2, 1e-12, 0);
    LP_ASSERT_CLOSE(st.sd, (1 - 2.0 / 3) / sqrt(2), 1e-12, 0);
    st = lp_cv_stat_of(s.row[LP_CV_MERGED].fold, 2, LP_CV_RECALL);
    LP_ASSERT_CLOSE(st.mean, (0.4 + 0.6) / 2, 1e-12, 0);
    /* Cellpose at the median: four predictions, two and three right. */
    st = lp_cv_stat_of(s.row[LP_CV_MEDIAN].fold, 2, LP_CV_PRECISION);
    LP_ASSERT_CLOSE(st.mean, (0.5 + 0.75) / 2, 1e-12, 0);
    LP_ASSERT_CLOSE(s.row[LP_CV_MEDIAN].fold[1].at, 21, 0, 0);
    LP_ASSERT_CLOSE(s.row[LP_CV_SMALL].fold[0].at, 10, 0, 0);
    LP_ASSERT_CLOSE(s.row[LP_CV_LARGE].fold[1].at, 31, 0, 0);
    LP_ASSERT_CLOSE(s.gain[0].mean, (2.0 / 3 + 1 - 0.5 - 0.75) / 2, 1e-12, 0);
    LP_ASSERT_CLOSE(s.gain[1].mean, (0.4 + 0.6 - 0.4 - 0.6) / 2, 1e-12, 0);
    /* Each fold's threshold is the best of the other one: fold 0 takes all of it (below 5), fold 1
     * what keeps only the first two of fold 0 (13 to below 15, the middle of which is taken). */
    assert_true(s.row[LP_CV_CHOSEN].fold[0].at < 5);
    LP_ASSERT_CLOSE(s.row[LP_CV_CHOSEN].fold[1].at, 13.9, 1e-9, 0);
    assert_int_equal(s.row[LP_CV_CHOSEN].fold[0].sum.n_pred, 4);
    assert_int_equal(s.row[LP_CV_CHOSEN].fold[1].sum.n_pred, 2);
    /* Where nothing is left there is no precision. */
    assert_true(isnan(lp_cv_value(&s.curve[(size_t)(s.n_at - 1) * 2], LP_CV_PRECISION)));
    assert_true(s.n_at >= 200);
    lp_crossval_scores_free(&s);

    /* Runs of another plan. */
    p.size[1][1] = 22;
    assert_int_equal(lp_crossval_score(&p, merged, cellpose, &s, &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "fold 2"));
    for (f = 0; f < 2; f++) {
        lp_eval_sweep_free(&merged[f]);
        lp_eval_sweep_free(&cellpose[f]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deal),
        cmocka_unit_test(test_stat),
        cmocka_unit_test(test_score),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
