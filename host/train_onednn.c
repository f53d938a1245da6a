/* The CPU's lp_train_table: convolutions by oneDNN, the rest by train_ops.h and plain C. */
#include <stdlib.h>
#include <string.h>

#include "big_alloc.h"
#include "onednn.h"
#include "train_ops.h"
#include "train_table.h"

/* oneDNN wants whole blocks of biases. */
typedef struct {
    lp_tconv *c;
    int oc;
    float bias[]; /* [oc padded] */
} conv;

static lp_status check(void *user, int bf16, lp_err *err)
{
    (void)user;
    return bf16 && !lp_onednn_has_bf16()
               ? lp_fail(err, LP_EMISSING,
                         "bf16: this CPU has no AVX-512; use --precision fp32 (or auto)")
               : LP_OK;
}

static lp_status failed(void *user, int e, const char *what, lp_err *err)
{
    (void)user;
    return lp_fail(err, LP_ENOMEM, "%s: oneDNN fails (status %d)", what, e);
}

static lp_status alloc(void *user, size_t bytes, void **out, lp_err *err)
{
    void *p = lp_big_alloc(bytes);

    (void)user;
    if (!p) return lp_fail_mem(err, "training", (double)bytes);
    *out = p;
    return LP_OK;
}

static void free_(void *user, void *p, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(p);
}

static int zero(void *user, void *p, size_t bytes)
{
    (void)user;
    memset(p, 0, bytes);
    return 0;
}

static int copy(void *user, void *dst, const void *src, size_t bytes)
{
    (void)user;
    memcpy(dst, src, bytes);
    return 0;
}

/* It is in the lp_tconv. */
static size_t conv_packed(const lp_tconv_spec *s)
{
    (void)s;
    return 0;
}

static void conv_free(void **pc)
{
    conv *c = pc ? *pc : NULL;

    if (!c) return;
    lp_tconv_free(&c->c);
    free(c);
    *pc = NULL;
}

static lp_status conv_new(void *user, const lp_tconv_spec *s, int threads, void **out, lp_err *err)
{
    size_t padded = (size_t)(s->oc + s->block - 1) / s->block * s->block;
    conv *c = calloc(1, sizeof *c + padded * sizeof *c->bias);
    void *made = c;
    lp_status st;

    (void)user;
    if (!c) return lp_fail_mem(err, "training convolution", (double)padded);
    c->oc = s->oc;
    if ((st = lp_tconv_new(s, threads, &c->c, err)))
        conv_free(&made);
    else
        *out = c;
    return st;
}

static size_t conv_scratch(const void *c)
{
    return lp_tconv_scratch(((const conv *)c)->c);
}

static int conv_weights(void *user, void *c, const float *w, int backward, void *packed)
{
    (void)user;
    (void)packed;
    return lp_tconv_weights(((conv *)c)->c, w, backward);
}

static int conv_forward(void *user, void *vc, const void *packed, const float *bias,
                        const void *src, void *dst, void *scratch)
{
    conv *c = vc;

    (void)user;
    (void)packed;
    memcpy(c->bias, bias, (size_t)c->oc * sizeof *bias);
    return lp_tconv_forward(c->c, c->bias, src, dst, scratch);
}

static int conv_backward_data(void *user, void *c, const void *packed, const void *d_dst,
                              void *d_src, void *scratch)
{
    (void)user;
    (void)packed;
    return lp_tconv_backward_data(((conv *)c)->c, d_dst, d_src, scratch);
}

static int conv_backward_weights(void *user, void *vc, const void *src, const void *d_dst,
                                 float *d_w, float *d_bias, void *scratch)
{
    conv *c = vc;
    int s = lp_tconv_backward_weights(c->c, src, d_dst, d_w, c->bias, scratch);

    (void)user;
    memcpy(d_bias, c->bias, (size_t)c->oc * sizeof *d_bias);
    /* The padding is 0 in either use. */
    return s;
}

#define DONE(call)                                                                                 \
    do {                                                                                           \
        (void)user;                                                                                \
        call;                                                                                      \
        return 0;                                                                                  \
    } while (0)

