#include "unet_cpu.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onednn.h"
#include "unet_ops.h"

/* What a level l holds, Cellpose's names (resnet_torch.py). h, w are the level's size.
 *
 * down: A = relu(bn0(P))            P: the tile, or the pooled level above
 *       X1 = conv1(relu(conv0'(A))) + proj'(P)
 *       X = X1 + conv3(relu(conv2'(relu(bn2(X1)))))
 * up:   A = relu(bn0(up(Z)))        Z: the level below
 *       B = relu(bn1(conv0(A) + X + style1))
 *       Z1 = conv1(B) + up(proj'(Z))
 *       Z = Z1 + conv3(relu(conv2'(relu(bn2(Z1 + style2))) + style3'))
 * A prime marks a convolution with the batch norm that follows (or, for proj, precedes)
 * folded in; style3' is part of its bias. */
enum { CONV0, CONV1, CONV2, CONV3, PROJ, NCONV };
#define LP_MAX_LEVELS (LP_MAX_NBASE - 1)
#define LP_MAX_PACKED 4
#define LP_MAX_PLANS 6

typedef struct {
    int ic, oc, k;
    float *w, *b; /* folded, OIHW */
    lp_packed *packed[LP_MAX_PACKED];
    int n_packed;
} layer;

typedef struct {
    float *scale, *shift;
} bn;

typedef struct {
    layer conv[NCONV];
    bn bn0, bn1, bn2;           /* bn1: up only */
    float *full[4], *full_b[4]; /* up only: full[k] [C][S] of conv_k */
    float *scale3;              /* up only: scale of bn3, for the style part of conv2's bias */
} block;

/* All convolutions of one tile size; [0] for one thread, [1] for all. */
typedef struct {
    int ly, lx;
    unsigned long used;
    lp_conv *down[2][LP_MAX_LEVELS][NCONV], *up[2][LP_MAX_LEVELS][NCONV];
    const lp_packed *down_w[2][LP_MAX_LEVELS][NCONV], *up_w[2][LP_MAX_LEVELS][NCONV];
    int users;                                             /* calls that run it now */
    size_t bytes;                                          /* of a workspace */
    size_t skip[LP_MAX_LEVELS], z[2], a, b, p, q, scratch; /* offsets */
} plan;

struct lp_unet {
    int levels, nin, nout, S, bf16, blocked, threads;
    int C[LP_MAX_LEVELS];
    block down[LP_MAX_LEVELS], up[LP_MAX_LEVELS];
    bn out_bn;
    float *out_w, *out_b;
    pthread_mutex_t lock; /* of what follows, and of the layers' packed weights */
    plan *plans[LP_MAX_PLANS];
    unsigned long clock;
};

struct lp_unet_work {
    int threads;
    char **ws; /* [threads] */
    size_t bytes;
};

/* ---- weights ---- */

static const float *tensor(const lp_weights *w, const char *prefix, const char *name)
{
    char key[256];

    snprintf(key, sizeof key, "%s%s", prefix, name);
    return lp_weights_get(w, key);
}

static float *copy(const float *src, size_t n)
{
    float *p = src ? malloc(n * sizeof *p) : NULL;

    if (p) memcpy(p, src, n * sizeof *p);
    return p;
}

/* Batch norm in inference: scale = gamma / sqrt(var + 1e-5), shift = beta - mean * scale. */
static int load_bn(bn *out, const lp_weights *w, const char *prefix, int n)
{
    const float *g = tensor(w, prefix, "weight"), *b = tensor(w, prefix, "bias");
    const float *m = tensor(w, prefix, "running_mean"), *v = tensor(w, prefix, "running_var");
    int i;

    out->scale = malloc((size_t)n * sizeof(float));
    out->shift = malloc((size_t)n * sizeof(float));
    if (!g || !b || !m || !v || !out->scale || !out->shift) return 0;
    for (i = 0; i < n; i++) {
        double s = g[i] / sqrt((double)v[i] + 1e-5);

        out->scale[i] = (float)s;
        out->shift[i] = (float)(b[i] - m[i] * s);
    }
    return 1;
}

static void free_bn(bn *b)
{
    free(b->scale);
    free(b->shift);
}

static int load_layer(layer *l, const lp_weights *w, const char *prefix, int ic, int oc, int k)
{
    l->ic = ic;
    l->oc = oc;
    l->k = k;
    l->w = copy(tensor(w, prefix, "weight"), (size_t)ic * oc * k * k);
    l->b = copy(tensor(w, prefix, "bias"), (size_t)oc);
    return l->w && l->b;
}

