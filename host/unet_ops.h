/* unet_ops - what stands between the convolutions of the U-Net, fused so that each
 * activation is walked once.
 *
 * An activation [C][H][W] is stored as [nblk][H][W][cblk], C = nblk * cblk: cblk 16 is
 * oneDNN's blocked order, nblk 1 is channels-last. Elements are float32 or bfloat16
 * (rounded to nearest even). scale and shift are [C] float32: the batch norm before a
 * ReLU, y = max(0, scale * x + shift). Each call does rows row0 .. row1-1 of its output. */
#ifndef LP_UNET_OPS_H
#define LP_UNET_OPS_H

#include <stdint.h>

typedef struct {
    int nblk, cblk, bf16;
} lp_act;

/* out = relu(bn(x)) on w-pixel rows; out may be x. */
void lp_ops_bn_relu(lp_act a, void *out, const void *x, int h, int w, const float *scale,
                    const float *shift, int row0, int row1);

/* 2x2 max pool: pooled [h][w] of x [2h][2w]; out = relu(bn(pooled)). */
void lp_ops_pool_bn_relu(lp_act a, void *pooled, void *out, const void *x, int h, int w,
                         const float *scale, const float *shift, int row0, int row1);

/* out [h][w] = relu(bn(x [h/f][w/f])), nearest neighbour, f 1 or 2. */
void lp_ops_up_bn_relu(lp_act a, void *out, const void *x, int h, int w, int f, const float *scale,
                       const float *shift, int row0, int row1);

/* x [h][w] += q [h/f][w/f], nearest neighbour; out = relu(bn(x)). */
void lp_ops_add_up_bn_relu(lp_act a, void *out, void *x, const void *q, int h, int w, int f,
                           const float *scale, const float *shift, int row0, int row1);

/* First level: x += proj_w . in + proj_b with in [nin][h][w] float32 planes, proj_w [C][nin];
 * out = relu(bn(x)). */
void lp_ops_proj_bn_relu(lp_act a, void *out, void *x, const float *in, int nin, int h, int w,
                         const float *proj_w, const float *proj_b, const float *scale,
                         const float *shift, int row0, int row1);

/* The tile itself, in [nin][h][w] float32 -> relu(bn(in)), in planes (a.nblk = nin, a.cblk = 1)
 * or channels-last. */
void lp_ops_first_bn_relu(lp_act a, void *out, const float *in, int nin, int h, int w,
                          const float *scale, const float *shift, int row0, int row1);

/* out, in the order of a with a.bf16 = 1, = in, the same in float32. */
void lp_ops_to_bf16(lp_act a, void *out, const float *in, int h, int w, int row0, int row1);

/* y [nout][h][w] float32 = out_w [nout][C] . relu(bn(x)) + out_b. */
void lp_ops_output(lp_act a, float *y, int nout, const void *x, int h, int w, const float *out_w,
                   const float *out_b, const float *scale, const float *shift, int row0, int row1);

/* style [C] = mean over pixels of x, divided by its length (resnet_torch.py, make_style). */
void lp_ops_style(lp_act a, float *style, const void *x, int h, int w);

#endif
