#include "unet_cuda.h"

#include <stdlib.h>

#include "../kernels/conv.h"
#include "../kernels/first.h"
#include "../kernels/output.h"
#include "../kernels/style.h"
#include "unet_cuda_net.h"

/* What a level l holds, Cellpose's names (resnet_torch.py); every line is one kernel. A prime marks
 * a convolution with the batch norm that follows (or, for proj, precedes) folded in.
 *
 * down: B = relu(conv0'(relu(bn0(P))))             P: the tile, or the level above, pooled
 *       X = conv1(B) + proj'(P)
 *       B = relu(conv2'(relu(bn2(X))))
 *       X = X + conv3(B), P = its 2x2 maxima
 * up:   B = relu(bn1(conv0(relu(bn0(up(Z)))) + X + style1))   Z: the level below
 *       X = conv1(B) + up(proj'(Z))                the skip has been used: its place is free
 *       B = relu(conv2'(relu(bn2(X + style2))) + style3')
 *       X = X + conv3(B), or, of the first level, the output itself
 * The deepest level's Z is its own X, which proj still reads: the result goes to `top`. */

/* The activations of n tiles. */
typedef struct {
    unsigned char *x[LP_CUDA_LEVELS], *p[LP_CUDA_LEVELS], *b, *top;
    float *shifts;          /* [n][rows] */
    unsigned char *scratch; /* cuDNN's */
} places;

static size_t act_bytes(const lp_unet_cuda *net, int n, int ly, int lx, int l, int c)
{
    return (size_t)n * (size_t)(ly >> l) * (size_t)(lx >> l) * (size_t)c * (net->bf16 ? 2 : 4);
}

static unsigned char *take(size_t *at, unsigned char *base, size_t bytes)
{
    unsigned char *p = base ? base + *at : NULL;

    *at += (bytes + 255) / 256 * 256;
    return p;
}

/* Scratch of the widest convolution of level l. */
static size_t scratch_bytes(const lp_unet_cuda *net, int n, int ly, int lx, int l)
{
    lp_conv_call c = {.n = n, .h = ly >> l, .w = lx >> l, .cout = net->C[l]};
    int i;

    for (i = l ? l - 1 : l; i <= l + 1 && i < net->levels; i++)
        if (net->C[i] > c.cin) c.cin = net->C[i];
    return lp_cudnn_scratch(&c, net->bf16);
}

/* Lays the activations out from base (NULL: only counts); returns the bytes. */
static size_t lay_out(const lp_unet_cuda *net, int n, int ly, int lx, unsigned char *base,
                      places *a)
{
    size_t at = 0, most = 0, scratch = 0, bytes;
    int l;

    a->top = NULL;
    for (l = 0; l < net->levels; l++) {
        bytes = act_bytes(net, n, ly, lx, l, net->C[l]);
        if (bytes > most) most = bytes;
        a->x[l] = take(&at, base, bytes);
        a->p[l] = l ? take(&at, base, act_bytes(net, n, ly, lx, l, net->C[l - 1])) : NULL;
        if (l + 1 == net->levels) a->top = take(&at, base, bytes);
        if (net->cudnn && scratch_bytes(net, n, ly, lx, l) > scratch)
            scratch = scratch_bytes(net, n, ly, lx, l);
    }
    a->b = take(&at, base, most);
    a->shifts = (float *)take(&at, base, (size_t)n * (size_t)net->rows * sizeof(float));
    a->scratch = take(&at, base, scratch);
    return at;
}

size_t lp_unet_cuda_need(const lp_unet_cuda *net, int n, int ly, int lx)
{
    places a = {0};

    return lay_out(net, n, ly, lx, NULL, &a);
}

void lp_unet_cuda_set_rows(lp_unet_cuda *net, int rows)
{
    net->warp_rows = rows;
}

size_t lp_unet_cuda_bytes(const lp_unet_cuda *net)
{
    return net->weight_bytes + net->act_bytes;
}

