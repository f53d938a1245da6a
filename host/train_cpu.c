/* The CPU's lp_train_backend: train_net.h with the host's own copies. */
#include <stdlib.h>

#include "train_backend.h"
#include "train_loss.h"
#include "train_net.h"

struct lp_trainer {
    lp_weights *w;
    lp_tnet *net;
    lp_optim optim;
    lp_trainer_options o;
    float *y, *d_y; /* [batch][3][ly][lx] */
};

static void close_(lp_trainer **pt)
{
    lp_trainer *t = pt ? *pt : NULL;

    if (!t) return;
    lp_tnet_free(&t->net);
    lp_optim_free(&t->optim);
    free(t->y);
    free(t->d_y);
    free(t);
    *pt = NULL;
}

static lp_status open_(lp_weights *w, const lp_trainer_options *o, lp_trainer **out, lp_err *err)
{
    size_t n = (size_t)o->batch * 3 * o->ly * o->lx;
    lp_trainer *t = calloc(1, sizeof *t);
    lp_status st;

    if (!t) return lp_fail_mem(err, "training", sizeof *t);
    t->w = w;
    t->o = *o;
    t->y = malloc(n * sizeof *t->y);
    t->d_y = malloc(n * sizeof *t->d_y);
    if (!t->y || !t->d_y) {
        st = lp_fail_mem(err, "training", 2.0 * (double)n * sizeof *t->y);
        goto done;
    }
    if ((st = lp_tnet_new(w, o->bf16, o->batch, o->ly, o->lx, o->threads, o->memory, &t->net, err)))
        goto done;
    if ((st = lp_optim_new(w, &o->optim, &t->optim, err))) goto done;
    *out = t;
    t = NULL;
done:
    close_(&t);
    return st;
}

static lp_status gradients(lp_trainer *t, const float *x, const float *target, int n,
                           double *loss_each, double *loss, lp_err *err)
{
    lp_status st = lp_tnet_forward(t->net, x, n, 1, t->y, err);

    if (st) return st;
    *loss = lp_train_loss(t->y, target, n, t->o.ly, t->o.lx, loss_each, t->d_y);
    return lp_tnet_backward(t->net, t->d_y, err);
}

static lp_status update(lp_trainer *t, double rate, lp_err *err)
{
    (void)err;
    lp_optim_step(&t->optim, t->w, lp_tnet_gradients(t->net), rate);
    return LP_OK;
}

static lp_status evaluate(lp_trainer *t, const float *x, const float *target, int n,
                          double *loss_each, double *loss, lp_err *err)
{
    lp_status st = lp_tnet_forward(t->net, x, n, 0, t->y, err);

    if (!st) *loss = lp_train_loss(t->y, target, n, t->o.ly, t->o.lx, loss_each, NULL);
    return st;
}

static lp_optim *optimizer(lp_trainer *t)
{
    return &t->optim;
}

static lp_status nothing(lp_trainer *t, lp_err *err)
{
    (void)t;
    (void)err;
    return LP_OK;
}

const lp_train_backend lp_train_cpu = {
    .name = "cpu",
    .open = open_,
    .close = close_,
    .gradients = gradients,
    .update = update,
    .evaluate = evaluate,
    .optimizer = optimizer,
    .get = nothing,
    .put = nothing,
};
