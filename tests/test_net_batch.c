/* Threads whose tiles share batches (host/net_batch.h), on the CPU's back end: who has come while
 * a batch runs is in the next one, and everybody gets the bits that he gets alone. */
#include <pthread.h>

#include "lp_test.h"

#include "cone_model.h"
#include "host/net_queue.h"

enum { N = 6, STYLE = 16, SIDE = 64 };

static lp_net *net;
static lp_device *first;  /* of the network and its batches */
static lp_backend hooked; /* the CPU's */

/* What the back end was asked for; the first batch waits until `want` cuts were made. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int cuts, want, batches, fail, tiles[64];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER};

static lp_status cut(lp_device *d, lp_buf *tiles, size_t at, const lp_buf *img, int nchan,
                     const lp_tiling *plan, int from, int n, lp_err *err)
{
    lp_status st = lp_backend_cpu.tile_cut(d, tiles, at, img, nchan, plan, from, n, err);

    pthread_mutex_lock(&seen.lock);
    seen.cuts++;
    pthread_cond_broadcast(&seen.news);
    pthread_mutex_unlock(&seen.lock);
    return st;
}

/* The model's styles are all the same: here they tell of their tile. */
static void mark_styles(lp_device *d, const lp_buf *tiles, const lp_tile_group *group, int n_groups,
                        lp_buf *styles)
{
    size_t at = 0, k = 0, i;
    int g, j;

    for (g = 0; g < n_groups; g++) {
        size_t n = 2 * (size_t)group[g].ly * (size_t)group[g].lx;
        float *t = malloc(n * sizeof *t), all[64 * STYLE];

        assert_true(t && k + (size_t)group[g].n <= 64);
        hooked.get(d, all, styles, 0, (k + (size_t)group[g].n) * STYLE * sizeof *all, NULL);
        for (j = 0; j < group[g].n; j++, k++, at += n) {
            hooked.get(d, t, tiles, at * sizeof *t, n * sizeof *t, NULL);
            for (i = 0; i < n; i++) all[k * STYLE + 1] += t[i];
        }
        hooked.put(d, styles, all, k * STYLE * sizeof *all, NULL);
        free(t);
    }
}

static lp_status unet(lp_device *d, lp_net *n, const lp_buf *tiles, const lp_tile_group *group,
                      int n_groups, lp_buf *y, lp_buf *styles, lp_err *err)
{
    int k, i, fail;
    lp_status st;

    pthread_mutex_lock(&seen.lock);
    k = seen.batches++;
    assert_true(k < 64);
    seen.tiles[k] = 0;
    for (i = 0; i < n_groups; i++) seen.tiles[k] += group[i].n;
    while (k == 0 && seen.cuts < seen.want) pthread_cond_wait(&seen.news, &seen.lock);
    fail = seen.fail == k + 1;
    pthread_mutex_unlock(&seen.lock);
    if (fail) return lp_fail(err, LP_ENOMEM, "no room for batch %d", k);
    st = lp_backend_cpu.unet(d, n, tiles, group, n_groups, y, styles, err);
    if (!st) mark_styles(d, tiles, group, n_groups, styles);
    return st;
}

static size_t room_for; /* bytes of a buffer; 0: all */

static lp_status buf_new(lp_device *d, size_t bytes, lp_buf **out, lp_err *err)
{
    if (room_for && bytes > room_for) return lp_fail_mem(err, "buffer", (double)bytes);
    return lp_backend_cpu.buf_new(d, bytes, out, err);
}

