/* Jobs of several images and diameters in one queue of tiles (host/net_queue.h). */
#include "lp_test.h"

#include "cone_model.h"
#include "host/net_queue.h"

enum { JOBS = 9, STYLE = 16 };

static lp_device *dev;
static lp_net *net;
static lp_backend counting; /* the CPU's, with its batches counted */
static int calls, tiles_in[64], groups_in[64];
static int larger_later; /* job 4 has larger tiles than those before it */

static lp_status count(lp_device *d, lp_net *n, const lp_buf *tiles, const lp_tile_group *group,
                       int n_groups, lp_buf *y, lp_buf *styles, lp_err *err)
{
    int i;

    assert_true(calls < 64);
    tiles_in[calls] = 0;
    groups_in[calls] = n_groups;
    for (i = 0; i < n_groups; i++) {
        tiles_in[calls] += group[i].n;
        if (i) assert_true(group[i].ly != group[i - 1].ly || group[i].lx != group[i - 1].lx);
    }
    calls++;
    return lp_backend_cpu.unet(d, n, tiles, group, n_groups, y, styles, err);
}

static int setup(void **state)
{
    lp_weights *w = cone_model();
    lp_precision used;
    lp_err err;

    (void)state;
    assert_non_null(w);
    counting = lp_backend_cpu;
    counting.unet = count;
    assert_int_equal(counting.open(&(lp_backend_options){.threads = 2}, &dev, &err), LP_OK);
    assert_int_equal(counting.net_new(dev, w, LP_PRECISION_FP32, &net, &used, &err), LP_OK);
    lp_weights_free(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counting.net_free(dev, &net);
    counting.close(&dev);
    return 0;
}

typedef struct {
    int n, Ly, Lx;
    lp_buf *img[2];
    lp_net_output out[JOBS];
    int fail_at, at, last_done, total, stop_at;
} scene;

static lp_status take(void *user, int job, lp_net_output *out, lp_err *err)
{
    scene *s = user;

    assert_int_equal(job, s->at);
    s->at++;
    if (job == s->fail_at) return lp_fail(err, LP_EIO, "no room for job %d", job);
    s->out[job] = *out;
    memset(out, 0, sizeof *out);
    return LP_OK;
}

static int on_tiles(void *user, int done, int total)
{
    scene *s = user;

    assert_true(done >= s->last_done && done <= total);
    s->last_done = done;
    s->total = total;
    return s->stop_at && done >= s->stop_at;
}

static const int side[2][2] = {{150, 170}, {90, 300}};
/* Enlarged to many tiles, one tile each of several sizes, not scaled at all. */
static const double rescale[JOBS] = {2.1, 0.4, 1, 0.3, 3, 0.5, 1.2, 0.45, 0.3};

static lp_net_options options(int job)
{
    return (lp_net_options){.rescale = rescale[job],
                            .diameter = 30 / rescale[job],
                            .bsize = larger_later && job == 4 ? 256 : 224,
                            .augment = job == 6,
                            .resample = job != 2 && job != 5,
                            .tile_overlap = 0.1};
}

static void begin(scene *s)
{
    int i;

    *s = (scene){.fail_at = -1};
    calls = 0;
    for (i = 0; i < 2; i++) {
        int Ly = side[i][0], Lx = side[i][1];
        float *img = calloc(2 * (size_t)Ly * Lx, sizeof *img);

        assert_non_null(img);
        cone_image(img, Ly, Lx, 5 + i);
        assert_int_equal(counting.buf_new(dev, 8 * (size_t)Ly * Lx, &s->img[i], NULL), LP_OK);
        assert_int_equal(counting.put(dev, s->img[i], img, 8 * (size_t)Ly * Lx, NULL), LP_OK);
        free(img);
    }
}

static void end(scene *s)
{
    int i;

    for (i = 0; i < JOBS; i++) lp_net_output_free(&counting, dev, &s->out[i]);
    for (i = 0; i < 2; i++) counting.buf_free(dev, &s->img[i]);
}

static lp_net_context context(scene *s, int batch)
{
    return (lp_net_context){.be = &counting,
                            .dev = dev,
                            .net = net,
                            .nchan = 2,
                            .style_length = STYLE,
                            .batch_size = batch,
                            .on_tiles = on_tiles,
                            .user = s};
}

static int total_tiles(void)
{
    int i, n, sum = 0;

    for (i = 0; i < JOBS; i++) {
        lp_net_options o = options(i);

        assert_int_equal(lp_net_tiles(side[i % 2][0], side[i % 2][1], &o, &n, NULL), LP_OK);
        sum += n;
    }
    return sum;
}

static lp_status run(scene *s, int batch, lp_err *err)
{
    lp_net_context c = context(s, batch);
    lp_net_queue *q = NULL;
    lp_status st = lp_net_queue_new(&c, total_tiles(), take, s, &q, err);
    int i;

    for (i = 0; i < JOBS && !st; i++) {
        lp_net_options o = options(i);

        st = lp_net_queue_add(q, s->img[i % 2], side[i % 2][0], side[i % 2][1], &o, err);
    }
    if (!st) st = lp_net_queue_flush(q, err);
    lp_net_queue_free(&q);
    return st;
}

static void same(const lp_net_output *a, const lp_net_output *b)
{
    size_t n = (size_t)3 * a->Ly * a->Lx;
    float *p = malloc(n * sizeof *p), *q = malloc(n * sizeof *q);
    double x[STYLE], y[STYLE];

    assert_true(a->Ly == b->Ly && a->Lx == b->Lx && a->ntiles == b->ntiles);
    assert_true(p && q);
    counting.get(dev, p, a->yf, 0, n * sizeof *p, NULL);
    counting.get(dev, q, b->yf, 0, n * sizeof *q, NULL);
    assert_memory_equal(p, q, n * sizeof *p);
    counting.get(dev, x, a->style, 0, sizeof x, NULL);
    counting.get(dev, y, b->style, 0, sizeof y, NULL);
    assert_memory_equal(x, y, sizeof x);
    assert_true(x[0] == x[0]);
    free(p);
    free(q);
}

/* Every batch but the last is full, and a job gives the bits that it gives alone. */
static void full_batches(void **state)
{
    static const int batch[] = {1, 5, 1000};
    int total = total_tiles(), mixed = 0, i, k;
    scene alone, s;
    lp_err err;

    (void)state;
    begin(&alone);
    for (i = 0; i < JOBS; i++) {
        lp_net_context c = context(&alone, 4);
        lp_net_options o = options(i);

        alone.last_done = 0;
        assert_int_equal(lp_net_run(&c, alone.img[i % 2], side[i % 2][0], side[i % 2][1], &o,
                                    &alone.out[i], &err),
                         LP_OK);
        assert_true(alone.last_done == alone.total && alone.total == alone.out[i].ntiles);
    }
    for (k = 0; k < 3; k++) {
        begin(&s);
        if (run(&s, batch[k], &err)) fail_msg("%s", err.msg);
        assert_true(s.at == JOBS && s.last_done == total && s.total == total);
        for (i = 0; i < calls; i++) {
            if (i + 1 < calls && !larger_later) assert_int_equal(tiles_in[i], batch[k]);
            assert_true(tiles_in[i] <= batch[k]);
            mixed += groups_in[i] > 1;
        }
        for (i = 0; i < JOBS; i++) same(&s.out[i], &alone.out[i]);
        end(&s);
    }
    assert_true(mixed > 0);
    end(&alone);
}

/* The batch that was begun runs as it is, and there is room for larger tiles. */
static void larger_tiles_later(void **state)
{
    larger_later = 1;
    full_batches(state);
    larger_later = 0;
}

/* Stop, a receiver that fails, a job that cannot be. */
static void ends_early(void **state)
{
    lp_net_context c;
    lp_net_options o;
    lp_net_queue *q = NULL;
    scene s;
    lp_err err;

    (void)state;
    begin(&s);
    s.stop_at = 5;
    assert_int_equal(run(&s, 4, &err), LP_ESIGNAL);
    assert_true(s.at < JOBS);
    end(&s);

    begin(&s);
    s.fail_at = 3;
    assert_int_equal(run(&s, 4, &err), LP_EIO);
    assert_int_equal(s.at, 4);
    end(&s);

    begin(&s);
    c = context(&s, 4);
    o = options(0);
    o.rescale = 1e-3;
    assert_int_equal(lp_net_queue_new(&c, 3, take, &s, &q, &err), LP_OK);
    assert_int_equal(lp_net_queue_add(q, s.img[0], side[0][0], side[0][1], &o, &err), LP_EARG);
    assert_non_null(strstr(err.msg, "at diameter 14"));
    lp_net_queue_free(&q);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_batches),
        cmocka_unit_test(larger_tiles_later),
        cmocka_unit_test(ends_early),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
