/* train_ops - what stands between the convolutions of the U-Net in training, forward and backward.
 *
 * An activation is float32 in blocks of channels, [n][nblk][plane][cb], or bfloat16 with the
 * channels of a pixel together, [n][plane][nblk][cb] (onednn_train.h), with plane = h * w; channels
 * beyond the real ones are 0 and stay 0. cb is 8 or 16; of bfloat16 16, 32 or 64, which says
 * nothing of its order, but the widest is fastest. All arithmetic is float32 and double in both
 * cases: what is bfloat16 is only rounded where it is written. Arrays over channels have nblk * cb
 * elements (Cp), 0 beyond the real ones. Sums over pixels are taken in pieces of fixed size that
 * are added in a fixed order, so that the bits do not depend on the number of threads. */
#ifndef LP_TRAIN_OPS_H
#define LP_TRAIN_OPS_H

#include <stddef.h>

#include "../kernels/train_dims.h"

size_t lp_tdims_size(const lp_tdims *d); /* elements of an activation */
/* Doubles of work that the sums of d need. */
size_t lp_tdims_work(const lp_tdims *d);

/* Batch statistics (nn.BatchNorm2d in training) of x + f, f [n][Cp] added to every pixel (NULL: 0).
 * mean, var [Cp] over images and pixels, var biased; image_mean [n][Cp]. */
void lp_tops_stats(const lp_tdims *d, const void *x, const float *f, double *mean, double *var,
                   double *image_mean, double *work);

/* out = relu(scale [Cp] * x + shift [n][Cp]); copy (may be NULL) = x. */
void lp_tops_norm(const lp_tdims *d, void *out, void *copy, const void *x, const float *scale,
                  const float *shift);

/* Backward of lp_tops_norm, first half. g = d_out where scale * x + shift > 0, else 0.
 * sum_g [n][Cp]: of g over pixels; sum_gx [n][Cp]: of g * x. */
void lp_tops_norm_sums(const lp_tdims *d, const void *d_out, const void *x, const float *scale,
                       const float *shift, double *sum_g, double *sum_gx, double *work);

/* Second half: d_x (+)= scale * g + p [Cp] * x + q [n][Cp] + extra (an activation, or NULL). */
void lp_tops_norm_back(const lp_tdims *d, void *d_x, int add, const void *d_out, const void *x,
                       const float *scale, const float *shift, const float *p, const float *q,
                       const void *extra);

/* 2x2 max pool, out of dims d, x of twice the height and width; the first of equal values wins. */
void lp_tops_pool(const lp_tdims *d, void *out, const void *x);
/* d_x += the gradient d_out at each maximum. */
void lp_tops_pool_back(const lp_tdims *d, void *d_x, const void *d_out, const void *x);

/* Nearest neighbour to twice the size: x of dims d. */
void lp_tops_up(const lp_tdims *d, void *out, const void *x);
void lp_tops_up_back(const lp_tdims *d, void *d_x, const void *d_out); /* d_x = sums of four */

/* x += f [n][Cp] at every pixel. */
void lp_tops_add_channels(const lp_tdims *d, void *x, const float *f);

/* means [n][Cp]: of x over pixels. */
void lp_tops_means(const lp_tdims *d, const void *x, double *means);

/* out as d says, x in the other type and its order; cb is that of the float32 one. */
void lp_tops_convert(const lp_tdims *d, void *out, const void *x);

/* Planes [n][c][plane] float32 <-> an activation. */
void lp_tops_from_planes(const lp_tdims *d, void *x, const float *planes, int c);
void lp_tops_to_planes(const lp_tdims *d, float *planes, const void *x, int c);

#endif
