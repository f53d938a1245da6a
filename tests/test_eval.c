#include "eval_dense.h"
#include "host/eval_boundary.h"
#include "host/rng.h"
#include "lp_h5.h"

/* Labels from rows of digits separated by '/'; '.' is background. */
static lp_labels from_text(const char *s)
{
    const char *slash = strchr(s, '/');
    int Lx = slash ? (int)(slash - s) : (int)strlen(s), Ly = (int)(strlen(s) + 1) / (Lx + 1), y, x;
    lp_labels lb;

    assert_int_equal(lp_labels_new(&lb, Ly, Lx, NULL), LP_OK);
    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++) {
            char c = s[y * (Lx + 1) + x];

            lb.data[y * Lx + x] = c == '.' ? 0 : (uint32_t)(c - '0');
        }
    return lb;
}

static lp_eval_counts count(const lp_labels *t, const lp_labels *p, lp_eval_overlap *o,
                            int32_t *pred_of)
{
    lp_eval_counts c;
    lp_err err;

    if (lp_eval_overlap_new(t, p, o, &err)) fail_msg("%s", err.msg);
    if (lp_eval_count(o, t, p, 0.1, &c, pred_of, &err)) fail_msg("%s", err.msg);
    return c;
}

static lp_eval_counts count_text(const char *truth, const char *pred)
{
    lp_labels t = from_text(truth), p = from_text(pred);
    lp_eval_overlap o;
    int32_t pred_of[64];
    lp_eval_counts c = count(&t, &p, &o, pred_of);

    lp_eval_overlap_free(&o);
    lp_labels_free(&t);
    lp_labels_free(&p);
    return c;
}

static void expect(const char *truth, const char *pred, int n_true, int n_pred, int tp50, int tp55,
                   int tp95)
{
    lp_eval_counts c = count_text(truth, pred);

    assert_int_equal(c.n_true, n_true);
    assert_int_equal(c.n_pred, n_pred);
    assert_int_equal(c.tp[0], tp50);
    assert_int_equal(c.tp[1], tp55);
    assert_int_equal(c.tp[9], tp95);
}

static void by_hand(void **state)
{
    (void)state;
    expect("11.22/11.22", "33.44/33.44", 2, 2, 2, 2, 2); /* other numbers */
    expect("11..", "1...", 1, 1, 1, 0, 0);               /* IoU 1/2 exactly */
    expect("111.", "1...", 1, 1, 0, 0, 0);               /* 1/3 */
    expect("11..", "12..", 1, 2, 1, 0, 0);               /* one truth, two halves */
    expect("12..", "11..", 2, 1, 1, 0, 0);               /* two truths in one */
    expect("1122", "1222", 2, 2, 2, 1, 0);               /* touching: 1/2 and 2/3 */
    expect("1111", "2345", 1, 4, 0, 0, 0);               /* in pieces of 1/4 */
    expect("11/..", "../11", 1, 1, 0, 0, 0);
    expect("..../....", "1.2./....", 0, 2, 0, 0, 0);
    expect("1.2./....", "..../....", 2, 0, 0, 0, 0);
    expect("...", "...", 0, 0, 0, 0, 0);
    expect("1", "1", 1, 1, 1, 1, 1);
    expect("1.1", "1.1", 1, 1, 1, 1, 1); /* a label in two pieces is one particle */
}

static void scores_by_hand(void **state)
{
    /* IoU 1, 2/3 and none; one truth is missed, one prediction false. */
    lp_eval_counts c = count_text("11.222.3./11......./.........", "11.22..../11......./......4..");
    lp_eval_scores s = lp_eval_score(&c);

    (void)state;
    LP_ASSERT_CLOSE(s.precision[LP_EVAL_50], 2 / 3., 1e-15, 0);
    LP_ASSERT_CLOSE(s.recall[LP_EVAL_50], 2 / 3., 1e-15, 0);
    LP_ASSERT_CLOSE(s.f1[LP_EVAL_50], 2 / 3., 1e-15, 0);
    LP_ASSERT_CLOSE(s.ap[LP_EVAL_50], 2 / 4., 1e-15, 0);
    LP_ASSERT_CLOSE(s.ap[LP_EVAL_75], 1 / 5., 1e-15, 0);
    LP_ASSERT_CLOSE(s.ap_mean, (4 * .5 + 6 * .2) / 10, 1e-15, 0); /* .5 .55 .6 .65; .7 ... .95 */
    LP_ASSERT_CLOSE(s.mean_iou, (1 + 2 / 3.) / 2, 1e-15, 0);
    LP_ASSERT_CLOSE(s.pq, (1 + 2 / 3.) / (2 + .5 + .5), 1e-15, 0);
    LP_ASSERT_CLOSE(s.aji, 6 / 9., 1e-15, 0);
}

