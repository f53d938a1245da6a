/* test_train - what surrounds the network in training: rates, optimizers, first weights, pairs of
 * files, data, crops, the state of a stopped run, curves. */
#include "tmp_dir.h"

#include <sys/stat.h>

#include "host/read.h"
#include "host/train_augment.h"
#include "host/train_curve.h"
#include "host/train_init.h"
#include "host/train_loss.h"
#include "host/train_net.h"
#include "host/write_masks.h"
#include "host/write_png.h"

static lp_err err;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (call) fail_msg("%s", err.msg);                                                         \
    } while (0)

/* numpy's values of Cellpose's LR for these epochs. */
static void test_rates(void **state)
{
    (void)state;
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 5, 0), 0, 0, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 5, 4), 0.2 * 4 / 9, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 100, 9), 0.2, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 100, 99), 0.2, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 101, 50), 0.2, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 101, 51), 0.1, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 101, 56), 0.05, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 101, 100), 0.2 / 1024, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 500, 399), 0.2, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 500, 400), 0.1, 1e-12, 0);
    LP_ASSERT_CLOSE(lp_train_rate(0.2, 500, 499), 0.2 / 1024, 1e-12, 0);
}

static lp_weights *small(uint64_t seed)
{
    static const int nbase[] = {2, 8, 16};
    lp_weights *w;

    OK(lp_train_init(nbase, 3, 30, seed, &w, &err));
    return w;
}

/* Five steps along made-up gradients against the formulas of PyTorch's manual, in double. */
static void check_optimizer(int sgd)
{
    const lp_optim_options o = {sgd, 0.01, 0.9};
    const double lr = 0.05;
    lp_weights *w = small(1);
    float **g = calloc((size_t)w->n_tensors, sizeof *g);
    lp_optim opt;
    double p, m = 0, v = 0;
    int i, at = -1, k;

    OK(lp_optim_new(w, &o, &opt, &err));
    for (i = 0; i < w->n_tensors; i++)
        if (lp_tnet_is_learnt(w->tensors[i].name)) {
            g[i] = calloc(w->tensors[i].n, sizeof **g);
            if (w->tensors[i].ndim == 4) at = i;
        }
    p = w->tensors[at].data[1];
    for (k = 1; k <= 5; k++) {
        double e = sin(k);

        g[at][1] = (float)e;
        lp_optim_step(&opt, w, g, lr);
        if (sgd) {
            m = 0.9 * m + e + 0.01 * p;
            p -= lr * m;
        } else {
            p *= 1 - lr * 0.01;
            m = 0.9 * m + 0.1 * e;
            v = 0.999 * v + 0.001 * e * e;
            p -= lr * (m / (1 - pow(0.9, k))) / (sqrt(v / (1 - pow(0.999, k))) + 1e-8);
        }
        LP_ASSERT_CLOSE(w->tensors[at].data[1], p, 1e-6, 1e-5);
    }
    assert_true(w->tensors[0].data[0] == 30); /* diam_mean is not learnt */
    for (i = 0; i < w->n_tensors; i++) free(g[i]);
    free(g);
    lp_optim_free(&opt);
    lp_weights_free(&w);
}

static void test_optimizers(void **state)
{
    (void)state;
    check_optimizer(0);
    check_optimizer(1);
}

static void test_first_weights(void **state)
{
    lp_weights *a = small(1), *b = small(1), *c = small(2), *d;
    int i, differ = 0;

    (void)state;
    for (i = 0; i < a->n_tensors; i++) {
        const lp_tensor *t = &a->tensors[i];
        size_t k;

        assert_memory_equal(t->data, b->tensors[i].data, t->n * sizeof(float));
        differ += memcmp(t->data, c->tensors[i].data, t->n * sizeof(float)) != 0;
        if (t->ndim != 4) continue;
        for (k = 0; k < t->n; k++)
            assert_true(fabs(t->data[k]) * sqrt(t->shape[1] * t->shape[2] * t->shape[3]) <= 1);
    }
    assert_true(differ > 20);
    OK(lp_train_copy(a, &d, &err));
    OK(lp_weights_check(d, "copy", &err));
    assert_memory_equal(a->tensors[7].data, d->tensors[7].data, a->tensors[7].n * sizeof(float));
    lp_weights_free(&a);
    lp_weights_free(&b);
    lp_weights_free(&c);
    lp_weights_free(&d);
}

