/* train_maps - the passes over activations in training, on the device: what host/train_ops.h says,
 * which is also the right answer, with the same names.
 *
 * An activation is [n][h][w][nblk * cb], float32 or (d->bf16) bfloat16: the channels of a pixel
 * together, a multiple of 8, those beyond the real ones 0. All pointers are of the device, d_ is a
 * gradient. Elementwise results have train_ops's bits; sums over pixels are taken in other pieces,
 * in an order of their own that is always the same. Launchers only queue and return 0 or a
 * cudaError_t. */
#ifndef LP_TRAIN_MAPS_H
#define LP_TRAIN_MAPS_H

#include <stddef.h>

#include "stream.h"
#include "train_dims.h"

/* Doubles of work for the sums (train_sums.cu). */
size_t lp_tmaps_work(const lp_tdims *d);

/* mean and var may be NULL: only image_mean is wanted. */
int lp_tmaps_stats_cuda(const lp_tdims *d, const void *x, const float *f, double *mean, double *var,
                        double *image_mean, double *work, lp_stream stream);
int lp_tmaps_norm_sums_cuda(const lp_tdims *d, const void *d_out, const void *x, const float *scale,
                            const float *shift, double *sum_g, double *sum_gx, double *work,
                            lp_stream stream);
/* sum [c]: of x over images and pixels: the gradient of a convolution's bias. */
int lp_tmaps_bias_sums_cuda(const lp_tdims *d, const void *x, int c, float *sum, double *work,
                            lp_stream stream);

/* Elementwise (train_maps.cu). */
int lp_tmaps_norm_cuda(const lp_tdims *d, void *out, void *copy, const void *x, const float *scale,
                       const float *shift, lp_stream stream);
int lp_tmaps_norm_back_cuda(const lp_tdims *d, void *d_x, int add, const void *d_out, const void *x,
                            const float *scale, const float *shift, const float *p, const float *q,
                            const void *extra, lp_stream stream);
/* x += f [images][c] (per_image 0: [c] for all of them), nothing beyond channel c. */
int lp_tmaps_add_channels_cuda(const lp_tdims *d, void *x, const float *f, int c, int per_image,
                               lp_stream stream);
int lp_tmaps_convert_cuda(const lp_tdims *d, void *out, const void *x, lp_stream stream);

/* Of other sizes (train_shape.cu). */
int lp_tmaps_pool_cuda(const lp_tdims *d, void *out, const void *x, lp_stream stream);
int lp_tmaps_pool_back_cuda(const lp_tdims *d, void *d_x, const void *d_out, const void *x,
                            lp_stream stream);
int lp_tmaps_up_cuda(const lp_tdims *d, void *out, const void *x, lp_stream stream);
int lp_tmaps_up_back_cuda(const lp_tdims *d, void *d_x, const void *d_out, lp_stream stream);
int lp_tmaps_from_planes_cuda(const lp_tdims *d, void *x, const float *planes, int c,
                              lp_stream stream);
int lp_tmaps_to_planes_cuda(const lp_tdims *d, float *planes, const void *x, int c,
                            lp_stream stream);

#endif
