/* The GPU's lp_train_backend: train_net.h on train_table_cuda.h. Parameters, gradients and the
 * optimizer's state are on the card; per step the crops go up and the losses come down.
 *
 * Parameters lie one after the other in whole lines, the learnt ones first and in the order of
 * their gradients, so that one launch takes a step of all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train_backend.h"
#include "train_net.h"
#include "train_table_cuda.h"

#define WHAT "training with --backend cuda"
#define INSTEAD "use --backend cpu"

enum { PARAMS, STATE, X, TARGET, Y, D_Y, LOSS, WORK, ARRAYS };

struct lp_trainer {
    lp_weights *w;
    lp_trainer_options o;
    lp_train_gpu gpu;
    lp_stage *stage;
    lp_tnet *net;
    lp_optim optim;
    size_t *at; /* [n_tensors] floats before it in PARAMS */
    float **d_tensor;
    size_t learnt, all; /* floats */
    int first;          /* the tensor with at 0 */
    void *d[ARRAYS];
    size_t bytes[ARRAYS];
    float *flat; /* the larger of PARAMS and STATE */
    int n;       /* images of the last gradients */
    char text[200];
};

static void close_(lp_trainer **pt)
{
    lp_trainer *t = pt ? *pt : NULL;
    int i;

    if (!t) return;
    if (t->gpu.stream) {
        cudaSetDevice(t->gpu.card->device);
        cudaStreamSynchronize(t->gpu.stream);
    }
    lp_tnet_free(&t->net);
    for (i = 0; i < ARRAYS; i++) lp_card_free(t->gpu.card, t->d[i], t->bytes[i], NULL);
    lp_stage_free(&t->stage);
    lp_cudnn_close(&t->gpu.cudnn);
    if (t->gpu.stream) cudaStreamDestroy(t->gpu.stream);
    lp_card_close(&t->gpu.card);
    lp_optim_free(&t->optim);
    free(t->at);
    free(t->d_tensor);
    free(t->flat);
    free(t);
    *pt = NULL;
}

static int bf16_pays(void)
{
    return 1;
}

static lp_status open_card(lp_trainer *t, lp_err *err)
{
    lp_train_gpu *g = &t->gpu;
    lp_status st = lp_card_open(t->o.gpu_device, t->o.gpu_memory, &g->card, err);

    if (st || (st = lp_card_use(g->card, err))) return st;
    if ((st = lp_cudnn_open_for(LP_CUDNN_LIBRARY, WHAT, INSTEAD, &g->cudnn, err))) return st;
    snprintf(t->text, sizeof t->text, "%s, cuDNN %d", g->card->text, lp_cudnn_version(g->cudnn));
    if ((st = lp_card_check(g->card, cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking),
                            "stream", err)))
        return st;
    return lp_stage_new(g->card, g->stream, &t->stage, err);
}

/* cuDNN takes the GPU that is current: what is tried is what will be used. */
static lp_status available(int gpu_device, lp_err *err)
{
    lp_trainer *t = calloc(1, sizeof *t);
    lp_status st;

    if (!t) return lp_fail_mem(err, "training", sizeof *t);
    t->o.gpu_device = gpu_device;
    st = open_card(t, err);
    close_(&t);
    return st;
}

/* Where each tensor is. */
static lp_status lay_out(lp_trainer *t, lp_err *err)
{
    const lp_weights *w = t->w;
    int i, learnt;

    t->at = calloc((size_t)w->n_tensors, sizeof *t->at);
    t->d_tensor = calloc((size_t)w->n_tensors, sizeof *t->d_tensor);
    if (!t->at || !t->d_tensor) return lp_fail_mem(err, "training", 16.0 * w->n_tensors);
    for (learnt = 1; learnt >= 0; learnt--) {
        for (i = 0; i < w->n_tensors; i++) {
            if (lp_tnet_is_learnt(w->tensors[i].name) != learnt) continue;
            if (!t->all) t->first = i;
            t->at[i] = t->all;
            t->all += lp_tnet_room(w->tensors[i].n);
        }
        if (learnt) t->learnt = t->all;
    }
    return LP_OK;
}

