#include "train_net.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train_block.h"

#define MAX_LEVELS (LP_MAX_NBASE - 1)
#define RUN LP_TSTEP_RUN

/* Gradients that live only inside a block share buffers (lp_tstep); xd[n].g is also the gradient
 * of the sum that level n of the decoder begins with, which is written first. */
struct lp_tnet {
    lp_tstep t;
    lp_weights *w;
    int bf16, batch, ly, lx, levels, threads;
    lp_tmap in, pooled[MAX_LEVELS], up[MAX_LEVELS], y;
    void *d_x; /* gradient of pooled or up, one at a time */
    lp_tblock down[MAX_LEVELS], dec[MAX_LEVELS];
    lp_tunit output;
    lp_tstats of_out;
    lp_tstyle style;
    int plan_n[LP_TNET_PLANS], next_plan;
    size_t scratch; /* bytes of t.conv_scratch */
    float *arena;
    size_t used; /* floats */
};

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

size_t lp_tnet_room(size_t n)
{
    return (n + 15) / 16 * 16;
}

/* Floats from the arena in whole cache lines; while there is no arena only counts them. */
static float *take(lp_tnet *t, size_t n)
{
    float *p = t->arena ? t->arena + t->used : NULL;

    t->used += lp_tnet_room(n);
    return p;
}

static double *take_doubles(lp_tnet *t, size_t n)
{
    return (double *)(void *)take(t, 2 * n);
}

static size_t map_size(const lp_tnet *t, const lp_tmap *m)
{
    return (size_t)t->batch * padded(t, m->c) * m->h * m->w;
}

/* n values of an activation. */
static void *take_values(lp_tnet *t, size_t n, int bf16)
{
    return take(t, bf16 ? (n + 1) / 2 : n);
}

/* Gradients are bfloat16 wherever the network is. */
static void take_map(lp_tnet *t, lp_tmap *m, int c, int h, int w, int bf16, int with_gradient)
{
    m->c = c;
    m->h = h;
    m->w = w;
    m->bf16 = bf16;
    m->v = take_values(t, map_size(t, m), bf16);
    m->g = with_gradient ? take_values(t, map_size(t, m), t->bf16) : NULL;
}

static void take_stats(lp_tnet *t, lp_tstats *s, int c)
{
    size_t cp = (size_t)padded(t, c);

    s->mean = take_doubles(t, cp);
    s->var = take_doubles(t, cp);
    s->image_mean = take_doubles(t, cp * t->batch);
}

static int index_of(const lp_tnet *t, const char *prefix, const char *name)
{
    char key[128];
    int i;

    snprintf(key, sizeof key, "%s%s", prefix, name);
    for (i = 0; i < t->w->n_tensors; i++)
        if (!strcmp(t->w->tensors[i].name, key)) return i;
    return -1;
}

/* Its convolution of n images. */
static lp_tconv_spec spec_of(const lp_tnet *t, const lp_tunit *u, int n)
{
    return (lp_tconv_spec){n,    u->ic,   u->oc,  u->h,    u->w,
                           u->k, t->t.cb, u->sum, u->bf16, u == &t->output};
}

static size_t packed_floats(const lp_tnet *t, const lp_tunit *u)
{
    lp_tconv_spec s = spec_of(t, u, 0);

    return (t->t.ops->conv_packed(&s) + sizeof(float) - 1) / sizeof(float);
}

/* Unit ic -> oc at `prefix`, which sees maps like x; full: it has a style at that prefix. */
static void lay_unit(lp_tnet *t, lp_tunit *u, const char *prefix, const char *full, int fold,
                     int sum, int ic, int oc, const lp_tmap *x, lp_tstats *s)
{
    const char *conv = fold ? "1" : "2";
    char name[16];
    size_t cp = (size_t)padded(t, ic);

    u->ic = ic;
    u->oc = oc;
    u->h = x->h;
    u->w = x->w;
    u->fold = fold;
    u->sum = sum;
    u->s = s;
    u->gamma = index_of(t, prefix, "0.weight");
    u->beta = index_of(t, prefix, "0.bias");
    u->running_mean = index_of(t, prefix, "0.running_mean");
    u->running_var = index_of(t, prefix, "0.running_var");
    u->counter = index_of(t, prefix, "0.num_batches_tracked");
    snprintf(name, sizeof name, "%s.weight", conv);
    u->weight = index_of(t, prefix, name);
    snprintf(name, sizeof name, "%s.bias", conv);
    u->bias = index_of(t, prefix, name);
    u->full_w = full ? index_of(t, full, "weight") : -1;
    u->full_b = full ? index_of(t, full, "bias") : -1;
    u->k = t->w->tensors[u->weight].shape[2];
    u->bf16 = x->bf16;
    u->packed = take(t, packed_floats(t, u));
    u->a = fold ? NULL : take_values(t, map_size(t, x), x->bf16);
    u->scale = take(t, cp);
    u->shift = take(t, cp * t->batch);
    u->f = full ? take(t, cp * t->batch) : NULL;
    u->d_f = full ? take(t, cp * t->batch) : NULL;
}

