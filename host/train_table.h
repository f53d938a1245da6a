/* train_table - what a network in training (train_net.h) is computed with: one struct of functions,
 * oneDNN and train_ops.h on the CPU, cuDNN and kernels on a GPU.
 *
 * Arrays are in the memory of whoever computes (alloc). Operations may only be queued: what they
 * return, 0 or an error for `failed`, is that of queueing. The same input gives the same bits. user
 * is what the network was made with. */
#ifndef LP_TRAIN_TABLE_H
#define LP_TRAIN_TABLE_H

#include "../kernels/train_dims.h"
#include "../kernels/train_norm.h"
#include "../kernels/train_style.h"
#include "onednn_train.h"
#include "status.h"

typedef struct {
    int (*block)(void); /* channels are padded to a multiple of it */
    /* LP_EMISSING where there is no bfloat16. */
    lp_status (*check)(void *user, int bf16, lp_err *err);
    /* The text of what an operation returned. */
    lp_status (*failed)(void *user, int e, const char *what, lp_err *err);

    /* Aligned to 64 bytes. LP_ENOMEM. free: of these bytes; NULL is fine. */
    lp_status (*alloc)(void *user, size_t bytes, void **out, lp_err *err);
    void (*free)(void *user, void *p, size_t bytes);
    int (*zero)(void *user, void *p, size_t bytes);
    int (*copy)(void *user, void *dst, const void *src, size_t bytes);

    /* A convolution of fixed shape (onednn_train.h), the caller's. packed: bytes that its weights
     * take, the same for every n, handed to each call; scratch: bytes that calls need beside it. */
    size_t (*conv_packed)(const lp_tconv_spec *s);
    lp_status (*conv_new)(void *user, const lp_tconv_spec *s, int threads, void **conv,
                          lp_err *err);
    void (*conv_free)(void **conv); /* NULL is fine; clears the pointer */
    size_t (*conv_scratch)(const void *conv);
    /* w [oc][ic][k][k] for the calls that follow; with backward also for backward_data. */
    int (*conv_weights)(void *user, void *conv, const float *w, int backward, void *packed);
    /* dst = conv(src) + bias [oc] (+ dst) */
    int (*conv_forward)(void *user, void *conv, const void *packed, const float *bias,
                        const void *src, void *dst, void *scratch);
    int (*conv_backward_data)(void *user, void *conv, const void *packed, const void *d_dst,
                              void *d_src, void *scratch);
    /* d_w [oc][ic][k][k], d_bias [oc], overwritten */
    int (*conv_backward_weights)(void *user, void *conv, const void *src, const void *d_dst,
                                 float *d_w, float *d_bias, void *scratch);

    /* train_ops.h */
    size_t (*work)(const lp_tdims *d);
    int (*stats)(void *user, const lp_tdims *d, const void *x, const float *f, double *mean,
                 double *var, double *image_mean, double *work);
    int (*norm)(void *user, const lp_tdims *d, void *out, void *copy, const void *x,
                const float *scale, const float *shift);
    int (*norm_sums)(void *user, const lp_tdims *d, const void *d_out, const void *x,
                     const float *scale, const float *shift, double *sum_g, double *sum_gx,
                     double *work);
    int (*norm_back)(void *user, const lp_tdims *d, void *d_x, int add, const void *d_out,
                     const void *x, const float *scale, const float *shift, const float *p,
                     const float *q, const void *extra);
    int (*pool)(void *user, const lp_tdims *d, void *out, const void *x);
    int (*pool_back)(void *user, const lp_tdims *d, void *d_x, const void *d_out, const void *x);
    int (*up)(void *user, const lp_tdims *d, void *out, const void *x);
    int (*up_back)(void *user, const lp_tdims *d, void *d_x, const void *d_out);
    int (*add_channels)(void *user, const lp_tdims *d, void *x, const float *f);
    int (*means)(void *user, const lp_tdims *d, const void *x, double *means, double *work);
    int (*convert)(void *user, const lp_tdims *d, void *out, const void *x);
    int (*from_planes)(void *user, const lp_tdims *d, void *x, const float *planes, int c);
    int (*to_planes)(void *user, const lp_tdims *d, float *planes, const void *x, int c);

    /* kernels/train_norm.h */
    int (*coefficients)(void *user, const lp_tnorm *u);
    int (*gradients)(void *user, const lp_tnorm *u, const double *sum_g, const double *sum_gx);
    int (*fold)(void *user, const lp_tnorm *u, int oc, const float *w, const float *b,
                float *folded, float *bias);
    int (*fold_gradients)(void *user, const lp_tnorm *u, int oc, const float *w, const float *sum,
                          float *dw);

    /* kernels/train_style.h */
    int (*style_make)(void *user, const lp_tstyle *s, int images, const double *means, int cp);
    int (*style_apply)(void *user, const lp_tstyle *s, int images, const float *w, const float *b,
                       int c, int cp, float *f);
    int (*style_gradients)(void *user, const lp_tstyle *s, int images, const float *w,
                           const float *d_f, int c, int cp, float *dw, float *db);
    int (*style_back)(void *user, const lp_tstyle *s, int images, int plane, int cp, float *d_x);
} lp_train_table;

extern const lp_train_table lp_train_onednn; /* user: not used */

#endif
