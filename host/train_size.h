/* train_size - Cellpose's size model: a linear regression from the network's style to the logarithm
 * of the diameter (train.py, train_size). */
#ifndef LP_TRAIN_SIZE_H
#define LP_TRAIN_SIZE_H

#include "../weights/weights.h"
#include "train_data.h"

/* Ridge regression with penalty 1: A = (X X^T + 1)^-1 X (y - ymean), X = styles - smean. styles
 * [n][m], y [n] = ln(diameter / diam_mean). *correlation (may be NULL): of the fit with y, NaN
 * where either is constant. out->diam_mean is set to diam_mean. LP_ENOMEM. *out is the caller's
 * (lp_size_model_free). */
lp_status lp_size_fit(const float *styles, const double *y, int n, int m, double diam_mean,
                      lp_size_model **out, double *correlation, lp_err *err);

typedef struct {
    int bsize;          /* side of a crop, px, a multiple of the network's; Cellpose: 512 */
    int epochs;         /* crops of each image, 10 */
    double scale_range; /* each is scaled by 1 -+ half of it, 1 */
    uint64_t seed;
    int threads;
    int (*stop)(void); /* asked between crops: nonzero ends with LP_ESIGNAL. May be NULL */
} lp_train_size_options;

lp_train_size_options lp_train_size_defaults(void);

/* Fits w->size (an older one is freed) on crops of the set, which are turned, flipped and scaled as
 * in training, with what w has learnt. */
lp_status lp_train_size(const lp_train_set *set, const lp_train_size_options *o, lp_weights *w,
                        double *correlation, lp_err *err);

#endif
