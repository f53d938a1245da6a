/* train_style - the style vector of a lp_tnet and what it adds to the decoder (make_style and
 * batchconvstyle of cellpose/resnet_torch.py), forward and backward. Only train_net.c uses it. */
#ifndef LP_TRAIN_STYLE_H
#define LP_TRAIN_STYLE_H

#include "train_block.h"

typedef struct {
    int n;               /* its length: the channels of the deepest map */
    float *mean, *v, *g; /* [batch][n]: mean over pixels, that divided by its length, gradient */
} lp_tstyle;

void lp_tstyle_make(const lp_tstep *t, lp_tstyle *s, const lp_tmap *deepest);
/* u->f = full(style) */
void lp_tstyle_apply(const lp_tstep *t, const lp_tstyle *s, lp_tunit *u);
/* From u->d_f the gradients of full's weight and bias; adds to s->g. */
void lp_tstyle_gradients(lp_tstep *t, lp_tstyle *s, const lp_tunit *u);
/* Adds to deepest->g what s->g is there. */
void lp_tstyle_back(lp_tstep *t, const lp_tstyle *s, lp_tmap *deepest);

#endif