static void lay_block(lp_tnet *t, lp_tblock *b, int level, int is_up, lp_tmap *x, lp_tmap *skip,
                      int oc)
{
    const char *where = is_up ? "upsample.up.res_up" : "downsample.down.res_down";
    lp_tmap *seen[4] = {x, &b->z, &b->y, &b->mid};
    lp_tstats *stats[5] = {&b->of_x, &b->of_z, &b->of_y, &b->of_mid, &b->of_x};
    char p[96], full[96];
    int k;

    b->x = x;
    b->skip = skip;
    take_map(t, &b->z, oc, x->h, x->w, t->bf16, 0);
    take_map(t, &b->y, oc, x->h, x->w, t->bf16, 0);
    take_map(t, &b->mid, oc, x->h, x->w, t->bf16, 0);
    take_map(t, &b->out, oc, x->h, x->w, t->bf16, 1);
    for (k = 0; k < 4; k++) take_stats(t, stats[k], seen[k]->c);
    for (k = 0; k < 4; k++) {
        int styled = is_up && k;

        snprintf(p, sizeof p, "%s_%d.conv.conv_%d.%s", where, level, k, styled ? "conv." : "");
        snprintf(full, sizeof full, "%s_%d.conv.conv_%d.full.", where, level, k);
        lay_unit(t, &b->u[k], p, styled ? full : NULL, 0, k == 1 || k == 3 || (k == 0 && skip),
                 seen[k]->c, oc, seen[k], stats[k]);
    }
    snprintf(p, sizeof p, "%s_%d.proj.", where, level);
    lay_unit(t, &b->u[LP_TU_PROJ], p, NULL, 1, 0, x->c, oc, x, stats[4]);
}

static void most(size_t *m, size_t n)
{
    if (n > *m) *m = n;
}

/* Buffers that all blocks share. */
static void lay_shared(lp_tnet *t)
{
    size_t image, half, map = map_size(t, &t->y), cp = (size_t)padded(t, t->w->nout), work = 0,
                        fold = 0;
    int l, k;

    for (l = 0; l < t->levels; l++) {
        const lp_tblock *both[2] = {&t->down[l], &t->dec[l]};

        for (k = 0; k < 2; k++) {
            const lp_tblock *b = both[k];
            lp_tdims d = {t->batch, 0, t->t.cb, b->x->h, b->x->w, 0};
            size_t in = (size_t)padded(t, b->x->c), out = (size_t)padded(t, b->out.c);

            most(&map, map_size(t, b->x));
            most(&map, map_size(t, &b->out));
            most(&cp, in > out ? in : out);
            most(&fold, (size_t)b->x->c * b->out.c);
            d.nblk = (int)((in > out ? in : out) / (size_t)t->t.cb);
            most(&work, t->t.ops->work(&d));
            d.bf16 = t->bf16;
            most(&work, t->t.ops->work(&d));
        }
    }
    image = map_size(t, &t->in);
    half = (map + 1) / 2;
    t->d_x = take_values(t, map, t->bf16);
    /* The convolutions that see the image are float32. */
    t->t.d_a = take(t, !t->bf16 ? map : image > half ? image : half);
    t->t.d_mid = take_values(t, map, t->bf16);
    t->t.d_fold = take_values(t, map, t->bf16);
    t->t.wide = t->bf16 ? take(t, map_size(t, &t->down[0].out)) : NULL;
    t->t.work = take_doubles(t, work);
    t->t.sum_g = take_doubles(t, cp * t->batch);
    t->t.sum_gx = take_doubles(t, cp * t->batch);
    t->t.p = take(t, cp);
    t->t.q = take(t, cp * t->batch);
    t->t.bias = take(t, cp);
    t->t.folded = take(t, fold);
}

/* Everything in the arena, in the same order each time. */
static void lay_out(lp_tnet *t)
{
    const lp_weights *w = t->w;
    int l, L = t->levels, i;

    t->used = 0;
    take_map(t, &t->in, w->nbase[0], t->ly, t->lx, 0, 0);
    for (l = 0; l < L; l++) {
        if (l) take_map(t, &t->pooled[l], w->nbase[l], t->ly >> l, t->lx >> l, t->bf16, 0);
        lay_block(t, &t->down[l], l, 0, l ? &t->pooled[l] : &t->in, NULL, w->nbase[l + 1]);
    }
    for (l = L - 1; l >= 0; l--) {
        if (l < L - 1) take_map(t, &t->up[l], w->nbase[l + 2], t->ly >> l, t->lx >> l, t->bf16, 0);
        lay_block(t, &t->dec[l], l, 1, l < L - 1 ? &t->up[l] : &t->down[l].out, &t->down[l].out,
                  w->nbase[l + 1]);
    }
    take_map(t, &t->y, w->nout, t->ly, t->lx, 0, 1);
    take_stats(t, &t->of_out, w->nbase[1]);
    lay_unit(t, &t->output, "output.", NULL, 0, 0, w->nbase[1], w->nout, &t->dec[0].out,
             &t->of_out);
    lay_shared(t);
    t->style.mean = take(t, (size_t)t->batch * t->style.n);
    t->style.v = take(t, (size_t)t->batch * t->style.n);
    t->style.g = take(t, (size_t)t->batch * t->style.n);
    for (l = 0; l < L; l++) {
        if (l) t->pooled[l].g = t->d_x;
        if (l < L - 1) t->up[l].g = t->d_x;
    }
    for (i = 0; i < w->n_tensors; i++)
        t->t.grad[i] = lp_tnet_is_learnt(w->tensors[i].name) ? take(t, w->tensors[i].n) : NULL;
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
    lay_out(t);
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
    lay_out(t);
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
        const lp_tconv_spec sp = spec_of(t, u, n);

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
