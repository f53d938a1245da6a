/* Diameters chosen from the image, with the model of cone_model.h: masks of about 22 px. */
#include "lp_test.h"
#include "same_layers.h"
#include "tmp_dir.h"

#include "cone_model.h"
#include "host/layers.h"

enum { LY = 150, LX = 190 };

static char *dir;
static lp_session *session, *one_thread, *trained;

static int open_sessions(double lo, double hi, int threads, lp_session **out)
{
    lp_session_options o = {.backend = "cpu", .precision = LP_PRECISION_FP32, .threads = threads};
    lp_weights *w = cone_model();
    const char *model = lp_tmp_path(dir, "cones.h5");
    lp_err err;

    assert_non_null(w);
    w->diam_range[0] = lo;
    w->diam_range[1] = hi;
    assert_int_equal(lp_weights_save(w, model, 0, &err), LP_OK);
    lp_weights_free(&w);
    return lp_session_open(model, &o, out, &err);
}

static int setup(void **state)
{
    (void)state;
    dir = lp_tmp_dir();
    return open_sessions(0, 0, 2, &session) || open_sessions(0, 0, 1, &one_thread) ||
           open_sessions(50, 90, 2, &trained);
}

static int teardown(void **state)
{
    (void)state;
    lp_session_close(&session);
    lp_session_close(&one_thread);
    lp_session_close(&trained);
    lp_tmp_remove(dir);
    return 0;
}

typedef struct {
    int calls, last, total, stop_at;
} seen;

static int on_tiles(void *user, int done, int total)
{
    seen *s = user;

    assert_true(s->calls == 0 ? done == 0 : done >= s->last);
    assert_true(total >= s->total && done <= total);
    s->calls++;
    s->total = total;
    s->last = done;
    return s->stop_at && done >= s->stop_at;
}

/* What is chosen suits the particles, and gives what it gives when given. */
static void chosen(void **state)
{
    static float img[LY * LX];
    lp_segment_options o = lp_diameters_defaults();
    lp_diameters_result a = {0}, b = {0}, g = {0};
    lp_merged m = {0};
    double d[100];
    seen s = {0};
    lp_err err;
    int n, i, cones = cone_image(img, LY, LX, 7);

    (void)state;
    o.on_tiles = on_tiles;
    o.user = &s;
    if (lp_segment_auto(session, img, 1, LY, LX, &o, &a, &err)) fail_msg("%s", err.msg);
    assert_true(s.last == s.total && s.total == a.ntiles);
    assert_int_equal(a.source, LP_RANGE_PILOT);
    assert_true(a.n_pilot >= 2 && a.pilot_particles > 0);
    n = lp_layers_count(a.layers);
    assert_in_range(n, 4, 12);
    for (i = 0; i < n; i++) d[i] = lp_layers_diameter(a.layers, i);
    assert_true(d[0] < 20 && d[0] > 10 && d[n - 1] > 24 && d[n - 1] < 60);
    assert_int_equal(lp_merge(a.layers, NULL, &m, &err), LP_OK);
    assert_int_equal(m.n, cones);
    lp_merged_free(&m);

    o.on_tiles = NULL;
    if (lp_segment_diameters(one_thread, img, 1, LY, LX, &o, d, n, &g, &err))
        fail_msg("%s", err.msg);
    same_layers(a.layers, g.layers);
    assert_true(g.source == LP_RANGE_GIVEN && g.n_pilot == 0);
    o.batch_size = 1;
    if (lp_segment_auto(one_thread, img, 1, LY, LX, &o, &b, &err)) fail_msg("%s", err.msg);
    same_layers(a.layers, b.layers);
    assert_true(b.ntiles == a.ntiles && b.n_pilot == a.n_pilot);
    lp_layers_free(&a.layers);
    lp_layers_free(&b.layers);
    lp_layers_free(&g.layers);
}

static void nothing_there(void **state)
{
    static float img[LY * LX];
    lp_segment_options o = lp_diameters_defaults();
    lp_diameters_result r = {0};
    lp_err err;
    int n;

    (void)state;
    memset(img, 0, sizeof img);
    if (lp_segment_auto(session, img, 1, LY, LX, &o, &r, &err)) fail_msg("%s", err.msg);
    n = lp_layers_count(r.layers);
    assert_int_equal(r.source, LP_RANGE_DEFAULT);
    assert_true(r.pilot_particles == 0);
    assert_true(lp_layers_diameter(r.layers, 0) < 21.5);
    assert_true(lp_layers_diameter(r.layers, n - 1) > 120); /* the image has 150 px */
    lp_layers_free(&r.layers);

    if (lp_segment_auto(trained, img, 1, LY, LX, &o, &r, &err)) fail_msg("%s", err.msg);
    n = lp_layers_count(r.layers);
    assert_int_equal(r.source, LP_RANGE_MODEL);
    assert_true(fabs(lp_layers_diameter(r.layers, 0) / 50 - 1) < 0.075);
    assert_true(fabs(lp_layers_diameter(r.layers, n - 1) / 90 - 1) < 0.075);
    lp_layers_free(&r.layers);
}

/* The model's range keeps the pilot within half and twice of it. */
static void trained_range(void **state)
{
    static float img[LY * LX];
    lp_segment_options o = lp_diameters_defaults();
    lp_diameters_result r = {0};
    const double *range = lp_session_diam_range(trained);
    lp_err err;
    int n;

    (void)state;
    assert_true(range[0] == 50 && range[1] == 90);
    cone_image(img, LY, LX, 7);
    if (lp_segment_auto(trained, img, 1, LY, LX, &o, &r, &err)) fail_msg("%s", err.msg);
    n = lp_layers_count(r.layers);
    assert_true(lp_layers_diameter(r.layers, 0) >= 25 &&
                lp_layers_diameter(r.layers, n - 1) <= 180);
    assert_true(r.n_pilot <= 3); /* 120, 60, 30 */
    lp_layers_free(&r.layers);
}

/* Images of a few pixels, a stop on the way, options that nobody can meet. */
static void edges(void **state)
{
    static const int size[][2] = {{1, 1}, {7, 13}, {1, 300}, {16, 16}};
    static float img[LY * LX];
    lp_segment_options o = lp_diameters_defaults();
    lp_diameters_result r = {0};
    seen s = {.stop_at = 1};
    lp_err err;
    size_t i;

    (void)state;
    cone_image(img, LY, LX, 7);
    for (i = 0; i < sizeof size / sizeof *size; i++) {
        if (lp_segment_auto(session, img, 1, size[i][0], size[i][1], &o, &r, &err))
            fail_msg("%d x %d: %s", size[i][0], size[i][1], err.msg);
        assert_true(lp_layers_count(r.layers) >= 1);
        lp_layers_free(&r.layers);
    }
    o.on_tiles = on_tiles;
    o.user = &s;
    o.batch_size = 1;
    assert_int_equal(lp_segment_auto(session, img, 1, LY, LX, &o, &r, &err), LP_ESIGNAL);
    assert_null(r.layers);
    o.on_tiles = NULL;
    o.bsize = 100;
    assert_int_equal(lp_segment_auto(session, img, 1, LY, LX, &o, &r, &err), LP_EARG);
    assert_null(r.layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chosen), cmocka_unit_test(nothing_there),
                                       cmocka_unit_test(trained_range), cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