static void centres(void **state)
{
    /* Centre of 1 in truth 1; of 2 (a split of truth 1) there too: a second one is false; of 3, a
     * ring's, in the hole, which truth 2 fills; 4 beside everything. */
    static const char truth[] = "111111...../111111..222/........222/........222/...........";
    static const char pred[] = "111222...../111222..333/........3.3/........333/4..........";
    static double yx[][2] = {{0, 0},    {1.49, 5.4}, {1.5, 0},     {3, 9},
                             {-0.6, 0}, {0, -0.4},   {1e300, NAN}, {100, 2}};
    lp_eval_counts c = count_text(truth, pred);
    lp_labels t = from_text(truth);
    lp_eval_overlap o;
    uint8_t found[2];
    int32_t hit[8];

    (void)state;
    assert_int_equal(c.n_true, 2);
    assert_int_equal(c.n_pred, 4);
    assert_int_equal(c.tp_centre, 2);
    LP_ASSERT_CLOSE(lp_eval_score(&c).centre_precision, 0.5, 0, 0);
    LP_ASSERT_CLOSE(lp_eval_score(&c).centre_ap, 0.5, 0, 0);
    assert_int_equal(lp_eval_overlap_new(&t, &t, &o, NULL), LP_OK);
    lp_eval_count_points(&o, &t, yx, 8, &c, found, hit);
    assert_int_equal(c.n_pred, 8);
    assert_int_equal(c.tp_centre, 2);
    assert_true(found[0] == 1 && found[1] == 1);
    assert_true(hit[0] == 0 && hit[1] == 0 && hit[2] == -1 && hit[3] == 1 && hit[6] == -1);
    assert_true(isnan(lp_eval_score(&c).ap[0]) && isnan(lp_eval_score(&c).boundary_f));
    LP_ASSERT_CLOSE(lp_eval_score(&c).centre_f1, 0.4, 1e-15, 0);
    lp_eval_count_points(&o, &t, yx + 2, 1, &c, found, hit); /* y 1.5 is row 2 */
    assert_int_equal(c.tp_centre, 0);
    lp_eval_count_points(&o, &t, yx + 1, 1, &c, found, hit);
    assert_true(c.tp_centre == 1 && found[0] == 1 && found[1] == 0);
    lp_eval_overlap_free(&o);
    lp_labels_free(&t);
}

static void nothing_there(void **state)
{
    lp_eval_counts none = count_text("...", "..."), missed = count_text("11.", "..."), sum = {0};
    lp_eval_counts right = count_text("11.", "11.");
    lp_eval_scores s[3], mean;

    (void)state;
    s[0] = lp_eval_score(&none);
    s[1] = lp_eval_score(&missed);
    s[2] = lp_eval_score(&right);
    assert_true(isnan(s[0].ap[0]) && isnan(s[0].precision[0]) && isnan(s[0].boundary_f));
    assert_true(s[1].ap[0] == 0 && s[1].precision[0] == 0 && s[1].boundary_f == 0);
    assert_true(s[2].ap[9] == 1 && s[2].boundary_f == 1 && s[2].aji == 1);
    mean = lp_eval_mean(s, 3);
    LP_ASSERT_CLOSE(mean.ap[0], 0.5, 0, 0); /* without the image that has no particle */
    mean = lp_eval_mean(s, 1);
    assert_true(isnan(mean.ap[0]) && isnan(mean.pq));
    lp_eval_add(&sum, &none);
    lp_eval_add(&sum, &missed);
    lp_eval_add(&sum, &right);
    s[0] = lp_eval_score(&sum);
    LP_ASSERT_CLOSE(s[0].recall[0], 0.5, 0, 0);
    LP_ASSERT_CLOSE(s[0].precision[0], 1, 0, 0);
}

static void gaps(void **state)
{
    static const uint32_t big[4] = {0, 7, 70000, UINT32_MAX};
    lp_labels t = from_text("111.22/111.22/333333"), p = from_text("111.22/111.22/333333");
    lp_eval_overlap o;
    int32_t pred_of[8];
    lp_eval_counts c;
    int i;

    (void)state;
    for (i = 0; i < 18; i++) p.data[i] = big[p.data[i]];
    c = count(&t, &p, &o, pred_of);
    assert_int_equal(c.n_true, 3);
    assert_int_equal(c.n_pred, 3);
    assert_int_equal(c.tp[9], 3);
    assert_int_equal(o.pred_id[2], UINT32_MAX);
    assert_int_equal(o.union_px, 16);
    lp_eval_overlap_free(&o);
    lp_labels_free(&t);
    lp_labels_free(&p);
}

