/* Coordinates: what is written is read back by eval_picks; texts by hand. */
#include "tmp_dir.h"

#include "host/eval_picks.h"
#include "host/write_coords.h"

static const lp_particle some[3] = {
    {.id = 1,
     .y = 10.25,
     .x = 100.5,
     .y0 = 5,
     .x0 = 90,
     .y1 = 16,
     .x1 = 111,
     .support = 7.5,
     .mean_cellprob = 3},
    {.id = 2,
     .y = 0,
     .x = 0,
     .y0 = 0,
     .x0 = 0,
     .y1 = 1,
     .x1 = 1,
     .support = 0.7,
     .mean_cellprob = 0},
    {.id = 5,
     .y = 1999.123,
     .x = 70000.875,
     .y0 = 1990,
     .x0 = 69990,
     .y1 = 2010,
     .x1 = 70005,
     .support = 1e-3,
     .mean_cellprob = -2},
};

static lp_coords_options options(int flip_y, double full)
{
    return (lp_coords_options){
        .micrograph = "a b.1.mrc", .Ly = 2048, .flip_y = flip_y, .full = full};
}

/* tolerance: of the centre, px. */
static void back(lp_coords_format f, int64_t n, int flip_y, double full, double tolerance)
{
    char *dir = lp_tmp_dir(), name[64];
    const char *path;
    lp_coords_options o = options(flip_y, full);
    lp_picks p = {0};
    lp_err err;
    int64_t i;

    snprintf(name, sizeof name, "a b.1%s", lp_coords_ending(f));
    path = lp_tmp_path(dir, name);
    if (lp_write_coords(path, f, some, n, &o, &err)) fail_msg("%s", err.msg);
    assert_int_equal(lp_tmp_count(dir, NULL), 1);
    if (lp_picks_read(path, &p, &err)) fail_msg("%s", err.msg);
    assert_int_equal(p.n, n);
    if (n || f == LP_COORDS_BOX || f == LP_COORDS_CBOX)
        assert_true(lp_picks_find(&p, "a b.1") >= 0);
    for (i = 0; i < n; i++) {
        double y = flip_y && f != LP_COORDS_TOPAZ ? 2047 - some[i].y : some[i].y;

        LP_ASSERT_CLOSE(p.pick[i].y, y, tolerance, 0);
        LP_ASSERT_CLOSE(p.pick[i].x, some[i].x, tolerance, 0);
        assert_string_equal(p.name[p.pick[i].image], "a b.1");
        if (f == LP_COORDS_BOX)
            assert_true(isnan(p.pick[i].score));
        else if (f == LP_COORDS_CBOX)
            LP_ASSERT_CLOSE(p.pick[i].score, lp_coords_confidence(&some[i], full), 0, 1e-5);
        else
            LP_ASSERT_CLOSE(p.pick[i].score, lp_coords_score(&some[i], full), 0, 1e-6);
    }
    lp_picks_free(&p);
    lp_tmp_remove(dir);
}

static void round_trips(void **state)
{
    static const double tolerance[] = {[LP_COORDS_STAR] = 1e-4,
                                       [LP_COORDS_BOX] = 0.5,
                                       [LP_COORDS_CBOX] = 1e-4,
                                       [LP_COORDS_TOPAZ] = 0.5};
    int f;

    (void)state;
    for (f = LP_COORDS_STAR; f <= LP_COORDS_TOPAZ; f++) {
        back(f, 3, 0, 20, tolerance[f]);
        back(f, 3, 0, 0, tolerance[f]);
        back(f, 3, 1, 20, tolerance[f]);
        back(f, 1, 0, 20, tolerance[f]);
        back(f, 0, 0, 20, tolerance[f]);
    }
}

static void expect(lp_coords_format f, int64_t n, int box_size, const char *want)
{
    char *dir = lp_tmp_dir(), *s;
    const char *path = lp_tmp_path(dir, "x");
    lp_coords_options o = options(0, 20);

    o.box_size = box_size;
    assert_int_equal(lp_write_coords(path, f, some, n, &o, NULL), LP_OK);
    s = lp_tmp_read(path, NULL);
    if (!strstr(s, want)) fail_msg("no \"%s\" in:\n%s", want, s);
    free(s);
    lp_tmp_remove(dir);
}

