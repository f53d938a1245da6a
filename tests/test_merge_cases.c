/* Merging over diameters: cases worked by hand. */
#include "merge_scene.h"

#include "host/rng.h"

/* N copies of one mask, whatever the diameters: that mask at every level below N. */
static void copies(void **state)
{
    static uint32_t lb[NPX];
    int method, k, n = 7;
    lp_layers *s = layers_new();

    (void)state;
    disc(lb, 40, 50, 13, 1);
    for (k = 0; k < n; k++) add(s, 20 + k, lb, 1);
    for (method = 1; method < 3; method++)
        for (k = 0; k < n + 2; k++) {
            lp_merge_options o = options((lp_merge_method)method, k);
            lp_merged m;

            o.n_levels = 1;
            o.levels[0] = k;
            m = merge(s, &o);
            assert_int_equal(m.n, k < n);
            if (m.n) {
                assert_memory_equal(m.masks, lb, sizeof lb);
                assert_true(m.particle[0].support == n && m.particle[0].level == k);
                assert_int_equal(m.particle[0].n_diameters, n);
                assert_true(m.particle[0].diameter_min == 20 && m.particle[0].diameter_max == 26);
            }
            lp_merged_free(&m);
        }
    {
        lp_merge_options o = options(LP_MERGE_SCALE, 0.1);
        lp_merged m = merge(s, &o);

        assert_int_equal(m.n, 1);
        assert_memory_equal(m.masks, lb, sizeof lb);
        assert_int_equal(m.particle[0].n_diameters, n);
        lp_merged_free(&m);
    }
    lp_layers_free(&s);
}

static int in_box(int y, int x, int k)
{
    return y / 20 == k / 7 && x / 20 == k % 7 && y % 20 && x % 20;
}

/* Particles that never meet: votes are what counting per pixel gives. Boxes on a grid, each seen
 * by some diameters, cut by some. */
static void votes_by_hand(void **state)
{
    static uint32_t lb[NPX], v[NPX], want[NPX];
    static int votes[42][8];
    lp_layers *s = layers_new();
    lp_rng r;
    int i, k, p, t;

    (void)state;
    lp_rng_init(&r, 5, 0, 0);
    for (i = 0; i < 8; i++) {
        memset(lb, 0, sizeof lb);
        for (k = 0; k < 42; k++) {
            votes[k][i] = lp_rng_uniform(&r) < 0.5;
            for (p = 0; votes[k][i] && p < NPX; p++)
                if (in_box(p / LX, p % LX, k)) lb[p] = (uint32_t)k + 1;
        }
        for (p = 0; p < NPX; p++) v[p] += lb[p] != 0;
        add(s, 10 + 3 * i, lb, 42);
    }
    for (t = 0; t < 8; t++) {
        lp_merge_options o = options(LP_MERGE_VOTES, t);
        lp_merged m;
        uint32_t n = 0;

        o.n_levels = 1;
        o.levels[0] = t;
        m = merge(s, &o);
        memset(want, 0, sizeof want);
        for (k = 0; k < 42; k++) {
            uint32_t px = 0;

            for (p = 0; p < NPX; p++)
                if (in_box(p / LX, p % LX, k) && v[p] > (uint32_t)t) {
                    want[p] = n + 1;
                    px++;
                }
            if (px) {
                int total = 0;

                for (i = 0; i < 8; i++) total += votes[k][i];
                assert_int_equal(px, 19 * 19);
                assert_true(m.particle[n].support == total);
                assert_int_equal(m.particle[n].n_diameters, total);
                n++;
            }
        }
        assert_int_equal(m.n, n);
        assert_memory_equal(m.masks, want, sizeof want);
        lp_merged_free(&m);
    }
    lp_layers_free(&s);
}

/* Two halves that touch: one particle by votes, two by pairs and by scale. */
static void touching(void **state)
{
    static const uint32_t want[3] = {2, 1, 2};
    static uint32_t lb[NPX];
    lp_layers *s = layers_new();
    int method, i, p;

    (void)state;
    for (p = 0; p < NPX; p++)
        if (p / LX >= 30 && p / LX < 50 && p % LX >= 30 && p % LX < 70) lb[p] = 1 + (p % LX >= 50);
    for (i = 0; i < 5; i++) add(s, 20 + i, lb, 2);
    for (method = 0; method < 3; method++) {
        lp_merge_options o = options((lp_merge_method)method, 0);
        lp_merged m = merge(s, &o);

        assert_int_equal(m.n, want[method]);
        for (p = 0; p < NPX; p++) {
            assert_int_equal(!m.masks[p], !lb[p]);
        }
        if (want[method] == 2) assert_true(m.masks[40 * LX + 49] != m.masks[40 * LX + 50]);
        lp_merged_free(&m);
    }
    lp_layers_free(&s);
}

