#include "train_table_cuda.h"

#include <stdlib.h>

#include "../kernels/train_maps.h"
#include "../kernels/train_step.h"

#define BLOCK 8 /* channels: what tensor cores and 16-byte accesses want */
#define ALIGN 256

/* A convolution whose output alone is float32 (wide) has its forward in float32, on a copy of what
 * it sees; its gradients are bfloat16 as those of others. */
typedef struct {
    lp_tconv_spec s;
    int icp, ocp, taps;
    lp_cudnn_layer *forward, *backward; /* the same but for wide */
    size_t at_packed, at_sums, at_wide, scratch;
} conv;

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static int padded(int c)
{
    return (c + BLOCK - 1) / BLOCK * BLOCK;
}

static int block(void)
{
    return BLOCK;
}

/* Cards older than those with bfloat16 are refused by lp_card_open. */
static lp_status check(void *user, int bf16, lp_err *err)
{
    (void)user;
    (void)bf16;
    (void)err;
    return LP_OK;
}

static lp_status failed(void *user, int e, const char *what, lp_err *err)
{
    const lp_train_gpu *g = user;

    if (e > 0) return lp_card_check(g->card, e, what, err);
    return lp_fail(err, LP_EIO, "GPU %d: %s: %s; use --backend cpu", g->card->device, what,
                   lp_cudnn_error(g->cudnn));
}

lp_status lp_train_gpu_alloc(lp_train_gpu *g, size_t bytes, void **d_out, lp_err *err)
{
    lp_status st = lp_card_alloc(g->card, bytes, NULL, d_out, err);

    if (st != LP_ENOMEM) return st;
    return lp_fail(err, LP_ENOMEM,
                   "GPU %d: no room for %.1f MiB more; train with a smaller --batch_size, more "
                   "--gpu_memory or --backend cpu",
                   g->card->device, (double)bytes / 1048576);
}

static lp_status alloc(void *user, size_t bytes, void **d_out, lp_err *err)
{
    return lp_train_gpu_alloc(user, bytes, d_out, err);
}

static void free_(void *user, void *d, size_t bytes)
{
    lp_card_free(((lp_train_gpu *)user)->card, d, bytes, NULL);
}

static lp_stream queue(void *user)
{
    return ((lp_train_gpu *)user)->stream;
}

static int zero(void *user, void *d, size_t bytes)
{
    return cudaMemsetAsync(d, 0, bytes, queue(user));
}

static int copy(void *user, void *d_dst, const void *d_src, size_t bytes)
{
    return cudaMemcpyAsync(d_dst, d_src, bytes, cudaMemcpyDeviceToDevice, queue(user));
}

/* Weights as one type; bytes a multiple of ALIGN. */
static size_t weights_bytes(const lp_tconv_spec *s, int bf16)
{
    return aligned((size_t)padded(s->ic) * padded(s->oc) * s->k * s->k * (bf16 ? 2 : 4));
}

/* wide: float32, then bfloat16 */
static size_t conv_packed(const lp_tconv_spec *s)
{
    int wide = s->bf16 && s->wide;

    return weights_bytes(s, s->bf16 && !wide) + (wide ? weights_bytes(s, 1) : 0);
}

static lp_tdims dims_of(const conv *c, int channels, int bf16)
{
    return (lp_tdims){c->s.n, channels / BLOCK, BLOCK, c->s.h, c->s.w, bf16};
}

static void conv_free(void **pc)
{
    conv *c = pc ? *pc : NULL;

    if (!c) return;
    if (c->backward != c->forward) lp_cudnn_layer_free(&c->backward);
    lp_cudnn_layer_free(&c->forward);
    free(c);
    *pc = NULL;
}

