#include "train_net.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train_net_parts.h"

#define RUN LP_TSTEP_RUN

int lp_tnet_is_learnt(const char *name)
{
    static const char *const not [] = {".running_mean", ".running_var", ".num_batches_tracked"};
    size_t n = strlen(name), i;

    if (!strcmp(name, "diam_mean") || !strcmp(name, "diam_labels")) return 0;
    for (i = 0; i < sizeof not / sizeof *not ; i++)
        if (n > strlen(not [i]) && !strcmp(name + n - strlen(not [i]), not [i])) return 0;
    return 1;
}

static int padded(const lp_tnet *t, int c)
{
    return lp_tstep_padded(&t->t, c);
}

static void most(size_t *m, size_t n)
{
    if (n > *m) *m = n;
}

lp_status lp_tnet_new_on(const lp_train_table *ops, void *user, float *const *tensor, lp_weights *w,
                         const lp_tnet_options *o, lp_tnet **out, lp_err *err)
{
    int L = w->n_nbase - 1, div = 1 << (L - 1), i;
    lp_tnet *t;
    lp_status st;
    double bytes;

    if (o->batch < 1 || o->ly < div || o->lx < div || o->ly % div || o->lx % div || o->ly > 4096 ||
        o->lx > 4096)
        return lp_fail(
            err, LP_EARG,
            "training network: %d images of %d x %d pixels; both sizes must be multiples "
            "of %d, at most 4096",
            o->batch, o->ly, o->lx, div);
    if ((st = ops->check(user, o->bf16, err))) return st;
    if (!(t = calloc(1, sizeof *t))) return lp_fail_mem(err, "training network", sizeof *t);
    t->bf16 = o->bf16;
    t->w = w;
    t->t.ops = ops;
    t->t.user = user;
    t->t.cb = ops->block();
    t->batch = o->batch;
    t->ly = o->ly;
    t->lx = o->lx;
    t->levels = L;
    t->threads = o->threads;
    t->style.n = w->nbase[L];
    t->t.grad = calloc((size_t)w->n_tensors, sizeof *t->t.grad);
    t->t.tensor = calloc((size_t)w->n_tensors, sizeof *t->t.tensor);
    if (!t->t.grad || !t->t.tensor) {
        st = lp_fail_mem(err, "training network", (double)w->n_tensors * sizeof *t->t.grad);
        goto done;
    }
    for (i = 0; i < w->n_tensors; i++) t->t.tensor[i] = tensor ? tensor[i] : w->tensors[i].data;
    lp_tnet_lay_out(t);
    bytes = (double)t->used * sizeof(float);
    st = o->memory > 0 && bytes > o->memory
             ? LP_ENOMEM
             : ops->alloc(user, t->used * sizeof(float), (void **)&t->arena, err);
    if (st == LP_ENOMEM)
        st = lp_fail(err, LP_ENOMEM,
                     "training with batches of %d x %d x %d pixels needs %.1f GiB: give a smaller "
                     "--batch_size",
                     o->batch, o->ly, o->lx, bytes / 1073741824.0);
    if (st) goto done;
    lp_tnet_lay_out(t);
    *out = t;
    t = NULL;
done:
    lp_tnet_free(&t);
    return st;
}

lp_status lp_tnet_new(lp_weights *w, int bf16, int batch, int ly, int lx, int threads,
                      double memory, lp_tnet **out, lp_err *err)
{
    const lp_tnet_options o = {bf16, batch, ly, lx, threads, memory};

    return lp_tnet_new_on(&lp_train_onednn, NULL, NULL, w, &o, out, err);
}

static lp_tunit *unit(lp_tnet *t, int k)
{
    if (k < t->levels * LP_TU_N) return &t->down[k / LP_TU_N].u[k % LP_TU_N];
    k -= t->levels * LP_TU_N;
    if (k < t->levels * LP_TU_N) return &t->dec[k / LP_TU_N].u[k % LP_TU_N];
    return &t->output;
}

static int n_units(const lp_tnet *t)
{
    return 2 * t->levels * LP_TU_N + 1;
}

static void drop_plan(lp_tnet *t, int plan)
{
    int k;

    for (k = 0; k < n_units(t); k++) t->t.ops->conv_free(&unit(t, k)->conv[plan]);
    t->plan_n[plan] = 0;
}

/* Convolutions for n images. */
static lp_status set_plan(lp_tnet *t, int n, lp_err *err)
{
    size_t scratch = 64;
    int p, k, q;
    void *memory;
    lp_status st;

    t->t.n = n;
    for (p = 0; p < LP_TNET_PLANS; p++)
        if (t->plan_n[p] == n) {
            t->t.plan = p;
            return LP_OK;
        }
    p = t->next_plan;
    t->next_plan = (p + 1) % LP_TNET_PLANS;
    drop_plan(t, p);
    for (k = 0; k < n_units(t); k++) {
        lp_tunit *u = unit(t, k);
        const lp_tconv_spec sp = lp_tnet_spec(t, u, n);

        if ((st = t->t.ops->conv_new(t->t.user, &sp, t->threads, &u->conv[p], err))) return st;
    }
    t->plan_n[p] = n;
    t->t.plan = p;
    for (q = 0; q < LP_TNET_PLANS; q++)
        for (k = 0; k < n_units(t) && t->plan_n[q]; k++)
            most(&scratch, t->t.ops->conv_scratch(unit(t, k)->conv[q]));
    if ((st = t->t.ops->alloc(t->t.user, scratch, &memory, err))) {
        drop_plan(t, p); /* the other plans keep theirs */
        return st;
    }
    t->t.ops->free(t->t.user, t->t.conv_scratch, t->scratch);
    t->t.conv_scratch = memory;
    t->scratch = scratch;
    return LP_OK;
}

