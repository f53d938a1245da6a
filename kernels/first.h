/* first - the U-Net's first convolution, from the tile's few float32 planes to an activation.
 *
 *     y = relu(k * relu(scale * x + shift) + b)     3x3, zero outside of the tile
 *
 * float32 throughout: the batch norm that is folded into k may multiply rounding errors many
 * times over. Only y is rounded where bf16 is 1. */
#ifndef LP_FIRST_H
#define LP_FIRST_H

#include "stream.h"

#define LP_FIRST_MAX_IN 16 /* planes of a tile */

/* y [n][h][w][cout] float32 or bfloat16 bits, x [n][nin][h][w], k [nin][9][cout], b [cout], scale
 * and shift [nin]: float32, device. cout a multiple of 16, n at most LP_CONV_MAX_TILES.
 * Sums run over planes, then taps. Only queues work on stream. Returns 0 or a cudaError_t. */
int lp_first_cuda(void *d_y, const float *d_x, const float *d_k, const float *d_b,
                  const float *d_scale, const float *d_shift, int n, int nin, int h, int w,
                  int cout, int bf16, lp_stream stream);

/* Same contract in host memory; this one defines the right answer. */
void lp_first_ref(void *y, const float *x, const float *k, const float *b, const float *scale,
                  const float *shift, int n, int nin, int h, int w, int cout, int bf16);

#endif