static lp_status take(lp_trainer *t, lp_err *err)
{
    const lp_trainer_options *o = &t->o;
    size_t image = (size_t)o->ly * o->lx * sizeof(float), batch = (size_t)o->batch;
    const size_t bytes[ARRAYS] = {t->all * sizeof(float),
                                  t->learnt * (o->optim.sgd ? 1 : 2) * sizeof(float),
                                  batch * t->w->nbase[0] * image,
                                  batch * 3 * image,
                                  batch * 3 * image,
                                  batch * 3 * image,
                                  batch * sizeof(double),
                                  lp_tstep_loss_work(o->batch, o->ly, o->lx) * sizeof(double)};
    size_t flat = bytes[PARAMS] > bytes[STATE] ? bytes[PARAMS] : bytes[STATE];
    lp_status st;
    int i;

    if (!(t->flat = calloc(1, flat))) return lp_fail_mem(err, "training", (double)flat);
    for (i = 0; i < ARRAYS; i++) {
        if ((st = lp_train_gpu_alloc(&t->gpu, bytes[i], &t->d[i], err))) return st;
        t->bytes[i] = bytes[i];
    }
    for (i = 0; i < t->w->n_tensors; i++) t->d_tensor[i] = (float *)t->d[PARAMS] + t->at[i];
    return LP_OK;
}

static lp_status open_(lp_weights *w, const lp_trainer_options *o, lp_trainer **out, lp_err *err)
{
    const lp_tnet_options no = {o->bf16, o->batch, o->ly, o->lx, o->threads, 0};
    lp_trainer *t = calloc(1, sizeof *t);
    lp_status st;

    if (!t) return lp_fail_mem(err, "training", sizeof *t);
    t->w = w;
    t->o = *o;
    if ((st = open_card(t, err)) || (st = lay_out(t, err)) || (st = take(t, err)) ||
        (st = lp_tnet_new_on(&lp_train_cudnn, &t->gpu, t->d_tensor, w, &no, &t->net, err)) ||
        (st = lp_optim_new(w, &o->optim, &t->optim, err)))
        goto done;
    *out = t;
    t = NULL;
done:
    close_(&t);
    return st;
}

static const char *describe(const lp_trainer *t)
{
    return t->text;
}

static lp_status send(lp_trainer *t, const float *x, const float *target, int n, lp_err *err)
{
    size_t image = (size_t)t->o.ly * t->o.lx * sizeof(float);
    lp_status st = lp_stage_put(t->stage, t->d[X], x, (size_t)n * t->w->nbase[0] * image, err);

    return st ? st : lp_stage_put(t->stage, t->d[TARGET], target, (size_t)n * 3 * image, err);
}

static lp_status queue_loss(lp_trainer *t, int n, int with_gradient, lp_err *err)
{
    t->n = n;
    return lp_card_check(t->gpu.card,
                         lp_tstep_loss_cuda(t->d[Y], t->d[TARGET], n, t->o.ly, t->o.lx, t->d[LOSS],
                                            with_gradient ? t->d[D_Y] : NULL, t->d[WORK],
                                            t->gpu.stream),
                         "loss", err);
}

static lp_status gradients(lp_trainer *t, const float *x, const float *target, int n, lp_err *err)
{
    lp_status st = send(t, x, target, n, err);

    if (st || (st = lp_tnet_forward(t->net, t->d[X], n, 1, t->d[Y], err)) ||
        (st = queue_loss(t, n, 1, err)))
        return st;
    return lp_tnet_backward(t->net, t->d[D_Y], err);
}