static int setup(void **state)
{
    lp_weights *w = cone_model();
    lp_precision used;
    lp_err err;

    (void)state;
    assert_non_null(w);
    hooked = lp_backend_cpu;
    hooked.tile_cut = cut;
    hooked.unet = unet;
    hooked.buf_new = buf_new;
    assert_int_equal(hooked.open(&(lp_backend_options){.threads = 1}, &first, &err), LP_OK);
    assert_int_equal(hooked.net_new(first, w, LP_PRECISION_FP32, &net, &used, &err), LP_OK);
    lp_weights_free(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hooked.net_free(first, &net);
    hooked.close(&first);
    return 0;
}

/* A thread with an image, of a size of its own. */
typedef struct {
    lp_net_batch *batch;
    int number, stop;
    lp_status st;
    lp_err err;
    float *out; /* [3][Ly][Lx] */
    double style[STYLE];
} worker;

static int on_tiles(void *user, int done, int total)
{
    const worker *w = user;

    return done < total && w->stop;
}

static size_t out_px(const worker *w)
{
    return 3 * (size_t)SIDE * (size_t)(SIDE + 8 * w->number);
}

static lp_status one(worker *w, lp_device *dev, lp_buf *img)
{
    lp_net_context c = {.be = &hooked,
                        .dev = dev,
                        .net = net,
                        .nchan = 2,
                        .style_length = STYLE,
                        .batch_size = 64,
                        .batch = w->batch,
                        .on_tiles = on_tiles,
                        .user = w};
    lp_net_options o = {
        .rescale = w->number % 2 ? 1.5 : 1, .bsize = 48, .tile_overlap = 0.1, .resample = 1};
    lp_net_output out = {0};
    lp_status st = lp_net_run(&c, img, SIDE, SIDE + 8 * w->number, &o, &out, &w->err);

    if (st) return st;
    hooked.get(dev, w->out, out.yf, 0, out_px(w) * sizeof(float), NULL);
    hooked.get(dev, w->style, out.style, 0, sizeof w->style, NULL);
    lp_net_output_free(&hooked, dev, &out);
    return LP_OK;
}

static void *work(void *arg)
{
    worker *w = arg;
    int Lx = SIDE + 8 * w->number;
    float *img = calloc(2 * (size_t)SIDE * (size_t)Lx, sizeof *img);
    size_t bytes = 2 * (size_t)SIDE * (size_t)Lx * sizeof *img;
    lp_device *dev = NULL;
    lp_buf *b = NULL;

    w->out = calloc(out_px(w), sizeof *w->out);
    assert_true(img && w->out);
    cone_image(img, SIDE, Lx, 3u + (unsigned)w->number);
    assert_int_equal(hooked.open(&(lp_backend_options){.threads = 1, .with = first}, &dev, NULL),
                     LP_OK);
    assert_int_equal(hooked.buf_new(dev, bytes, &b, NULL), LP_OK);
    hooked.put(dev, b, img, bytes, NULL);
    w->st = one(w, dev, b);
    hooked.buf_free(dev, &b);
    hooked.close(&dev);
    free(img);
    return NULL;
}

/* w [N] with one batch for all, all of them in the second one. */
static void together(worker *w, lp_net_batch *b)
{
    pthread_t thread[N];
    int i;

    seen.cuts = seen.batches = 0;
    seen.want = N;
    for (i = 0; i < N; i++) {
        w[i].batch = b;
        w[i].number = i;
        assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
    }
    for (i = 0; i < N; i++) pthread_join(thread[i], NULL);
}

static lp_net_batch *shared(void)
{
    lp_net_batch *b = NULL;

    assert_int_equal(lp_net_batch_new(&hooked, first, net, 2, STYLE, 1, &b, NULL), LP_OK);
    lp_net_batch_expect(b, 16); /* batches have room for all */
    return b;
}

static void alone(worker *w, int number)
{
    *w = (worker){.number = number};
    seen.cuts = seen.batches = seen.want = 0;
    work(w);
    assert_int_equal(w->st, LP_OK);
}

static void same_as_alone(const worker *w)
{
    worker a;
    size_t i, n = out_px(w), some = 0;

    alone(&a, w->number);
    if (w->st) fail_msg("%s", w->err.msg);
    assert_memory_equal(w->out, a.out, n * sizeof *a.out);
    assert_memory_equal(w->style, a.style, sizeof a.style);
    for (i = 0; i < n; i++) some += a.out[i] != a.out[0];
    assert_true(some > 0 && a.style[0] == a.style[0]);
    free(a.out);
}

static void company(void **state)
{
    lp_net_batch *b = shared();
    lp_net_batch_state s;
    worker w[N] = {0};
    int i, tiles = 0;

    (void)state;
    together(w, b);
    assert_true(seen.batches <= 2); /* the first comer's, and all the others' */
    assert_int_equal(lp_net_batch_look(b, 1, &s, NULL), LP_OK);
    for (i = 0; i < seen.batches; i++) tiles += seen.tiles[i];
    assert_true(s.batches == seen.batches && s.tiles == tiles);
    assert_true(s.busy > 0 && s.s_per_pixel > 0);
    for (i = 0; i < N; i++) {
        same_as_alone(&w[i]);
        free(w[i].out);
    }
    lp_net_batch_free(&b);
}

/* A batch that fails, fails for those who are in it; and the rest can go on. */
static void failure(void **state)
{
    int k;

    (void)state;
    for (k = 1; k <= 2; k++) {
        lp_net_batch *b = shared();
        worker w[N] = {0};
        int i, failed = 0, batches;

        seen.fail = k;
        together(w, b);
        seen.fail = 0;
        batches = seen.batches;
        for (i = 0; i < N; i++) {
            if (w[i].st) {
                assert_int_equal(w[i].st, LP_ENOMEM);
                assert_non_null(strstr(w[i].err.msg, "no room for batch"));
                failed++;
            } else {
                same_as_alone(&w[i]);
            }
        }
        assert_true(k <= batches ? failed > 0 : failed == 0);
        assert_true(failed < N || batches == 1);
        for (i = 0; i < N; i++) {
            worker again = {.batch = b, .number = i};

            seen.cuts = seen.batches = seen.want = 0;
            work(&again);
            same_as_alone(&again);
            free(again.out);
            free(w[i].out);
        }
        lp_net_batch_free(&b);
    }
}

/* Who is stopped leaves, and nobody waits for him. */
static void stopped(void **state)
{
    lp_net_batch *b = shared();
    worker w[N] = {0};
    int i;

    (void)state;
    w[1].stop = w[4].stop = 1;
    together(w, b);
    for (i = 0; i < N; i++) {
        if (w[i].stop)
            assert_int_equal(w[i].st, LP_ESIGNAL);
        else
            same_as_alone(&w[i]);
        free(w[i].out);
    }
    lp_net_batch_free(&b);
}

/* An image of one tile. */
static void add_one(lp_net_batch *b, lp_net_member *m, lp_net_target *t, int side)
{
    lp_tiling *plan = calloc(1, sizeof *plan);
    size_t bytes = 2 * (size_t)side * (size_t)side * sizeof(float);
    float *zero = calloc(1, bytes);
    lp_buf *img = NULL;

    assert_true(plan && zero);
    assert_int_equal(lp_tiling_plan(side, side, side + 16, 0.1, 0, plan, NULL), LP_OK);
    assert_int_equal(plan->ntiles, 1);
    *t = (lp_net_target){.plan = plan};
    assert_int_equal(lp_backend_cpu.buf_new(first, bytes, &img, NULL), LP_OK);
    assert_int_equal(lp_backend_cpu.buf_new(first, bytes / 2 * 3, &t->yf, NULL), LP_OK);
    assert_int_equal(lp_backend_cpu.buf_new(first, STYLE * sizeof(double), &t->style, NULL), LP_OK);
    hooked.put(first, img, zero, bytes, NULL);
    assert_int_equal(lp_net_batch_add(b, m, t, img, NULL), LP_OK);
    hooked.buf_free(first, &img);
    free(zero);
}

static void drop_one(lp_net_target *t)
{
    lp_tiling *plan = (lp_tiling *)(size_t)t->plan;

    lp_tiling_free(plan);
    free(plan);
    hooked.buf_free(first, &t->yf);
    hooked.buf_free(first, &t->style);
}

/* Memory is short while the two sets grow: they may then differ in room. */
static void uneven(void **state)
{
    enum { SMALL = 48, LARGE = 96 };
    lp_net_batch *b = NULL;
    lp_net_member keeper = {.dev = first, .total = 6, .batch_size = 64};
    lp_net_member m = {.dev = first, .batch_size = 64};
    lp_net_target t[7];
    int i;

    (void)state;
    assert_int_equal(lp_net_batch_new(&hooked, first, net, 2, STYLE, 1, &b, NULL), LP_OK);
    seen.batches = seen.want = 0;
    lp_net_batch_join(b, &keeper); /* so that memory stays */
    for (i = 0; i < 2; i++) {      /* room for 6 small ones in each */
        m.total = 6;
        lp_net_batch_join(b, &m);
        add_one(b, &m, t, SMALL);
        assert_int_equal(lp_net_batch_finish(b, &m, NULL), LP_OK);
        lp_net_batch_leave(b, &m);
        drop_one(t);
    }
    m.total = 10;
    lp_net_batch_join(b, &m);
    room_for = (size_t)7 * (LARGE + 16) * (LARGE + 16) * 3 *
               sizeof(float); /* 5 of 10, but 6 where 6 were */
    for (i = 0; i < 7; i++) add_one(b, &m, &t[i], i ? SMALL : LARGE);
    room_for = 0;
    assert_int_equal(lp_net_batch_finish(b, &m, NULL), LP_OK);
    assert_int_equal(m.done, 7);
    for (i = 0; i < seen.batches; i++) assert_in_range(seen.tiles[i], 1, 5);
    lp_net_batch_leave(b, &m);
    for (i = 0; i < 7; i++) drop_one(&t[i]);
    lp_net_batch_leave(b, &keeper);
    lp_net_batch_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(company),
        cmocka_unit_test(failure),
        cmocka_unit_test(stopped),
        cmocka_unit_test(uneven),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
