#include <sys/stat.h>

#include "host/eval_files.h"
#include "host/eval_picks.h"
#include "host/eval_run.h"
#include "host/eval_support.h"
#include "tmp_dir.h"

/* Saved runs beside the masks, or instead of them. */
static void runs(void **state)
{
    char *t = lp_tmp_dir(), *p = lp_tmp_dir(), *list[3];
    lp_eval_files f;
    lp_err err;
    int i;

    (void)state;
    lp_tmp_touch(t, "a_labels.tif");
    lp_tmp_touch(t, "b_labels.tif");
    lp_tmp_touch(t, "c_labels.tif");
    lp_tmp_touch(p, "a_cp_masks.tif");
    lp_tmp_touch(p, "a_lipopose.h5");
    lp_tmp_touch(p, "a_particles.csv");
    lp_tmp_touch(p, "b_lipopose.h5");
    lp_tmp_touch(p, "b_particles.csv");
    lp_tmp_touch(p, "c_cp_masks.tif");
    lp_tmp_touch(p, "d_lipopose.h5");
    lp_tmp_touch(p, "_lipopose.h5");
    if (lp_eval_files_find(t, p, NULL, &f, &err)) fail_msg("%s", err.msg);
    assert_int_equal(f.n, 3);
    assert_string_equal(lp_tmp_base(f.item[0].pred), "a_cp_masks.tif");
    assert_string_equal(lp_tmp_base(f.item[0].run), "a_lipopose.h5");
    assert_string_equal(lp_tmp_base(f.item[0].table), "a_particles.csv");
    assert_string_equal(lp_tmp_base(f.item[1].pred), "b_lipopose.h5");
    assert_string_equal(lp_tmp_base(f.item[1].run), "b_lipopose.h5");
    assert_null(f.item[1].table); /* of masks that are not there */
    assert_string_equal(lp_tmp_base(f.item[2].pred), "c_cp_masks.tif");
    assert_null(f.item[2].run);
    assert_int_equal(f.n_extra, 1);
    assert_string_equal(lp_tmp_base(f.extra), "d_lipopose.h5");
    lp_eval_files_free(&f);

    for (i = 0; i < 3; i++) {
        list[i] = malloc(1100);
        assert_non_null(list[i]);
        sprintf(list[i], "%s/%c_lipopose.h5", p, "dba"[i]);
    }
    if (lp_eval_files_runs(t, list, 3, &f, &err)) fail_msg("%s", err.msg);
    assert_int_equal(f.n, 2); /* c has no run, d no truth */
    assert_string_equal(f.item[0].name, "a");
    assert_string_equal(lp_tmp_base(f.item[1].run), "b_lipopose.h5");
    assert_string_equal(lp_tmp_base(f.item[1].truth), "b_labels.tif");
    assert_int_equal(f.n_extra, 1);
    lp_eval_files_free(&f);
    assert_int_equal(lp_eval_files_runs(t, list, 1, &f, &err), LP_EARG);
    assert_non_null(strstr(err.msg, "d_labels.tif"));
    assert_int_equal(lp_eval_files_runs(t, list, 0, &f, &err), LP_EARG);
    sprintf(list[0], "%s/x/a_lipopose.h5", p); /* of two images called a, which is labelled? */
    assert_int_equal(lp_eval_files_runs(t, list, 3, &f, &err), LP_EARG);
    assert_non_null(strstr(err.msg, list[0]));
    assert_non_null(strstr(err.msg, list[2]));
    sprintf(list[0], "%s/x/d_lipopose.h5", p); /* without labels, names are free */
    sprintf(list[2], "%s/d_lipopose.h5", p);
    if (lp_eval_files_runs(t, list, 3, &f, &err)) fail_msg("%s", err.msg);
    assert_int_equal(f.n, 1);
    lp_eval_files_free(&f);
    for (i = 0; i < 3; i++) free(list[i]);
    assert_true(lp_eval_is_run("x/a_lipopose.h5") && !lp_eval_is_run("x/_lipopose.h5"));
    assert_false(lp_eval_is_run("a_lipopose.h5.gz"));
    lp_tmp_remove(t);
    lp_tmp_remove(p);
}

