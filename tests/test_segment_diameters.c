/* Many diameters through the public API, with the model of cone_model.h. */
#include "lp_test.h"
#include "same_layers.h"
#include "tmp_dir.h"

#include "cone_model.h"
#include "host/layers.h"
#include "host/mask_pool.h"

static char *dir;
static lp_session *session, *one_thread, *three_threads;

static int setup(void **state)
{
    lp_session_options o = {.backend = "cpu", .precision = LP_PRECISION_FP32, .threads = 2};
    lp_weights *w = cone_model();
    const char *model;
    lp_err err;

    (void)state;
    dir = lp_tmp_dir();
    model = lp_tmp_path(dir, "cones.h5");
    assert_non_null(w);
    assert_int_equal(lp_weights_save(w, model, 0, &err), LP_OK);
    lp_weights_free(&w);
    if (lp_session_open(model, &o, &session, &err)) return 1;
    o.threads = 1;
    if (lp_session_open(model, &o, &one_thread, &err)) return 1;
    o.threads = 3;
    return lp_session_open(model, &o, &three_threads, &err);
}

static int teardown(void **state)
{
    (void)state;
    lp_session_close(&session);
    lp_session_close(&one_thread);
    lp_session_close(&three_threads);
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
    if (s->calls++) assert_int_equal(total, s->total);
    s->total = total;
    s->last = done;
    return s->stop_at && done >= s->stop_at;
}

/* Each layer is what lp_segment finds at that diameter. */
static void same_as_alone(void **state)
{
    static const double d[] = {40, 20, 30, 33};
    enum { LY = 150, LX = 170 };
    static float img[LY * LX];
    lp_segment_options o = lp_segment_defaults();
    lp_diameters_result all = {0};
    seen s = {0};
    lp_err err;
    int i, k, resample, tiles = 0;

    (void)state;
    cone_image(img, LY, LX, 7);
    for (resample = 0; resample < 2; resample++) {
        o.resample = resample;
        o.on_tiles = on_tiles;
        o.user = &s;
        memset(&s, 0, sizeof s);
        if (lp_segment_diameters(session, img, 1, LY, LX, &o, d, 4, &all, &err))
            fail_msg("%s", err.msg);
        assert_true(s.last == s.total && s.total == all.ntiles);
        assert_true(all.layers->n == 4 && all.layers->Ly == LY && all.layers->Lx == LX);
        o.on_tiles = NULL;
        tiles = 0;
        for (i = 0; i < 4; i++) {
            const lp_layer *y;
            lp_result r;
            uint32_t *again = calloc(LY * LX, sizeof *again), l;
            uint64_t u;

            for (k = 0; all.layers->layer[k].diameter != d[i]; k++) {
            }
            y = &all.layers->layer[k];
            o.diameter = d[i];
            assert_int_equal(lp_segment(session, img, 1, LY, LX, &o, &r, &err), LP_OK);
            assert_int_equal(y->masks.n, r.n);
            tiles += r.ntiles;
            for (l = 0; l < r.n; l++) {
                assert_memory_equal(&y->flow_error[l], &r.flow_error[l], sizeof(float));
                assert_true(y->cellprob[l] > 0 || !resample);
                for (u = y->masks.first[l]; u < y->masks.first[l + 1]; u++)
                    for (k = y->masks.run[u].x0; k < y->masks.run[u].x1; k++)
                        again[y->masks.run[u].y * LX + k] = l + 1;
            }
            assert_memory_equal(again, r.masks, LY * LX * sizeof *again);
            free(again);
            lp_result_free(&r);
        }
        assert_int_equal(tiles, all.ntiles);
        lp_layers_free(&all.layers);
    }
}

/* Neither threads, nor what shares a batch, nor the order of the diameters shows. */
static void any_company(void **state)
{
    static const double up[] = {19, 30, 31, 61, 90, 150};
    static const double mixed[] = {61, 19, 150, 31, 90, 30};
    static const int batches[] = {1, 3, 100};
    enum { LY = 120, LX = 150, N = 6 };
    static float img[LY * LX];
    lp_segment_options o = lp_segment_defaults();
    lp_diameters_result want = {0}, got = {0};
    lp_session *s[3];
    lp_err err;
    size_t i, k;

    (void)state;
    s[0] = one_thread;
    s[1] = session;
    s[2] = three_threads;
    cone_image(img, LY, LX, 9);
    for (o.resample = 0; o.resample < 2; o.resample++) {
        o.batch_size = 0;
        if (lp_segment_diameters(one_thread, img, 1, LY, LX, &o, up, N, &want, &err))
            fail_msg("%s", err.msg);
        for (i = 0; i < 3; i++)
            for (k = 0; k < sizeof batches / sizeof *batches; k++) {
                o.batch_size = batches[k];
                if (lp_segment_diameters(s[i], img, 1, LY, LX, &o, k % 2 ? mixed : up, N, &got,
                                         &err))
                    fail_msg("%s", err.msg);
                assert_int_equal(got.ntiles, want.ntiles);
                same_layers(got.layers, want.layers);
                lp_layers_free(&got.layers);
            }
        lp_layers_free(&want.layers);
    }
}