/* loss = sum((y - 5 t)^2) / (2 N) / 2 + cross entropy, by hand for one pixel. */
static void test_loss_by_hand(void **state)
{
    const float y[3] = {3, -1, 2}, t[3] = {1, 0.5f, -0.25f};
    double each[1], loss;
    float d[3];

    (void)state;
    loss = lp_train_loss(y, t, 1, 1, 1, each, d);
    LP_ASSERT_CLOSE(loss, (0.25 + 0.0625) / 4 + log(1 + exp(-2.0)), 1e-7, 0);
    LP_ASSERT_CLOSE(d[0], 0.5 * 0.5, 1e-6, 0);
    LP_ASSERT_CLOSE(d[1], 0.25 * 0.5, 1e-6, 0);
    LP_ASSERT_CLOSE(d[2], 1 / (1 + exp(-2.0)) - 1, 1e-6, 0);
    assert_true(each[0] == loss);
}

static void test_pairs(void **state)
{
    static const char *const names[] = {"a.tif",          "a_masks.tif",
                                        "b.png",          "b_labels.png",
                                        "b_cp_masks.tif", "c.mrc",
                                        "c_rois.zip",     "c_cp_masks.tif",
                                        "d.tif",          "d_cp_masks.tif",
                                        "e.tif",          "z_masks.tif",
                                        "f.tif",          "f_outlines.geojson"};
    static const char *const want[] = {"a_masks.tif", "b_labels.png", "c_rois.zip",
                                       "d_cp_masks.tif", "f_outlines.geojson"};
    const lp_train_files_options o = {.mask_filter = "_masks"}, other = {.mask_filter = "_gt"};
    char *dir = lp_tmp_dir(), *empty = lp_tmp_dir();
    lp_train_files f;
    int i;

    (void)state;
    for (i = 0; i < (int)(sizeof names / sizeof *names); i++) lp_tmp_touch(dir, names[i]);
    OK(lp_train_files_find(dir, &o, &f, &err));
    assert_int_equal(f.n, 5);
    for (i = 0; i < 5; i++) assert_string_equal(lp_tmp_base(f.pair[i].labels), want[i]);
    assert_int_equal(f.n_alone, 1);
    assert_string_equal(lp_tmp_base(f.alone), "e.tif");
    assert_int_equal(f.n_orphans, 1);
    assert_string_equal(f.orphan, "z_masks.tif");
    lp_train_files_free(&f);
    assert_int_equal(lp_train_files_find(empty, &o, &f, &err), LP_EARG);
    lp_tmp_touch(empty, "x.tif");
    assert_int_equal(lp_train_files_find(empty, &other, &f, &err), LP_EARG);
    assert_non_null(strstr(err.msg, "x.tif"));
    lp_tmp_remove(dir);
    lp_tmp_remove(empty);
}

/* Labels 5 and 9: a square of 8 and one of 4 px. */
static void squares(lp_labels *lb, int Ly, int Lx)
{
    int y, x;

    OK(lp_labels_new(lb, Ly, Lx, &err));
    for (y = 0; y < 8; y++)
        for (x = 0; x < 8; x++) lb->data[(y + 2) * Lx + x + 3] = 5;
    for (y = 0; y < 4; y++)
        for (x = 0; x < 4; x++) lb->data[(y + 12) * Lx + x + 14] = 9;
}