static void pairing(void **state)
{
    char *t = lp_tmp_dir(), *p = lp_tmp_dir(), *im = lp_tmp_dir();
    static const char *const truth[] = {"img10_masks.tif",   "img2_masks.tif",  "img2.png",
                                        "img2_cp_masks.tif", ".img9_masks.tif", "notes.txt"};
    static const char *const pred[] = {"img2_cp_masks.png",   "img2_cp_masks.tif",
                                       "img2_overlay.png",    "img2_particles.csv",
                                       "img10_particles.csv", "other_cp_masks.tif"};
    lp_eval_files f;
    lp_err err;
    size_t i;

    (void)state;
    for (i = 0; i < 6; i++) lp_tmp_touch(t, truth[i]);
    for (i = 0; i < 6; i++) lp_tmp_touch(p, pred[i]);
    lp_tmp_touch(im, "img2.mrc");
    lp_tmp_touch(im, "img2_masks.tif");
    if (lp_eval_files_find(t, p, im, &f, &err)) fail_msg("%s", err.msg);
    assert_int_equal(f.n, 2); /* img2.png is the micrograph of img2_masks.tif */
    assert_string_equal(f.item[0].name, "img2");
    assert_string_equal(lp_tmp_base(f.item[0].truth), "img2_masks.tif");
    assert_string_equal(lp_tmp_base(f.item[0].pred), "img2_cp_masks.tif");
    assert_string_equal(lp_tmp_base(f.item[0].table), "img2_particles.csv");
    assert_string_equal(lp_tmp_base(f.item[0].image), "img2.mrc");
    assert_string_equal(f.item[1].name, "img10");
    assert_null(f.item[1].pred);
    assert_null(f.item[1].table);
    assert_null(f.item[1].image);
    assert_int_equal(f.n_extra, 1);
    assert_string_equal(lp_tmp_base(f.extra), "other_cp_masks.tif");
    lp_eval_files_free(&f);
    /* One folder for both: _masks are the truth, _cp_masks the prediction. */
    if (lp_eval_files_find(t, t, NULL, &f, &err)) fail_msg("%s", err.msg);
    assert_string_equal(lp_tmp_base(f.item[0].truth), "img2_masks.tif");
    assert_string_equal(lp_tmp_base(f.item[0].pred), "img2_cp_masks.tif");
    lp_eval_files_free(&f);
    lp_tmp_remove(t);
    lp_tmp_remove(p);
    lp_tmp_remove(im);
}

static void plain_names(void **state)
{
    char *t = lp_tmp_dir(), *p = lp_tmp_dir();
    lp_eval_files f;
    lp_err err;

    (void)state;
    lp_tmp_touch(t, "a.b.png");
    lp_tmp_touch(t, "c.png");
    lp_tmp_touch(p, "a.b_cp_masks.tif");
    lp_tmp_touch(p, "c_labels.tif");
    if (lp_eval_files_find(t, p, NULL, &f, &err)) fail_msg("%s", err.msg);
    assert_int_equal(f.n, 2);
    assert_string_equal(lp_tmp_base(f.item[0].pred), "a.b_cp_masks.tif");
    assert_string_equal(lp_tmp_base(f.item[1].pred), "c_labels.tif");
    lp_eval_files_free(&f);
    /* Two files are a pair whatever they are called. */
    if (lp_eval_files_find(lp_tmp_path(t, "c.png"), lp_tmp_path(p, "a.b_cp_masks.tif"), NULL, &f,
                           &err))
        fail_msg("%s", err.msg);
    assert_int_equal(f.n, 1);
    assert_string_equal(lp_tmp_base(f.item[0].pred), "a.b_cp_masks.tif");
    assert_int_equal(f.n_extra, 0);
    lp_eval_files_free(&f);
    lp_tmp_remove(t);
    lp_tmp_remove(p);
}

