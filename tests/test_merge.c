/* Merging over diameters: what must hold for any masks, and cases worked by hand. */
#include "lp_test.h"

#include <omp.h>

#include "host/merge.h"
#include "host/rng.h"

enum { LY = 120, LX = 140, NPX = LY * LX };

static void disc(uint32_t *lb, double cy, double cx, double r, uint32_t l)
{
    int y, x;

    for (y = 0; y < LY; y++)
        for (x = 0; x < LX; x++)
            if ((y - cy) * (y - cy) + (x - cx) * (x - cx) < r * r) lb[y * LX + x] = l;
}

static lp_layers *layers_new(void)
{
    lp_layers *s = NULL;

    assert_int_equal(lp_layers_new(LY, LX, &s, NULL), LP_OK);
    return s;
}

static void add(lp_layers *s, double d, const uint32_t *lb, uint32_t n)
{
    assert_int_equal(lp_layers_add(s, d, lb, n, NULL, NULL, NULL), LP_OK);
}

/* Scenes as a network gives them: each diameter sees most particles near its size, shifted and
 * resized a little, later ones over earlier ones, and some that are not there. */
enum { N_SCENE = 9 };
static double scene_diameter(int i)
{
    return 10 * pow(1.25, i);
}
static uint32_t scene_labels(uint32_t *lb, int seed, int i)
{
    lp_rng place, own;
    uint32_t n = 0;
    int k;

    lp_rng_init(&place, (uint64_t)seed, 0, 0);
    lp_rng_init(&own, (uint64_t)seed, 1, (uint32_t)i);
    memset(lb, 0, NPX * sizeof *lb);
    for (k = 0; k < 24; k++) {
        double cy = lp_rng_uniform(&place) * LY, cx = lp_rng_uniform(&place) * LX;
        double r = 4 + 16 * lp_rng_uniform(&place), fit = fabs(log(2 * r / scene_diameter(i)));

        if (lp_rng_uniform(&own) < fit - 0.2) continue;
        disc(lb, cy + 2 * lp_rng_uniform(&own), cx + 2 * lp_rng_uniform(&own),
             r * (0.9 + 0.2 * lp_rng_uniform(&own)), ++n);
    }
    return n;
}
static lp_layers *scene(int seed, int backwards)
{
    static uint32_t lb[NPX];
    lp_layers *s = layers_new();
    int i;

    for (i = 0; i < N_SCENE; i++) {
        int k = backwards ? (i * 5 + 7) % N_SCENE : i;

        add(s, scene_diameter(k), lb, scene_labels(lb, seed, k));
    }
    return s;
}

static lp_merge_options options(lp_merge_method m, double t)
{
    lp_merge_options o = lp_merge_defaults();

    o.method = m;
    o.threshold = t;
    return o;
}

static lp_merged merge(const lp_layers *s, const lp_merge_options *o)
{
    lp_merged m = {0};
    uint32_t *seen, l;
    lp_err err;
    int i;

    if (lp_merge(s, o, &m, &err)) fail_msg("%s", err.msg);
    /* Every particle has pixels, every label a particle. */
    seen = calloc(m.n + (size_t)1, sizeof *seen);
    assert_non_null(seen);
    for (i = 0; i < m.Ly * m.Lx; i++) {
        assert_true(m.masks[i] <= m.n);
        seen[m.masks[i]]++;
    }
    for (l = 1; l <= m.n; l++) assert_true(seen[l] > 0);
    free(seen);
    for (l = 0; l < m.n; l++) {
        const lp_merged_particle *p = &m.particle[l];

        assert_true(p->support > p->level && p->n_diameters > 0);
        assert_true(p->diameter_min <= p->diameter_max);
        if (l) assert_true(p[-1].level >= p->level);
    }
    return m;
}

static void same(const lp_merged *a, const lp_merged *b)
{
    uint32_t l;

    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->masks, b->masks, NPX * sizeof *a->masks);
    for (l = 0; l < a->n; l++) {
        const lp_merged_particle *p = &a->particle[l], *q = &b->particle[l];

        assert_true(p->support == q->support && p->level == q->level);
        assert_int_equal(p->n_diameters, q->n_diameters);
        assert_true(p->diameter_min == q->diameter_min && p->diameter_max == q->diameter_max);
    }
}

