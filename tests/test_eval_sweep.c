#include "eval_dense.h"
#include "host/eval_target.h"
#include "host/rng.h"
#include "host/write_sweep.h"
#include "merge_scene.h"

static lp_labels labels_of(const uint32_t *lb)
{
    lp_labels out;

    assert_int_equal(lp_labels_new(&out, LY, LX, NULL), LP_OK);
    memcpy(out.data, lb, NPX * sizeof *lb);
    return out;
}

static lp_sweep_image sweep(const lp_layers *s, const lp_labels *t, const lp_merge_options *o)
{
    lp_sweep_image im;
    lp_err err;

    if (lp_sweep_image_new(s, t, o, &im, &err)) fail_msg("%s", err.msg);
    return im;
}

/* The counts of eval.h for the same two label images. */
static lp_eval_counts count(const lp_labels *t, const lp_labels *p)
{
    lp_eval_overlap o;
    int32_t pred_of[200];
    lp_eval_counts c;
    lp_err err;

    if (lp_eval_overlap_new(t, p, &o, &err)) fail_msg("%s", err.msg);
    assert_true(o.nt <= 200);
    if (lp_eval_count(&o, t, p, 0.1, &c, pred_of, &err)) fail_msg("%s", err.msg);
    lp_eval_overlap_free(&o);
    return c;
}

static void same(const lp_eval_counts *a, const lp_eval_counts *b)
{
    int k;

    assert_int_equal(a->n_true, b->n_true);
    assert_int_equal(a->n_pred, b->n_pred);
    for (k = 0; k < LP_EVAL_NTH; k++) assert_int_equal(a->tp[k], b->tp[k]);
}

/* Discs of many sizes, drawn a little off at every diameter, that touch and cover each other. */
static lp_layers *scene(uint32_t seed, uint32_t *truth, int n_layers)
{
    lp_layers *s = layers_new();
    lp_rng rng;
    uint32_t *lb = malloc(NPX * sizeof *lb);
    double y[12], x[12], r[12];
    int i, k;

    assert_non_null(lb);
    lp_rng_init(&rng, seed, 1, 0);
    memset(truth, 0, NPX * sizeof *truth);
    for (i = 0; i < 12; i++) {
        y[i] = lp_rng_uniform(&rng) * LY;
        x[i] = lp_rng_uniform(&rng) * LX;
        r[i] = 4 + 12 * lp_rng_uniform(&rng);
        disc(truth, y[i], x[i], r[i], (uint32_t)i * 3 + 1); /* with gaps */
    }
    for (k = 0; k < n_layers; k++) {
        uint32_t n = 0;

        memset(lb, 0, NPX * sizeof *lb);
        for (i = 0; i < 14; i++) {
            int j = i % 12;

            if (lp_rng_uniform(&rng) < 0.3) continue;
            disc(lb, y[j] + 6 * lp_rng_uniform(&rng) - 3 + (i > 11) * 20, x[j], r[j] * 0.9, ++n);
        }
        add(s, 8 * pow(1.3, k), lb, n);
    }
    free(lb);
    return s;
}

/* At every threshold the counts are those of the masks that merging gives there. */
static void agrees_with_merge(void **state)
{
    static const lp_merge_method method[] = {LP_MERGE_SCALE, LP_MERGE_VOTES, LP_MERGE_AFFINITY};
    uint32_t *truth = malloc(NPX * sizeof *truth);
    int m, seed, found = 0;

    (void)state;
    for (m = 0; m < 3; m++)
        for (seed = 1; seed < 5; seed++) {
            lp_layers *s = scene((uint32_t)seed, truth, 6);
            lp_labels t = labels_of(truth);
            lp_merge_options o = options(method[m], 1.5);
            lp_sweep_image im = sweep(s, &t, &o);
            const lp_sweep_image *ptr = &im;
            lp_sweep all;
            lp_err err;
            int i;

            if (lp_sweep_new(&ptr, 1, method[m], &all, &err)) fail_msg("%s", err.msg);
            assert_true(all.n_points > (m ? 1 : 100));
            for (i = 0; i < all.n_points; i += m ? 1 : 7) {
                lp_merged merged;
                lp_labels p;
                lp_eval_counts c;

                o.threshold = all.point[i].at;
                merged = merge(s, &o);
                p = (lp_labels){merged.masks, LY, LX};
                c = count(&t, &p);
                same(&c, &all.point[i].sum);
                found += c.tp[0] > 0 && c.n_pred > c.tp[0];
                assert_int_equal(lp_sweep_n_at(&im, o.threshold), merged.n);
                if (merged.n == (uint32_t)im.np)
                    assert_memory_equal(merged.masks, im.masks, NPX * sizeof *im.masks);
                lp_merged_free(&merged);
            }
            /* Diameters one by one. */
            for (i = 0; i < s->n; i++) {
                lp_labels p;
                lp_eval_counts c;
                uint32_t l;
                uint64_t k;

                assert_int_equal(lp_labels_new(&p, LY, LX, NULL), LP_OK);
                for (l = 0; l < s->layer[i].masks.n; l++)
                    for (k = s->layer[i].masks.first[l]; k < s->layer[i].masks.first[l + 1]; k++) {
                        const lp_run *r = &s->layer[i].masks.run[k];
                        int x;

                        for (x = r->x0; x < r->x1; x++) p.data[r->y * LX + x] = l + 1;
                    }
                c = count(&t, &p);
                same(&c, &im.single[i]);
                same(&c, &all.single[i].sum);
                lp_labels_free(&p);
            }
            lp_sweep_free(&all);
            lp_sweep_image_free(&im);
            lp_labels_free(&t);
            lp_layers_free(&s);
        }
    assert_true(found > 10);
    free(truth);
}