static void pairing_errors(void **state)
{
    char *t = lp_tmp_dir(), *p = lp_tmp_dir();
    lp_eval_files f;
    lp_err err;

    (void)state;
    assert_int_equal(lp_eval_files_find(t, p, NULL, &f, &err), LP_EIO); /* empty */
    lp_tmp_touch(t, "x.png");
    assert_int_equal(lp_eval_files_find(t, p, NULL, &f, &err), LP_EIO);
    lp_tmp_touch(p, "y_cp_masks.tif");
    assert_int_equal(lp_eval_files_find(t, p, NULL, &f, &err), LP_EARG);
    assert_non_null(strstr(err.msg, "x_cp_masks.tif"));
    assert_int_equal(lp_eval_files_find(t, lp_tmp_path(p, "y_cp_masks.tif"), NULL, &f, &err),
                     LP_EARG);
    assert_int_equal(lp_eval_files_find(t, "/nonexistent/x", NULL, &f, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "/nonexistent/x"));
    assert_int_equal(lp_eval_files_find(t, t, NULL, &f, &err), LP_EARG);
    assert_non_null(strstr(err.msg, "both"));
    lp_tmp_remove(t);
    lp_tmp_remove(p);
}

static lp_status parse(const char *text, double *v)
{
    static const uint32_t ids[3] = {1, 4, 4000000000u};
    lp_err err;

    return lp_eval_support_parse(text, strlen(text), ids, 3, v, &err);
}

static void supports(void **state)
{
    double v[3];

    (void)state;
    assert_int_equal(parse("id,y,support,z\n1,0,2.5,\n4,,1e1,7\n4000000000,0,.25,0\n9,0,1,0\n", v),
                     LP_OK);
    assert_true(v[0] == 2.5 && v[1] == 10 && v[2] == .25);
    assert_int_equal(parse("support,\"id\"\r\n3,4\r\n1,1\r\n2,4000000000", v), LP_OK);
    assert_true(v[0] == 1 && v[1] == 3 && v[2] == 2);
    assert_int_equal(parse("id,sup\n1,2\n", v), LP_EFORMAT);
    assert_int_equal(parse("", v), LP_EFORMAT);
    assert_int_equal(parse("id,support\n1,2\n4,2\n", v), LP_EFORMAT); /* a label is missing */
    assert_int_equal(parse("id,support\n1,2\n4\n4000000000,2\n", v), LP_EFORMAT); /* short row */
    assert_int_equal(parse("id,support\n1,nan\n4,1\n4000000000,2\n", v), LP_EFORMAT);
    assert_int_equal(parse("id,support\n-1,2\n", v), LP_EFORMAT);
    assert_int_equal(parse("id,support\nx,2\n", v), LP_EFORMAT);
}

static lp_status picks_of(const char *text, const char *path, lp_picks *p)
{
    lp_err err;

    memset(p, 0, sizeof *p);
    return lp_picks_parse(text, strlen(text), lp_picks_kind_of(path), path, p, &err);
}

static void picks_equal(const lp_picks *p, int i, double y, double x, const char *image)
{
    assert_true(i < p->n);
    LP_ASSERT_CLOSE(p->pick[i].y, y, 0, 0);
    LP_ASSERT_CLOSE(p->pick[i].x, x, 0, 0);
    assert_string_equal(p->name[p->pick[i].image], image);
}

