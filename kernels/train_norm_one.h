/* train_norm_one - one channel of train_norm.h, for its plain C and its kernels. */
#ifndef LP_TRAIN_NORM_ONE_H
#define LP_TRAIN_NORM_ONE_H

#include <math.h>
#include <stdint.h>

#include "train_norm.h"

#ifndef LP_BOTH
#define LP_BOTH
#endif

#define LP_TNORM_EPS 1e-5       /* nn.BatchNorm2d of Cellpose */
#define LP_TNORM_MOMENTUM 0.05f /* its share of the new batch */

LP_BOTH static inline double lp_tnorm_inverse_std(double var)
{
    return 1 / sqrt(var + LP_TNORM_EPS);
}

LP_BOTH static inline double lp_tnorm_added(const lp_tnorm *u, int i, int c)
{
    return u->f ? u->f[(int64_t)i * u->cp + c] : 0;
}

LP_BOTH static inline void lp_tnorm_coefficients_one(const lp_tnorm *u, int c)
{
    double m = (double)u->n * u->plane, mean, var;
    float *rm = u->running_mean, *rv = u->running_var;
    int i;

    if (c >= u->c) {
        u->scale[c] = 0;
        for (i = 0; i < u->n; i++) u->shift[(int64_t)i * u->cp + c] = 0;
        return;
    }
    mean = u->training ? u->mean[c] : rm[c];
    var = u->training ? u->var[c] : rv[c];
    u->scale[c] = (float)(u->gamma[c] / sqrt(var + LP_TNORM_EPS));
    for (i = 0; i < u->n; i++)
        u->shift[(int64_t)i * u->cp + c] =
            (float)(u->beta[c] + u->scale[c] * (lp_tnorm_added(u, i, c) - mean));
    if (!u->training) return;
    rm[c] += LP_TNORM_MOMENTUM * ((float)mean - rm[c]);
    rv[c] += LP_TNORM_MOMENTUM * ((float)(m > 1 ? var * m / (m - 1) : var) - rv[c]);
}

LP_BOTH static inline void lp_tnorm_gradients_one(const lp_tnorm *u, const double *sum_g,
                                                  const double *sum_gx, int c)
{
    double plane = u->plane, m = plane * u->n, mean = u->mean[c];
    double r = lp_tnorm_inverse_std(u->var[c]), sg = 0, sgx = 0, p;
    int i;

    for (i = 0; i < u->n; i++) {
        int64_t k = (int64_t)i * u->cp + c;

        sg += sum_g[k];
        sgx += r * (sum_gx[k] + (lp_tnorm_added(u, i, c) - mean) * sum_g[k]);
    }
    p = -u->scale[c] * r * sgx / m;
    u->p[c] = (float)p;
    for (i = 0; i < u->n; i++) {
        int64_t k = (int64_t)i * u->cp + c;

        u->q[k] = (float)(-u->scale[c] * sg / m + p * (lp_tnorm_added(u, i, c) - mean));
        if (u->d_f)
            u->d_f[k] = (float)(u->scale[c] * (sum_g[k] - sg * plane / m) +
                                p * plane * (u->image_mean[k] - mean));
    }
    if (c >= u->c) return;
    u->d_gamma[c] = (float)sgx;
    u->d_beta[c] = (float)sg;
}

/* bias of output channel o */
LP_BOTH static inline float lp_tnorm_fold_bias_one(const lp_tnorm *u, const float *w,
                                                   const float *b, int o)
{
    double sum = b[o];
    int c;

    for (c = 0; c < u->c; c++) sum += (double)w[(int64_t)o * u->c + c] * u->shift[c];
    return (float)sum;
}

/* With dW' the gradient of the folded weights and S that of their bias, a = scale x + shift:
 * dW = scale dW' + shift S; of sums over pixels, sum(da) = W^T S and
 * sum(da xhat) = sum_o W (dW' - mean S) / std. */
LP_BOTH static inline void lp_tnorm_fold_gradients_one(const lp_tnorm *u, int oc, const float *w,
                                                       const float *sum, float *dw, int c)
{
    double m = (double)u->n * u->plane, mean = u->mean[c], r = lp_tnorm_inverse_std(u->var[c]);
    double sg = 0, sgx = 0, p, q;
    int o, i;

    for (o = 0; o < oc; o++) {
        int64_t k = (int64_t)o * u->c + c;

        sg += (double)w[k] * sum[o];
        sgx += (double)w[k] * r * (dw[k] - mean * sum[o]);
        dw[k] = u->scale[c] * dw[k] + u->shift[c] * sum[o];
    }
    u->d_gamma[c] = (float)sgx;
    u->d_beta[c] = (float)sg;
    p = -u->scale[c] * r * sgx / m;
    q = -u->scale[c] * sg / m - p * mean;
    u->p[c] += (float)p;
    for (i = 0; i < u->n; i++) u->q[(int64_t)i * u->cp + c] += (float)q;
}

#endif
