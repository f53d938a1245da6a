#include "train_norm_one.h"

void lp_tnorm_coefficients_ref(const lp_tnorm *u)
{
    int c;

    for (c = 0; c < u->cp; c++) lp_tnorm_coefficients_one(u, c);
    if (u->training) u->counter[0] += 1;
}

void lp_tnorm_gradients_ref(const lp_tnorm *u, const double *sum_g, const double *sum_gx)
{
    int c;

    for (c = 0; c < u->cp; c++) lp_tnorm_gradients_one(u, sum_g, sum_gx, c);
}

void lp_tnorm_fold_ref(const lp_tnorm *u, int oc, const float *w, const float *b, float *folded,
                       float *bias)
{
    int o, c;

    for (o = 0; o < oc; o++) {
        for (c = 0; c < u->c; c++)
            folded[(int64_t)o * u->c + c] = w[(int64_t)o * u->c + c] * u->scale[c];
        bias[o] = lp_tnorm_fold_bias_one(u, w, b, o);
    }
}

void lp_tnorm_fold_gradients_ref(const lp_tnorm *u, int oc, const float *w, const float *sum,
                                 float *dw)
{
    int c;

    for (c = 0; c < u->c; c++) lp_tnorm_fold_gradients_one(u, oc, w, sum, dw, c);
}