void lp_tnet_free(lp_tnet **pt)
{
    lp_tnet *t = pt ? *pt : NULL;
    int p;

    if (!t) return;
    for (p = 0; p < LP_TNET_PLANS; p++) drop_plan(t, p);
    t->t.ops->free(t->t.user, t->t.conv_scratch, t->scratch);
    t->t.ops->free(t->t.user, t->arena, t->used * sizeof(float));
    free(t->t.grad);
    free(t->t.tensor);
    free(t);
    *pt = NULL;
}

float *const *lp_tnet_gradients(const lp_tnet *t)
{
    return t->t.grad;
}

/* What became of a pass. */
static lp_status ended(lp_tnet *t, lp_err *err)
{
    char what[60];
    int e = t->t.e;

    t->t.e = 0;
    snprintf(what, sizeof what, "training network, batch of %d", t->t.n);
    return e ? t->t.ops->failed(t->t.user, e, what, err) : LP_OK;
}

static void make_style(lp_tnet *t)
{
    const lp_tmap *x = &t->down[t->levels - 1].out;
    lp_tdims d = lp_tmap_dims(&t->t, x);

    RUN(&t->t, means, &d, x->v, t->t.sum_g, t->t.work);
    RUN(&t->t, style_make, &t->style, t->t.n, t->t.sum_g, padded(t, x->c));
}

/* What the style adds to what the units of a block of the decoder see. */
static void apply_style(lp_tnet *t, lp_tblock *b)
{
    int k;

    for (k = LP_TU_CONV1; k <= LP_TU_CONV3; k++) {
        lp_tunit *u = &b->u[k];

        RUN(&t->t, style_apply, &t->style, t->t.n, t->t.tensor[u->full_w], t->t.tensor[u->full_b],
            u->ic, padded(t, u->ic), u->f);
    }
}

static void style_gradients(lp_tnet *t, lp_tblock *b)
{
    int k;

    for (k = LP_TU_CONV1; k <= LP_TU_CONV3; k++) {
        lp_tunit *u = &b->u[k];

        RUN(&t->t, style_gradients, &t->style, t->t.n, t->t.tensor[u->full_w], u->d_f, u->ic,
            padded(t, u->ic), t->t.grad[u->full_w], t->t.grad[u->full_b]);
    }
}

static void style_back(lp_tnet *t)
{
    lp_tmap *x = &t->down[t->levels - 1].out;
    lp_tdims d = lp_tmap_dims(&t->t, x);

    RUN(&t->t, style_back, &t->style, t->t.n, x->h * x->w, padded(t, x->c), t->t.q);
    RUN(&t->t, add_channels, &d, x->g, t->t.q);
}

lp_status lp_tnet_forward(lp_tnet *t, const float *x, int n, int training, float *y, lp_err *err)
{
    int L = t->levels, l;
    lp_tdims d;
    lp_status st;

    if (n < 1 || n > t->batch)
        return lp_fail(err, LP_EARG, "training network: %d images, made for %d", n, t->batch);
    if ((st = set_plan(t, n, err))) return st;
    t->t.training = training;
    d = lp_tmap_dims(&t->t, &t->in);
    RUN(&t->t, from_planes, &d, t->in.v, x, t->in.c);
    for (l = 0; l < L; l++) {
        if (l) {
            d = lp_tmap_dims(&t->t, &t->pooled[l]);
            RUN(&t->t, pool, &d, t->pooled[l].v, t->down[l - 1].out.v);
        }
        lp_tblock_forward(&t->t, &t->down[l]);
    }
    make_style(t);
    for (l = L - 1; l >= 0; l--) {
        apply_style(t, &t->dec[l]);
        if (l < L - 1) {
            d = lp_tmap_dims(&t->t, &t->dec[l + 1].out);
            RUN(&t->t, up, &d, t->up[l].v, t->dec[l + 1].out.v);
        }
        lp_tblock_forward(&t->t, &t->dec[l]);
    }
    lp_tunit_forward(&t->t, &t->output, &t->dec[0].out, &t->y);
    d = lp_tmap_dims(&t->t, &t->y);
    RUN(&t->t, to_planes, &d, y, t->y.v, t->y.c);
    return ended(t, err);
}

lp_status lp_tnet_backward(lp_tnet *t, const float *d_y, lp_err *err)
{
    int L = t->levels, l;
    lp_tdims d = lp_tmap_dims(&t->t, &t->y);

    d.bf16 = t->bf16;
    RUN(&t->t, from_planes, &d, t->y.g, d_y, t->y.c);
    RUN(&t->t, zero, t->style.g, (size_t)t->batch * t->style.n * sizeof *t->style.g);
    lp_tunit_backward(&t->t, &t->output, &t->dec[0].out, &t->y);
    for (l = 0; l < L; l++) {
        lp_tblock_backward(&t->t, &t->dec[l], l < L - 1 ? 1 : 2);
        if (l < L - 1) {
            d = lp_tmap_dims(&t->t, &t->dec[l + 1].out);
            RUN(&t->t, up_back, &d, t->dec[l + 1].out.g, t->up[l].g);
        }
        style_gradients(t, &t->dec[l]);
    }
    style_back(t);
    for (l = L - 1; l >= 0; l--) {
        lp_tblock_backward(&t->t, &t->down[l], l > 0);
        if (l) {
            d = lp_tmap_dims(&t->t, &t->pooled[l]);
            RUN(&t->t, pool_back, &d, t->down[l - 1].out.g, t->pooled[l].g, t->down[l - 1].out.v);
        }
    }
    return ended(t, err);
}