/* IoU of exactly 1/2, where a particle has two possible partners. */
static void ties(void **state)
{
    uint32_t *lb = calloc(NPX, sizeof *lb), *truth = calloc(NPX, sizeof *truth);
    lp_layers *s = layers_new();
    lp_merge_options o = options(LP_MERGE_SCALE, 0);
    lp_sweep_image im;
    lp_labels t;
    lp_eval_counts c;
    int y, x;

    (void)state;
    for (y = 10; y < 30; y++)
        for (x = 10; x < 30; x++) {
            truth[y * LX + x] = x < 20 ? 1 : 2; /* one mask on both halves */
            lb[y * LX + x] = 1;
            truth[y * LX + x + 40] = 3; /* two masks, half each */
            lb[y * LX + x + 40] = x < 20 ? 2 : 3;
        }
    add(s, 20, lb, 3);
    t = labels_of(truth);
    im = sweep(s, &t, &o);
    c = lp_sweep_at(&im, 0);
    assert_int_equal(c.n_true, 3);
    assert_int_equal(c.n_pred, 3);
    assert_int_equal(c.tp[0], 2);
    assert_int_equal(c.tp[1], 0);
    same(&c, &im.single[0]);
    lp_sweep_image_free(&im);
    lp_labels_free(&t);
    lp_layers_free(&s);
    free(lb);
    free(truth);
}

/* Three particles of 20 px: found by one diameter that fits (support w g), one that does not, and
 * a false one; worked by hand. */
