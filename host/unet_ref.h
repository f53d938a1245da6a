/* unet_ref - CPnet in plain C and double precision: the right answer, slowly.
 *
 * Follows Cellpose's resnet_torch.py statement by statement, nothing folded or fused. The
 * tuned network is tested against it, and it makes the self-test of a model file. */
#ifndef LP_UNET_REF_H
#define LP_UNET_REF_H

#include "../weights/weights.h"
#include "status.h"

/* x [n][nbase[0]][ly][lx], y [n][nout][ly][lx], styles [n][nbase[last]] (may be NULL): float32; ly
 * and lx multiples of 2^(levels-1). LP_EARG, LP_ENOMEM. */
lp_status lp_unet_ref(const lp_weights *w, const float *x, int n, int ly, int lx, float *y,
                      float *styles, lp_err *err);

#endif