static int stats(void *user, const lp_tdims *d, const void *x, const float *f, double *mean,
                 double *var, double *image_mean, double *work)
{
    DONE(lp_tops_stats(d, x, f, mean, var, image_mean, work));
}

static int norm(void *user, const lp_tdims *d, void *out, void *copy_, const void *x,
                const float *scale, const float *shift)
{
    DONE(lp_tops_norm(d, out, copy_, x, scale, shift));
}

static int norm_sums(void *user, const lp_tdims *d, const void *d_out, const void *x,
                     const float *scale, const float *shift, double *sum_g, double *sum_gx,
                     double *work)
{
    DONE(lp_tops_norm_sums(d, d_out, x, scale, shift, sum_g, sum_gx, work));
}

static int norm_back(void *user, const lp_tdims *d, void *d_x, int add, const void *d_out,
                     const void *x, const float *scale, const float *shift, const float *p,
                     const float *q, const void *extra)
{
    DONE(lp_tops_norm_back(d, d_x, add, d_out, x, scale, shift, p, q, extra));
}

static int pool(void *user, const lp_tdims *d, void *out, const void *x)
{
    DONE(lp_tops_pool(d, out, x));
}

static int pool_back(void *user, const lp_tdims *d, void *d_x, const void *d_out, const void *x)
{
    DONE(lp_tops_pool_back(d, d_x, d_out, x));
}

static int up(void *user, const lp_tdims *d, void *out, const void *x)
{
    DONE(lp_tops_up(d, out, x));
}

static int up_back(void *user, const lp_tdims *d, void *d_x, const void *d_out)
{
    DONE(lp_tops_up_back(d, d_x, d_out));
}

static int add_channels(void *user, const lp_tdims *d, void *x, const float *f)
{
    DONE(lp_tops_add_channels(d, x, f));
}

static int means(void *user, const lp_tdims *d, const void *x, double *out, double *work)
{
    (void)work;
    DONE(lp_tops_means(d, x, out));
}

static int convert(void *user, const lp_tdims *d, void *out, const void *x)
{
    DONE(lp_tops_convert(d, out, x));
}

static int from_planes(void *user, const lp_tdims *d, void *x, const float *planes, int c)
{
    DONE(lp_tops_from_planes(d, x, planes, c));
}

static int to_planes(void *user, const lp_tdims *d, float *planes, const void *x, int c)
{
    DONE(lp_tops_to_planes(d, planes, x, c));
}

static int coefficients(void *user, const lp_tnorm *u)
{
    DONE(lp_tnorm_coefficients_ref(u));
}

static int gradients(void *user, const lp_tnorm *u, const double *sum_g, const double *sum_gx)
{
    DONE(lp_tnorm_gradients_ref(u, sum_g, sum_gx));
}

static int fold(void *user, const lp_tnorm *u, int oc, const float *w, const float *b,
                float *folded, float *bias)
{
    DONE(lp_tnorm_fold_ref(u, oc, w, b, folded, bias));
}

static int fold_gradients(void *user, const lp_tnorm *u, int oc, const float *w, const float *sum,
                          float *dw)
{
    DONE(lp_tnorm_fold_gradients_ref(u, oc, w, sum, dw));
}

static int style_make(void *user, const lp_tstyle *s, int images, const double *m, int cp)
{
    DONE(lp_tstyle_make_ref(s, images, m, cp));
}

static int style_apply(void *user, const lp_tstyle *s, int images, const float *w, const float *b,
                       int c, int cp, float *f)
{
    DONE(lp_tstyle_apply_ref(s, images, w, b, c, cp, f));
}

static int style_gradients(void *user, const lp_tstyle *s, int images, const float *w,
                           const float *d_f, int c, int cp, float *dw, float *db)
{
    DONE(lp_tstyle_gradients_ref(s, images, w, d_f, c, cp, dw, db));
}

static int style_back(void *user, const lp_tstyle *s, int images, int plane, int cp, float *d_x)
{
    DONE(lp_tstyle_back_ref(s, images, plane, cp, d_x));
}

const lp_train_table lp_train_onednn = {
    .block = lp_tconv_block,
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
    .work = lp_tdims_work,
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