/* bn(conv(x)) as one convolution. */
static void fold_after(layer *l, const bn *n)
{
    size_t per = (size_t)l->ic * l->k * l->k, i;
    int o;

    for (o = 0; o < l->oc; o++) {
        for (i = 0; i < per; i++) l->w[o * per + i] *= n->scale[o];
        l->b[o] = (float)((double)l->b[o] * n->scale[o] + n->shift[o]);
    }
}

/* conv(bn(x)) as one convolution; exact for 1x1 only, where there is no padding. */
static void fold_before(layer *l, const bn *n)
{
    int o, c;

    for (o = 0; o < l->oc; o++) {
        double b = l->b[o];

        for (c = 0; c < l->ic; c++) {
            b += (double)l->w[o * l->ic + c] * n->shift[c];
            l->w[o * l->ic + c] *= n->scale[c];
        }
        l->b[o] = (float)b;
    }
}

static int load_block(block *k, const lp_weights *w, const char *where, int up, int cin, int c,
                      int S, int sz)
{
    char p[192];
    bn after = {0}, before = {0};
    int i, ok = 1;

    for (i = 0; i < 4 && ok; i++) {
        const char *mid = up && i ? "conv." : "";

        snprintf(p, sizeof p, "%sconv.conv_%d.%s2.", where, i, mid);
        ok = load_layer(&k->conv[i], w, p, i ? c : cin, c, sz);
        snprintf(p, sizeof p, "%sconv.conv_%d.%s0.", where, i, mid);
        if (i == 0) ok = ok && load_bn(&k->bn0, w, p, cin);
        if (i == 2) ok = ok && load_bn(&k->bn2, w, p, c);
        if (i == 1 && up) ok = ok && load_bn(&k->bn1, w, p, c);
        if ((i == 1 && !up) || i == 3) {
            ok = ok && load_bn(&after, w, p, c);
            if (ok) fold_after(&k->conv[i - 1], &after);
            if (ok && up) k->scale3 = copy(after.scale, (size_t)c);
            free_bn(&after);
            memset(&after, 0, sizeof after);
        }
        if (up && i) {
            snprintf(p, sizeof p, "%sconv.conv_%d.full.", where, i);
            k->full[i] = copy(tensor(w, p, "weight"), (size_t)c * S);
            k->full_b[i] = copy(tensor(w, p, "bias"), (size_t)c);
            ok = ok && k->full[i] && k->full_b[i];
        }
    }
    snprintf(p, sizeof p, "%sproj.1.", where);
    ok = ok && load_layer(&k->conv[PROJ], w, p, cin, c, 1);
    snprintf(p, sizeof p, "%sproj.0.", where);
    ok = ok && load_bn(&before, w, p, cin);
    if (ok) fold_before(&k->conv[PROJ], &before);
    free_bn(&before);
    return ok;
}

static void free_block(block *k)
{
    int i, j;

    for (i = 0; i < NCONV; i++) {
        free(k->conv[i].w);
        free(k->conv[i].b);
        for (j = 0; j < k->conv[i].n_packed; j++) lp_packed_free(&k->conv[i].packed[j]);
    }
    for (i = 0; i < 4; i++) {
        free(k->full[i]);
        free(k->full_b[i]);
    }
    free_bn(&k->bn0);
    free_bn(&k->bn1);
    free_bn(&k->bn2);
    free(k->scale3);
}