lp_status lp_unet_cuda_new(const lp_weights *w, int bf16, lp_cudnn *cudnn, size_t max_bytes,
                           const lp_device_mem *mem, lp_unet_cuda **out, lp_err *err)
{
    lp_unet_cuda *net;
    lp_status st;
    int l;

    if (w->sz != 3 || w->nbase[0] > LP_FIRST_MAX_IN)
        return lp_fail(err, LP_EARG,
                       "network: kernel size %d and %d input channels; the cuda back end takes 3 "
                       "and at most %d: use --backend cpu",
                       w->sz, w->nbase[0], LP_FIRST_MAX_IN);
    net = calloc(1, sizeof *net);
    if (!net) return lp_fail_mem(err, "network", sizeof *net);
    net->mem = *mem;
    net->levels = w->n_nbase - 1;
    net->nin = w->nbase[0];
    net->nout = w->nout;
    net->S = w->nbase[net->levels];
    net->bf16 = bf16;
    net->cudnn = cudnn;
    net->max_bytes = max_bytes;
    for (l = 0; l < net->levels; l++) net->C[l] = lp_conv_pad(w->nbase[l + 1]);
    if ((st = lp_graphs_new(&net->graphs, err)) || (st = lp_cuda_load(net, w, err))) {
        lp_unet_cuda_free(&net);
        return st;
    }
    *out = net;
    return LP_OK;
}

static void drop_activations(lp_unet_cuda *net)
{
    lp_graphs_clear(net->graphs);
    if (net->d_act) net->mem.free(net->mem.user, net->d_act, net->act_bytes);
    net->d_act = NULL;
    net->act_bytes = 0;
}

int lp_unet_cuda_shrink(lp_unet_cuda *net)
{
    if (!net->d_act) return 0;
    net->max_bytes = net->act_bytes / 2;
    drop_activations(net);
    return 1;
}

void lp_unet_cuda_free(lp_unet_cuda **pn)
{
    lp_unet_cuda *net = pn ? *pn : NULL;

    if (!net) return;
    drop_activations(net);
    lp_graphs_free(&net->graphs);
    if (net->d_weights) net->mem.free(net->mem.user, net->d_weights, net->weight_bytes);
    free(net);
    *pn = NULL;
}

/* ---- n tiles of one size, in memory that has room for them ---- */

static int convolve(const lp_unet_cuda *net, const places *a, const lp_conv_call *c,
                    lp_stream stream)
{
    return net->cudnn ? lp_cudnn_conv(net->cudnn, c, net->bf16, a->scratch, stream)
                      : lp_conv_cuda(c, net->bf16, stream);
}

/* conv_2 and conv_3 of a block whose X is at x. c: sizes, conv_2's shift and bias, and where
 * conv_3's result goes beside x, or instead of it. */
static int second_half(const lp_unet_cuda *net, const places *a, const lp_cuda_block *block,
                       const lp_conv_call *c, void *x, lp_stream stream)
{
    lp_conv_call k = *c;
    int e;

    k.pool = NULL;
    k.out = NULL;
    k.x = x;
    k.scale = block->scale2;
    k.k = block->k[2];
    k.relu = 1;
    k.y = a->b;
    if ((e = convolve(net, a, &k, stream))) return e;

    k = *c;
    k.shift = NULL;
    k.shift_stride = 0;
    k.x = a->b;
    k.k = block->k[3];
    k.b = block->b[3];
    k.b_stride = 0;
    k.res = x;
    k.y = k.out ? NULL : x;
    return convolve(net, a, &k, stream);
}

