/* output - the U-Net's last step: batch norm, ReLU, 1x1 convolution, from an activation to planes.
 *
 *     y = k . relu(scale * x + shift) + b
 *
 * Sums are float32: over each 16 bytes of channels first (8 bfloat16 or 4 float32), then
 * over these in rising order. */
#ifndef LP_OUTPUT_H
#define LP_OUTPUT_H

#include "stream.h"

/* y [n][nout][h][w] float32, x [n][h][w][c] float32 or bfloat16, c a multiple of 16, scale and
 * shift [c], k [nout][c], b [nout]: float32, device. Only queues work on stream.
 * Returns 0 or a cudaError_t. */
int lp_output_cuda(float *d_y, const void *d_x, const float *d_scale, const float *d_shift,
                   const float *d_k, const float *d_b, int n, int nout, int h, int w, int c,
                   int bf16, lp_stream stream);

/* Same contract in host memory; this one defines the right answer. */
void lp_output_ref(float *y, const void *x, const float *scale, const float *shift, const float *k,
                   const float *b, int n, int nout, int h, int w, int c, int bf16);

#endif