lp_status lp_unet_new(const lp_weights *w, int bf16, int threads, lp_unet **out, lp_err *err)
{
    lp_unet *net = calloc(1, sizeof *net);
    char where[64];
    int l, ok = 1;

    if (!net) return lp_fail_mem(err, "network", sizeof *net);
    if (bf16 && !lp_onednn_has_bf16()) {
        free(net);
        return lp_fail(err, LP_EMISSING,
                       "bf16: this CPU has no AVX-512; use --precision fp32 (or auto)");
    }
    net->levels = w->n_nbase - 1;
    net->nin = w->nbase[0];
    net->nout = w->nout;
    net->S = w->nbase[net->levels];
    net->bf16 = bf16;
    net->threads = threads < 1 ? 1 : threads;
    pthread_mutex_init(&net->lock, NULL);
    net->blocked = !bf16 && lp_onednn_has_avx512();
    for (l = 0; l < net->levels; l++) {
        net->C[l] = w->nbase[l + 1];
        if (net->C[l] % 16) net->blocked = 0;
    }
    for (l = 0; l < net->levels && ok; l++) {
        snprintf(where, sizeof where, "downsample.down.res_down_%d.", l);
        ok = load_block(&net->down[l], w, where, 0, l ? net->C[l - 1] : net->nin, net->C[l], net->S,
                        w->sz);
        snprintf(where, sizeof where, "upsample.up.res_up_%d.", l);
        ok = ok &&
             load_block(&net->up[l], w, where, 1, l + 1 < net->levels ? net->C[l + 1] : net->C[l],
                        net->C[l], net->S, w->sz);
    }
    ok = ok && load_bn(&net->out_bn, w, "output.0.", net->C[0]);
    net->out_w = copy(tensor(w, "output.2.", "weight"), (size_t)net->nout * net->C[0]);
    net->out_b = copy(tensor(w, "output.2.", "bias"), (size_t)net->nout);
    if (!ok || !net->out_w || !net->out_b) {
        lp_unet_free(&net);
        return lp_fail(err, LP_ENOMEM, "network: a tensor is missing, or out of memory");
    }
    *out = net;
    return LP_OK;
}

static void free_plan(plan *p)
{
    int m, l, i;

    if (!p) return;
    for (m = 0; m < 2; m++)
        for (l = 0; l < LP_MAX_LEVELS; l++)
            for (i = 0; i < NCONV; i++) {
                lp_conv_free(&p->down[m][l][i]);
                lp_conv_free(&p->up[m][l][i]);
            }
    free(p);
}

void lp_unet_free(lp_unet **pn)
{
    lp_unet *net = pn ? *pn : NULL;
    int i;

    if (!net) return;
    for (i = 0; i < LP_MAX_PLANS; i++) free_plan(net->plans[i]);
    for (i = 0; i < LP_MAX_LEVELS; i++) {
        free_block(&net->down[i]);
        free_block(&net->up[i]);
    }
    free_bn(&net->out_bn);
    free(net->out_w);
    free(net->out_b);
    pthread_mutex_destroy(&net->lock);
    free(net);
    *pn = NULL;
}

lp_status lp_unet_work_new(int threads, lp_unet_work **out, lp_err *err)
{
    lp_unet_work *w = calloc(1, sizeof *w);

    if (w) w->ws = calloc((size_t)threads, sizeof *w->ws);
    if (!w || !w->ws) {
        free(w);
        return lp_fail_mem(err, "network", sizeof *w);
    }
    w->threads = threads;
    *out = w;
    return LP_OK;
}

void lp_unet_work_free(lp_unet_work **pw)
{
    int i;

    if (!pw || !*pw) return;
    for (i = 0; i < (*pw)->threads; i++) free((*pw)->ws[i]);
    free((*pw)->ws);
    free(*pw);
    *pw = NULL;
}

int lp_unet_style_length(const lp_unet *net)
{
    return net->S;
}

int lp_unet_channels(const lp_unet *net)
{
    return net->nin;
}

/* ---- plans ---- */

static lp_status make_conv(lp_unet *net, layer *l, int h, int w, int sum, int relu, lp_layout src,
                           lp_layout dst, int threads, lp_conv **conv, const lp_packed **packed,
                           lp_err *err)
{
    lp_conv_spec spec = {l->ic, l->oc, h, w, l->k, net->bf16, sum, relu, src, dst};
    lp_status st = lp_conv_new(&spec, threads, conv, err);
    int i;

    if (st) return st;
    for (i = 0; i < l->n_packed; i++)
        if (lp_packed_fits(l->packed[i], *conv)) {
            *packed = l->packed[i];
            return LP_OK;
        }
    if (l->n_packed == LP_MAX_PACKED)
        return lp_fail(err, LP_ENOMEM, "network: more than %d weight layouts for one convolution",
                       LP_MAX_PACKED);
    st = lp_packed_new(*conv, l->w, &l->packed[l->n_packed], err);
    if (st) return st;
    *packed = l->packed[l->n_packed++];
    return LP_OK;
}