/* A diameter that fails is named, and nothing is kept; also where nobody waits for the pool. */
static void pool_fails(void **state)
{
    static const double d[] = {30, 20, 25};
    static float img[100 * 100];
    lp_segment_options o = lp_segment_defaults(), bad = o;
    lp_layers *layers = NULL;
    double seconds[LP_T_NSTAGES] = {0};
    int i, k;

    (void)state;
    bad.cellprob_threshold = NAN; /* nobody checks it on the way to the masks */
    cone_image(img, 100, 100, 3);
    for (i = 0; i < 3; i++) {
        lp_session *s = i == 0 ? one_thread : i == 1 ? session : three_threads;
        lp_net_context c = lp_session_net(s, &o);
        lp_mask_pool *pool = NULL, *left = NULL;
        lp_result r = {0};
        lp_buf *im = NULL;
        lp_err err = {0};
        lp_status st = LP_OK;

        assert_int_equal(lp_session_prepare(s, img, 1, 100, 100, &o, &im, &r, &err), LP_OK);
        assert_int_equal(lp_layers_new(100, 100, &layers, &err), LP_OK);
        assert_int_equal(lp_mask_pool_new(s, &bad, 100, 100, d, 3, 1e9, &pool, &err), LP_OK);
        assert_int_equal(lp_mask_pool_new(s, &o, 100, 100, d, 3, 1, &left, &err), LP_OK);
        for (k = 0; k < 3; k++) {
            lp_net_options no = lp_session_net_options(s, &o, d[k]);
            lp_net_output out = {0};

            assert_int_equal(lp_net_run(&c, im, 100, 100, &no, &out, &err), LP_OK);
            if (!st) st = lp_mask_pool_give(pool, k, &out, &err);
            lp_net_output_free(c.be, c.dev, &out);
            assert_int_equal(lp_net_run(&c, im, 100, 100, &no, &out, &err), LP_OK);
            assert_int_equal(lp_mask_pool_give(left, k, &out, &err), LP_OK);
            assert_null(out.yf);
        }
        if (!st) st = lp_mask_pool_finish(pool, layers, seconds, &err);
        assert_int_equal(st, LP_EARG);
        assert_int_equal(layers->n, 0);
        lp_mask_pool_free(&pool);
        lp_mask_pool_free(&left);
        lp_layers_free(&layers);
        lp_session_release(s, &im);
        lp_result_free(&r);
    }
}

static void merged(void **state)
{
    static const double d[] = {20, 25, 30, 36, 43};
    static float img[200 * 200];
    lp_segment_options o = lp_segment_defaults();
    lp_diameters_result all = {0};
    lp_merged m = {0};
    lp_err err;
    int n = cone_image(img, 200, 200, 3);

    (void)state;
    if (lp_segment_diameters(session, img, 1, 200, 200, &o, d, 5, &all, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(lp_merge(all.layers, NULL, &m, &err), LP_OK);
    assert_int_equal(m.n, n);
    lp_merged_free(&m);
    lp_layers_free(&all.layers);
}

static void refused(void **state)
{
    static float img[64 * 64];
    double bad[][2] = {{0, 30}, {30, -1}, {NAN, 30}, {30, INFINITY}, {30, 1e-5}, {30, 1e5}};
    lp_segment_options o = lp_segment_defaults();
    lp_diameters_result r = {0};
    seen s = {.stop_at = 1};
    lp_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(lp_segment_diameters(session, img, 1, 64, 64, &o, bad[i], 2, &r, &err),
                         LP_EARG);
        assert_null(r.layers);
        assert_non_null(strstr(err.msg, "diameter"));
    }
    assert_int_equal(lp_segment_diameters(session, img, 1, 64, 64, &o, bad[0], 0, &r, &err),
                     LP_EARG);
    o.on_tiles = on_tiles;
    o.user = &s;
    o.batch_size = 1;
    bad[0][0] = 20;
    assert_int_equal(lp_segment_diameters(session, img, 1, 64, 64, &o, bad[0], 2, &r, &err),
                     LP_ESIGNAL);
    assert_null(r.layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_alone), cmocka_unit_test(any_company),
        cmocka_unit_test(pool_fails),    cmocka_unit_test(merged),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