static void sizes_differ(void **state)
{
    lp_labels t = from_text("11/11"), p = from_text("11.");
    lp_eval_overlap o;
    lp_err err;

    (void)state;
    memset(&o, 0x55, sizeof o);
    assert_int_equal(lp_eval_overlap_new(&t, &p, &o, &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "2 x 2"));
    assert_non_null(strstr(err.msg, "1 x 3"));
    assert_int_equal(o.nt, 0x55555555);
    lp_labels_free(&t);
    lp_labels_free(&p);
}

static void assignment(void **state)
{
    /* The best single pair is not in the best matching. */
    static const lp_eval_edge e[] = {{0, 0, .6}, {0, 1, .5}, {1, 0, .5}};
    /* Three truths want one prediction: two stay alone. */
    static const lp_eval_edge star[] = {{0, 0, .2}, {1, 0, .3}, {2, 0, .1}};
    int32_t m[4];

    (void)state;
    assert_int_equal(lp_eval_assign(e, 3, 2, 2, m, NULL), LP_OK);
    assert_int_equal(m[0], 1);
    assert_int_equal(m[1], 0);
    assert_int_equal(lp_eval_assign(star, 3, 4, 1, m, NULL), LP_OK);
    assert_int_equal(m[0], -1);
    assert_int_equal(m[1], 0);
    assert_int_equal(m[2], -1);
    assert_int_equal(m[3], -1);
    assert_int_equal(lp_eval_assign(e, 0, 0, 0, m, NULL), LP_OK);
}

/* Crowded blobs: nearest of k centres within a radius; gap > 0 leaves numbers out. */
static lp_labels blobs(lp_rng *r, int Ly, int Lx, int k, double radius, const double *from,
                       double shift, double *centres)
{
    lp_labels lb;
    int i, y, x;

    assert_int_equal(lp_labels_new(&lb, Ly, Lx, NULL), LP_OK);
    for (i = 0; i < k; i++) {
        centres[2 * i] =
            from ? from[2 * i] + (lp_rng_uniform(r) - .5) * shift : lp_rng_uniform(r) * Ly;
        centres[2 * i + 1] =
            from ? from[2 * i + 1] + (lp_rng_uniform(r) - .5) * shift : lp_rng_uniform(r) * Lx;
    }
    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++) {
            double best = radius;

            for (i = 0; i < k; i++) {
                double d = hypot(y - centres[2 * i], x - centres[2 * i + 1]);

                if (d >= best) continue;
                best = d;
                lb.data[y * Lx + x] = (uint32_t)(3 * i + 1);
            }
        }
    return lb;
}

static void check_against_dense(const lp_labels *t, const lp_labels *p)
{
    static const double more[] = {0.05, 0.1, 0.2, 1 / 3., 0.4, 0.45};
    lp_eval_overlap o;
    int32_t pred_of[256];
    lp_eval_counts c = count(t, p, &o, pred_of);
    double *iou = calloc((size_t)o.nt * o.np + 1, sizeof *iou), best, sum;
    int64_t tp, k;
    int i;

    for (k = 0; k < o.n; k++) iou[(size_t)o.pair[k].t * o.np + o.pair[k].p] = o.pair[k].iou;
    for (i = 0; i < LP_EVAL_NTH; i++)
        assert_int_equal(c.tp[i], dense_true_positive(iou, o.nt, o.np, LP_EVAL_TH(i), &best));
    for (i = 0; i < 6; i++) {
        int want = dense_true_positive(iou, o.nt, o.np, more[i], &best);

        assert_int_equal(lp_eval_matches(&o, more[i], NULL, pred_of, &tp, &sum, NULL), LP_OK);
        assert_int_equal(tp, want);
    }
    /* Over all pairs, the whole objective must be as good. */
    if (o.nt && o.np) {
        lp_eval_edge *e = malloc(((size_t)o.n + 1) * sizeof *e);
        int n_min = o.nt < o.np ? o.nt : o.np;
        double got = 0;

        for (k = 0; k < o.n; k++) {
            e[k].t = o.pair[k].t;
            e[k].p = o.pair[k].p;
            e[k].w = (o.pair[k].iou >= .3) + o.pair[k].iou / (2 * n_min);
        }
        assert_int_equal(lp_eval_assign(e, o.n, o.nt, o.np, pred_of, NULL), LP_OK);
        for (k = 0; k < o.n; k++)
            if (pred_of[e[k].t] == e[k].p) got += e[k].w;
        dense_true_positive(iou, o.nt, o.np, .3, &best);
        LP_ASSERT_CLOSE(got, best, 1e-9, 0); /* sums of up to 100 terms of order 1 */
        free(e);
    }
    free(iou);
    lp_eval_overlap_free(&o);
}

