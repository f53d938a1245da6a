#include "unet_cpu.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "big_alloc.h"
#include "unet_ops.h"
#include "unet_plan.h"

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

struct lp_unet_work {
    int threads;
    char **ws; /* [threads] */
    size_t bytes;
};

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
    /* Blocks of 16 take the tile itself as planes, which is fast for up to 3 of them. */
    net->blocked = !bf16 && lp_onednn_has_avx512() && net->nin <= 3;
    for (l = 0; l < net->levels; l++) {
        net->C[l] = w->nbase[l + 1];
        if (net->C[l] % 16) net->blocked = 0;
    }
    for (l = 0; l < net->levels && ok; l++) {
        snprintf(where, sizeof where, "downsample.down.res_down_%d.", l);
        ok = lp_block_load(&net->down[l], w, where, 0, l ? net->C[l - 1] : net->nin, net->C[l],
                           net->S, w->sz);
        if (ok && bf16) ok = lp_block_correct(&net->down[l], w, where, 0, l == 0);
        snprintf(where, sizeof where, "upsample.up.res_up_%d.", l);
        ok = ok && lp_block_load(&net->up[l], w, where, 1,
                                 l + 1 < net->levels ? net->C[l + 1] : net->C[l], net->C[l], net->S,
                                 w->sz);
        if (ok && bf16) ok = lp_block_correct(&net->up[l], w, where, 1, 0);
    }
    ok = ok && lp_bn_load(&net->out_bn, w, "output.0.", net->C[0]);
    net->out_w = lp_tensor_copy(w, "output.2.", "weight", (size_t)net->nout * net->C[0]);
    net->out_b = lp_tensor_copy(w, "output.2.", "bias", (size_t)net->nout);
    if (!ok || !net->out_w || !net->out_b) {
        lp_unet_free(&net);
        return lp_fail(err, LP_ENOMEM, "network: a tensor is missing, or out of memory");
    }
    *out = net;
    return LP_OK;
}