static lp_status conv_new(void *user, const lp_tconv_spec *s, int threads, void **out, lp_err *err)
{
    lp_train_gpu *g = user;
    conv *c = calloc(1, sizeof *c);
    int wide = s->bf16 && s->wide;
    void *made = c;
    size_t work;
    lp_tdims d;
    lp_status st;

    (void)threads;
    if (!c) return lp_fail_mem(err, "training convolution", sizeof *c);
    c->s = *s;
    c->s.wide = wide;
    c->icp = padded(s->ic);
    c->ocp = padded(s->oc);
    c->taps = s->k * s->k;
    if ((st = lp_cudnn_layer_new(g->cudnn, s->n, s->h, s->w, c->icp, c->ocp, c->taps,
                                 s->bf16 && !wide, &c->forward, err)))
        goto done;
    c->backward = c->forward;
    if (wide) {
        c->backward = NULL;
        if ((st = lp_cudnn_layer_new(g->cudnn, s->n, s->h, s->w, c->icp, c->ocp, c->taps, 1,
                                     &c->backward, err)))
            goto done;
    }
    work = lp_cudnn_layer_work(c->forward);
    if (wide && lp_cudnn_layer_work(c->backward) > work) work = lp_cudnn_layer_work(c->backward);
    d = dims_of(c, c->ocp, s->bf16);
    c->at_packed = aligned(work);
    c->at_sums = c->at_packed + weights_bytes(s, 0);
    c->at_wide = c->at_sums + aligned(lp_tmaps_work(&d) * sizeof(double));
    c->scratch =
        c->at_wide + (wide ? aligned((size_t)s->n * s->h * s->w * c->icp * sizeof(float)) : 0);
    *out = made;
    made = NULL;
done:
    conv_free(&made);
    return st;
}

static size_t conv_scratch(const void *c)
{
    return ((const conv *)c)->scratch;
}

static int conv_weights(void *user, void *vc, const float *w, int backward, void *packed)
{
    conv *c = vc;
    int e = lp_tstep_pack_cuda(packed, w, c->s.oc, c->s.ic, c->taps, c->ocp, c->icp,
                               c->s.bf16 && !c->s.wide, queue(user));

    if (e || !c->s.wide || !backward) return e;
    return lp_tstep_pack_cuda((char *)packed + weights_bytes(&c->s, 0), w, c->s.oc, c->s.ic,
                              c->taps, c->ocp, c->icp, 1, queue(user));
}

static int conv_forward(void *user, void *vc, const void *packed, const float *bias,
                        const void *src, void *dst, void *scratch)
{
    conv *c = vc;
    char *room = scratch;
    lp_tdims d = dims_of(c, c->icp, 0);
    int e;

    if (c->s.wide) {
        if ((e = lp_tmaps_convert_cuda(&d, room + c->at_wide, src, queue(user)))) return e;
        src = room + c->at_wide;
    }
    if ((e = lp_cudnn_layer_forward(c->forward, src, packed, c->s.sum, dst, room, queue(user))))
        return e;
    d = dims_of(c, c->ocp, c->s.bf16 && !c->s.wide);
    return lp_tmaps_add_channels_cuda(&d, dst, bias, c->s.oc, 0, queue(user));
}

static int conv_backward_data(void *user, void *vc, const void *packed, const void *d_dst,
                              void *d_src, void *scratch)
{
    conv *c = vc;
    const char *k = packed;

    if (c->s.wide) k += weights_bytes(&c->s, 0);
    return lp_cudnn_layer_data(c->backward, d_dst, k, d_src, scratch, queue(user));
}

static int conv_backward_weights(void *user, void *vc, const void *src, const void *d_dst,
                                 float *d_w, float *d_bias, void *scratch)
{
    conv *c = vc;
    char *room = scratch;
    void *packed = room + c->at_packed;
    lp_tdims d = dims_of(c, c->ocp, c->s.bf16);
    int e;

    if ((e = lp_cudnn_layer_filter(c->backward, src, d_dst, packed, room, queue(user))) ||
        (e = lp_tstep_unpack_cuda(d_w, packed, c->s.oc, c->s.ic, c->taps, c->icp, c->s.bf16,
                                  queue(user))))
        return e;
    return lp_tmaps_bias_sums_cuda(&d, d_dst, c->s.oc, d_bias,
                                   (double *)(void *)(room + c->at_sums), queue(user));
}

static int stats(void *user, const lp_tdims *d, const void *x, const float *f, double *mean,
                 double *var, double *image_mean, double *work)
{
    return lp_tmaps_stats_cuda(d, x, f, mean, var, image_mean, work, queue(user));
}

static int norm(void *user, const lp_tdims *d, void *out, void *copy_, const void *x,
                const float *scale, const float *shift)
{
    return lp_tmaps_norm_cuda(d, out, copy_, x, scale, shift, queue(user));
}

static int norm_sums(void *user, const lp_tdims *d, const void *d_out, const void *x,
                     const float *scale, const float *shift, double *sum_g, double *sum_gx,
                     double *work)
{
    return lp_tmaps_norm_sums_cuda(d, d_out, x, scale, shift, sum_g, sum_gx, work, queue(user));
}

static int norm_back(void *user, const lp_tdims *d, void *d_x, int add, const void *d_out,
                     const void *x, const float *scale, const float *shift, const float *p,
                     const float *q, const void *extra)
{
    return lp_tmaps_norm_back_cuda(d, d_x, add, d_out, x, scale, shift, p, q, extra, queue(user));
}