static int down_level(const lp_unet_cuda *net, const places *a, int n, int ly, int lx, int l,
                      const float *d_x, lp_stream stream)
{
    const lp_cuda_block *d = &net->down[l];
    int last = l + 1 == net->levels, e;
    lp_conv_call c = {.n = n,
                      .h = ly >> l,
                      .w = lx >> l,
                      .cout = net->C[l],
                      .rows = net->warp_rows},
                 k;

    if (l == 0) {
        e = lp_first_cuda(a->b, d_x, net->first_k, net->first_b, d->scale0, d->shift0, n, net->nin,
                          ly, lx, net->C[0], net->bf16, stream);
    } else {
        k = c;
        k.cin = net->C[l - 1];
        k.x = a->p[l];
        k.scale = d->scale0;
        k.shift = d->shift0;
        k.k = d->k[0];
        k.b = d->b[0];
        k.relu = 1;
        k.y = a->b;
        e = convolve(net, a, &k, stream);
    }
    if (e) return e;

    c.cin = net->C[l];
    k = c;
    k.x = a->b;
    k.k = d->k[1];
    k.b = d->b[1];
    if (l == 0) {
        k.img = d_x;
        k.img_k = net->proj_k;
        k.nimg = net->nin;
    } else {
        k.p = a->p[l];
        k.cp = net->C[l - 1];
        k.pk = d->pk;
    }
    k.y = a->x[l];
    if ((e = convolve(net, a, &k, stream))) return e;

    k = c;
    k.shift = d->shift2;
    k.b = d->b[2];
    k.pool = last ? NULL : a->p[l + 1];
    return second_half(net, a, d, &k, a->x[l], stream);
}

static int up_level(const lp_unet_cuda *net, const places *a, int n, int ly, int lx, int l,
                    float *d_y, lp_stream stream)
{
    const lp_cuda_block *u = &net->up[l];
    int deepest = l + 1 == net->levels, e;
    int below_c = deepest ? net->C[l] : net->C[l + 1];
    const void *below = deepest ? a->x[l] : l + 2 == net->levels ? a->top : a->x[l + 1];
    unsigned char *z = deepest ? a->top : a->x[l];
    lp_conv_call c = {.n = n,
                      .h = ly >> l,
                      .w = lx >> l,
                      .cin = net->C[l],
                      .cout = net->C[l],
                      .rows = net->warp_rows},
                 k;

    k = c;
    k.cin = below_c;
    k.x = below;
    k.up = !deepest;
    k.scale = u->scale0;
    k.shift = u->shift0;
    k.k = u->k[0];
    k.b = u->b[0];
    k.res = a->x[l];
    k.scale2 = u->scale1;
    k.shift2 = a->shifts + u->row[1];
    k.shift2_stride = net->rows;
    k.relu = 1;
    k.y = a->b;
    if ((e = convolve(net, a, &k, stream))) return e;

    k = c;
    k.x = a->b;
    k.k = u->k[1];
    k.b = u->b[1];
    k.p = below;
    k.cp = below_c;
    k.p_up = !deepest;
    k.pk = u->pk;
    k.y = z;
    if ((e = convolve(net, a, &k, stream))) return e;

    k = c;
    k.shift = a->shifts + u->row[2];
    k.shift_stride = net->rows;
    k.b = a->shifts + u->row[3];
    k.b_stride = net->rows;
    if (l == 0 && c.cout <= 32) {
        k.out = d_y;
        k.nout = net->nout;
        k.out_scale = net->out_scale;
        k.out_shift = net->out_shift;
        k.out_k = net->out_k;
        k.out_b = net->out_b;
    }
    return second_half(net, a, u, &k, z, stream);
}

/* A batch: what lp_graphs_run passes to queue. */
typedef struct {
    const lp_unet_cuda *net;
    int n, ly, lx;
    const float *d_x;
    float *d_y, *d_styles;
} batch;

static int queue(void *user, lp_stream stream)
{
    const batch *t = user;
    const lp_unet_cuda *net = t->net;
    int n = t->n, ly = t->ly, lx = t->lx, l, e = 0, last = net->levels - 1;
    float *d_y = t->d_y, *d_styles = t->d_styles;
    places a = {0};

    lay_out(net, n, ly, lx, net->d_act, &a);
    for (l = 0; l <= last && !e; l++) e = down_level(net, &a, n, ly, lx, l, t->d_x, stream);
    if (!e)
        e = lp_style_cuda(d_styles, a.x[last], n, ly >> last, lx >> last, net->C[last], net->S,
                          net->bf16, stream);
    if (!e)
        e = lp_style_shifts_cuda(a.shifts, d_styles, net->full, net->full_b, net->full_scale,
                                 net->full_shift, n, net->rows, net->S, stream);
    for (l = last; l >= 0 && !e; l--) e = up_level(net, &a, n, ly, lx, l, d_y, stream);
    if (!e && net->C[0] > 32)
        e = lp_output_cuda(d_y, last ? a.x[0] : a.top, net->out_scale, net->out_shift, net->out_k,
                           net->out_b, n, net->nout, ly, lx, net->C[0], net->bf16, stream);
    return e;
}

