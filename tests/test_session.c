/* test_session - the public API (host/lipopose.h) with the model of cone_model.h: what it
 * refuses, odd images, threads, batches, stopping, sharing. */
#include <pthread.h>

#include "lp_test.h"
#include "tmp_dir.h"

#include "cone_model.h"
#include "host/lipopose.h"

static char *dir;
static const char *model;

static int setup(void **state)
{
    lp_weights *w = cone_model();
    lp_err err;

    (void)state;
    dir = lp_tmp_dir();
    model = strdup(lp_tmp_path(dir, "cones.h5"));
    assert_non_null(w);
    assert_int_equal(lp_weights_save(w, model, 0, &err), LP_OK);
    lp_weights_free(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lp_tmp_remove(dir);
    free((char *)(size_t)model);
    return 0;
}

static lp_session *open_model(int threads)
{
    lp_session_options o = {.backend = "cpu", .precision = LP_PRECISION_FP32, .threads = threads};
    lp_session *s = NULL;
    lp_err err = {LP_OK, ""};

    if (lp_session_open(model, &o, &s, &err)) fail_msg("%s", err.msg);
    return s;
}

static float *cones(int Ly, int Lx, int *n)
{
    float *img = malloc((size_t)Ly * Lx * sizeof *img);

    assert_non_null(img);
    *n = cone_image(img, Ly, Lx, 7);
    return img;
}

static void defaults(void **state)
{
    lp_segment_options o = lp_segment_defaults();

    (void)state;
    assert_true(o.diameter == 30 && o.chan == 0 && o.chan2 == 0 && o.normalize == 1);
    assert_true(o.norm_percentile[0] == 1 && o.norm_percentile[1] == 99 && !o.use_lowhigh);
    assert_true(o.bsize == 224 && o.tile_overlap == 0.1 && !o.augment && o.batch_size == 0);
    assert_true(o.resample == 1 && o.interp == 1 && o.niter == 0 && o.min_size == 15);
    assert_true(o.flow_threshold == 0.4 && o.cellprob_threshold == 0);
    assert_true(o.max_size_fraction == 0.4 && !o.exclude_on_edges && !o.compat_cellpose3 &&
                !o.flows);
    assert_true(!o.on_tiles && !o.invert && !o.tile_norm_blocksize);
    assert_string_equal(lp_version(), LP_VERSION);
}

static void expect_open(const char *path, const lp_session_options *o, lp_status want,
                        const char *part)
{
    lp_session *s = (lp_session *)&want; /* must stay untouched */
    lp_err err = {LP_OK, ""};
    lp_status st = lp_session_open(path, o, &s, &err);

    if (st != want || !strstr(err.msg, part) || s != (lp_session *)&want || strchr(err.msg, '\n'))
        fail_msg("%s: status %d, expected %d with '%s'; message: %s", path ? path : "NULL", st,
                 want, part, err.msg);
}

static void open_refuses(void **state)
{
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    lp_session_options cuda = {.backend = "cuda"}, odd = {.backend = "tpu"};
    lp_session *s = NULL;
    const char *path = lp_tmp_path(dir, "x.txt");
    FILE *f = fopen(path, "wb");

    (void)state;
    expect_open(NULL, NULL, LP_EARG, "model");
    expect_open("", NULL, LP_EARG, "model");
    expect_open("/nonexistent/m.h5", NULL, LP_EMISSING, "/nonexistent/m.h5");
    expect_open(dir, NULL, LP_EIO, dir);
    expect_open(model, &odd, LP_EARG, "tpu");
    (void)cuda;
#ifndef LP_WITH_CUDA
    expect_open(model, &cuda, LP_EMISSING, "cuda");
#endif
    assert_non_null(f);
    fputs("this is text\n", f);
    fclose(f);
    expect_open(path, NULL, LP_EFORMAT, path);
    f = fopen(path, "wb");
    fwrite(png, 1, sizeof png, f);
    fclose(f);
    expect_open(path, NULL, LP_EFORMAT, path);
    f = fopen(path, "wb");
    fclose(f);
    expect_open(path, NULL, LP_EFORMAT, path);
    lp_session_close(&s);
    lp_session_close(NULL);
    lp_result_free(NULL);
}

static void facts(void **state)
{
    lp_session *s = NULL;
    lp_err err;

    (void)state;
    assert_int_equal(lp_session_open(model, NULL, &s, &err), LP_OK);
    assert_true(lp_session_diam_mean(s) == 30 && lp_session_diam_labels(s) == 30);
    assert_false(lp_session_has_size_model(s));
    assert_non_null(strstr(lp_session_describe(s), "p"));
    lp_session_close(&s);
    assert_null(s);
}

static void finds_cones(void **state)
{
    int n, k;
    float *img = cones(200, 300, &n);
    lp_segment_options o = lp_segment_defaults();
    lp_session *s = open_model(2);
    lp_result r;
    lp_err err;
    size_t i, inside = 0;

    (void)state;
    o.flows = 1;
    assert_int_equal(lp_segment(s, img, 1, 200, 300, &o, &r, &err), LP_OK);
    assert_int_equal(r.n, n);
    assert_true(r.Ly == 200 && r.Lx == 300 && r.net_Ly == 200 && r.net_Lx == 300);
    assert_true(r.diameter == 30 && r.style_length == 16 && r.flat_channels == 0);
    for (i = 0; i < 200 * 300; i++) {
        assert_true(r.masks[i] <= r.n);
        /* cellprob > 0 is image > 0.2 of the 99th percentile; labels only there */
        if (r.masks[i]) assert_true(r.cellprob[i] > 0 || img[i] > 0);
        inside += r.masks[i] != 0;
    }
    assert_true(inside > 300u * (unsigned)n);
    for (k = 0; k < n; k++) LP_ASSERT_CLOSE(r.flow_error[k], 0, 0.2, 0);
    lp_result_free(&r);
    assert_null(r.masks);

    /* Without flow QC there are no errors, but the same particles. */
    o.flow_threshold = 0;
    o.flows = 0;
    assert_int_equal(lp_segment(s, img, 1, 200, 300, &o, &r, &err), LP_OK);
    assert_int_equal(r.n, n);
    assert_true(!r.flows && !r.cellprob && r.style && r.net_Ly == 200);
    assert_true(isnan(r.flow_error[0]));
    lp_result_free(&r);
    lp_session_close(&s);
    free(img);
}

static void refuse(lp_session *s, const float *img, int nchan, int Ly, int Lx,
                   const lp_segment_options *o, const char *part)
{
    lp_result r, before;
    lp_err err = {LP_OK, ""};
    lp_status st;

    memset(&r, 0x5a, sizeof r);
    before = r;
    st = lp_segment(s, img, nchan, Ly, Lx, o, &r, &err);
    if (st != LP_EARG || !strstr(err.msg, part) || memcmp(&r, &before, sizeof r))
        fail_msg("status %d, message '%s', expected '%s'", st, err.msg, part);
}

static void segment_refuses(void **state)
{
    static const double diameters[] = {NAN, -1, INFINITY, 1e9, 1e-9, 0};
    int n;
    float *img = cones(64, 64, &n);
    lp_segment_options o = lp_segment_defaults();
    lp_session *s = open_model(1);
    size_t i;

    (void)state;
    refuse(s, NULL, 1, 64, 64, &o, "image");
    refuse(s, img, 0, 64, 64, &o, "image");
    refuse(s, img, LP_MAX_CHANNELS + 1, 64, 64, &o, "image");
    refuse(s, img, 1, 0, 64, &o, "image");
    refuse(s, img, 1, 64, -3, &o, "image");
    refuse(s, img, 1, 2000000000, 2, &o, "image");
    refuse(s, img, 1, 100000, 100000, &o, "image");
    for (i = 0; i < sizeof diameters / sizeof *diameters; i++) {
        o.diameter = diameters[i];
        refuse(s, img, 1, 64, 64, &o, "diameter");
    }
#define REFUSE(field, value, part)                                                                 \
    o = lp_segment_defaults();                                                                     \
    o.field = value;                                                                               \
    refuse(s, img, 1, 64, 64, &o, part)
    REFUSE(bsize, 100, "bsize");
    REFUSE(bsize, 1 << 20, "bsize");
    REFUSE(tile_overlap, NAN, "tile_overlap");
    REFUSE(tile_overlap, 0.99, "tile_overlap");
    REFUSE(niter, -1, "niter");
    REFUSE(batch_size, -1, "batch_size");
    REFUSE(flow_threshold, NAN, "flow_threshold");
    REFUSE(cellprob_threshold, NAN, "cellprob_threshold");
    REFUSE(max_size_fraction, NAN, "max_size_fraction");
    REFUSE(norm_percentile[0], NAN, "percentile");
    REFUSE(norm_percentile[1], 101, "percentile");
    REFUSE(sharpen_radius, -1, "radius");
    REFUSE(smooth_radius, NAN, "radius");
    REFUSE(tile_norm_blocksize, -1, "blocksize");
    REFUSE(chan, -2, "chan");
    REFUSE(chan2, -1, "chan");
    lp_session_close(&s);
    free(img);
}

static void odd_images(void **state)
{
    static const int size[][3] = {{1, 1, 1},    {1, 1, 7},   {1, 7, 1}, {1, 3, 1000}, {1, 2, 2},
                                  {16, 40, 40}, {3, 50, 31}, {2, 1, 1}, {1, 17, 31}};
    lp_segment_options o = lp_segment_defaults();
    lp_session *s = open_model(2);
    size_t k, i, n;
    int fill;
    lp_err err;

    (void)state;
    for (k = 0; k < sizeof size / sizeof *size; k++)
        for (fill = 0; fill < 3; fill++) {
            float *img;
            lp_result r;

            n = (size_t)size[k][0] * size[k][1] * size[k][2];
            img = malloc(n * sizeof *img);
            assert_non_null(img);
            for (i = 0; i < n; i++)
                img[i] = fill == 0 ? 42.f : fill == 1 ? (float)(i % 13) : 3e38f * (float)(i & 1);
            if (lp_segment(s, img, size[k][0], size[k][1], size[k][2], &o, &r, &err))
                fail_msg("%d x %d x %d: %s", size[k][0], size[k][1], size[k][2], err.msg);
            for (i = 0; i < (size_t)size[k][1] * size[k][2]; i++) assert_true(r.masks[i] <= r.n);
            if (fill == 0) assert_true(r.n == 0 && r.flat_channels == 0); /* constant is fine */
            lp_result_free(&r);
            free(img);
        }
    lp_session_close(&s);
}

static void same(const lp_result *a, const lp_result *b)
{
    size_t n = (size_t)a->Ly * a->Lx, m = (size_t)a->net_Ly * a->net_Lx;

    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->masks, b->masks, n * sizeof *a->masks);
    assert_memory_equal(a->flows, b->flows, 2 * m * sizeof *a->flows);
    assert_memory_equal(a->cellprob, b->cellprob, m * sizeof *a->cellprob);
    assert_memory_equal(a->style, b->style, (size_t)a->style_length * sizeof *a->style);
    if (a->n) assert_memory_equal(a->flow_error, b->flow_error, a->n * sizeof *a->flow_error);
}

