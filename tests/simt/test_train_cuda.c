/* Training on a GPU, with the executor as its runtime and fake_cudnn.c as cuDNN: gradients and
 * running statistics against PyTorch's (golden/tiny_net.h5), steps against the CPU's, the same
 * bytes twice and after a resume, and what goes wrong. */
#include <cuda_runtime_api.h>

#include "../lp_h5.h"
#include "../lp_test.h"
#include "../distance.h"
#include "fake_cudnn.h"

#include "host/train_backend.h"
#include "host/train_init.h"
#include "host/train_net.h"
#include "host/train_table_cuda.h"

static lp_err err;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (call) fail_msg("%s", err.msg);                                                         \
    } while (0)

/* ---- one network on the table itself */

typedef struct {
    lp_train_gpu g;
    lp_weights *w;
    float **d_tensor;
    lp_tnet *net;
} device_net;

static void open_net(device_net *n, lp_weights *w, int batch, int ly, int lx)
{
    const lp_tnet_options o = {0, batch, ly, lx, 1, 0};
    int i;

    n->w = w;
    OK(lp_card_open(0, 0, &n->g.card, &err));
    OK(lp_cudnn_open(LP_CUDNN_LIBRARY, &n->g.cudnn, &err));
    assert_int_equal(cudaStreamCreateWithFlags(&n->g.stream, cudaStreamNonBlocking), 0);
    n->d_tensor = calloc((size_t)w->n_tensors, sizeof *n->d_tensor);
    for (i = 0; i < w->n_tensors; i++) {
        OK(lp_train_gpu_alloc(&n->g, w->tensors[i].n * 4, (void **)&n->d_tensor[i], &err));
        OK(lp_card_put(n->g.card, n->d_tensor[i], w->tensors[i].data, w->tensors[i].n * 4, &err));
    }
    OK(lp_tnet_new_on(&lp_train_cudnn, &n->g, n->d_tensor, w, &o, &n->net, &err));
}

static void close_net(device_net *n)
{
    int i;

    cudaStreamSynchronize(n->g.stream);
    lp_tnet_free(&n->net);
    for (i = 0; i < n->w->n_tensors; i++)
        lp_card_free(n->g.card, n->d_tensor[i], n->w->tensors[i].n * 4, NULL);
    free(n->d_tensor);
    lp_cudnn_close(&n->g.cudnn);
    cudaStreamDestroy(n->g.stream);
    lp_card_close(&n->g.card);
    assert_int_equal(simt_device_memory_used(), 0);
}

static float *on_card(device_net *n, const float *v, size_t count)
{
    void *d = NULL;

    OK(lp_train_gpu_alloc(&n->g, count * 4, &d, &err));
    if (v) OK(lp_card_put(n->g.card, d, v, count * 4, &err));
    return d;
}

