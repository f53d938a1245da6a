#include <stdio.h>
#include <string.h>

#include "train_net_parts.h"

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

lp_tconv_spec lp_tnet_spec(const lp_tnet *t, const lp_tunit *u, int n)
{
    return (lp_tconv_spec){n,    u->ic,   u->oc,  u->h,    u->w,
                           u->k, t->t.cb, u->sum, u->bf16, u == &t->output};
}

static size_t packed_floats(const lp_tnet *t, const lp_tunit *u)
{
    lp_tconv_spec s = lp_tnet_spec(t, u, 0);

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

void lp_tnet_lay_out(lp_tnet *t)
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