static void by_hand(void **state)
{
    uint32_t *a = calloc(NPX, sizeof *a), *b = calloc(NPX, sizeof *b), *t = calloc(NPX, sizeof *t);
    lp_layers *s = layers_new();
    lp_merge_options o = options(LP_MERGE_SCALE, NAN);
    lp_sweep_image im[2];
    const lp_sweep_image *ptr[2] = {&im[0], &im[1]};
    float error[3] = {0.1f, 0.41f, 0.4f};
    lp_labels truth, none;
    lp_sweep all;
    lp_err err;
    int last;

    (void)state;
    disc(t, 30, 30, 10, 1);
    disc(t, 30, 80, 10, 2);
    disc(t, 90, 30, 10, 9);
    disc(a, 30, 30, 10, 1);  /* at 20 px: particle 1, */
    disc(a, 90, 30, 10, 2);  /* particle 9 with a flow error that Cellpose drops, */
    disc(a, 90, 100, 10, 3); /* and one that is not there, which it keeps */
    disc(b, 30, 30, 10, 1);  /* at 40 px: particle 1 again */
    assert_int_equal(lp_layers_add(s, 20, a, 3, error, NULL, NULL), LP_OK);
    add(s, 40, b, 1);
    truth = labels_of(t);
    im[0] = sweep(s, &truth, &o);
    assert_int_equal(im[0].nt, 3);
    assert_int_equal(im[0].np, 3); /* particle 1 is best, then the false one, then 9 */
    assert_int_equal(im[0].hit[0], 0x3ff);
    assert_int_equal(im[0].hit[1], 0);
    assert_int_equal(im[0].hit[2], 0x3ff);
    assert_true(im[0].key[0] > im[0].key[1] && im[0].key[1] > im[0].key[2]);
    LP_ASSERT_CLOSE(im[0].diameter_true[1], 20, 0.3, 0);
    assert_int_equal(im[0].single[0].n_pred, 2); /* 0.41 is dropped, 0.4 is not */
    assert_int_equal(im[0].single[0].tp[0], 1);
    assert_int_equal(im[0].single[1].n_pred, 1);
    assert_int_equal(im[0].single[1].tp[9], 1);
    if (lp_sweep_new(ptr, 1, LP_MERGE_SCALE, &all, &err)) fail_msg("%s", err.msg);
    /* Precision 1 at recall 1/3, 1/2 there, then 2/3 at 2/3. */
    LP_ASSERT_CLOSE(all.area, 1.0 / 3 + 2.0 / 3 / 3, 1e-12, 0);
    assert_true(all.point[0].at == 0 && all.point[7].at == 0.7 && all.point[1].at == 0.1);
    assert_true(all.point[all.n_points - 1].at >= im[0].key[0]);
    assert_int_equal(all.point[0].sum.tp[0], 2);
    assert_int_equal(all.point[0].sum.n_pred, 3);
    LP_ASSERT_CLOSE(all.point[0].pooled.ap[0], 2.0 / 4, 1e-12, 0);
    last = all.n_points - 1;
    assert_int_equal(all.point[last].sum.n_pred, 0);
    assert_int_equal(all.n_single, 2);
    assert_int_equal(all.nearest[LP_SWEEP_SMALL], 0);
    assert_int_equal(all.n_smaller, 3); /* 305 px: 19.7 px */
    assert_int_equal(all.n_larger, 0);
    assert_int_equal(all.nearest[LP_SWEEP_LARGE], 0);
    LP_ASSERT_CLOSE(all.size[LP_SWEEP_MEDIAN], im[0].diameter_true[1], 1e-12, 0);
    /* AP 1/4 at 20 px, 1/3 at 40. */
    LP_ASSERT_CLOSE(all.own_median.pooled.ap[0], 1.0 / 4, 1e-12, 0);
    LP_ASSERT_CLOSE(all.best.pooled.ap[0], 1.0 / 3, 1e-12, 0);
    lp_sweep_free(&all);

    /* A second image without true particles: pooled counts add up, the mean has both. */
    memset(t, 0, NPX * sizeof *t);
    none = labels_of(t);
    im[1] = sweep(s, &none, &o);
    if (lp_sweep_new(ptr, 2, LP_MERGE_SCALE, &all, &err)) fail_msg("%s", err.msg);
    assert_int_equal(all.point[0].sum.n_pred, 6);
    assert_int_equal(all.point[0].sum.n_true, 3);
    LP_ASSERT_CLOSE(all.point[0].mean.ap[0], 2.0 / 4 / 2, 1e-12, 0);
    LP_ASSERT_CLOSE(all.point[last].mean.ap[0], 0, 1e-12, 0); /* the second has no score */
    LP_ASSERT_CLOSE(all.single[0].mean.precision[0], 1.0 / 2 / 2, 1e-12, 0);
    assert_int_equal(all.own_median.sum.n_pred, 4); /* of the median of all: 20 px */
    lp_sweep_free(&all);
    lp_sweep_image_free(&im[0]);
    lp_sweep_image_free(&im[1]);
    lp_labels_free(&truth);
    lp_labels_free(&none);
    lp_layers_free(&s);
    free(a);
    free(b);
    free(t);
}