static void same_bytes(void **state)
{
    static const int threads[] = {1, 2, 3}, batch[] = {0, 1, 3, 16};
    int n, i, k;
    float *img = cones(400, 330, &n);
    lp_segment_options o = lp_segment_defaults();
    lp_result ref, r;
    lp_err err;

    (void)state;
    o.bsize = 128;
    o.flows = 1;
    o.diameter = 25;
    for (i = 0; i < 3; i++) {
        lp_session *s = open_model(threads[i]);

        for (k = 0; k < 4; k++) {
            o.batch_size = batch[k];
            assert_int_equal(lp_segment(s, img, 1, 400, 330, &o, &r, &err), LP_OK);
            assert_true(r.ntiles > 4 && r.n == (uint32_t)n);
            if (i + k == 0) {
                ref = r;
                continue;
            }
            same(&ref, &r);
            lp_result_free(&r);
        }
        lp_session_close(&s);
    }
    lp_result_free(&ref);
    free(img);
}

typedef struct {
    lp_session *s;
    const float *img;
    lp_result r[3];
    lp_status st;
} job;

static void *segment_thrice(void *arg)
{
    job *j = arg;
    lp_segment_options o = lp_segment_defaults();
    lp_err err;
    int k;

    for (k = 0; k < 3 && !j->st; k++) {
        o.flows = 1;
        o.diameter = 30 - 4 * k; /* other tile sizes */
        j->st = lp_segment(j->s, j->img, 1, 150, 180, &o, &j->r[k], &err);
    }
    return NULL;
}

