#include "host/eval_target.h"
#include "lp_test.h"

static lp_target target(const char *text)
{
    lp_target t;
    lp_err err;

    if (lp_target_parse(text, &t, &err)) fail_msg("%s", err.msg);
    return t;
}

static void text(void **state)
{
    static const char *const good[] = {"f1", "f2", "precision=0.9", "recall=1",
                                       "precision=0.123456789"};
    static const char *const bad[] = {
        "",           "f",          "f1=",         "f1=0.5",       "f3",
        "precision",  "precision=", "precision=x", "recall=0",     "recall=1.01",
        "recall=nan", "recall=-1",  "recall=1x",   "precision =1", "Recall=0.5",
        "f1 "};
    char buf[32];
    size_t i;
    lp_target t;
    lp_err err;

    (void)state;
    for (i = 0; i < sizeof good / sizeof *good; i++)
        assert_string_equal(lp_target_text(buf, target(good[i])), good[i]);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (lp_target_parse(bad[i], &t, &err) != LP_EARG) fail_msg("'%s' was taken", bad[i]);
        assert_non_null(strstr(err.msg, "--target"));
    }
}

/* 100 true particles; threshold, predicted, right. */
static const lp_target_point curve[] = {
    {0, 100, 200, 90}, {1, 100, 120, 84}, {2, 100, 100, 80}, {3, 100, 80, 75},
    {4, 100, 50, 46},  {5, 100, 20, 18},  {6, 100, 2, 1},    {7, 100, 0, 0},
};
enum { N = sizeof curve / sizeof *curve };

static double pick(const char *t, int *reached)
{
    return curve[lp_target_pick(curve, N, target(t), reached)].threshold;
}

static void picks(void **state)
{
    int reached;

    (void)state;
    assert_true(pick("f1", &reached) == 3 && reached); /* 150/180 */
    assert_true(pick("f2", &reached) == 1 && reached); /* 420/520 against 450/600 and 400/500 */
    /* 0.90 at 5, 0.92 at 4, 0.9375 at 3, 0.8 at 2; the 1 of 2 at 6 is the end of the curve. */
    assert_true(pick("precision=0.9", &reached) == 3 && reached);
    assert_true(pick("precision=0.8", &reached) == 2 && reached);
    assert_true(pick("precision=0.45", &reached) == 0 && reached);
    assert_true(pick("precision=0.91", &reached) == 3 && !reached); /* not at 5: the best */
    assert_true(pick("precision=0.95", &reached) == 3 && !reached);
    assert_true(pick("recall=0.8", &reached) == 2 && reached);
    assert_true(pick("recall=0.9", &reached) == 0 && reached);
    assert_true(pick("recall=0.91", &reached) == 0 && !reached);
    assert_true(pick("recall=0.001", NULL) == 6);
}

/* Of those that find the same the middle one; nothing right at all; nothing at all. */
static void flat(void **state)
{
    const lp_target_point same[3] = {{0, 10, 10, 9}, {1, 10, 10, 9}, {2, 10, 10, 9}};
    const lp_target_point wrong[2] = {{0, 10, 5, 0}, {1, 10, 0, 0}};
    const lp_target_point none[1] = {{0, 0, 0, 0}};
    const lp_target_point few[4] = {{0, 9, 9, 7}, {1, 9, 6, 5}, {2, 9, 4, 4}, {3, 9, 3, 2}};
    int reached;

    (void)state;
    /* Few: the end begins where less than half of the 7 is left. */
    assert_int_equal(lp_target_pick(few, 4, target("precision=0.95"), &reached), 2);
    assert_true(reached);
    assert_int_equal(lp_target_pick(few, 4, target("precision=0.8"), &reached), 1);
    assert_true(reached);
    assert_int_equal(lp_target_pick(same, 3, target("f1"), &reached), 1);
    assert_int_equal(lp_target_pick(same, 3, target("precision=0.9"), &reached), 1);
    assert_true(reached);
    assert_int_equal(lp_target_pick(same, 3, target("recall=0.9"), &reached), 1);
    assert_int_equal(lp_target_pick(same, 2, target("recall=0.9"), &reached), 0);
    assert_true(reached);
    assert_int_equal(lp_target_pick(wrong, 2, target("precision=0.1"), &reached), 0);
    assert_false(reached);
    assert_int_equal(lp_target_pick(none, 1, target("recall=0.5"), &reached), 0);
    assert_false(reached);
    assert_true(lp_target_precision(none) == 0 && lp_target_recall(none) == 0 &&
                lp_target_f1(none) == 0);
}

/* Particles of one image: support falling, hit or not. */
static lp_sweep_image image(int nt, int np, const double *key, const char *hit)
{
    lp_sweep_image im = {.nt = nt, .np = np};
    int i;

    im.diameter_true = calloc((size_t)nt + 1, sizeof(double));
    im.key = malloc(((size_t)np + 1) * sizeof *im.key);
    im.hit = malloc(((size_t)np + 1) * sizeof *im.hit);
    assert_true(im.diameter_true && im.key && im.hit);
    for (i = 0; i < nt; i++) im.diameter_true[i] = 20;
    for (i = 0; i < np; i++) {
        im.key[i] = key[i];
        im.hit[i] = hit[i] == '1' ? 0x3ff : 0;
    }
    return im;
}

/* Two images that want different thresholds: each is judged at the other's. */
static void leave_one_out(void **state)
{
    const double a[] = {5, 3.02, 2}, b[] = {5, 1.02, 1};
    lp_sweep_image im[2] = {image(2, 3, a, "110"), image(2, 3, b, "110")};
    const lp_sweep_image *ptr[2] = {&im[0], &im[1]};
    lp_target_point out;
    lp_sweep s;
    lp_err err;
    double lo, hi;

    (void)state;
    if (lp_sweep_new(ptr, 2, LP_MERGE_SCALE, &s, &err)) fail_msg("%s", err.msg);
    if (lp_target_leave_one_out(ptr, 2, &s, target("f1"), &out, &lo, &hi, &err))
        fail_msg("%s", err.msg);
    /* Without the first, 1 is best: the first then has its false one too. Without the second,
     * 2 to 3 are best, the middle of which is taken: the second then has one particle. */
    assert_true(lo == 1 && hi > 2.4 && hi < 2.6);
    assert_int_equal(out.n_true, 4);
    assert_int_equal(out.n_pred, 3 + 1);
    assert_int_equal(out.tp, 2 + 1);
    assert_true(isnan(out.threshold));
    lp_sweep_free(&s);
    lp_sweep_image_free(&im[0]);
    lp_sweep_image_free(&im[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text), cmocka_unit_test(picks),
                                       cmocka_unit_test(flat), cmocka_unit_test(leave_one_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