static void coordinates(void **state)
{
    lp_picks p;

    (void)state;
    assert_int_equal(picks_of("10\t20\t8\t6\n-1.5 0 3 3 0.5\r\n\n", "d/m1.box", &p), LP_OK);
    assert_int_equal(p.n, 2);
    picks_equal(&p, 0, 23, 14, "m1");
    picks_equal(&p, 1, 1.5, 0, "m1");
    assert_true(isnan(p.pick[0].score) && p.pick[1].score == 0.5);
    lp_picks_free(&p);

    assert_int_equal(picks_of("", "m2.box", &p), LP_OK); /* an image without picks */
    assert_int_equal(lp_picks_find(&p, "m2"), 0);
    assert_int_equal(lp_picks_find(&p, "m1"), -1);
    lp_picks_free(&p);

    assert_int_equal(picks_of("data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n"
                              "_CoordinateX #1\n_CoordinateY #2\n_CoordinateZ #3\n_Width #4\n"
                              "_Height #5\n_Depth #6\n_EstWidth #7\n_EstHeight #8\n"
                              "_Confidence #9\n_NumBoxes #10\n_Angle #11\n"
                              "10 20 <NA> 8 6 1 9 9 0.25 1 <NA>\n\n"
                              "data_cryolo_include\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n"
                              "_Width #3\n_Height #4\n1 1 1 1\n",
                              "x/m3.cbox", &p),
                     LP_OK);
    assert_int_equal(p.n, 1);
    picks_equal(&p, 0, 23, 14, "m3");
    assert_true(p.pick[0].score == 0.25);
    lp_picks_free(&p);

    assert_int_equal(picks_of("# version 30001\n\ndata_optics\n\nloop_\n_rlnVoltage #1\n300\n\n"
                              "data_particles\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
                              "_rlnMicrographName #3\n_rlnAutopickFigureOfMerit #4\n"
                              "1.5 2.5 MotionCorr/a.1.mrc 3\n7 8 000001@b.mrcs -1e-1\n",
                              "all.star", &p),
                     LP_OK);
    assert_int_equal(p.n, 2);
    picks_equal(&p, 0, 2.5, 1.5, "a.1");
    assert_true(p.pick[1].score == -0.1);
    assert_int_equal(p.n_names, 2);
    lp_picks_free(&p);

    assert_int_equal(
        picks_of("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n", "m4_autopick.star", &p),
        LP_OK);
    picks_equal(&p, 0, 2, 1, "m4");
    lp_picks_free(&p);

    assert_int_equal(picks_of("image_name\tx_coord\ty_coord\tscore\nm5\t3\t4\t0.5\nm6\t5\t6\t1\n",
                              "topaz.txt", &p),
                     LP_OK);
    picks_equal(&p, 0, 4, 3, "m5");
    picks_equal(&p, 1, 6, 5, "m6");
    assert_int_equal(p.n_names, 2);
    lp_picks_free(&p);
    assert_int_equal(picks_of("m5 3 4\n", "topaz.txt", &p), LP_OK);
    picks_equal(&p, 0, 4, 3, "m5");
    lp_picks_free(&p);

    assert_int_equal(picks_of("1 2 3\n", "m.box", &p), LP_EFORMAT);
    lp_picks_free(&p);
    assert_int_equal(picks_of("1 2 nan 4\n", "m.box", &p), LP_EFORMAT);
    lp_picks_free(&p);
    assert_int_equal(picks_of("data_\nloop_\n_rlnVoltage\n300\n", "m.star", &p), LP_EFORMAT);
    lp_picks_free(&p);
    assert_int_equal(picks_of("hello world\nfoo bar\n", "m.txt", &p), LP_EFORMAT);
    lp_picks_free(&p);
    assert_int_equal(lp_picks_kind_of("a.star/b"), LP_PICKS_NONE);
    assert_int_equal(lp_picks_kind_of("a.tif"), LP_PICKS_NONE);
}

static void curve(void **state)
{
    static uint32_t t[] = {1, 1, 0, 2, 2, 0, 3, 3}, p[] = {1, 1, 0, 2, 2, 5, 0, 0};
    lp_labels lt = {t, 1, 8}, lp = {p, 1, 8};
    lp_eval_overlap o;
    const lp_eval_overlap *po[2] = {&o, &o};
    static const double a[3] = {3, 1, 2}, b[3] = {2, 2, 2};
    const double *both[2] = {a, b}, *same[1] = {b};
    lp_eval_point *pt;
    int n;

    (void)state;
    assert_int_equal(lp_eval_overlap_new(&lt, &lp, &o, NULL), LP_OK);
    assert_int_equal(lp_eval_curve(po, both, 2, &pt, &n, NULL), LP_OK);
    assert_int_equal(n, 3);
    /* 1: all; 2: image a without its label 2; 3: label 1 of a only. */
    assert_true(pt[0].threshold == 1 && pt[1].threshold == 2 && pt[2].threshold == 3);
    assert_int_equal(pt[0].n_true, 6);
    assert_int_equal(pt[0].n_pred, 6);
    assert_int_equal(pt[0].tp[0], 4);
    assert_int_equal(pt[1].n_pred, 5);
    assert_int_equal(pt[1].tp[0], 3);
    assert_int_equal(pt[2].n_pred, 1);
    assert_int_equal(pt[2].tp[2], 1);
    free(pt);
    assert_int_equal(lp_eval_curve(po, same, 1, &pt, &n, NULL), LP_OK);
    assert_int_equal(n, 1);
    free(pt);
    lp_eval_overlap_free(&o);
}