static int pool(void *user, const lp_tdims *d, void *out, const void *x)
{
    return lp_tmaps_pool_cuda(d, out, x, queue(user));
}

static int pool_back(void *user, const lp_tdims *d, void *d_x, const void *d_out, const void *x)
{
    return lp_tmaps_pool_back_cuda(d, d_x, d_out, x, queue(user));
}

static int up(void *user, const lp_tdims *d, void *out, const void *x)
{
    return lp_tmaps_up_cuda(d, out, x, queue(user));
}

static int up_back(void *user, const lp_tdims *d, void *d_x, const void *d_out)
{
    return lp_tmaps_up_back_cuda(d, d_x, d_out, queue(user));
}

static int add_channels(void *user, const lp_tdims *d, void *x, const float *f)
{
    return lp_tmaps_add_channels_cuda(d, x, f, d->nblk * d->cb, 1, queue(user));
}

static int means(void *user, const lp_tdims *d, const void *x, double *out, double *work)
{
    return lp_tmaps_stats_cuda(d, x, NULL, NULL, NULL, out, work, queue(user));
}

static int convert(void *user, const lp_tdims *d, void *out, const void *x)
{
    return lp_tmaps_convert_cuda(d, out, x, queue(user));
}

static int from_planes(void *user, const lp_tdims *d, void *x, const float *planes, int c)
{
    return lp_tmaps_from_planes_cuda(d, x, planes, c, queue(user));
}

static int to_planes(void *user, const lp_tdims *d, float *planes, const void *x, int c)
{
    return lp_tmaps_to_planes_cuda(d, planes, x, c, queue(user));
}

static int coefficients(void *user, const lp_tnorm *u)
{
    return lp_tnorm_coefficients_cuda(u, queue(user));
}

static int gradients(void *user, const lp_tnorm *u, const double *sum_g, const double *sum_gx)
{
    return lp_tnorm_gradients_cuda(u, sum_g, sum_gx, queue(user));
}

static int fold(void *user, const lp_tnorm *u, int oc, const float *w, const float *b,
                float *folded, float *bias)
{
    return lp_tnorm_fold_cuda(u, oc, w, b, folded, bias, queue(user));
}

static int fold_gradients(void *user, const lp_tnorm *u, int oc, const float *w, const float *sum,
                          float *dw)
{
    return lp_tnorm_fold_gradients_cuda(u, oc, w, sum, dw, queue(user));
}

static int style_make(void *user, const lp_tstyle *s, int images, const double *m, int cp)
{
    return lp_tstyle_make_cuda(s, images, m, cp, queue(user));
}

static int style_apply(void *user, const lp_tstyle *s, int images, const float *w, const float *b,
                       int c, int cp, float *f)
{
    return lp_tstyle_apply_cuda(s, images, w, b, c, cp, f, queue(user));
}

static int style_gradients(void *user, const lp_tstyle *s, int images, const float *w,
                           const float *d_f, int c, int cp, float *dw, float *db)
{
    return lp_tstyle_gradients_cuda(s, images, w, d_f, c, cp, dw, db, queue(user));
}

static int style_back(void *user, const lp_tstyle *s, int images, int plane, int cp, float *d_x)
{
    return lp_tstyle_back_cuda(s, images, plane, cp, d_x, queue(user));
}

const lp_train_table lp_train_cudnn = {
    .block = block,
    .check = check,
    .failed = failed,
    .alloc = alloc,
    .free = free_,
    .zero = zero,
    .copy = copy,
    .conv_packed = conv_packed,
    .conv_new = conv_new,
    .conv_free = conv_free,
    .conv_scratch = conv_scratch,
    .conv_weights = conv_weights,
    .conv_forward = conv_forward,
    .conv_backward_data = conv_backward_data,
    .conv_backward_weights = conv_backward_weights,
    .work = lp_tmaps_work,
    .stats = stats,
    .norm = norm,
    .norm_sums = norm_sums,
    .norm_back = norm_back,
    .pool = pool,
    .pool_back = pool_back,
    .up = up,
    .up_back = up_back,
    .add_channels = add_channels,
    .means = means,
    .convert = convert,
    .from_planes = from_planes,
    .to_planes = to_planes,
    .coefficients = coefficients,
    .gradients = gradients,
    .fold = fold,
    .fold_gradients = fold_gradients,
    .style_make = style_make,
    .style_apply = style_apply,
    .style_gradients = style_gradients,
    .style_back = style_back,
};