static lp_status make_convs(lp_unet *net, plan *p, int all, lp_err *err)
{
    lp_layout act = net->blocked ? LP_BLK16 : LP_NHWC;
    int threads = all ? net->threads : 1, l, i;
    lp_status st = LP_OK;

    for (l = 0; l < net->levels; l++) {
        int h = p->ly >> l, w = p->lx >> l, half = l + 1 < net->levels;
        block *d = &net->down[l], *u = &net->up[l];
        lp_layout first = l == 0 && net->blocked ? LP_PLANAR : act;

        for (i = 0; i < NCONV && !st; i++) {
            if (i == PROJ && l == 0) continue; /* done by lp_ops_proj_bn_relu */
            st = make_conv(net, &d->conv[i], h, w, i == CONV3 || i == PROJ,
                           i == CONV0 || i == CONV2, i == CONV0 ? first : act, act, threads,
                           &p->down[all][l][i], &p->down_w[all][l][i], err);
        }
        for (i = 0; i < NCONV && !st; i++) {
            int q = i == PROJ ? half : 0; /* the projection runs before the up-sampling */

            st = make_conv(net, &u->conv[i], h >> q, w >> q, i == CONV0 || i == CONV3, i == CONV2,
                           act, act, threads, &p->up[all][l][i], &p->up_w[all][l][i], err);
        }
        if (st) return st;
    }
    return LP_OK;
}