/* The mask of the right diameter wins over its parts and a blob around it whose flows are bad. */
static void scale_prefers_the_fitting(void **state)
{
    static uint32_t lb[NPX];
    lp_layers *s = layers_new();
    lp_merge_options o = options(LP_MERGE_SCALE, 1);
    float bad = 0.7f;
    lp_merged m;
    int p;

    (void)state;
    disc(lb, 60, 60, 15, 1);
    add(s, 30, lb, 1);
    add(s, 33, lb, 1);
    for (p = 0; p < NPX; p++) lb[p] = lb[p] ? 1 + (p % LX > 55) + (p % LX > 65) : 0;
    add(s, 12, lb, 3);
    memset(lb, 0, sizeof lb);
    disc(lb, 60, 60, 40, 1);
    assert_int_equal(lp_layers_add(s, 50, lb, 1, &bad, NULL, NULL), LP_OK);
    m = merge(s, &o);
    assert_int_equal(m.n, 1);
    memset(lb, 0, sizeof lb);
    disc(lb, 60, 60, 15, 1);
    assert_memory_equal(m.masks, lb, sizeof lb);
    assert_true(m.particle[0].diameter_min == 30 && m.particle[0].diameter_max == 33);
    lp_merged_free(&m);
    lp_layers_free(&s);
}

/* Of candidates of equal weight, that of the smaller diameter comes first, then the lower label.
 * Diameters of half and twice the size of a box weigh the same. Two boxes side by side at one of
 * them, one across both at the other: as the first it takes both, else it joins the lower label. */
static void ties(void **state)
{
    static uint32_t two[NPX], across[NPX];
    double d = 2 * sqrt(30 * 60 / 3.14159265358979323846);
    int turn, p;

    (void)state;
    for (p = 0; p < NPX; p++) {
        int x = p % LX, in = p / LX >= 30 && p / LX < 60;

        two[p] = in && x >= 10 && x < 130 ? 1 + (x >= 70) : 0;
        across[p] = in && x >= 40 && x < 100;
    }
    for (turn = 0; turn < 4; turn++) {
        lp_layers *s = layers_new();
        lp_merge_options o = options(LP_MERGE_SCALE, 0);
        lp_merged m;

        o.iou = 0.3; /* 30 of 90 columns */
        if (turn & 1) add(s, turn & 2 ? d / 2 : d * 2, two, 2);
        add(s, turn & 2 ? d * 2 : d / 2, across, 1);
        if (!(turn & 1)) add(s, turn & 2 ? d / 2 : d * 2, two, 2);
        m = merge(s, &o);
        if (turn & 2) {
            assert_int_equal(m.n, 2);
            assert_true(m.masks[45 * LX + 50] == 1 && m.masks[45 * LX + 120] == 2);
            assert_true(m.particle[0].n_diameters == 2 && m.particle[1].n_diameters == 1);
        } else {
            assert_int_equal(m.n, 1);
            assert_true(m.masks[45 * LX + 45] == 1 && m.masks[45 * LX + 95] == 1);
        }
        lp_merged_free(&m);
        lp_layers_free(&s);
    }
}

/* S of merge_support.h, of a lone particle of unknown flow error. */
static double agreement(double support)
{
    double z = -log(20 / support - 1);

    return exp((z - 4.2 + 8 * 0.2 - 1.8 * log(1.001)) / 0.2);
}

/* Supports do not depend on the spacing: a particle that every diameter finds. */
static void spacing(void **state)
{
    static const double step[] = {1.01, 1.03, 1.0806, 1.2, 1.4};
    static uint32_t lb[NPX];
    size_t k;

    (void)state;
    disc(lb, 60, 60, 25, 1);
    for (k = 0; k < sizeof step / sizeof *step; k++) {
        lp_layers *s = layers_new();
        lp_merge_options o = options(LP_MERGE_SCALE, 0.7);
        lp_merged m;
        double d;

        for (d = 15; d < 170; d *= step[k]) add(s, d, lb, 1);
        m = merge(s, &o);
        assert_int_equal(m.n, 1);
        /* sigma sqrt(2 pi) / g0; up to gaps of 1.3 sigma the sum is the integral to 1 %. */
        LP_ASSERT_CLOSE(agreement(m.particle[0].support), 8.0862, 0, 0.01);
        lp_merged_free(&m);
        lp_layers_free(&s);
    }
}

