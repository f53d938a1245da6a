/* train_norm - on the device: a thread per channel, which is what train_norm_one.h does. */
#include "util.cuh"

extern "C" {
#include "train_norm.h"
}
#include "train_norm_one.h"

#define BLOCK 64

static __global__ void __launch_bounds__(BLOCK) coefficients(lp_tnorm u)
{
    const int c = (int)(blockIdx.x * BLOCK + threadIdx.x);

    if (c < u.cp) lp_tnorm_coefficients_one(&u, c);
    if (!c && u.training) u.counter[0] += 1;
}

int lp_tnorm_coefficients_cuda(const lp_tnorm *u, lp_stream stream)
{
    return LP_LAUNCH(coefficients, lp_blocks(u->cp, BLOCK), BLOCK, 0, stream, *u);
}

static __global__ void __launch_bounds__(BLOCK)
    gradients(lp_tnorm u, const double *__restrict__ sum_g, const double *__restrict__ sum_gx)
{
    const int c = (int)(blockIdx.x * BLOCK + threadIdx.x);

    if (c < u.cp) lp_tnorm_gradients_one(&u, sum_g, sum_gx, c);
}

int lp_tnorm_gradients_cuda(const lp_tnorm *u, const double *sum_g, const double *sum_gx,
                            lp_stream stream)
{
    return LP_LAUNCH(gradients, lp_blocks(u->cp, BLOCK), BLOCK, 0, stream, *u, sum_g, sum_gx);
}

/* A block per output channel. */
static __global__ void __launch_bounds__(BLOCK)
    fold(lp_tnorm u, const float *__restrict__ w, const float *__restrict__ b,
         float *__restrict__ folded, float *__restrict__ bias)
{
    const int64_t row = (int64_t)blockIdx.x * u.c;

    for (int c = (int)threadIdx.x; c < u.c; c += BLOCK) folded[row + c] = w[row + c] * u.scale[c];
    if (!threadIdx.x) bias[blockIdx.x] = lp_tnorm_fold_bias_one(&u, w, b, (int)blockIdx.x);
}

int lp_tnorm_fold_cuda(const lp_tnorm *u, int oc, const float *w, const float *b, float *folded,
                       float *bias, lp_stream stream)
{
    return LP_LAUNCH(fold, oc, BLOCK, 0, stream, *u, w, b, folded, bias);
}

static __global__ void __launch_bounds__(BLOCK)
    fold_gradients(lp_tnorm u, int oc, const float *__restrict__ w, const float *__restrict__ sum,
                   float *__restrict__ dw)
{
    const int c = (int)(blockIdx.x * BLOCK + threadIdx.x);

    if (c < u.c) lp_tnorm_fold_gradients_one(&u, oc, w, sum, dw, c);
}

int lp_tnorm_fold_gradients_cuda(const lp_tnorm *u, int oc, const float *w, const float *sum,
                                 float *dw, lp_stream stream)
{
    return LP_LAUNCH(fold_gradients, lp_blocks(u->c, BLOCK), BLOCK, 0, stream, *u, oc, w, sum, dw);
}