/* The golden file's d_y is not kept: it follows from y, by the CPU's loss. */
static void test_gradients_are_pytorchs(void **state)
{
    LP_NEED_DATA(h5, "golden/tiny_net.h5");
    LP_NEED_DATA(model, "checkpoints/cp3_tiny_zip.pth");
    device_net n = {0};
    lp_weights *w;
    float *x, *target, *ref, *d_x, *d_t, *d_y, *d_dy, *const *g;
    double *loss, *d_loss, *d_work, got = 0, most = 0, worst = 0;
    char name[200];
    size_t all, k, work;
    int i, batch, ly, lx, count = 0;
    hsize_t d[8];

    (void)state;
    fake_cudnn_needed();
    OK(lp_weights_open(model, &w, &err));
    /* test_train_net.c says why. */
    ((float *)(size_t)lp_weights_get(w, "downsample.down.res_down_0.conv.conv_3.0.bias"))[4] -=
        1e-6f;
    x = lp_h5_float(h5, "train/x", d);
    batch = (int)d[0];
    ly = (int)d[2];
    lx = (int)d[3];
    all = (size_t)batch * ly * lx;
    target = lp_h5_float(h5, "train/lbl_cellprob_flowsY_flowsX", d);
    loss = lp_h5_double(h5, "train/loss", d);
    open_net(&n, w, batch, ly, lx);
    d_x = on_card(&n, x, all * w->nbase[0]);
    d_t = on_card(&n, target, all * 3);
    d_y = on_card(&n, NULL, all * 3);
    d_dy = on_card(&n, NULL, all * 3);
    work = lp_tstep_loss_work(batch, ly, lx) + (size_t)batch;
    d_loss = (double *)(void *)on_card(&n, NULL, work * 2);
    d_work = d_loss + batch;
    OK(lp_tnet_forward(n.net, d_x, batch, 1, d_y, &err));
    assert_int_equal(lp_tstep_loss_cuda(d_y, d_t, batch, ly, lx, d_loss, d_dy, d_work, n.g.stream),
                     0);
    OK(lp_tnet_backward(n.net, d_dy, &err));
    assert_int_equal(cudaStreamSynchronize(n.g.stream), 0);
    for (i = 0; i < batch; i++) got += d_loss[i] / batch; /* the card's memory is the host's here */
    LP_ASSERT_CLOSE(got, loss[0], 0, 1e-5);
    ref = lp_h5_float(h5, "train/y", d);
    LP_ASSERT_CLOSE(distance(d_y, ref, all * 3), 0, 1e-4, 0);
    free(ref);
    g = lp_tnet_gradients(n.net);
    for (i = 0; i < w->n_tensors; i++)
        for (k = 0; g[i] && k < w->tensors[i].n; k++) most = fmax(most, fabs((double)g[i][k]));
    for (i = 0; i < w->n_tensors; i++) {
        const lp_tensor *t = &w->tensors[i];
        double tiny = 0, e;

        if (strstr(t->name, "running")) {
            snprintf(name, sizeof name, "train/running_after/%s", t->name);
            ref = lp_h5_float(h5, name, d);
            LP_ASSERT_CLOSE(distance(n.d_tensor[i], ref, t->n), 0, 1e-5, 0);
            free(ref);
        }
        if (!g[i]) continue;
        snprintf(name, sizeof name, "train/grad/%s", t->name);
        ref = lp_h5_float(h5, name, d);
        for (k = 0; k < t->n; k++) tiny = fmax(tiny, fabs((double)ref[k]));
        if (tiny > 1e-5 * most) {
            e = distance(g[i], ref, t->n);
            if (!(e <= 1e-3)) fail_msg("%s: %g", t->name, e);
            worst = fmax(worst, e);
        } else {
            for (k = 0; k < t->n; k++) assert_true(fabs((double)g[i][k]) <= 2e-5 * most);
        }
        free(ref);
        count++;
    }
    print_message("%d gradients, worst relative difference %.2g\n", count, worst);
    assert_int_equal(count, 188);
    lp_card_free(n.g.card, d_x, all * w->nbase[0] * 4, NULL);
    lp_card_free(n.g.card, d_t, all * 12, NULL);
    lp_card_free(n.g.card, d_y, all * 12, NULL);
    lp_card_free(n.g.card, d_dy, all * 12, NULL);
    lp_card_free(n.g.card, d_loss, work * 8, NULL);
    close_net(&n);
    lp_weights_free(&w);
    free(x);
    free(target);
    free(loss);
}

/* ---- the back end, as train_run.c uses it */

enum { BATCH = 3, SIDE = 16, STEPS = 4 };
static const int nbase[] = {2, 8, 20};

typedef struct {
    lp_weights *w;
    const lp_train_backend *be;
    lp_trainer *t;
    double loss[STEPS], each[BATCH];
} run;

static const char *const kinds[] = {"sgd", "adamw"};

