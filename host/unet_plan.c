#include "unet_plan.h"

#include <omp.h>
#include <stdlib.h>

static void free_convs(lp_plan *p, int all)
{
    int l, i;

    for (l = 0; l < LP_MAX_LEVELS; l++)
        for (i = 0; i < NCONV; i++) {
            lp_conv_free(&p->down[all][l][i]);
            lp_conv_free(&p->up[all][l][i]);
        }
}

void lp_plan_free(lp_plan *p)
{
    if (!p) return;
    free_convs(p, 0);
    free_convs(p, 1);
    free(p);
}

/* A convolution to be compiled, and its weights to be packed. */
typedef struct {
    lp_layer *layer;
    lp_conv_spec spec;
    lp_conv **conv;
    const lp_packed **packed;
} job;

/* Packed weights are kept with the layer: most tile sizes want the same. */
static lp_status pack(lp_layer *l, const lp_conv *conv, const lp_packed **packed, lp_err *err)
{
    lp_status st;
    int i;

    for (i = 0; i < l->n_packed; i++)
        if (lp_packed_fits(l->packed[i], conv)) {
            *packed = l->packed[i];
            return LP_OK;
        }
    if (l->n_packed == LP_MAX_PACKED)
        return lp_fail(err, LP_ENOMEM, "network: more than %d weight layouts for one convolution",
                       LP_MAX_PACKED);
    if ((st = lp_packed_new(conv, l->w, &l->packed[l->n_packed], err))) return st;
    *packed = l->packed[l->n_packed++];
    return LP_OK;
}

static int list_jobs(lp_unet *net, lp_plan *p, int all, job *jobs)
{
    lp_layout act = net->blocked ? LP_BLK16 : LP_NHWC;
    int l, i, n = 0;

    /* The widest first: they take longest to pack. */
    for (l = net->levels - 1; l >= 0; l--) {
        int h = p->ly >> l, w = p->lx >> l, half = l + 1 < net->levels;
        lp_block *d = &net->down[l], *u = &net->up[l];
        lp_layout first = l == 0 && net->blocked ? LP_PLANAR : act;

        for (i = 0; i < NCONV; i++) {
            int q = i == PROJ ? half : 0; /* up: the projection runs before the up-sampling */
            int sum_d = i == CONV3 || i == PROJ, sum_u = i == CONV0 || i == CONV3;
            lp_layer *k = &u->conv[i];

            jobs[n++] =
                (job){k,
                      {k->ic, k->oc, h >> q, w >> q, k->k, net->bf16, sum_u, i == CONV2, act, act},
                      &p->up[all][l][i],
                      &p->up_w[all][l][i]};
            if (i == PROJ && l == 0) continue; /* done by lp_ops_proj_bn_relu */
            k = &d->conv[i];
            jobs[n++] = (job){k,
                              {k->ic, k->oc, h, w, k->k, net->bf16 && (l || i), sum_d,
                               i == CONV0 || i == CONV2, i == CONV0 ? first : act, act},
                              &p->down[all][l][i],
                              &p->down_w[all][l][i]};
        }
    }
    return n;
}

/* Layers side by side: compiling and packing take longer than a tile. Inside a parallel region
 * oneDNN plans for one thread, so those for all threads are compiled before it. */
static lp_status make_convs(lp_unet *net, lp_plan *p, int all, lp_err *err)
{
    job jobs[2 * LP_MAX_LEVELS * NCONV];
    int n = list_jobs(net, p, all, jobs), i;
    lp_status st = LP_OK;

    for (i = 0; i < n && all && !st; i++)
        st = lp_conv_new(&jobs[i].spec, net->threads, jobs[i].conv, err);
    if (st) return st;
#pragma omp parallel for schedule(dynamic) num_threads(net->threads)
    for (i = 0; i < n; i++) {
        lp_status s = LP_OK;
        lp_err e = {0};

        if (!all) s = lp_conv_new(&jobs[i].spec, 1, jobs[i].conv, &e);
        if (!s) s = pack(jobs[i].layer, *jobs[i].conv, jobs[i].packed, &e);
        if (s) {
#pragma omp critical(lp_unet_make_convs)
            {
                st = s;
                *err = e;
            }
        }
    }
    return st;
}