static int forward(const lp_unet_cuda *net, const float *d_x, int n, int ly, int lx, float *d_y,
                   float *d_styles, lp_stream stream)
{
    batch t = {net, n, ly, lx, d_x, d_y, d_styles};
    lp_graph_key key = {n, ly, lx, d_x, d_y, d_styles};

    return lp_graphs_run(net->graphs, &key, queue, &t, stream);
}

/* ---- memory ---- */

/* Tiles of that size that `bytes` have room for, at most n and what a kernel takes. */
static int fit(const lp_unet_cuda *net, int n, int ly, int lx, size_t bytes)
{
    int lo = 0, hi = n < LP_CONV_MAX_TILES ? n : LP_CONV_MAX_TILES;

    while (lo < hi) {
        int mid = lo + (hi - lo + 1) / 2;

        if (lp_unet_cuda_need(net, mid, ly, lx) <= bytes)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* Room for all groups at once each, for less of them where max_bytes or the device end sooner, but
 * for one tile of each in any case. */
static lp_status reserve(lp_unet_cuda *net, const lp_tile_group *group, int n_groups, lp_err *err)
{
    size_t least = 0, want = 0;
    lp_status st = LP_OK;
    lp_err quiet;
    int g;

    for (g = 0; g < n_groups; g++) {
        const lp_tile_group *k = &group[g];
        size_t one = lp_unet_cuda_need(net, 1, k->ly, k->lx);
        int n = fit(net, k->n, k->ly, k->lx, net->max_bytes);
        size_t all = lp_unet_cuda_need(net, n > 1 ? n : 1, k->ly, k->lx);

        if (one > least) least = one;
        if (all > want) want = all;
    }
    if (want <= net->act_bytes) return LP_OK;
    drop_activations(net);
    for (;;) {
        st = net->mem.alloc(net->mem.user, want, &net->d_act, want > least ? &quiet : err);
        if (st != LP_ENOMEM || want <= least) break;
        want = want / 2 > least ? want / 2 : least;
        net->max_bytes = want; /* so that the next batch does not try again */
    }
    if (st) {
        if (st != LP_ENOMEM && want > least && err) *err = quiet;
        return st;
    }
    net->act_bytes = want;
    return LP_OK;
}

lp_status lp_unet_cuda_run(lp_unet_cuda *net, const float *d_x, const lp_tile_group *group,
                           int n_groups, float *d_y, float *d_styles, lp_stream stream, lp_err *err)
{
    int div = 1 << (net->levels - 1), g, e, first, n;
    lp_status st;

    for (g = 0; g < n_groups; g++) {
        const lp_tile_group *k = &group[g];

        if (k->n < 1 || k->ly < div || k->lx < div || k->ly % div || k->lx % div)
            return lp_fail(err, LP_EARG,
                           "network: %d tiles of %d x %d pixels; both must be multiples of %d",
                           k->n, k->ly, k->lx, div);
    }
    if ((st = reserve(net, group, n_groups, err))) return st;
    for (g = 0; g < n_groups; g++) {
        const lp_tile_group *k = &group[g];
        size_t pix = (size_t)k->ly * k->lx;
        int most = fit(net, k->n, k->ly, k->lx, net->act_bytes);

        for (first = 0; first < k->n; first += n) {
            n = k->n - first < most ? k->n - first : most;
            e = forward(net, d_x, n, k->ly, k->lx, d_y, d_styles, stream);
            if (e < 0) return lp_fail(err, LP_EIO, "network: %s", lp_cudnn_error(net->cudnn));
            if (e) return net->mem.failed(net->mem.user, e, "network", err);
            d_x += (size_t)n * net->nin * pix;
            d_y += (size_t)n * net->nout * pix;
            d_styles += (size_t)n * net->S;
        }
    }
    return LP_OK;
}