static void shared_sessions(void **state)
{
    int n, k, i;
    float *img = cones(150, 180, &n);
    job j[3];
    pthread_t t[3];
    lp_err err;

    (void)state;
    memset(j, 0, sizeof j);
    j[0].s = open_model(1);
    for (i = 1; i < 3; i++) assert_int_equal(lp_session_share(j[0].s, &j[i].s, &err), LP_OK);
    for (i = 0; i < 3; i++) {
        j[i].img = img;
        assert_int_equal(pthread_create(&t[i], NULL, segment_thrice, &j[i]), 0);
    }
    for (i = 0; i < 3; i++) assert_int_equal(pthread_join(t[i], NULL), 0);
    /* The network lives as long as its last session. */
    lp_session_close(&j[0].s);
    for (i = 0; i < 3; i++) {
        assert_int_equal(j[i].st, LP_OK);
        for (k = 0; k < 3; k++) {
            same(&j[0].r[k], &j[i].r[k]);
            if (i) lp_result_free(&j[i].r[k]);
        }
    }
    for (k = 0; k < 3; k++) lp_result_free(&j[0].r[k]);
    segment_thrice(&j[1]);
    assert_int_equal(j[1].st, LP_OK);
    for (k = 0; k < 3; k++) lp_result_free(&j[1].r[k]);
    lp_session_close(&j[1].s);
    lp_session_close(&j[2].s);
    free(img);
}

