/* train_style - the style vector of a network in training and what it adds to the decoder
 * (make_style and batchconvstyle of cellpose/resnet_torch.py), forward and backward.
 *
 * Pointers are of the device for _cuda, of the host for _ref; d_ is a gradient. */
#ifndef LP_TRAIN_STYLE_H
#define LP_TRAIN_STYLE_H

#include "stream.h"

typedef struct {
    int n;               /* its length: the channels of the deepest map */
    float *mean, *v, *g; /* [images][n]: mean over pixels, that divided by its length, gradient */
} lp_tstyle;

/* mean and v from means [images][cp], cp >= s->n. */
void lp_tstyle_make_ref(const lp_tstyle *s, int images, const double *means, int cp);
int lp_tstyle_make_cuda(const lp_tstyle *s, int images, const double *means, int cp,
                        lp_stream stream);

/* f [images][cp] = w [c][n] v + b [c], 0 beyond c. */
void lp_tstyle_apply_ref(const lp_tstyle *s, int images, const float *w, const float *b, int c,
                         int cp, float *f);
int lp_tstyle_apply_cuda(const lp_tstyle *s, int images, const float *w, const float *b, int c,
                         int cp, float *f, lp_stream stream);

/* dw [c][n] and db [c] from d_f [images][cp]; adds to g. */
void lp_tstyle_gradients_ref(const lp_tstyle *s, int images, const float *w, const float *d_f,
                             int c, int cp, float *dw, float *db);
int lp_tstyle_gradients_cuda(const lp_tstyle *s, int images, const float *w, const float *d_f,
                             int c, int cp, float *dw, float *db, lp_stream stream);

/* d_x [images][cp]: what g is at every one of `plane` pixels of the deepest map. */
void lp_tstyle_back_ref(const lp_tstyle *s, int images, int plane, int cp, float *d_x);
int lp_tstyle_back_cuda(const lp_tstyle *s, int images, int plane, int cp, float *d_x,
                        lp_stream stream);

#endif