static void random_images(void **state)
{
    static const double shift[] = {0, 3, 8, 20};
    double a[200], b[200];
    int i;

    (void)state;
    for (i = 0; i < 60; i++) {
        lp_rng r;
        lp_labels t, p;
        int k = 1 + i * 3 / 2;

        lp_rng_init(&r, 1000 + (uint64_t)i, 0, 0);
        t = blobs(&r, 61, 83, k, 4 + i % 7, NULL, 0, a);
        p = i % 5 == 4 ? blobs(&r, 61, 83, k + 5 > 100 ? 100 : k / 2 + 1, 7, NULL, 0, b)
                       : blobs(&r, 61, 83, k - i % 3 * (k > 8), 4 + i % 5, a, shift[i % 4], b);
        check_against_dense(&t, &p);
        lp_labels_free(&t);
        lp_labels_free(&p);
    }
}

/* Many exact halves: 1 x 2 dominoes against single pixels and each other. */
static void random_ties(void **state)
{
    int i, x;

    (void)state;
    for (i = 0; i < 200; i++) {
        lp_rng r;
        lp_labels t, p;
        uint32_t a = 1, b = 1;

        lp_rng_init(&r, 7000 + (uint64_t)i, 0, 0);
        assert_int_equal(lp_labels_new(&t, 1, 24, NULL), LP_OK);
        assert_int_equal(lp_labels_new(&p, 1, 24, NULL), LP_OK);
        for (x = 0; x < 24; x++) {
            t.data[x] = a;
            p.data[x] = b;
            if (lp_rng_uniform(&r) < .6) a++;
            if (lp_rng_uniform(&r) < .6) b++;
        }
        check_against_dense(&t, &p);
        lp_labels_free(&t);
        lp_labels_free(&p);
    }
}

static int outline_brute(const lp_labels *lb, int y, int x)
{
    static const int dy[] = {-1, 1, 0, 0}, dx[] = {0, 0, -1, 1};
    uint32_t id = lb->data[y * lb->Lx + x];
    int k;

    for (k = 0; k < 4 && id; k++) {
        int v = y + dy[k], u = x + dx[k];

        if (v < 0 || u < 0 || v >= lb->Ly || u >= lb->Lx || lb->data[v * lb->Lx + u] != id)
            return 1;
    }
    return 0;
}

static int near_brute(const lp_labels *lb, int y, int x, double radius)
{
    int v, u;

    for (v = 0; v < lb->Ly; v++)
        for (u = 0; u < lb->Lx; u++)
            if (hypot(v - y, u - x) <= radius && outline_brute(lb, v, u)) return 1;
    return 0;
}

static void boundary_brute(void **state)
{
    static const double radius[] = {0, 1, 1.5, 2, 3.7, 5, 60};
    double a[40], b[40];
    lp_rng r;
    lp_labels t, p;
    int i, y, x;

    (void)state;
    lp_rng_init(&r, 5, 0, 0);
    t = blobs(&r, 31, 23, 9, 6, NULL, 0, a);
    p = blobs(&r, 31, 23, 8, 5, a, 3, b);
    for (i = 0; i < 7; i++) {
        int64_t c[3], want[3] = {0};

        assert_int_equal(lp_eval_boundary(&t, &p, radius[i], c, NULL), LP_OK);
        for (y = 0; y < 31; y++)
            for (x = 0; x < 23; x++) {
                int nt = near_brute(&t, y, x, radius[i]), np = near_brute(&p, y, x, radius[i]);

                want[0] += nt && np;
                want[1] += !nt && np;
                want[2] += nt && !np;
            }
        assert_memory_equal(c, want, sizeof c);
    }
    lp_labels_free(&t);
    lp_labels_free(&p);
}

