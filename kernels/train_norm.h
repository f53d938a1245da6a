/* train_norm - what a batch norm in training is between the passes over its map: coefficients,
 * gradients, and the same folded into a 1x1 convolution. A few values per channel.
 *
 * In all files of training d_ is a gradient, not a place: pointers are of the device for _cuda, of
 * the host for _ref. Channels from c to cp are padding: 0 and stay 0.
 * Source: nn.BatchNorm2d of PyTorch, eps 1e-5, momentum 0.05; Ioffe and Szegedy 2015. */
#ifndef LP_TRAIN_NORM_H
#define LP_TRAIN_NORM_H

#include "stream.h"

/* A norm of x + f, which a ReLU and a convolution follow. */
typedef struct {
    int n, c, cp, plane;               /* images, channels, with padding, pixels of an image */
    int training;                      /* 0: running statistics take the place of the batch's */
    const float *gamma, *beta;         /* [c] */
    float *running_mean, *running_var; /* [c] */
    float *counter;                    /* [1] steps of the running statistics */
    const double *mean, *var;          /* [cp] of x + f over images and pixels; var biased */
    const double *image_mean;          /* [n][cp] over pixels */
    const float *f;                    /* [n][cp], or NULL: nothing is added */
    float *scale, *shift;              /* [cp], [n][cp]: scale x + shift is the norm of x + f */
    float *d_gamma, *d_beta;           /* [c] */
    float *p, *q;                      /* [cp], [n][cp]: d_x = scale g + p x + q */
    float *d_f;                        /* [n][cp], or NULL: not wanted */
} lp_tnorm;

/* scale and shift; in training also the running statistics and their counter. */
void lp_tnorm_coefficients_ref(const lp_tnorm *u);
int lp_tnorm_coefficients_cuda(const lp_tnorm *u, lp_stream stream);

/* d_gamma, d_beta, p, q, d_f from sums over pixels of g, the gradient behind the ReLU, and of g x:
 * sum_g, sum_gx [n][cp]. */
void lp_tnorm_gradients_ref(const lp_tnorm *u, const double *sum_g, const double *sum_gx);
int lp_tnorm_gradients_cuda(const lp_tnorm *u, const double *sum_g, const double *sum_gx,
                            lp_stream stream);

/* W (scale x + shift) + b = folded x + bias, for a norm without f whose convolution is 1x1 and has
 * no ReLU before it: w, folded [oc][c], b, bias [oc]. */
void lp_tnorm_fold_ref(const lp_tnorm *u, int oc, const float *w, const float *b, float *folded,
                       float *bias);
int lp_tnorm_fold_cuda(const lp_tnorm *u, int oc, const float *w, const float *b, float *folded,
                       float *bias, lp_stream stream);

/* dw [oc][c]: in the gradient of folded, out that of w. sum [oc]: the gradient of bias. d_gamma and
 * d_beta are set, p and q added to, which leaves folded^T d_y to be added to d_x. */
void lp_tnorm_fold_gradients_ref(const lp_tnorm *u, int oc, const float *w, const float *sum,
                                 float *dw);
int lp_tnorm_fold_gradients_cuda(const lp_tnorm *u, int oc, const float *w, const float *sum,
                                 float *dw, lp_stream stream);

#endif