typedef struct {
    int calls, last, total, stop_at;
} ticks;

static int on_tiles(void *user, int done, int total)
{
    ticks *t = user;

    assert_true(t->calls == 0 ? done == 0 : done > t->last);
    t->calls++;
    t->last = done;
    t->total = total;
    return t->stop_at >= 0 && done >= t->stop_at;
}

static void tiles_and_stop(void **state)
{
    int n;
    float *img = cones(400, 330, &n);
    lp_segment_options o = lp_segment_defaults();
    ticks t = {.stop_at = -1};
    lp_session *s = open_model(2);
    lp_result r;
    lp_err err;

    (void)state;
    o.bsize = 128;
    o.batch_size = 3;
    o.on_tiles = on_tiles;
    o.user = &t;
    assert_int_equal(lp_segment(s, img, 1, 400, 330, &o, &r, &err), LP_OK);
    assert_true(t.last == t.total && t.total == r.ntiles && t.calls > 3);
    lp_result_free(&r);
    t = (ticks){.stop_at = 3};
    assert_int_equal(lp_segment(s, img, 1, 400, 330, &o, &r, &err), LP_ESIGNAL);
    assert_true(t.last == 3 && t.calls == 2);
    t = (ticks){.stop_at = 0};
    assert_int_equal(lp_segment(s, img, 1, 400, 330, &o, &r, &err), LP_ESIGNAL);
    o.on_tiles = NULL; /* and the session still works */
    assert_int_equal(lp_segment(s, img, 1, 400, 330, &o, &r, &err), LP_OK);
    assert_true(r.n > 50 && r.ntiles > 4);
    lp_result_free(&r);
    lp_session_close(&s);
    free(img);
}

/* NaN is not allowed in, but must not crash either. */
static void nan_in_image(void **state)
{
    int n, i;
    float *img = cones(100, 120, &n);
    lp_segment_options o = lp_segment_defaults();
    lp_session *s = open_model(2);
    lp_result r;
    lp_err err;

    (void)state;
    for (i = 0; i < 100 * 120; i += 31) img[i] = i & 1 ? NAN : INFINITY;
    if (lp_segment(s, img, 1, 100, 120, &o, &r, &err) == LP_OK) lp_result_free(&r);
    o.normalize = 0;
    if (lp_segment(s, img, 1, 100, 120, &o, &r, &err) == LP_OK) lp_result_free(&r);
    lp_session_close(&s);
    free(img);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),        cmocka_unit_test(open_refuses),
        cmocka_unit_test(facts),           cmocka_unit_test(finds_cones),
        cmocka_unit_test(segment_refuses), cmocka_unit_test(odd_images),
        cmocka_unit_test(same_bytes),      cmocka_unit_test(shared_sessions),
        cmocka_unit_test(tiles_and_stop),  cmocka_unit_test(nan_in_image),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