/* Images whose diameters are not the same: a particle is beyond those of its own. */
static void own_diameters(void **state)
{
    static const double smallest[3] = {30, 10, 30};
    uint32_t *lb = calloc(NPX, sizeof *lb), *half = calloc(NPX, sizeof *half);
    lp_merge_options o = options(LP_MERGE_SCALE, NAN);
    lp_sweep_image im[3];
    const lp_sweep_image *ptr[3] = {&im[0], &im[1], &im[2]}, *alike[2] = {&im[0], &im[2]};
    lp_eval_sweep all = {.n = 0};
    lp_labels truth;
    char buf[200];
    lp_err err;
    int i;

    (void)state;
    assert_non_null(lb);
    assert_non_null(half);
    disc(lb, 30, 30, 10, 1);
    disc(lb, 30, 80, 10, 2);
    disc(half, 30, 30, 10, 1);
    disc(half, 100, 100, 10, 2);
    truth = labels_of(lb);
    for (i = 0; i < 3; i++) {
        lp_layers *s = layers_new();

        add(s, smallest[i], i == 1 ? half : lb, 2);
        add(s, 40, lb, 2);
        im[i] = sweep(s, &truth, &o);
        lp_layers_free(&s);
    }
    if (lp_sweep_new(ptr, 2, LP_MERGE_SCALE, &all.all, &err)) fail_msg("%s", err.msg);
    assert_int_equal(all.all.n_single, 1); /* both have 40 px alone */
    assert_true(all.all.n_smaller == 2 && all.all.n_larger == 0);
    assert_true(isnan(all.all.smallest) && all.all.largest == 40);
    assert_string_equal(lp_sweep_range_note(&all, buf),
                        "2 of 4 true particles are smaller than the smallest diameter of their "
                        "image, 0 larger than the largest, 40 px");
    /* 20 px particles, 40 px for all: too far while image 1 has 10 and 30 is nearer in image 0. */
    for (i = 0; i < LP_SWEEP_N_SIZES; i++) {
        const lp_sweep_point *p = &all.all.of_size[i];

        assert_int_equal(all.all.nearest[i], -1);
        assert_true(isnan(p->at) && p->sum.n_true == 4 && p->sum.n_pred == 4);
        assert_int_equal(p->sum.tp[0], 2 + 1); /* image 1: at 10 px one is missing, one elsewhere */
    }
    assert_true(*lp_sweep_nearest_note(&all, buf) == '*');
    lp_sweep_free(&all.all);
    /* The same nearest for all is no matter of each image. */
    if (lp_sweep_new(alike, 2, LP_MERGE_SCALE, &all.all, &err)) fail_msg("%s", err.msg);
    assert_true(all.all.nearest[0] == 0 && all.all.of_size[0].at == 30);
    assert_string_equal(lp_sweep_nearest_note(&all, buf), "");
    lp_sweep_free(&all.all);
    im[1].n_single = 0; /* of no diameters none is too large */
    if (lp_sweep_new(ptr, 3, LP_MERGE_SCALE, &all.all, &err)) fail_msg("%s", err.msg);
    assert_true(all.all.n_smaller == 4 && all.all.smallest == 30 && all.all.largest == 40);
    assert_string_equal(lp_sweep_range_note(&all, buf),
                        "4 of 6 true particles are smaller than the smallest diameter, 30 px, 0 "
                        "larger than the largest, 40 px");
    lp_sweep_free(&all.all);
    for (i = 0; i < 3; i++) lp_sweep_image_free(&im[i]);
    lp_labels_free(&truth);
    free(lb);
    free(half);
}

static void refused(void **state)
{
    lp_layers *s = layers_new();
    lp_merge_options o = options(LP_MERGE_SCALE, 0);
    lp_sweep_image im;
    lp_labels t;
    lp_sweep all;
    lp_err err;
    const lp_sweep_image *ptr = &im;

    (void)state;
    assert_int_equal(lp_labels_new(&t, LY, LX - 1, NULL), LP_OK);
    assert_int_equal(lp_sweep_image_new(s, &t, &o, &im, &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "120 x 139"));
    lp_labels_free(&t);
    assert_int_equal(lp_labels_new(&t, LY, LX, NULL), LP_OK);
    o.sigma = NAN;
    assert_int_equal(lp_sweep_image_new(s, &t, &o, &im, &err), LP_EARG);
    assert_int_equal(lp_sweep_new(&ptr, 0, LP_MERGE_SCALE, &all, &err), LP_EARG);
    o = lp_merge_defaults();
    im = sweep(s, &t, &o); /* no diameters, no particles */
    if (lp_sweep_new(&ptr, 1, LP_MERGE_SCALE, &all, &err)) fail_msg("%s", err.msg);
    assert_true(isnan(all.area) && isnan(all.size[0]) && all.nearest[0] == -1);
    assert_true(isnan(all.point[0].pooled.ap[0]));
    lp_sweep_free(&all);
    lp_sweep_image_free(&im);
    lp_labels_free(&t);
    lp_layers_free(&s);
}

static void is_cellpose(void **state)
{
    (void)state;
    assert_true(lp_sweep_is_cellpose(0.4, 0) && lp_sweep_is_cellpose(0.8, 0));
    assert_false(lp_sweep_is_cellpose(0, 0)); /* off: errors were not measured */
    assert_false(lp_sweep_is_cellpose(0.3, 0));
    assert_false(lp_sweep_is_cellpose(0.4, -1));
    assert_false(lp_sweep_is_cellpose(NAN, 0));
    assert_false(lp_sweep_is_cellpose(0.4, NAN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_merge), cmocka_unit_test(ties),
        cmocka_unit_test(by_hand),           cmocka_unit_test(own_diameters),
        cmocka_unit_test(refused),           cmocka_unit_test(is_cellpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