static lp_trainer_options options(int sgd, int bf16)
{
    return (lp_trainer_options){.batch = BATCH,
                                .ly = SIDE,
                                .lx = SIDE,
                                .threads = 1,
                                .optim = {sgd, 1e-5, 0.9},
                                .bf16 = bf16};
}

static void begin(run *r, const char *name, int sgd, int bf16)
{
    lp_trainer_options o = options(sgd, bf16);

    OK(lp_train_init(nbase, 3, 30, 5, &r->w, &err));
    OK(lp_train_backend_find(name, 0, &r->be, &err));
    assert_string_equal(r->be->name, name);
    OK(r->be->open(r->w, &o, &r->t, &err));
    OK(r->be->put(r->t, &err));
}

static void end(run *r)
{
    r->be->close(&r->t);
    assert_null(r->t);
    lp_weights_free(&r->w);
}

/* Crops of step k; the last one has fewer images. */
static int crops(int k, float *x, float *target)
{
    int n = k == STEPS - 1 ? BATCH - 1 : BATCH, i;
    unsigned s = 7 + (unsigned)k;

    for (i = 0; i < n * 5 * SIDE * SIDE; i++) {
        int of_x = i < n * 2 * SIDE * SIDE, j = i - n * 2 * SIDE * SIDE;

        s = s * 1664525u + 1013904223u;
        if (of_x)
            x[i] = (float)(s >> 8) / (1 << 24);
        else
            target[j] = j / (SIDE * SIDE) % 3 ? (float)(s >> 8) / (1 << 23) - 1 : (float)(s >> 31);
    }
    return n;
}

static void steps(run *r, int from, int to)
{
    static float x[BATCH * 2 * SIDE * SIDE], target[BATCH * 3 * SIDE * SIDE];
    int k, n;

    for (k = from; k < to; k++) {
        n = crops(k, x, target);
        OK(r->be->gradients(r->t, x, target, n, &err));
        memset(x, 0xff, sizeof x); /* NaN: they may be changed at once */
        memset(target, 0xff, sizeof target);
        OK(r->be->loss(r->t, r->each, &r->loss[k], &err));
        OK(r->be->update(r->t, 0.003, &err));
    }
}

static double evaluate(run *r)
{
    static float x[BATCH * 2 * SIDE * SIDE], target[BATCH * 3 * SIDE * SIDE];
    double loss = NAN;
    int n = crops(0, x, target);

    OK(r->be->evaluate(r->t, x, target, n, r->each, &loss, &err));
    return loss;
}

/* A shift that a batch norm follows has no gradient but rounding, of which AdamW makes whole steps:
 * its size says nothing. The running mean behind it moves with it. */
static int is_arbitrary(const char *name)
{
    return strstr(name, ".2.bias") || strstr(name, ".1.bias") || strstr(name, "proj.0.bias") ||
           strstr(name, "running_mean");
}

/* bfloat16 moves the losses by 1e-3 in these steps; a wrong gradient of one layer by more than
 * 5e-3.
 */
static void check_follows_cpu(int sgd, int bf16)
{
    double worst = 0, e, near = bf16 ? 3e-3 : 1e-4;
    run cpu, gpu;
    int k, i;

    begin(&cpu, "cpu", sgd, 0);
    begin(&gpu, "cuda", sgd, bf16);
    steps(&cpu, 0, STEPS);
    steps(&gpu, 0, STEPS);
    for (k = 0; k < STEPS; k++) {
        LP_ASSERT_CLOSE(gpu.loss[k], cpu.loss[k], 0, near);
        worst = fmax(worst, fabs(gpu.loss[k] - cpu.loss[k]) / cpu.loss[k]);
    }
    LP_ASSERT_CLOSE(evaluate(&gpu), evaluate(&cpu), 0, bf16 ? 5e-2 : 1e-3);
    print_message("%s, %s: losses differ by %.2g\n", kinds[!sgd], bf16 ? "bf16" : "fp32", worst);
    OK(gpu.be->get(gpu.t, &err));
    for (i = 0; i < cpu.w->n_tensors && !bf16; i++) {
        const lp_tensor *a = &gpu.w->tensors[i], *b = &cpu.w->tensors[i];

        if (is_arbitrary(a->name)) continue;
        e = distance(a->data, b->data, a->n);
        /* AdamW's first steps are of a gradient's sign. */
        if (!(e <= (sgd ? 1e-4 : 2e-2))) fail_msg("%s: %g", a->name, e);
    }
    assert_int_equal(gpu.be->optimizer(gpu.t)->steps, STEPS);
    end(&cpu);
    end(&gpu);
    assert_int_equal(simt_device_memory_used(), 0);
}