static void test_data(void **state)
{
    const lp_train_files_options fo = {.mask_filter = "_masks"};
    lp_train_data_options o = {.nchan = 2, .normalize = lp_normalize_defaults()};
    char *dir = lp_tmp_dir();
    uint8_t grey[20 * 24];
    lp_labels lb, flat = {0};
    lp_train_files f;
    lp_train_set s, again;
    int i;

    (void)state;
    for (i = 0; i < 20 * 24; i++) grey[i] = (uint8_t)(i % 251);
    squares(&lb, 20, 24);
    OK(lp_write_png(lp_tmp_path(dir, "a.png"), grey, 20, 24, 1, 8, &err));
    OK(lp_write_masks(lp_tmp_path(dir, "a_masks.tif"), &lb, 0, &err));
    OK(lp_write_png(lp_tmp_path(dir, "b.png"), grey, 20, 24, 1, 8, &err));
    OK(lp_labels_new(&flat, 20, 24, &err));
    OK(lp_write_masks(lp_tmp_path(dir, "b_masks.tif"), &flat, 0, &err));
    OK(lp_train_files_find(dir, &fo, &f, &err));
    o.min_train_masks = 1;
    OK(lp_train_set_load(&f, &o, &s, &err));
    assert_int_equal(s.n, 1);
    assert_int_equal(s.n_few, 1); /* empty labels */
    assert_int_equal(s.image[0].n_masks, 2);
    assert_int_equal(s.image[0].nchan, 1);
    LP_ASSERT_CLOSE(s.image[0].diameter, 6 * 2 / sqrt(3.14159265358979), 1e-9, 0);
    LP_ASSERT_CLOSE(s.diam_labels, s.image[0].diameter, 1e-12, 0);
    LP_ASSERT_CLOSE(s.diam_range[0], sqrt(16 + 0.05 * 48) * 2 / sqrt(3.14159265358979), 1e-9, 0);
    for (i = 0; i < 20 * 24; i++) {
        double fy = s.image[0].flows[i] / 32767.0, fx = s.image[0].flows[20 * 24 + i] / 32767.0;

        assert_int_equal(s.image[0].inside[i], lb.data[i] > 0);
        if (!lb.data[i]) assert_true(fy == 0 && fx == 0);
        if (lb.data[i] && (fy != 0 || fx != 0)) LP_ASSERT_CLOSE(hypot(fy, fx), 1, 1e-4, 0);
    }
    assert_true(s.image[0].flows[2 * 24 + 7] > 30000); /* top edge: down, to the centre */
    OK(lp_train_set_load(&f, &o, &again, &err));
    assert_true(s.digest == again.digest);
    lp_train_set_free(&again);
    o.min_train_masks = 3;
    assert_int_equal(lp_train_set_load(&f, &o, &again, &err), LP_EARG);
    o.min_train_masks = 0;
    OK(lp_train_set_load(&f, &o, &again, &err));
    assert_int_equal(again.n, 2);
    LP_ASSERT_CLOSE(again.image[1].diameter, 5, 0, 0);
    lp_train_set_free(&again);
    o.memory = 100;
    assert_int_equal(lp_train_set_load(&f, &o, &again, &err), LP_ENOMEM);
    o.memory = 0;
    lp_labels_free(&flat);
    OK(lp_labels_new(&flat, 21, 24, &err));
    OK(lp_write_masks(lp_tmp_path(dir, "b_masks.tif"), &flat, 0, &err));
    assert_int_equal(lp_train_set_load(&f, &o, &again, &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "b_masks.tif"));
    assert_non_null(strstr(err.msg, "b.png"));
    lp_train_set_free(&s);
    lp_train_files_free(&f);
    lp_labels_free(&flat);
    lp_labels_free(&lb);
    lp_tmp_remove(dir);
}

enum { N = 24 };

static void make_square_image(lp_train_image *im)
{
    float grey[N * N];
    lp_labels lb;
    int i;

    for (i = 0; i < N * N; i++) grey[i] = (float)(i % 17) + 1;
    squares(&lb, N, N);
    OK(lp_train_image_make("x", grey, 1, &lb, im, NULL, &err));
    lp_labels_free(&lb);
}

