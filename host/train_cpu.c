/* The CPU's lp_train_backend: train_net.h with the host's own copies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train_backend.h"
#include "train_loss.h"
#include "train_net.h"
#include "unet_cpu.h"

struct lp_trainer {
    lp_weights *w;
    lp_tnet *net;
    lp_optim optim;
    lp_trainer_options o;
    float *y, *d_y; /* [batch][3][ly][lx] */
    double *each;   /* [batch] of the last gradients */
    double mean;
    int n;
    char text[60];
};

static void close_(lp_trainer **pt)
{
    lp_trainer *t = pt ? *pt : NULL;

    if (!t) return;
    lp_tnet_free(&t->net);
    lp_optim_free(&t->optim);
    free(t->y);
    free(t->d_y);
    free(t->each);
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
    t->each = malloc((size_t)o->batch * sizeof *t->each);
    snprintf(t->text, sizeof t->text, "cpu, %d threads", o->threads);
    if (!t->y || !t->d_y || !t->each) {
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

static lp_status available(int gpu_device, lp_err *err)
{
    (void)gpu_device;
    (void)err;
    return LP_OK;
}

static const char *describe(const lp_trainer *t)
{
    return t->text;
}

static lp_status gradients(lp_trainer *t, const float *x, const float *target, int n, lp_err *err)
{
    lp_status st = lp_tnet_forward(t->net, x, n, 1, t->y, err);

    if (st) return st;
    t->n = n;
    t->mean = lp_train_loss(t->y, target, n, t->o.ly, t->o.lx, t->each, t->d_y);
    return lp_tnet_backward(t->net, t->d_y, err);
}

static lp_status loss_of(lp_trainer *t, double *loss_each, double *loss, lp_err *err)
{
    (void)err;
    memcpy(loss_each, t->each, (size_t)t->n * sizeof *loss_each);
    *loss = t->mean;
    return LP_OK;
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
    .available = available,
    .bf16_pays = lp_unet_bf16_pays,
    .open = open_,
    .close = close_,
    .describe = describe,
    .gradients = gradients,
    .loss = loss_of,
    .update = update,
    .evaluate = evaluate,
    .optimizer = optimizer,
    .get = nothing,
    .put = nothing,
};
