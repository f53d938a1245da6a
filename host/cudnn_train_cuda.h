/* cudnn_train_cuda - one convolution of a training step by cuDNN, forward and backward: sums of
 * products only, by algorithms that give the same bits each time. float32 is float32 (no TF32);
 * bfloat16 is summed in float32 and rounded once, the gradient of the weights too.
 *
 * Arrays are of the device, d_x [n][h][w][cin], d_y [n][h][w][cout], d_k [cout][taps][cin], with d
 * for gradient behind the d_ of the device. Calls only queue; they return 0, or -1 with the text in
 * lp_cudnn_error. d_work: lp_cudnn_layer_work bytes, aligned to 256. */
#ifndef LP_CUDNN_TRAIN_CUDA_H
#define LP_CUDNN_TRAIN_CUDA_H

#include "cudnn_cuda.h"

typedef struct lp_cudnn_layer lp_cudnn_layer;

/* taps 9 or 1, stride 1. h must stay. LP_EIO where cuDNN has no way to compute it. */
lp_status lp_cudnn_layer_new(lp_cudnn *h, int n, int height, int width, int cin, int cout, int taps,
                             int bf16, lp_cudnn_layer **out, lp_err *err);
void lp_cudnn_layer_free(lp_cudnn_layer **l); /* NULL is fine; clears the pointer */
size_t lp_cudnn_layer_work(const lp_cudnn_layer *l);

/* d_y = (add ? d_y : 0) + k . x */
int lp_cudnn_layer_forward(lp_cudnn_layer *l, const void *d_x, const void *d_k, int add, void *d_y,
                           void *d_work, lp_stream stream);
int lp_cudnn_layer_data(lp_cudnn_layer *l, const void *d_dy, const void *d_k, void *d_dx,
                        void *d_work, lp_stream stream);
int lp_cudnn_layer_filter(lp_cudnn_layer *l, const void *d_x, const void *d_dy, void *d_dk,
                          void *d_work, lp_stream stream);

#endif