static lp_status loss_of(lp_trainer *t, double *loss_each, double *loss, lp_err *err)
{
    lp_status st =
        lp_stage_get(t->stage, loss_each, t->d[LOSS], (size_t)t->n * sizeof *loss_each, err);
    double sum = 0;
    int i;

    if (st) return st;
    for (i = 0; i < t->n; i++) sum += loss_each[i];
    *loss = sum / t->n;
    return LP_OK;
}

static lp_status update(lp_trainer *t, double rate, lp_err *err)
{
    lp_tstep_rates r = lp_optim_rates(&t->optim, rate);
    float *p = t->d[PARAMS], *m = t->d[STATE], *g = lp_tnet_gradients(t->net)[t->first];
    int64_t n = (int64_t)t->learnt;
    lp_status st = lp_card_use(t->gpu.card, err);

    if (st) return st;
    return lp_card_check(t->gpu.card,
                         t->o.optim.sgd ? lp_tstep_sgd_cuda(p, g, m, n, &r, t->gpu.stream)
                                        : lp_tstep_adamw_cuda(p, g, m, m + n, n, &r, t->gpu.stream),
                         "step of the optimizer", err);
}

static lp_status evaluate(lp_trainer *t, const float *x, const float *target, int n,
                          double *loss_each, double *loss, lp_err *err)
{
    lp_status st = send(t, x, target, n, err);

    if (st || (st = lp_tnet_forward(t->net, t->d[X], n, 0, t->d[Y], err)) ||
        (st = queue_loss(t, n, 0, err)))
        return st;
    return loss_of(t, loss_each, loss, err);
}

static lp_optim *optimizer(lp_trainer *t)
{
    return &t->optim;
}

/* Between the file's order of the state, without gaps, and the card's. */
static void move_state(lp_trainer *t, int to_flat)
{
    size_t half = t->o.optim.sgd ? 0 : t->optim.n_state / 2, k = 0;
    int i, h;

    for (i = 0; i < t->w->n_tensors; i++) {
        const lp_tensor *v = &t->w->tensors[i];

        if (!lp_tnet_is_learnt(v->name)) continue;
        for (h = 0; h < (half ? 2 : 1); h++) {
            float *state = t->optim.state + (h ? half : 0) + k;
            float *flat = t->flat + (h ? t->learnt : 0) + t->at[i];

            memcpy(to_flat ? flat : state, to_flat ? state : flat, v->n * sizeof *state);
        }
        k += v->n;
    }
}

static lp_status get(lp_trainer *t, lp_err *err)
{
    lp_status st = lp_stage_get(t->stage, t->flat, t->d[PARAMS], t->bytes[PARAMS], err);
    int i;

    if (st) return st;
    for (i = 0; i < t->w->n_tensors; i++)
        memcpy(t->w->tensors[i].data, t->flat + t->at[i], t->w->tensors[i].n * sizeof(float));
    if ((st = lp_stage_get(t->stage, t->flat, t->d[STATE], t->bytes[STATE], err))) return st;
    move_state(t, 0);
    return LP_OK;
}

static lp_status put(lp_trainer *t, lp_err *err)
{
    lp_status st;
    int i;

    for (i = 0; i < t->w->n_tensors; i++)
        memcpy(t->flat + t->at[i], t->w->tensors[i].data, t->w->tensors[i].n * sizeof(float));
    if ((st = lp_stage_put(t->stage, t->d[PARAMS], t->flat, t->bytes[PARAMS], err))) return st;
    move_state(t, 1);
    return lp_stage_put(t->stage, t->d[STATE], t->flat, t->bytes[STATE], err);
}

const lp_train_backend lp_train_cuda = {
    .name = "cuda",
    .available = available,
    .bf16_pays = bf16_pays,
    .open = open_,
    .close = close_,
    .describe = describe,
    .gradients = gradients,
    .loss = loss_of,
    .update = update,
    .evaluate = evaluate,
    .optimizer = optimizer,
    .get = get,
    .put = put,
};
