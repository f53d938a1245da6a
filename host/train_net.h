/* train_net - the CPnet in training: forward with batch statistics, and the gradient of
 * every parameter.
 *
 * Source: cellpose/resnet_torch.py; gradients are PyTorch's. Parameters stay in a lp_weights, which
 * is changed in place: by lp_tnet_forward in training (running statistics, momentum 0.05; counters)
 * and by whoever steps along the gradients. float32 throughout, sums in double; or (bf16)
 * activations and their gradients are bfloat16, and all else is what it was: weights, their
 * gradients, batch norm and its statistics, the sums of convolutions, the two convolutions that see
 * the image, and y.
 *
 * The batch norm of a block's proj is folded into its 1x1 convolution: W (s x + t) = (W s) x + W t;
 * its gradients follow from that of W s (train_block.c). */
#ifndef LP_TRAIN_NET_H
#define LP_TRAIN_NET_H

#include "../weights/weights.h"
#include "train_table.h"

typedef struct lp_tnet lp_tnet;

typedef struct {
    int bf16;
    int batch, ly, lx; /* images at most; their size, multiples of 2^(levels-1) */
    int threads;
    double memory; /* bytes of activations at most; 0: what there is */
} lp_tnet_options;

/* On the CPU, for up to `batch` images of ly x lx pixels, multiples of 2^(levels-1). w must stay
 * and keep its shape. LP_ENOMEM beyond `memory` bytes of activations (0: what malloc gives);
 * LP_EMISSING where the CPU has no bf16. */
lp_status lp_tnet_new(lp_weights *w, int bf16, int batch, int ly, int lx, int threads,
                      double memory, lp_tnet **out, lp_err *err);
/* The same with any table: x, y, d_y and gradients below are then in its memory. tensor
 * [w->n_tensors]: where parameters and running statistics are in it (NULL: in w, which otherwise
 * only says what there is); they must stay. */
lp_status lp_tnet_new_on(const lp_train_table *ops, void *user, float *const *tensor, lp_weights *w,
                         const lp_tnet_options *o, lp_tnet **out, lp_err *err);
void lp_tnet_free(lp_tnet **net); /* NULL is fine; clears the pointer */

/* x [n][nbase[0]][ly][lx] -> y [n][nout][ly][lx]: flows y, x (5.0 is one pixel per step) and
 * cellprob (logit). training 0: running statistics, nothing changes. The first use of an n prepares
 * its convolutions. */
lp_status lp_tnet_forward(lp_tnet *net, const float *x, int n, int training, float *y, lp_err *err);

/* After a forward in training: d_y [n][nout][ly][lx], the loss's gradient with respect to y. */
lp_status lp_tnet_backward(lp_tnet *net, const float *d_y, lp_err *err);

/* [w->n_tensors]: gradient of each tensor, in its shape; NULL where it is not learnt (running
 * statistics, counters, diameters). Valid until the next backward. One after the other, each n of
 * them in lp_tnet_room(n) floats. */
float *const *lp_tnet_gradients(const lp_tnet *net);
size_t lp_tnet_room(size_t n);

/* 1 where the tensor is a parameter that training changes. */
int lp_tnet_is_learnt(const char *name);

#endif