static size_t aligned(size_t n)
{
    return (n + 127) / 128 * 128;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void lay_out(const lp_unet *net, plan *p)
{
    size_t e = net->bf16 ? 2 : 4, at = 0, a = 0, b = 0, pool = 0, q = 0, scratch = 0, z[2] = {0, 0};
    int l, i, m;

    for (l = 0; l < net->levels; l++) {
        size_t pix = (size_t)(p->ly >> l) * (p->lx >> l), c = net->C[l];
        size_t cin = l ? net->C[l - 1] : net->nin;
        size_t cup = l + 1 < net->levels ? net->C[l + 1] : net->C[l];

        p->skip[l] = at;
        at += aligned(pix * c * e);
        a = max_size(a, pix * max_size(max_size(c, cin), cup) * e);
        b = max_size(b, pix * c * e);
        if (l) pool = max_size(pool, pix * cin * e);
        q = max_size(q, (l + 1 < net->levels ? pix / 4 : pix) * c * e);
        z[l & 1] = max_size(z[l & 1], pix * c * e);
        for (m = 0; m < 2; m++)
            for (i = 0; i < NCONV; i++) {
                if (p->down[m][l][i])
                    scratch = max_size(scratch, lp_conv_scratch(p->down[m][l][i]));
                if (p->up[m][l][i]) scratch = max_size(scratch, lp_conv_scratch(p->up[m][l][i]));
            }
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
    p->scratch = at;
    p->bytes = at + aligned(scratch);
}

/* Winograd's algorithm, and so its rounding, depends on the number of threads that oneDNN
 * plans for. */
static int may_share_tile(const lp_unet *net)
{
    return net->threads > 1 && !net->blocked;
}

static lp_status new_plan(lp_unet *net, int ly, int lx, plan **out, lp_err *err)
{
    plan *p = calloc(1, sizeof *p);
    lp_status st;

    if (!p) return lp_fail_mem(err, "network", sizeof *p);
    p->ly = ly;
    p->lx = lx;
    st = make_convs(net, p, 0, err);
    if (!st && may_share_tile(net)) st = make_convs(net, p, 1, err);
    if (st) {
        free_plan(p);
        return st;
    }
    lay_out(net, p);
    *out = p;
    return LP_OK;
}

/* The plan of that tile size, made if need be; the least recently used idle one makes room.
 * Where all are in use, a plan that nobody keeps is made (release_plan frees it). */
static lp_status acquire_plan(lp_unet *net, int ly, int lx, plan **out, lp_err *err)
{
    int i, slot = -1;
    plan *p = NULL;
    lp_status st = LP_OK;

    pthread_mutex_lock(&net->lock);
    for (i = 0; i < LP_MAX_PLANS && !p; i++) {
        plan *q = net->plans[i];

        if (q && q->ly == ly && q->lx == lx) p = q;
        if (q && q->users) continue;
        if (slot < 0 || !q || (net->plans[slot] && q->used < net->plans[slot]->used)) slot = i;
    }
    if (!p) {
        st = new_plan(net, ly, lx, &p, err);
        if (!st && slot >= 0) {
            free_plan(net->plans[slot]);
            net->plans[slot] = p;
        }
    }
    if (!st) {
        p->used = ++net->clock;
        p->users++;
        *out = p;
    }
    pthread_mutex_unlock(&net->lock);
    return st;
}

static void release_plan(lp_unet *net, plan *p)
{
    int i, kept = 0;

    pthread_mutex_lock(&net->lock);
    for (i = 0; i < LP_MAX_PLANS; i++) kept |= net->plans[i] == p;
    if (--p->users == 0 && !kept) free_plan(p);
    pthread_mutex_unlock(&net->lock);
}

static lp_status workspaces(lp_unet_work *work, size_t bytes, int n, lp_err *err)
{
    int i;

    if (bytes > work->bytes) {
        for (i = 0; i < work->threads; i++) {
            free(work->ws[i]);
            work->ws[i] = NULL;
        }
        work->bytes = bytes;
    }
    for (i = 0; i < n; i++)
        if (!work->ws[i] && !(work->ws[i] = aligned_alloc(128, work->bytes)))
            return lp_fail_mem(err, "network activations", (double)work->bytes);
    return LP_OK;
}

/* ---- one tile ---- */

/* Runs `call` with row0, row1 over the h rows, in strips where the tile has all threads. */
#define ROWS(h_, call)                                                                             \
    do {                                                                                           \
        if (team == 1) {                                                                           \
            const int row0 = 0, row1 = (h_);                                                       \
            call;                                                                                  \
        } else {                                                                                   \
            int strip_;                                                                            \
            _Pragma("omp parallel for schedule(static) num_threads(team)") for (strip_ = 0;        \
                                                                                strip_ < team;     \
                                                                                strip_++)          \
            {                                                                                      \
                const int row0 = (int)((int64_t)(h_)*strip_ / team);                               \
                const int row1 = (int)((int64_t)(h_) * (strip_ + 1) / team);                       \
                call;                                                                              \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* out [C] = scale * (full . style + full_b) + shift: the style's part of a batch norm. */
static void style_shift(float *out, const block *u, int k, const float *scale, const float *shift,
                        const float *style, int C, int S)
{
    int c, s;

    for (c = 0; c < C; c++) {
        double f = u->full_b[k][c];

        for (s = 0; s < S; s++) f += (double)u->full[k][c * S + s] * style[s];
        out[c] = (float)(scale[c] * f + shift[c]);
    }
}

static int forward(const lp_unet *net, const plan *p, int all, char *ws, const float *x, float *y,
                   float *style)
{
    const int team = all ? net->threads : 1;
    char *A = ws + p->a, *B = ws + p->b, *P = ws + p->p, *Q = ws + p->q, *scratch = ws + p->scratch;
    float shift[LP_MAX_WIDTH];
    int l, rc = 0;
    lp_act act = {1, 0, net->bf16};

#define RUN(dir, i, bias, src, dst)                                                                \
    rc |= lp_conv_run(p->dir[all][l][i], p->dir##_w[all][l][i], bias, src, dst, scratch)
#define ACT(c) (net->blocked ? (lp_act){(c) / 16, 16, net->bf16} : (lp_act){1, (c), net->bf16})

    for (l = 0; l < net->levels; l++) {
        const block *d = &net->down[l];
        int h = p->ly >> l, w = p->lx >> l;
        char *X = ws + p->skip[l];

        if (l == 0) {
            lp_act in = net->blocked ? (lp_act){net->nin, 1, 0} : (lp_act){1, net->nin, net->bf16};

            if (net->nin == 1) in.cblk = 1;
            ROWS(h, lp_ops_first_bn_relu(in, A, x, net->nin, h, w, d->bn0.scale, d->bn0.shift, row0,
                                         row1));
        } else {
            act = ACT(net->C[l - 1]);
            ROWS(h, lp_ops_pool_bn_relu(act, P, A, ws + p->skip[l - 1], h, w, d->bn0.scale,
                                        d->bn0.shift, row0, row1));
        }
        act = ACT(net->C[l]);
        RUN(down, CONV0, d->conv[CONV0].b, A, B);
        RUN(down, CONV1, d->conv[CONV1].b, B, X);
        if (l == 0) {
            ROWS(h, lp_ops_proj_bn_relu(act, A, X, x, net->nin, h, w, d->conv[PROJ].w,
                                        d->conv[PROJ].b, d->bn2.scale, d->bn2.shift, row0, row1));
        } else {
            RUN(down, PROJ, d->conv[PROJ].b, P, X);
            ROWS(h, lp_ops_bn_relu(act, A, X, h, w, d->bn2.scale, d->bn2.shift, row0, row1));
        }
        RUN(down, CONV2, d->conv[CONV2].b, A, B);
        RUN(down, CONV3, d->conv[CONV3].b, B, X);
    }
    l = net->levels - 1;
    lp_ops_style(ACT(net->C[l]), style, ws + p->skip[l], p->ly >> l, p->lx >> l);

    for (; l >= 0; l--) {
        const block *u = &net->up[l];
        int h = p->ly >> l, w = p->lx >> l, top = l + 1 == net->levels, f = top ? 1 : 2;
        const char *below = top ? ws + p->skip[l] : ws + p->z[(l + 1) & 1];
        char *X = ws + p->skip[l], *Z = ws + p->z[l & 1];
        int C = net->C[l];

        RUN(up, PROJ, u->conv[PROJ].b, below, Q);
        act = ACT(top ? C : net->C[l + 1]);
        ROWS(h, lp_ops_up_bn_relu(act, A, below, h, w, f, u->bn0.scale, u->bn0.shift, row0, row1));
        act = ACT(C);
        RUN(up, CONV0, u->conv[CONV0].b, A, X);
        style_shift(shift, u, 1, u->bn1.scale, u->bn1.shift, style, C, net->S);
        ROWS(h, lp_ops_bn_relu(act, X, X, h, w, u->bn1.scale, shift, row0, row1));
        RUN(up, CONV1, u->conv[CONV1].b, X, Z);
        style_shift(shift, u, 2, u->bn2.scale, u->bn2.shift, style, C, net->S);
        ROWS(h, lp_ops_add_up_bn_relu(act, A, Z, Q, h, w, f, u->bn2.scale, shift, row0, row1));
        style_shift(shift, u, 3, u->scale3, u->conv[CONV2].b, style, C, net->S);
        RUN(up, CONV2, shift, A, B);
        RUN(up, CONV3, u->conv[CONV3].b, B, Z);
    }
    act = ACT(net->C[0]);
    ROWS(p->ly, lp_ops_output(act, y, net->nout, ws + p->z[0], p->ly, p->lx, net->out_w, net->out_b,
                              net->out_bn.scale, net->out_bn.shift, row0, row1));
    return rc;
}

int lp_unet_bf16_pays(void)
{
    return lp_onednn_has_amx();
}

lp_status lp_unet_run(lp_unet *net, lp_unet_work *work, const float *x, int n, int ly, int lx,
                      float *y, float *styles, lp_err *err)
{
    size_t pix = (size_t)ly * lx, nx = net->nin * pix, ny = net->nout * pix;
    int T = work->threads, div = 1 << (net->levels - 1), i, alone = n, rc = 0;
    int before = omp_get_max_threads();
    plan *p;
    lp_status st;

    if (n < 1 || ly < div || lx < div || ly % div || lx % div)
        return lp_fail(err, LP_EARG,
                       "network: tiles of %d x %d pixels; both must be multiples of %d", ly, lx,
                       div);
    /* Whole rounds of one tile per thread; what is left over gets all threads, tile by tile. */
    if (T > 1 && T == net->threads && may_share_tile(net)) alone = n / T * T;
    if ((st = acquire_plan(net, ly, lx, &p, err))) return st;
    if ((st = workspaces(work, p->bytes, T < n ? T : n, err))) goto done;
    if (T == 1) {
        omp_set_num_threads(1);
        for (i = 0; i < n; i++)
            rc |= forward(net, p, 0, work->ws[0], x + i * nx, y + i * ny,
                          styles + (size_t)i * net->S);
    } else {
        int team = T < alone ? T : alone;

        if (alone) {
#pragma omp parallel for schedule(dynamic) num_threads(team) reduction(| : rc)
            for (i = 0; i < alone; i++) {
                omp_set_num_threads(1);
                rc |= forward(net, p, 0, work->ws[omp_get_thread_num()], x + i * nx, y + i * ny,
                              styles + (size_t)i * net->S);
            }
        }
        omp_set_num_threads(T);
        for (i = alone; i < n; i++)
            rc |= forward(net, p, 1, work->ws[0], x + i * nx, y + i * ny,
                          styles + (size_t)i * net->S);
    }
    omp_set_num_threads(before);
    if (rc)
        st = lp_fail(err, LP_ENOMEM, "network: oneDNN failed with status %d on %d x %d tiles", rc,
                     ly, lx);
done:
    release_plan(net, p);
    return st;
}