static void gaps_and_levels(void **state)
{
    static uint32_t lb[NPX];
    lp_layers *s = layers_new();
    lp_merge_options o = options(LP_MERGE_VOTES, NAN);
    double gap[32], level[LP_MERGE_MAX_LEVELS + 1], sum = 0;
    int i, n;

    (void)state;
    for (i = 0; i < 27; i++) add(s, 20 + 5 * i, lb, 0);
    lp_merge_gaps(s, gap);
    for (i = 0; i < 27; i++) sum += gap[i];
    /* The ends reach half a gap beyond 20 and 150. */
    LP_ASSERT_CLOSE(
        sum, 26 + log(25.0 / 20) / 2 / LP_MERGE_GAP + log(150.0 / 145) / 2 / LP_MERGE_GAP, 1e-9, 0);
    assert_int_equal(lp_merge_levels(s, &o, level, &n, NULL), LP_OK);
    assert_int_equal(n, 9);
    assert_true(level[0] == 20 && level[4] == 5 && level[8] == 0);
    o.threshold = 4;
    assert_int_equal(lp_merge_levels(s, &o, level, &n, NULL), LP_OK);
    assert_true(n == 5 && level[4] == 5);
    lp_layers_free(&s);

    s = layers_new();
    for (i = 0; i < 66; i++) add(s, 20 + 2 * i, lb, 0);
    o.threshold = NAN;
    assert_int_equal(lp_merge_levels(s, &o, level, &n, NULL), LP_OK);
    assert_true(level[0] == 50 && level[n - 1] == 0);
    lp_layers_free(&s);

    s = layers_new();
    add(s, 30, lb, 0);
    add(s, 30, lb, 0);
    lp_merge_gaps(s, gap);
    assert_true(gap[0] == 0.5 && gap[1] == 0.5);
    lp_layers_free(&s);
}

static void finds_nothing(const lp_layers *s, const lp_merge_options *o)
{
    lp_merged m = merge(s, o);

    assert_int_equal(m.n, 0);
    assert_non_null(m.particle);
    lp_merged_free(&m);
}

static void nothing_found(void **state)
{
    (void)state;
    scenes_of_nothing(finds_nothing);
}

static void bad_options(void **state)
{
    lp_layers *s = layers_new();
    lp_merged m = {0};
    lp_err err;
    int k;

    (void)state;
    for (k = 0; k < 12; k++) {
        lp_merge_options o = lp_merge_defaults();

        if (k == 0) o.threshold = -1;
        if (k == 1) o.threshold = INFINITY;
        if (k == 2) o.sigma = 0;
        if (k == 3) o.sigma = NAN;
        if (k == 4) o.iou = 0;
        if (k == 5) o.iou = 1.5;
        if (k == 6) o.method = (lp_merge_method)9;
        if (k == 7) o.n_levels = 2; /* 0, 0: not falling */
        if (k == 8) o.n_levels = LP_MERGE_MAX_LEVELS + 1;
        if (k == 9) o.flow_weight = NAN;
        if (k == 10) o.outline = 1;
        if (k == 11) o.outline = -0.1;
        assert_int_equal(lp_merge(s, &o, &m, &err), LP_EARG);
        assert_null(strchr(err.msg, '\n'));
        assert_null(m.masks);
    }
    assert_int_equal(lp_layers_add(s, NAN, NULL, 0, NULL, NULL, &err), LP_EARG);
    assert_int_equal(lp_layers_add(s, 0, NULL, 0, NULL, NULL, &err), LP_EARG);
    lp_layers_free(&s);
    assert_int_equal(lp_layers_new(0, 5, &s, &err), LP_EARG);
}

/* Flow error and cellprob: means over the candidates. */
static void features(void **state)
{
    static uint32_t lb[NPX];
    static float prob[NPX];
    float e1 = 0.1f, e2 = 0.3f;
    int method, p;
    lp_layers *s = layers_new();

    (void)state;
    disc(lb, 60, 60, 15, 1);
    for (p = 0; p < NPX; p++) prob[p] = 2;
    assert_int_equal(lp_layers_add(s, 25, lb, 1, &e1, prob, NULL), LP_OK);
    for (p = 0; p < NPX; p++) prob[p] = 4;
    assert_int_equal(lp_layers_add(s, 36, lb, 1, &e2, prob, NULL), LP_OK);
    for (method = 0; method < 3; method++) {
        lp_merge_options o = options((lp_merge_method)method, 0);
        lp_merged m;

        o.flow_weight = 0;
        m = merge(s, &o);
        assert_int_equal(m.n, 1);
        /* 30 is midway between 25 and 36; the disc's diameter is 30 within its pixels. */
        LP_ASSERT_CLOSE(m.particle[0].flow_error, 0.2, method ? 1e-6 : 4e-3, 0);
        LP_ASSERT_CLOSE(m.particle[0].cellprob, 3, method ? 1e-6 : 4e-2, 0);
        lp_merged_free(&m);
    }
    lp_layers_free(&s);
}