static void test_crops_turn_with_their_flows(void **state)
{
    const size_t p = N * N;
    float x[2 * N * N], t[3 * N * N];
    lp_augment a = {0, 0, 1, 0, 0};
    lp_train_image im;
    int i, j;

    (void)state;
    make_square_image(&im);
    lp_augment_apply(&im, &a, 2, N, N, x, t);
    for (i = 0; i < N * N; i++) {
        assert_true(x[i] == im.image[i] && x[p + i] == 0 && t[i] == im.inside[i]);
        LP_ASSERT_CLOSE(t[p + i], im.flows[i] / 32767.0, 1e-6, 0);
        LP_ASSERT_CLOSE(t[2 * p + i], im.flows[p + i] / 32767.0, 1e-6, 0);
    }
    a.flip = 1;
    lp_augment_apply(&im, &a, 2, N, N, x, t);
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++) {
            size_t to = (size_t)i * N + j, from = (size_t)i * N + N - 1 - j;

            assert_true(x[to] == im.image[from] && t[to] == im.inside[from]);
            LP_ASSERT_CLOSE(t[p + to], im.flows[from] / 32767.0, 1e-6, 0);
            LP_ASSERT_CLOSE(t[2 * p + to], -im.flows[p + from] / 32767.0, 1e-6, 0);
        }
    /* A quarter turn from x to y: what was at (N - j, i) is at (i, j). */
    a = (lp_augment){0, 3.14159265358979323846 / 2, 1, 0, 0};
    lp_augment_apply(&im, &a, 2, N, N, x, t);
    for (i = 0; i < N; i++)
        for (j = 1; j < N; j++) {
            size_t to = (size_t)i * N + j, from = (size_t)(N - j) * N + i;

            LP_ASSERT_CLOSE(x[to], im.image[from], 1e-4, 0);
            LP_ASSERT_CLOSE(t[p + to], im.flows[p + from] / 32767.0, 1e-4, 0);
            LP_ASSERT_CLOSE(t[2 * p + to], -im.flows[from] / 32767.0, 1e-4, 0);
        }
    /* Twice the size about the centre, moved by (3, -2): pixel (13, 12) is the centre's. */
    a = (lp_augment){0, 0, 2, 3, -2};
    lp_augment_apply(&im, &a, 1, N, N, x, t);
    LP_ASSERT_CLOSE(x[15 * N + 10], im.image[12 * N + 12], 1e-5, 0);
    LP_ASSERT_CLOSE(x[17 * N + 12], im.image[13 * N + 13], 1e-5, 0);
    LP_ASSERT_CLOSE(x[16 * N + 10], (im.image[12 * N + 12] + im.image[13 * N + 12]) / 2, 1e-5, 0);
    /* Far away there is nothing. */
    a.dx = 1e4;
    lp_augment_apply(&im, &a, 1, N, N, x, t);
    for (i = 0; i < N * N; i++) assert_true(x[i] == 0 && t[i] == 0);
    lp_train_image_free(&im);
}

static void test_draws(void **state)
{
    lp_augment a, b;
    lp_rng r;
    int k, flips = 0;
    double lo = 9, hi = 0;

    (void)state;
    for (k = 0; k < 400; k++) {
        lp_rng_init(&r, 3, 1, (uint32_t)k);
        a = lp_augment_draw(&r, 600, 400, 2, 0.5, 224, 224);
        lp_rng_init(&r, 3, 1, (uint32_t)k);
        b = lp_augment_draw(&r, 600, 400, 2, 0.5, 224, 224);
        assert_memory_equal(&a, &b, sizeof a);
        flips += a.flip;
        lo = fmin(lo, a.scale);
        hi = fmax(hi, a.scale);
        assert_true(fabs(a.dy) <= fmax(0, 600 * a.scale - 224) / 2);
        assert_true(fabs(a.dx) <= fmax(0, 400 * a.scale - 224) / 2);
    }
    assert_true(flips > 150 && flips < 250);
    assert_true(lo >= 0.375 && lo < 0.38 && hi <= 0.625 && hi > 0.62);
}

typedef struct {
    lp_train_progress p;
    lp_weights *w;
    lp_optim o;
    double loss[2][4];
} stopped;

static void make_stopped(stopped *s, uint64_t seed)
{
    const lp_optim_options o = {0, 0, 0};
    int i;

    memset(s, 0, sizeof *s);
    s->w = small(seed);
    OK(lp_optim_new(s->w, &o, &s->o, &err));
    s->p = (lp_train_progress){.n_epochs = 4, .train_loss = s->loss[0], .test_loss = s->loss[1]};
    memset(s->p.fingerprint, 'a', 64);
    for (i = 0; i < 4; i++) s->loss[0][i] = s->loss[1][i] = i + (double)seed;
}