static void test_follows_the_cpu(void **state)
{
    (void)state;
    fake_cudnn_needed();
    check_follows_cpu(1, 0);
    check_follows_cpu(0, 0);
    check_follows_cpu(1, 1);
    check_follows_cpu(0, 1);
}

static void same_model(const run *a, const run *b)
{
    const lp_optim *p = a->be->optimizer(a->t), *q = b->be->optimizer(b->t);
    int i;

    for (i = 0; i < a->w->n_tensors; i++)
        assert_memory_equal(a->w->tensors[i].data, b->w->tensors[i].data,
                            a->w->tensors[i].n * sizeof(float));
    assert_int_equal(p->n_state, q->n_state);
    assert_memory_equal(p->state, q->state, p->n_state * sizeof *p->state);
}

/* Twice the same bytes for different orders of blocks and threads, the second time with everything
 * given up and taken up again on the way. */
static void test_same_bytes_and_resume(void **state)
{
    int sgd;

    (void)state;
    fake_cudnn_needed();
    for (sgd = 0; sgd < 2; sgd++) {
        run a, b, c;
        lp_optim *from, *to;
        int i;

        simt_set_seed(1);
        begin(&a, "cuda", sgd, !sgd);
        steps(&a, 0, STEPS);
        OK(a.be->get(a.t, &err));
        simt_set_seed(2);
        begin(&b, "cuda", sgd, !sgd);
        steps(&b, 0, 2);
        evaluate(&b); /* changes nothing */
        OK(b.be->get(b.t, &err));
        begin(&c, "cuda", sgd, !sgd);
        for (i = 0; i < b.w->n_tensors; i++)
            memcpy(c.w->tensors[i].data, b.w->tensors[i].data, b.w->tensors[i].n * sizeof(float));
        from = b.be->optimizer(b.t);
        to = c.be->optimizer(c.t);
        memcpy(to->state, from->state, from->n_state * sizeof *from->state);
        to->steps = from->steps;
        end(&b);
        OK(c.be->put(c.t, &err));
        steps(&c, 2, STEPS);
        OK(c.be->get(c.t, &err));
        same_model(&a, &c);
        end(&a);
        end(&c);
    }
}

/* ---- what goes wrong */

static lp_status try_open(const lp_trainer_options *o)
{
    lp_weights *w;
    lp_trainer *t = NULL;
    lp_status st;

    OK(lp_train_init(nbase, 3, 30, 5, &w, &err));
    st = lp_train_cuda.open(w, o, &t, &err);
    if (st) {
        assert_null(t);
        assert_null(strchr(err.msg, '\n'));
    }
    lp_train_cuda.close(&t);
    lp_weights_free(&w);
    assert_int_equal(simt_device_memory_used(), 0);
    return st;
}

