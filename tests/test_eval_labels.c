/* Outlines among the files of an evaluation: which belong together, who tells the size. */
#include "tmp_dir.h"

#include <sys/stat.h>

#include "host/eval_runs.h"
#include "host/write_masks.h"
#include "host/write_outlines.h"
#include "host/write_png.h"

static void pairing(void **state)
{
    static const char *const truth[] = {
        "a.mrc",       "a_rois.zip",  "b.geojson",       "c_outlines.geojson", "d_RoiSet.zip",
        "e.roi",       "f_masks.tif", "f_rois.zip",      "g_rois.zip",         "g_cp_masks.tif",
        "dataset.zip", "h_rois.tif",  "notes_rois.zip~", "i_cp_masks.tiff",    ".hid_rois.zip",
    };
    static const char *const want[][2] = {
        {"a", "a_rois.zip"},   {"b", "b.geojson"},       {"c", "c_outlines.geojson"},
        {"d", "d_RoiSet.zip"}, {"e", "e.roi"},           {"f", "f_masks.tif"},
        {"g", "g_rois.zip"},   {"i", "i_cp_masks.tiff"},
    };
    static const char *const pred[] = {"a_cp_masks.tif", "a_rois.zip",        "a_outlines.geojson",
                                       "b_rois.zip",     "c_cp_masks.png",    "c.png",
                                       "g_labels.png",   "g_outlines.geojson"};
    char *t = lp_tmp_dir(), *p = lp_tmp_dir(), *im = lp_tmp_dir();
    lp_eval_files f;
    lp_err err;
    int i;

    (void)state;
    for (i = 0; i < (int)(sizeof truth / sizeof *truth); i++) lp_tmp_touch(t, truth[i]);
    for (i = 0; i < (int)(sizeof pred / sizeof *pred); i++) lp_tmp_touch(p, pred[i]);
    lp_tmp_touch(im, "b.mrc");
    if (lp_eval_files_find(t, p, im, &f, &err)) fail_msg("%s", err.msg);
    assert_int_equal(f.n, (int)(sizeof want / sizeof *want));
    for (i = 0; i < f.n; i++) {
        assert_string_equal(f.item[i].name, want[i][0]);
        assert_string_equal(lp_tmp_base(f.item[i].truth), want[i][1]);
    }
    assert_string_equal(lp_tmp_base(f.item[0].pred), "a_cp_masks.tif");
    assert_string_equal(lp_tmp_base(f.item[1].pred), "b_rois.zip");
    assert_string_equal(lp_tmp_base(f.item[2].pred), "c_cp_masks.png");
    assert_string_equal(lp_tmp_base(f.item[6].pred), "g_labels.png");
    assert_null(f.item[3].pred);
    assert_string_equal(lp_tmp_base(f.item[0].image), "a.mrc"); /* beside the truth */
    assert_string_equal(lp_tmp_base(f.item[1].image), "b.mrc"); /* named */
    assert_string_equal(lp_tmp_base(f.item[2].image), "c.png"); /* beside the prediction */
    assert_null(f.item[5].image);
    lp_eval_files_free(&f);
    lp_tmp_remove(t);
    lp_tmp_remove(p);
    lp_tmp_remove(im);
}

static void sizes(void **state)
{
    char *dir = lp_tmp_dir(), roi[2048], tif[2048], png[2048];
    uint32_t d[6 * 5] = {0};
    uint8_t grey[6 * 5] = {0};
    lp_labels lb = {d, 6, 5}, t, p;
    lp_eval_item x = {.name = "x"};
    lp_merge_options o = lp_merge_defaults();
    lp_err err;

    (void)state;
    snprintf(roi, sizeof roi, "%s/x_rois.zip", dir);
    snprintf(tif, sizeof tif, "%s/x_cp_masks.tif", dir);
    snprintf(png, sizeof png, "%s/x.png", dir);
    d[7] = d[8] = 3;
    assert_int_equal(lp_write_rois(roi, &lb, NULL), LP_OK);
    assert_int_equal(lp_write_masks(tif, &lb, 0, NULL), LP_OK);
    assert_int_equal(lp_write_png(png, grey, 6, 5, 1, 8, NULL), LP_OK);

    x.truth = roi; /* size from the prediction */
    x.pred = tif;
    if (lp_eval_read_pair(&x, &o, &t, &p, &err)) fail_msg("%s", err.msg);
    assert_int_equal(t.Ly, 6);
    assert_int_equal(t.Lx, 5);
    assert_int_equal(t.data[7], 1);
    assert_int_equal(p.data[8], 3);
    lp_labels_free(&t);
    lp_labels_free(&p);
    x.truth = tif; /* from the truth */
    x.pred = roi;
    assert_int_equal(lp_eval_read_pair(&x, &o, &t, &p, &err), LP_OK);
    assert_int_equal(p.Ly, 6);
    assert_int_equal(p.data[8], 1);
    lp_labels_free(&t);
    lp_labels_free(&p);
    x.truth = roi; /* nobody knows */
    assert_int_equal(lp_eval_read_pair(&x, &o, &t, &p, &err), LP_EARG);
    assert_non_null(strstr(err.msg, "--images"));
    assert_int_equal(lp_eval_read_pair(&x, &o, &t, NULL, &err), LP_EARG);
    x.image = png; /* the micrograph does */
    assert_int_equal(lp_eval_read_pair(&x, &o, &t, &p, &err), LP_OK);
    assert_int_equal(p.Ly, 6);
    lp_labels_free(&t);
    lp_labels_free(&p);
    x.pred = NULL; /* nothing predicted */
    assert_int_equal(lp_eval_read_pair(&x, &o, &t, &p, &err), LP_OK);
    assert_int_equal(p.Lx, 5);
    assert_int_equal(p.data[8], 0);
    lp_labels_free(&t);
    lp_labels_free(&p);
    x.pred = tif; /* points are compared: the prediction is not read */
    assert_int_equal(lp_eval_read_pair(&x, &o, &t, NULL, &err), LP_OK);
    lp_labels_free(&t);
    unlink(png);
    assert_int_equal(lp_eval_read_pair(&x, &o, &t, NULL, &err), LP_EIO);
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairing),
        cmocka_unit_test(sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