/* Over the whole width and height: the image's border is outline, its inside is not. */
static void boundary_full(void **state)
{
    lp_labels t = from_text("1111/1111/1111/1111"), p = from_text("..../..../..../....");
    int64_t c[3];

    (void)state;
    assert_int_equal(lp_eval_boundary(&t, &p, 0, c, NULL), LP_OK);
    assert_int_equal(c[0], 0);
    assert_int_equal(c[1], 0);
    assert_int_equal(c[2], 12);
    assert_int_equal(lp_eval_boundary(&p, &t, 1, c, NULL), LP_OK);
    assert_int_equal(c[1], 16);
    lp_labels_free(&t);
    lp_labels_free(&p);
}

static void size_classes(void **state)
{
    /* Diameters: truth 2.26 (found), 1.13 (missed); prediction 1.95 (right), 1.13 (false). */
    lp_labels t = from_text("11.2./11.../....."), p = from_text("11.../1..../....4");
    lp_eval_class cls[3] = {{.min = 0, .max = 1.5}, {.min = 1.5, .max = 2}, {.min = 2}};
    lp_eval_overlap o;
    int32_t pred_of[8];

    (void)state;
    count(&t, &p, &o, pred_of);
    lp_eval_classify(&o, pred_of, NULL, cls, 3);
    assert_int_equal(cls[0].n_true, 1);
    assert_int_equal(cls[0].n_found, 0);
    assert_int_equal(cls[0].n_pred, 1);
    assert_int_equal(cls[0].n_right, 0);
    assert_int_equal(cls[1].n_true, 0);
    assert_int_equal(cls[1].n_right, 1);
    assert_int_equal(cls[2].n_true, 1);
    assert_int_equal(cls[2].n_found, 1);
    lp_eval_overlap_free(&o);
    lp_labels_free(&t);
    lp_labels_free(&p);
}

static lp_eval_counts golden_counts(const char *path, const char *name)
{
    hsize_t d[8];
    lp_labels t = {.data = lp_h5_u32(path, "labels", d)}, p = {.data = lp_h5_u32(path, name, d)};
    lp_eval_overlap o;
    int32_t pred_of[256];
    lp_eval_counts c;

    t.Ly = p.Ly = (int)d[0];
    t.Lx = p.Lx = (int)d[1];
    c = count(&t, &p, &o, pred_of);
    lp_eval_overlap_free(&o);
    lp_labels_free(&t);
    lp_labels_free(&p);
    return c;
}

static void golden(void **state)
{
    static const int at[3] = {LP_EVAL_50, LP_EVAL_75, LP_EVAL_90};
    lp_eval_counts c;
    lp_eval_scores s;
    hsize_t d[8];
    double *want, *aji;
    int i;
    LP_NEED_DATA(path, "golden/stages.h5");

    (void)state;
    want = lp_h5_double(path, "average_precision", d);
    aji = lp_h5_double(path, "aji", d);
    c = golden_counts(path, "masks_compute_masks");
    s = lp_eval_score(&c);
    for (i = 0; i < 3; i++) {
        LP_ASSERT_CLOSE(s.ap[at[i]], want[i], 1e-6, 0); /* float32 there */
        assert_int_equal(c.tp[at[i]], (int)want[3 + i]);
        assert_int_equal(c.n_pred - c.tp[at[i]], (int)want[6 + i]);
        assert_int_equal(c.n_true - c.tp[at[i]], (int)want[9 + i]);
    }
    LP_ASSERT_CLOSE(s.aji, *aji, 1e-12, 0);
    /* Gaps in the numbering are no false positives. */
    c = golden_counts(path, "masks_after_qc");
    assert_int_equal(c.n_pred, 70);
    assert_int_equal(c.tp[LP_EVAL_50], 70);
    /* Fragments: many pairs below IoU 0.5. From Cellpose 3.1.1.3. */
    c = golden_counts(path, "masks_from_seeds");
    s = lp_eval_score(&c);
    LP_ASSERT_CLOSE(s.ap[LP_EVAL_50], 0.3378378378, 1e-6, 0);
    LP_ASSERT_CLOSE(s.aji, 0.76804937, 1e-8, 0);
    free(want);
    free(aji);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),       cmocka_unit_test(scores_by_hand),
        cmocka_unit_test(centres),       cmocka_unit_test(nothing_there),
        cmocka_unit_test(gaps),          cmocka_unit_test(sizes_differ),
        cmocka_unit_test(assignment),    cmocka_unit_test(random_images),
        cmocka_unit_test(random_ties),   cmocka_unit_test(boundary_brute),
        cmocka_unit_test(boundary_full), cmocka_unit_test(size_classes),
        cmocka_unit_test(golden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
