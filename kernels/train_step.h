/* train_step - the ends of a training step on the device: loss, optimizer, and weights as cuDNN
 * wants them. All pointers are of the device; d_ is a gradient. Launchers only queue and return 0
 * or a cudaError_t. */
#ifndef LP_TRAIN_STEP_H
#define LP_TRAIN_STEP_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* lp_train_loss (host/train_loss.h): y, target, d_y (NULL: not wanted) [n][3][ly][lx]; image_loss
 * [n], of which the mean is the loss. work: doubles from lp_tstep_loss_work. */
size_t lp_tstep_loss_work(int n, int ly, int lx);
int lp_tstep_loss_cuda(const float *y, const float *target, int n, int ly, int lx,
                       double *image_loss, float *d_y, double *work, lp_stream stream);

/* lp_optim_step (host/train_optim.h) of n values p along g, with state m and (adamw) v: the bits of
 * the CPU's. */
typedef struct {
    float lr, decay, momentum; /* SGD; decay: of the gradient, or factor of the weight */
    float step, root2;         /* AdamW: lr / (1 - b1^t), sqrt(1 - b2^t) */
    int first;
} lp_tstep_rates;
int lp_tstep_sgd_cuda(float *p, const float *g, float *m, int64_t n, const lp_tstep_rates *r,
                      lp_stream stream);
int lp_tstep_adamw_cuda(float *p, const float *g, float *m, float *v, int64_t n,
                        const lp_tstep_rates *r, lp_stream stream);

/* out [ocp][taps][icp] = w [oc][ic][taps], 0 beyond, float32 or bfloat16; and back from float32 or
 * bfloat16. */
int lp_tstep_pack_cuda(void *out, const float *w, int oc, int ic, int taps, int ocp, int icp,
                       int bf16, lp_stream stream);
int lp_tstep_unpack_cuda(float *w, const void *packed, int oc, int ic, int taps, int icp, int bf16,
                         lp_stream stream);

#endif
