/* style - a tile's style vector, and what the decoder's linear layers make of it.
 *
 * Every sum has a fixed order: same input, same bits, whatever else is in the batch. */
#ifndef LP_STYLE_H
#define LP_STYLE_H

#include "stream.h"

/* style [n][S] float32 = mean over pixels of x [n][h][w][c], divided by its length over the S
 * channels of the model (S <= c <= 4096, c a multiple of 16); x is float32, or bfloat16 where bf16
 * is 1. Source: resnet_torch.py, make_style. Device. Only queues work on stream. Returns 0 or
 * a cudaError_t. */
int lp_style_cuda(float *d_style, const void *d_x, int n, int h, int w, int c, int S, int bf16,
                  lp_stream stream);

/* out [n][rows] = scale * (full . style + bias) + shift, for all linear layers of the decoder at
 * once: full [rows][S], bias, scale, shift [rows]: the part of a batch norm's shift that depends
 * on the tile. float32, device. */
int lp_style_shifts_cuda(float *d_out, const float *d_style, const float *d_full,
                         const float *d_bias, const float *d_scale, const float *d_shift, int n,
                         int rows, int S, lp_stream stream);

/* Same contracts in host memory; these define the right answers. */
void lp_style_ref(float *style, const void *x, int n, int h, int w, int c, int S, int bf16);
void lp_style_shifts_ref(float *out, const float *style, const float *full, const float *bias,
                         const float *scale, const float *shift, int n, int rows, int S);

/* Pixels are summed in this many interleaved parts (pixel i in part i % parts), which are then
 * added in rising order. */
static inline int lp_style_parts(int c, int bf16)
{
    int groups = c / (bf16 ? 8 : 4);

    return groups < 256 ? 256 / groups : 1;
}

#endif