static void free_stopped(stopped *s)
{
    lp_weights_free(&s->w);
    lp_optim_free(&s->o);
}

static uint8_t *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = malloc(1 << 20);

    assert_true(f && p);
    *n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

static void test_state(void **state)
{
    char *dir = lp_tmp_dir(), path[2048];
    stopped a, b;
    uint8_t *data;
    size_t n, at;
    int i;

    (void)state;
    snprintf(path, sizeof path, "%s", lp_tmp_path(dir, "m.state"));
    make_stopped(&a, 1);
    make_stopped(&b, 2);
    a.p.epoch = 2;
    a.p.images = 7;
    a.p.loss_sum = 1.5;
    a.o.steps = 11;
    a.o.state[3] = 4.5f;
    OK(lp_train_state_write(path, &a.p, a.w, &a.o, &err));
    data = slurp(path, &n);
    for (at = 0; at < n; at += at < 200 ? 1 : 997) { /* any byte changed, nothing is taken */
        data[at] ^= 4;
        assert_true(lp_train_state_parse("x", data, n, &b.p, b.w, &b.o, &err));
        data[at] ^= 4;
    }
    assert_int_equal(lp_train_state_parse("x", data, n - 1, &b.p, b.w, &b.o, &err), LP_EFORMAT);
    assert_int_equal(lp_train_state_parse("x", data, 0, &b.p, b.w, &b.o, &err), LP_EFORMAT);
    b.p.fingerprint[5] = 'b';
    assert_int_equal(lp_train_state_read(path, &b.p, b.w, &b.o, &err), LP_EARG);
    b.p.fingerprint[5] = 'a';
    assert_true(b.p.epoch == 0 && b.o.steps == 0 && b.loss[0][0] == 2);
    OK(lp_train_state_read(path, &b.p, b.w, &b.o, &err));
    assert_true(b.p.epoch == 2 && b.p.images == 7 && b.p.loss_sum == 1.5 && b.o.steps == 11);
    assert_memory_equal(a.loss, b.loss, sizeof a.loss);
    assert_memory_equal(a.o.state, b.o.state, a.o.n_state * sizeof(float));
    for (i = 0; i < a.w->n_tensors; i++)
        assert_memory_equal(a.w->tensors[i].data, b.w->tensors[i].data,
                            a.w->tensors[i].n * sizeof(float));
    assert_int_equal(lp_train_state_read(lp_tmp_path(dir, "none"), &b.p, b.w, &b.o, &err), LP_EIO);
    free(data);
    free_stopped(&a);
    free_stopped(&b);
    lp_tmp_remove(dir);
}

static void test_curves(void **state)
{
    char *dir = lp_tmp_dir(), path[2048];
    uint8_t *text;
    lp_image im;
    stopped s;
    size_t n;

    (void)state;
    make_stopped(&s, 1);
    s.p.epoch = 2;
    s.loss[1][1] = NAN;
    snprintf(path, sizeof path, "%s", lp_tmp_path(dir, "c.csv"));
    OK(lp_train_curve_csv(path, &s.p, 0.9, &err));
    text = slurp(path, &n);
    text[n] = 0;
    assert_string_equal((char *)text, "epoch,rate,train_loss,test_loss\n1,0,1,1\n2,0.1,2,\n");
    free(text);
    snprintf(path, sizeof path, "%s", lp_tmp_path(dir, "c.png"));
    OK(lp_train_curve_png(path, &s.p, &err));
    OK(lp_read_image(path, 0, &im, &err));
    assert_true(im.Ly == 400 && im.Lx == 640 && im.nchan == 3);
    lp_image_free(&im);
    s.p.epoch = 0; /* nothing known: axes only */
    OK(lp_train_curve_png(path, &s.p, &err));
    assert_int_equal(lp_train_curve_csv("/nowhere/c.csv", &s.p, 0.9, &err), LP_EIO);
    free_stopped(&s);
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_first_weights),
        cmocka_unit_test(test_loss_by_hand),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_crops_turn_with_their_flows),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_curves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