static void texts(void **state)
{
    (void)state;
    expect(LP_COORDS_STAR, 3, 0, "\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n");
    expect(LP_COORDS_STAR, 3, 0, "\n100.5 10.25 7.5 \"a b.1.mrc\"\n0 0 0.7 ");
    expect(LP_COORDS_STAR, 0, 0, "\n_rlnMicrographName #4\n\n");
    /* The median of 21, 1 and 20 is 20: the centre pixel is x + 10. */
    expect(LP_COORDS_BOX, 3, 0, "91\t0\t20\t20\n-10\t-10\t20\t20\n69991\t1989\t20\t20\n");
    expect(LP_COORDS_BOX, 1, 0, "90\t-1\t22\t22\n");
    expect(LP_COORDS_BOX, 1, 7, "98\t7\t7\t7\n");
    expect(LP_COORDS_CBOX, 3, 0, "\n90 -0.25 <NA> 21 21 1 21 11 0.375 <NA> <NA>\n");
    expect(LP_COORDS_CBOX, 3, 50, "\n75.5 -14.75 <NA> 50 50 1 21 11 0.375 <NA> <NA>\n");
    expect(LP_COORDS_CBOX, 0, 0, "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n");
    expect(LP_COORDS_CBOX, 0, 0, "\ndata_cryolo_include\n\nloop_\n_slice_index #1\n");
    expect(LP_COORDS_TOPAZ, 3, 0,
           "image_name\tx_coord\ty_coord\tscore\na b.1\t101\t10\t7.5\na b.1\t0\t0\t0.7\n");
}

static void scores(void **state)
{
    lp_particle p = {.support = 7, .mean_cellprob = NAN};

    (void)state;
    LP_ASSERT_CLOSE(lp_coords_score(&p, 20), 7, 0, 0);
    LP_ASSERT_CLOSE(lp_coords_confidence(&p, 20), 0.35, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_coords_confidence(&p, 7), 1, 1e-12, 0); /* all votes */
    LP_ASSERT_CLOSE(lp_coords_score(&p, 0), 1, 0, 0);          /* no cellprob */
    p.mean_cellprob = 0;
    LP_ASSERT_CLOSE(lp_coords_confidence(&p, 0), 0.5, 0, 0);
    p.mean_cellprob = 1000;
    LP_ASSERT_CLOSE(lp_coords_confidence(&p, 0), 1, 0, 0);
}

/* Names that a STAR reader would take for something else. */
static void names(void **state)
{
    static const char *const name[] = {"#1.mrc",    "_x.mrc", "data_x.mrc", "a\tb.mrc",
                                       "\"q\".mrc", "'q.mrc", "plain.mrc"};
    static const char *const want[] = {"#1", "_x", "data_x", "a_b", "_q_", "'q", "plain"};
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x.star");
    lp_coords_options o = options(0, 20);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof name / sizeof *name; i++) {
        lp_picks p = {0};

        o.micrograph = name[i];
        assert_int_equal(lp_write_coords(path, LP_COORDS_STAR, some, 3, &o, NULL), LP_OK);
        assert_int_equal(lp_picks_read(path, &p, NULL), LP_OK);
        assert_int_equal(p.n, 3);
        assert_string_equal(p.name[p.pick[2].image], want[i]);
        lp_picks_free(&p);
    }
    lp_tmp_remove(dir);
}

static void errors(void **state)
{
    lp_coords_options o = options(0, 20);
    lp_err err;

    (void)state;
    assert_int_equal(lp_write_coords("/nonexistent/x.box", LP_COORDS_BOX, some, 3, &o, &err),
                     LP_EIO);
    assert_non_null(strstr(err.msg, "/nonexistent/x.box"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips), cmocka_unit_test(texts),  cmocka_unit_test(scores),
        cmocka_unit_test(names),       cmocka_unit_test(errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