static void lower_threshold_only_adds(void **state)
{
    int method, seed, k;

    (void)state;
    for (method = 0; method < 3; method++)
        for (seed = 1; seed <= 6; seed++) {
            lp_layers *s = scene(seed, 0);
            lp_merged high = {0};
            uint32_t most = 0;

            for (k = 40; k >= 0; k--) {
                lp_merge_options o = options((lp_merge_method)method, k * 0.2);
                lp_merged low = merge(s, &o);
                uint32_t l;
                int i;

                assert_true(low.n >= high.n);
                for (i = 0; high.masks && i < NPX; i++) {
                    if (high.masks[i]) assert_int_equal(low.masks[i], high.masks[i]);
                    if (low.masks[i] && low.masks[i] <= high.n)
                        assert_int_equal(low.masks[i], high.masks[i]);
                }
                for (l = 0; l < high.n; l++)
                    assert_true(low.particle[l].support == high.particle[l].support);
                lp_merged_free(&high);
                high = low;
                most = low.n;
            }
            assert_true(most > 5);
            lp_merged_free(&high);
            lp_layers_free(&s);
        }
}

static void empty_top_level(void **state)
{
    int method;

    (void)state;
    for (method = 0; method < 3; method++) {
        lp_layers *s = scene(3, 0);
        lp_merge_options a = options((lp_merge_method)method, NAN), b;
        lp_merged x, y;

        a.n_levels = 3;
        a.levels[0] = 6;
        a.levels[1] = 2;
        a.levels[2] = 0;
        b = a;
        b.n_levels = 4;
        b.levels[0] = 1000;
        memcpy(b.levels + 1, a.levels, 3 * sizeof *a.levels);
        x = merge(s, &a);
        y = merge(s, &b);
        assert_true(x.n > 5);
        same(&x, &y);
        lp_merged_free(&x);
        lp_merged_free(&y);
        lp_layers_free(&s);
    }
}

static void order_and_threads(void **state)
{
    int method, seed, before = omp_get_max_threads();

    (void)state;
    for (method = 0; method < 3; method++)
        for (seed = 1; seed <= 4; seed++) {
            lp_layers *s = scene(seed, 0), *r = scene(seed, 1);
            lp_merge_options o = options((lp_merge_method)method, NAN);
            lp_merged a, b;

            omp_set_num_threads(1);
            a = merge(s, &o);
            omp_set_num_threads(3);
            b = merge(r, &o);
            omp_set_num_threads(before);
            same(&a, &b);
            lp_merged_free(&a);
            lp_merged_free(&b);
            lp_layers_free(&s);
            lp_layers_free(&r);
        }
}

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

/* The mask of the right diameter wins over its parts and a blob around it. */
static void scale_prefers_the_fitting(void **state)
{
    static uint32_t lb[NPX];
    lp_layers *s = layers_new();
    lp_merge_options o = options(LP_MERGE_SCALE, 1);
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
    add(s, 50, lb, 1);
    m = merge(s, &o);
    assert_int_equal(m.n, 1);
    memset(lb, 0, sizeof lb);
    disc(lb, 60, 60, 15, 1);
    assert_memory_equal(m.masks, lb, sizeof lb);
    assert_true(m.particle[0].diameter_min == 30 && m.particle[0].diameter_max == 33);
    lp_merged_free(&m);
    lp_layers_free(&s);
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
        LP_ASSERT_CLOSE(m.particle[0].support, 8.0862, 0, 0.01);
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

static void nothing_found(void **state)
{
    static uint32_t lb[NPX];
    int method;

    (void)state;
    for (method = 0; method < 3; method++) {
        lp_layers *s = layers_new();
        lp_merge_options o = options((lp_merge_method)method, NAN);
        lp_merged m = merge(s, &o);

        assert_int_equal(m.n, 0);
        assert_non_null(m.particle);
        lp_merged_free(&m);
        add(s, 30, lb, 0);
        add(s, 40, lb, 3); /* labels without pixels */
        m = merge(s, &o);
        assert_int_equal(m.n, 0);
        lp_merged_free(&m);
        lp_layers_free(&s);
    }
}

static void bad_options(void **state)
{
    lp_layers *s = layers_new();
    lp_merged m = {0};
    lp_err err;
    int k;

    (void)state;
    for (k = 0; k < 9; k++) {
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
        lp_merged m = merge(s, &o);

        assert_int_equal(m.n, 1);
        /* 30 is midway between 25 and 36; the disc's diameter is 30 within its pixels. */
        LP_ASSERT_CLOSE(m.particle[0].flow_error, 0.2, method ? 1e-6 : 4e-3, 0);
        LP_ASSERT_CLOSE(m.particle[0].cellprob, 3, method ? 1e-6 : 4e-2, 0);
        lp_merged_free(&m);
    }
    lp_layers_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_threshold_only_adds),
        cmocka_unit_test(empty_top_level),
        cmocka_unit_test(order_and_threads),
        cmocka_unit_test(copies),
        cmocka_unit_test(votes_by_hand),
        cmocka_unit_test(touching),
        cmocka_unit_test(scale_prefers_the_fitting),
        cmocka_unit_test(spacing),
        cmocka_unit_test(gaps_and_levels),
        cmocka_unit_test(nothing_found),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