static void point_curve(void **state)
{
    /* Three particles: two points in the first, one in the second, none in the third. */
    static const double score[] = {.9, .5, .7, .2}, best[] = {.9, .5, NAN};
    static const int n_pred[] = {4, 3, 2, 1}, tp[] = {2, 2, 1, 1};
    lp_eval_point *pt;
    int n, i;

    (void)state;
    assert_int_equal(lp_eval_curve_points(score, 4, best, 3, &pt, &n, NULL), LP_OK);
    assert_int_equal(n, 4);
    for (i = 0; i < 4; i++) {
        assert_int_equal(pt[i].n_true, 3);
        assert_int_equal(pt[i].n_pred, n_pred[i]);
        assert_int_equal(pt[i].tp[0], tp[i]);
    }
    assert_true(pt[0].threshold == .2 && pt[3].threshold == .9);
    free(pt);
    assert_int_equal(lp_eval_curve_points(score, 0, best, 3, &pt, &n, NULL), LP_OK);
    assert_int_equal(n, 0);
    free(pt);
}

/* More values than points: the ends stay, the order too. */
static void long_curve(void **state)
{
    enum { N = 1000 };
    lp_labels t, p;
    lp_eval_overlap o;
    const lp_eval_overlap *po = &o;
    double *v = malloc(N * sizeof *v);
    const double *pv = v;
    lp_eval_point *pt;
    int n, i;

    (void)state;
    assert_int_equal(lp_labels_new(&t, 1, N, NULL), LP_OK);
    assert_int_equal(lp_labels_new(&p, 1, N, NULL), LP_OK);
    for (i = 0; i < N; i++) {
        t.data[i] = i % 4 ? (uint32_t)i + 1 : 0;
        p.data[i] = (uint32_t)i + 1;
        v[i] = (i * 7919) % N; /* a permutation */
    }
    assert_int_equal(lp_eval_overlap_new(&t, &p, &o, NULL), LP_OK);
    assert_int_equal(lp_eval_curve(&po, &pv, 1, &pt, &n, NULL), LP_OK);
    assert_int_equal(n, LP_EVAL_MAX_POINTS);
    assert_true(pt[0].threshold == 0 && pt[n - 1].threshold == N - 1);
    for (i = 0; i < n; i++) {
        assert_int_equal(pt[i].n_pred, N - (int)pt[i].threshold);
        if (i) assert_true(pt[i].threshold > pt[i - 1].threshold);
        if (i) assert_true(pt[i].tp[0] <= pt[i - 1].tp[0]);
    }
    assert_int_equal(pt[0].tp[0], N * 3 / 4);
    free(pt);
    free(v);
    lp_eval_overlap_free(&o);
    lp_labels_free(&t);
    lp_labels_free(&p);
}

static void worst(void **state)
{
    static const double ap[6] = {.5, NAN, .2, .9, .2, .1};
    lp_eval_result r[6];
    lp_eval_set s = {.item = r, .n = 6};
    int rank[6], i;

    (void)state;
    memset(r, 0, sizeof r);
    for (i = 0; i < 6; i++) r[i].s.ap[0] = ap[i];
    r[5].failed.status = LP_EIO;
    assert_int_equal(lp_eval_worst(&s, rank, 3), 3);
    assert_int_equal(rank[0], 2);
    assert_int_equal(rank[1], 4);
    assert_int_equal(rank[2], 0);
    assert_int_equal(lp_eval_worst(&s, rank, 6), 4);
    assert_int_equal(rank[3], 3);
    assert_int_equal(lp_eval_worst(&s, rank, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),        cmocka_unit_test(pairing),
        cmocka_unit_test(plain_names), cmocka_unit_test(pairing_errors),
        cmocka_unit_test(supports),    cmocka_unit_test(coordinates),
        cmocka_unit_test(curve),       cmocka_unit_test(long_curve),
        cmocka_unit_test(point_curve), cmocka_unit_test(worst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