static size_t aligned(size_t n)
{
    return (n + 127) / 128 * 128;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void lay_out(const lp_unet *net, lp_plan *p)
{
    size_t e = net->bf16 ? 2 : 4, at = 0, a = 0, b = 0, pool = 0, q = 0, z[2] = {0, 0};
    int l, i;

    for (l = 0; l < net->levels; l++) {
        size_t pix = (size_t)(p->ly >> l) * (p->lx >> l), c = net->C[l];
        size_t cin = l ? net->C[l - 1] : net->nin;
        size_t cup = l + 1 < net->levels ? net->C[l + 1] : net->C[l];

        p->skip[l] = at;
        at += aligned(pix * c * e);
        a = max_size(a, pix * max_size(max_size(c, cin), cup) * e);
        if (l == 0) a = max_size(a, pix * cin * sizeof(float));
        b = max_size(b, pix * c * e);
        if (l) pool = max_size(pool, pix * cin * e);
        q = max_size(q, (l + 1 < net->levels ? pix / 4 : pix) * c * e);
        z[l & 1] = max_size(z[l & 1], pix * c * e);
    }
    for (i = 0; i < 2; i++) {
        p->z[i] = at;
        at += aligned(z[i]);
    }
    p->a = at;
    at += aligned(a);
    p->b = at;
    at += aligned(b);
    p->p = at;
    at += aligned(pool);
    p->q = at;
    at += aligned(q);
    p->first = at;
    if (net->bf16) at += aligned((size_t)p->ly * p->lx * net->C[0] * sizeof(float));
    p->scratch = p->bytes = at;
}

static size_t max_scratch(const lp_plan *p, int all)
{
    size_t n = 0;
    int l, i;

    for (l = 0; l < LP_MAX_LEVELS; l++)
        for (i = 0; i < NCONV; i++) {
            if (p->down[all][l][i]) n = max_size(n, lp_conv_scratch(p->down[all][l][i]));
            if (p->up[all][l][i]) n = max_size(n, lp_conv_scratch(p->up[all][l][i]));
        }
    return aligned(n);
}

int lp_plan_may_share_tile(const lp_unet *net)
{
    return net->threads > 1 && !net->blocked;
}

static lp_status new_plan(const lp_unet *net, int ly, int lx, lp_plan **out, lp_err *err)
{
    lp_plan *p = calloc(1, sizeof *p);

    if (!p) return lp_fail_mem(err, "network", sizeof *p);
    p->ly = ly;
    p->lx = lx;
    lay_out(net, p);
    *out = p;
    return LP_OK;
}

/* What is there already may be in use, so only what is missing is written. */
static lp_status complete(lp_unet *net, lp_plan *p, int which, lp_err *err)
{
    lp_status st;
    int all;

    for (all = 0; all < 2; all++) {
        if (!(which >> all & 1) || p->made[all]) continue;
        if ((st = make_convs(net, p, all, err))) {
            free_convs(p, all);
            return st;
        }
        p->made[all] = 1;
        p->bytes = max_size(p->bytes, p->scratch + max_scratch(p, all));
    }
    return LP_OK;
}

lp_status lp_plan_acquire(lp_unet *net, int ly, int lx, int which, lp_plan **out, size_t *bytes,
                          lp_err *err)
{
    int i, slot = -1, unkept = 0;
    lp_plan *p = NULL;
    lp_status st = LP_OK;

    pthread_mutex_lock(&net->lock);
    for (i = 0; i < LP_MAX_PLANS && !p; i++) {
        lp_plan *q = net->plans[i];

        if (q && q->ly == ly && q->lx == lx) p = q;
        if (q && q->users) continue;
        if (slot < 0 || !q || (net->plans[slot] && q->used < net->plans[slot]->used)) slot = i;
    }
    if (!p) {
        st = new_plan(net, ly, lx, &p, err);
        unkept = slot < 0;
        if (!st && slot >= 0) {
            lp_plan_free(net->plans[slot]);
            net->plans[slot] = p;
        }
    }
    if (!st) st = complete(net, p, which, err);
    if (!st) {
        p->used = ++net->clock;
        p->users++;
        *out = p;
        *bytes = p->bytes;
    } else if (unkept) {
        lp_plan_free(p);
    }
    pthread_mutex_unlock(&net->lock);
    return st;
}

void lp_plan_release(lp_unet *net, lp_plan *p)
{
    int i, kept = 0;

    pthread_mutex_lock(&net->lock);
    for (i = 0; i < LP_MAX_PLANS; i++) kept |= net->plans[i] == p;
    if (--p->users == 0 && !kept) lp_plan_free(p);
    pthread_mutex_unlock(&net->lock);
}