void lp_unet_free(lp_unet **pn)
{
    lp_unet *net = pn ? *pn : NULL;
    int i;

    if (!net) return;
    for (i = 0; i < LP_MAX_PLANS; i++) lp_plan_free(net->plans[i]);
    for (i = 0; i < LP_MAX_LEVELS; i++) {
        lp_block_free(&net->down[i]);
        lp_block_free(&net->up[i]);
    }
    lp_bn_free(&net->out_bn);
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
        if (!work->ws[i] && !(work->ws[i] = lp_big_alloc(work->bytes)))
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
static void style_shift(float *out, const lp_block *u, int k, const float *scale,
                        const float *shift, const float *style, int C, int S)
{
    int c, s;

    for (c = 0; c < C; c++) {
        double f = u->full_b[k][c];

        for (s = 0; s < S; s++) f += (double)u->full[k][c * S + s] * style[s];
        out[c] = (float)(scale[c] * f + shift[c]);
    }
}

static int forward(const lp_unet *net, const lp_plan *p, int all, char *ws, const float *x,
                   float *y, float *style)
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
        const lp_block *d = &net->down[l];
        int h = p->ly >> l, w = p->lx >> l;
        char *X = ws + p->skip[l];

        if (l == 0) {
            lp_act in = net->blocked ? (lp_act){net->nin, 1, 0} : (lp_act){1, net->nin, 0};

            if (net->nin == 1) in.cblk = 1;
            ROWS(h, lp_ops_first_bn_relu(in, A, x, net->nin, h, w, d->bn0.scale, d->bn0.shift, row0,
                                         row1));
        } else {
            act = ACT(net->C[l - 1]);
            ROWS(h, lp_ops_pool_bn_relu(act, P, A, ws + p->skip[l - 1], h, w, d->bn0.scale,
                                        d->bn0.shift, row0, row1));
        }
        act = ACT(net->C[l]);
        if (l == 0 && net->bf16) {
            RUN(down, CONV0, d->conv[CONV0].b, A, ws + p->first);
            ROWS(h, lp_ops_to_bf16(act, B, (const float *)(ws + p->first), h, w, row0, row1));
        } else {
            RUN(down, CONV0, d->conv[CONV0].b, A, B);
        }
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
        const lp_block *u = &net->up[l];
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

/* A tile of a batch. */
typedef struct {
    const lp_plan *plan;
    const float *x;
    float *y, *style;
} place;

/* Tiles 0 .. alone-1 with a thread each, then the others with all threads. */
static int run_tiles(const lp_unet *net, lp_unet_work *work, const place *t, int alone, int n)
{
    int team = work->threads < alone ? work->threads : alone, i, rc = 0;

    if (team == 1) {
        omp_set_num_threads(1);
        for (i = 0; i < alone; i++)
            rc |= forward(net, t[i].plan, 0, work->ws[0], t[i].x, t[i].y, t[i].style);
    } else if (team > 1) {
#pragma omp parallel for schedule(dynamic) num_threads(team) reduction(| : rc)
        for (i = 0; i < alone; i++) {
            omp_set_num_threads(1);
            rc |= forward(net, t[i].plan, 0, work->ws[omp_get_thread_num()], t[i].x, t[i].y,
                          t[i].style);
        }
    }
    omp_set_num_threads(work->threads);
    for (i = alone; i < n; i++)
        rc |= forward(net, t[i].plan, 1, work->ws[0], t[i].x, t[i].y, t[i].style);
    return rc;
}

lp_status lp_unet_run_groups(lp_unet *net, lp_unet_work *work, const float *x,
                             const lp_tile_group *group, int n_groups, float *y, float *styles,
                             lp_err *err)
{
    int T = work->threads, div = 1 << (net->levels - 1), before = omp_get_max_threads();
    int n = 0, alone, made = 0, at = 0, g, i, rc;
    lp_plan **plan = NULL;
    place *tile = NULL;
    size_t bytes, most = 0;
    lp_status st = LP_OK;

    for (g = 0; g < n_groups; g++) {
        const lp_tile_group *k = &group[g];

        if (k->n < 1 || k->ly < div || k->lx < div || k->ly % div || k->lx % div)
            return lp_fail(err, LP_EARG,
                           "network: %d tiles of %d x %d pixels; both must be multiples of %d",
                           k->n, k->ly, k->lx, div);
        n += k->n;
    }
    /* Whole rounds of one tile per thread; what is left over gets all threads, tile by tile. */
    alone = T > 1 && T == net->threads && lp_plan_may_share_tile(net) ? n / T * T : n;
    plan = malloc((size_t)n_groups * sizeof(lp_plan *));
    tile = malloc((size_t)n * sizeof *tile);
    if (!plan || !tile) {
        st = lp_fail_mem(err, "network", (double)n * sizeof *tile);
        goto done;
    }
    for (g = 0; g < n_groups; g++) {
        size_t pix = (size_t)group[g].ly * group[g].lx;
        int which = (at < alone) | (at + group[g].n > alone) << 1;

        if ((st = lp_plan_acquire(net, group[g].ly, group[g].lx, which, &plan[g], &bytes, err)))
            goto done;
        made++;
        if (bytes > most) most = bytes;
        for (i = 0; i < group[g].n; i++, at++) {
            tile[at] = (place){plan[g], x, y, styles + (size_t)at * net->S};
            x += net->nin * pix;
            y += net->nout * pix;
        }
    }
    if ((st = workspaces(work, most, T < n ? T : n, err))) goto done;
    rc = run_tiles(net, work, tile, alone, n);
    omp_set_num_threads(before);
    if (rc)
        st = lp_fail(err, LP_ENOMEM, "network: oneDNN failed with status %d on %d x %d tiles", rc,
                     group[0].ly, group[0].lx);
done:
    for (g = 0; g < made; g++) lp_plan_release(net, plan[g]);
    free(plan);
    free(tile);
    return st;
}

lp_status lp_unet_run(lp_unet *net, lp_unet_work *work, const float *x, int n, int ly, int lx,
                      float *y, float *styles, lp_err *err)
{
    return lp_unet_run_groups(net, work, x, &(lp_tile_group){n, ly, lx}, 1, y, styles, err);
}
