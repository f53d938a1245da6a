/* test_train_net - gradients, running statistics and losses against PyTorch's
 * (golden/tiny_net.h5), finite differences for other nets, and the same bits twice. */
#include "lp_h5.h"
#include "lp_test.h"

#include "host/train_init.h"
#include "host/train_loss.h"
#include "host/train_net.h"
#include "host/train_optim.h"
#include "host/unet_ref.h"

static lp_err err;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (call) fail_msg("%s", err.msg);                                                         \
    } while (0)

/* Largest difference relative to the largest value. */
static double distance(const float *a, const float *b, size_t n)
{
    double most = 0, d = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        if (!(fabs((double)b[i]) <= most)) most = fabs((double)b[i]);
        if (!(fabs((double)a[i] - b[i]) <= d)) d = fabs((double)a[i] - b[i]);
    }
    return most > 0 ? d / most : d;
}

typedef struct {
    lp_weights *w;
    lp_tnet *net;
    float *x, *target, *y, *d_y;
    int n, ly, lx;
} batch;

static double loss_of(batch *b, int training, float *d_y)
{
    double each[16];

    OK(lp_tnet_forward(b->net, b->x, b->n, training, b->y, &err));
    return lp_train_loss(b->y, b->target, b->n, b->ly, b->lx, each, d_y);
}

static void golden_batch(batch *b, const char *h5, const char *model, int threads)
{
    hsize_t d[8];

    OK(lp_weights_open(model, &b->w, &err));
    b->x = lp_h5_float(h5, "train/x", d);
    b->n = (int)d[0];
    b->ly = (int)d[2];
    b->lx = (int)d[3];
    b->target = lp_h5_float(h5, "train/lbl_cellprob_flowsY_flowsX", d);
    b->y = malloc((size_t)b->n * 3 * b->ly * b->lx * sizeof(float));
    b->d_y = malloc((size_t)b->n * 3 * b->ly * b->lx * sizeof(float));
    assert_true(b->y && b->d_y);
    OK(lp_tnet_new(b->w, b->n, b->ly, b->lx, threads, 0, &b->net, &err));
}

static void free_batch(batch *b)
{
    lp_tnet_free(&b->net);
    lp_weights_free(&b->w);
    free(b->x);
    free(b->target);
    free(b->y);
    free(b->d_y);
}

static float *tensor(lp_weights *w, const char *name)
{
    return (float *)(size_t)lp_weights_get(w, name);
}

/* A gradient that is zero but for rounding has no direction of its own: the bias of a convolution
 * that a batch norm follows has none, whatever PyTorch's rounding left. */
static double size_of_gradients(const lp_weights *w, float *const *g)
{
    double most = 0;
    size_t k;
    int i;

    for (i = 0; i < w->n_tensors; i++)
        for (k = 0; g[i] && k < w->tensors[i].n; k++)
            if (fabs((double)g[i][k]) > most) most = fabs((double)g[i][k]);
    return most;
}

static void test_gradients_are_pytorchs(void **state)
{
    LP_NEED_DATA(h5, "golden/tiny_net.h5");
    LP_NEED_DATA(model, "checkpoints/cp3_tiny_zip.pth");
    batch b = {0};
    float *const *g, *ref;
    double *loss, got, most, worst = 0;
    char name[200];
    hsize_t d[8];
    int i, n = 0;

    (void)state;
    golden_batch(&b, h5, model, 1);
    loss = lp_h5_double(h5, "train/loss", d);
    /* One activation of this channel is 0 but for rounding, and PyTorch's fell on the side below
     * (in double it is above): without the nudge the ReLU's gradient there is in all of
     * res_down_0. */
    tensor(b.w, "downsample.down.res_down_0.conv.conv_3.0.bias")[4] -= 1e-6f;
    got = loss_of(&b, 1, b.d_y);
    LP_ASSERT_CLOSE(got, loss[0], 0, 1e-5);
    ref = lp_h5_float(h5, "train/y", d);
    LP_ASSERT_CLOSE(distance(b.y, ref, (size_t)b.n * 3 * b.ly * b.lx), 0, 1e-4, 0);
    free(ref);
    OK(lp_tnet_backward(b.net, b.d_y, &err));
    g = lp_tnet_gradients(b.net);
    most = size_of_gradients(b.w, g);
    for (i = 0; i < b.w->n_tensors; i++) {
        const lp_tensor *t = &b.w->tensors[i];
        double tiny = 0;
        size_t k;

        assert_int_equal(g[i] != NULL, lp_tnet_is_learnt(t->name));
        if (g[i]) {
            snprintf(name, sizeof name, "train/grad/%s", t->name);
            ref = lp_h5_float(h5, name, d);
            for (k = 0; k < t->n; k++) tiny = fmax(tiny, fabs((double)ref[k]));
            if (tiny > 1e-5 * most) {
                double e = distance(g[i], ref, t->n);

                if (!(e <= 1e-3)) fail_msg("%s: %g", t->name, e);
                worst = fmax(worst, e);
            } else {
                for (k = 0; k < t->n; k++) assert_true(fabs((double)g[i][k]) <= 2e-5 * most);
            }
            n++;
        } else if (strstr(t->name, "running")) {
            snprintf(name, sizeof name, "train/running_after/%s", t->name);
            ref = lp_h5_float(h5, name, d);
            LP_ASSERT_CLOSE(distance(t->data, ref, t->n), 0, 1e-5, 0);
        } else {
            continue;
        }
        free(ref);
    }
    print_message("%d gradients, worst relative difference %.2g\n", n, worst);
    assert_int_equal(n, 188);
    free(loss);
    free_batch(&b);
}

/* 20 steps on one batch; the rates are those that made the file's. */
static void check_losses(int sgd, const char *name)
{
    const char *h5 = lp_test_data("golden/tiny_net.h5");
    const char *model = lp_test_data("checkpoints/cp3_tiny_zip.pth");
    const lp_optim_options o = {sgd, 1e-5, 0.9};
    double *ref, worst = 0;
    lp_optim opt;
    batch b = {0};
    hsize_t d[8];
    int k;

    golden_batch(&b, h5, model, 1);
    OK(lp_optim_new(b.w, &o, &opt, &err));
    ref = lp_h5_double(h5, name, d);
    for (k = 0; k < 20; k++) {
        double loss = loss_of(&b, 1, b.d_y);

        LP_ASSERT_CLOSE(loss, ref[k], 0, 1e-2);
        worst = fmax(worst, fabs(loss - ref[k]) / ref[k]);
        OK(lp_tnet_backward(b.net, b.d_y, &err));
        lp_optim_step(&opt, b.w, lp_tnet_gradients(b.net), sgd ? 0.01 : 0.001);
    }
    print_message("%s: worst relative difference %.2g\n", name, worst);
    free(ref);
    lp_optim_free(&opt);
    free_batch(&b);
}

static void test_steps_follow_pytorch(void **state)
{
    LP_NEED_DATA(h5, "golden/tiny_net.h5");
    LP_NEED_DATA(model, "checkpoints/cp3_tiny_zip.pth");

    (void)state;
    (void)h5;
    (void)model;
    check_losses(0, "train/losses_20_steps_adamw");
    check_losses(1, "train/losses_20_steps_sgd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_are_pytorchs),
        cmocka_unit_test(test_steps_follow_pytorch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