static void test_no_cudnn(void **state)
{
    const lp_trainer_options o = options(1, 0);
    const lp_train_backend *be;
    lp_cudnn *c = NULL;

    (void)state;
    assert_int_equal(lp_cudnn_open_for("libcudnn-none.so.9", "training", "do without", &c, &err),
                     LP_EMISSING);
    assert_non_null(strstr(err.msg, "libcudnn9-cuda-13"));
    assert_non_null(strstr(err.msg, "do without"));
    if (!is_fake) return;
    *fake_create = 2000; /* it is there and will not run */
    assert_int_equal(try_open(&o), LP_EMISSING);
    assert_non_null(strstr(err.msg, "FAKE_BAD_PARAM"));
    assert_non_null(strstr(err.msg, "--backend cpu"));
    assert_int_equal(lp_train_cuda.available(0, &err), LP_EMISSING);
    OK(lp_train_backend_find("auto", 0, &be, &err));
    assert_ptr_equal(be, &lp_train_cpu);
    *fake_create = 0;
    OK(lp_train_backend_find("auto", 0, &be, &err));
    assert_ptr_equal(be, &lp_train_cuda);
}

static void test_no_device(void **state)
{
    simt_machine m = {0, 13000, 90, (size_t)8 << 30, -1};
    lp_trainer_options o = options(1, 0);
    const lp_train_backend *be;

    (void)state;
    fake_cudnn_needed();
    OK(lp_train_backend_find(NULL, 0, &be, &err));
    assert_ptr_equal(be, &lp_train_cuda);
    simt_set_machine(&m);
    assert_int_equal(try_open(&o), LP_EMISSING);
    assert_non_null(strstr(err.msg, "--backend cpu"));
    OK(lp_train_backend_find(NULL, 0, &be, &err));
    assert_ptr_equal(be, &lp_train_cpu);
    simt_set_machine(NULL);
    o.gpu_device = 1;
    assert_int_equal(try_open(&o), LP_EMISSING);
    assert_non_null(strstr(err.msg, "--gpu_device 1"));
    assert_int_equal(lp_train_backend_find("gpu", 0, &be, &err), LP_EARG);
}

static void test_no_memory(void **state)
{
    simt_machine m = {1, 13000, 90, (size_t)8 << 30, 0};
    lp_trainer_options o = options(0, 0);
    lp_status st = LP_ENOMEM;
    int i;

    (void)state;
    for (i = 0; st; i++) {
        m.fail_alloc = i;
        simt_set_machine(&m);
        st = try_open(&o);
        assert_true(!st || st == LP_ENOMEM || st == LP_EMISSING);
        if (i > 3 && st) assert_int_equal(st, LP_ENOMEM);
    }
    assert_true(i > 8); /* the parameters, the state, crops, the network ... */
    simt_set_machine(NULL);
    o.gpu_memory = (size_t)1 << 20;
    assert_int_equal(try_open(&o), LP_ENOMEM);
    assert_non_null(strstr(err.msg, "smaller --batch_size"));
}

static void test_failures_within(void **state)
{
    static float x[BATCH * 2 * SIDE * SIDE], target[BATCH * 3 * SIDE * SIDE];
    int n = crops(0, x, target);
    double loss;
    lp_status st;
    run r;

    (void)state;
    simt_only("a lost device");
    begin(&r, "cuda", 1, 0);
    *fake_without = 1;
    assert_int_equal(r.be->gradients(r.t, x, target, n, &err), LP_EIO);
    *fake_without = 0;
    assert_non_null(strstr(err.msg, "cuDNN: no way to compute"));
    steps(&r, 0, 1); /* it goes on once it can */
    simt_lose_device(20);
    st = r.be->gradients(r.t, x, target, n, &err);
    if (!st) st = r.be->loss(r.t, r.each, &loss, &err);
    assert_int_equal(st, LP_EIO);
    assert_null(strchr(err.msg, '\n'));
    simt_set_machine(NULL);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_cudnn),        cmocka_unit_test(test_gradients_are_pytorchs),
        cmocka_unit_test(test_follows_the_cpu), cmocka_unit_test(test_same_bytes_and_resume),
        cmocka_unit_test(test_no_device),       cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_failures_within),
    };

    return cmocka_run_group_tests(tests, fake_cudnn_load, NULL);
}