/* What the flow error takes from the support. */
static void flow_error_weighs(void **state)
{
    static uint32_t lb[NPX];
    double support[3];
    int k;

    (void)state;
    disc(lb, 60, 60, 15, 1);
    for (k = 0; k < 3; k++) {
        float e = k == 0 ? NAN : k == 1 ? 0 : 0.3f;
        lp_layers *s = layers_new();
        lp_merge_options o = options(LP_MERGE_SCALE, 0);
        lp_merged m;

        assert_int_equal(lp_layers_add(s, 30, lb, 1, &e, NULL, NULL), LP_OK);
        m = merge(s, &o);
        assert_int_equal(m.n, 1);
        support[k] = m.particle[0].support;
        lp_merged_free(&m);
        lp_layers_free(&s);
    }
    /* Alone, of a size that fits: S = exp(-2 e) but for the disc's pixels, c = 1. Unknown is 0.2.
     */
    for (k = 0; k < 3; k++) {
        double e = k == 0 ? 0.2 : k == 1 ? 0 : 0.3, s = k == 0 ? 0 : -2 * e;
        double z = 4.2 + 0.2 * s - 8 * e + 1.8 * log(1.001);

        LP_ASSERT_CLOSE(support[k], 20 / (1 + exp(-z)), 1e-3, 0);
    }
}

/* Numbers that no flow error can be: below zero is zero, whatever its size; infinite is no mask
 * where the error weighs, and one without support where it does not. */
static void impossible_flow_errors(void **state)
{
    static const float error[] = {0, -1, -1e30f, -INFINITY, INFINITY};
    static uint32_t lb[NPX];
    double support = 0;
    size_t k;
    int i;

    (void)state;
    disc(lb, 60, 60, 15, 1);
    for (k = 0; k < sizeof error / sizeof *error; k++) {
        lp_layers *s = layers_new();
        lp_merge_options o = options(LP_MERGE_SCALE, 0);
        lp_merged m;

        for (i = 0; i < 3; i++)
            assert_int_equal(lp_layers_add(s, 28 + 2 * i, lb, 1, &error[k], NULL, NULL), LP_OK);
        m = merge(s, &o);
        assert_int_equal(m.n, error[k] <= 0);
        if (!k) support = m.particle[0].support;
        if (m.n) assert_true(m.particle[0].support == support && m.particle[0].flow_error == 0);
        lp_merged_free(&m);
        o.flow_weight = 0;
        m = merge(s, &o);
        assert_int_equal(m.n, 1);
        assert_true(error[k] <= 0 ? m.particle[0].support >= support
                                  : m.particle[0].support < 1e-6);
        lp_merged_free(&m);
        lp_layers_free(&s);
    }
}

/* Two boxes that share 30 of 50 columns: all, the heavier one, or what both have. */
static void outline_share(void **state)
{
    static const struct {
        double share;
        int x0, x1;
    } want[] = {{0, 40, 90}, {0.5, 50, 90}, {0.7, 50, 80}};
    double d = 2 * sqrt(40 * 40 / 3.14159265358979323846);
    static uint32_t lb[NPX];
    lp_layers *s = layers_new();
    size_t k;
    int i, p;

    (void)state;
    for (i = 0; i < 2; i++) {
        for (p = 0; p < NPX; p++)
            lb[p] = p / LX >= 30 && p / LX < 70 && p % LX >= 40 + 10 * i && p % LX < 80 + 10 * i;
        add(s, i ? d : d * 1.1, lb, 1); /* weights 1 and 0.93 */
    }
    for (k = 0; k < sizeof want / sizeof *want; k++) {
        lp_merge_options o = options(LP_MERGE_SCALE, 0);
        lp_merged m;

        o.outline = want[k].share;
        m = merge(s, &o);
        assert_int_equal(m.n, 1);
        for (p = 0; p < NPX; p++)
            assert_int_equal(m.masks[p], p / LX >= 30 && p / LX < 70 && p % LX >= want[k].x0 &&
                                             p % LX < want[k].x1);
        lp_merged_free(&m);
    }
    lp_layers_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(votes_by_hand),
        cmocka_unit_test(touching),
        cmocka_unit_test(scale_prefers_the_fitting),
        cmocka_unit_test(spacing),
        cmocka_unit_test(gaps_and_levels),
        cmocka_unit_test(nothing_found),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(ties),
        cmocka_unit_test(outline_share),
        cmocka_unit_test(features),
        cmocka_unit_test(flow_error_weighs),
        cmocka_unit_test(impossible_flow_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
