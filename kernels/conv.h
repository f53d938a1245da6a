/* conv - the 3x3 convolutions of the U-Net with everything that stands between two of them.
 *
 * One call computes, for every pixel of n tiles,
 *
 *     a = scale ? relu(scale * x + shift) : x          zero outside of the tile
 *     v = sum over 3x3 taps of k . a  +  pk . p  +  b  p: 1x1 projection of the block's input
 *     v = v + img_k . img                              the same of the tile itself, in float32
 *     v = v + res                                      residual or skip
 *     v = scale2 * v + shift2                          batch norm of the next convolution
 *     v = relu ? max(v, 0) : v
 *     y = v, pool = its 2x2 maxima
 *
 * or, of the last one, where cout is at most 32 and up is 0, instead of y
 *
 *     out = out_k . relu(out_scale * v + out_shift) + out_b        planes of float32
 *
 * in this order; each step is left out where its pointer is NULL. Activations are channels-last
 * [n][h][w][c], c a multiple of 16 (lp_conv_pad; the channels that fill it up have weights,
 * biases, scales and shifts of zero and so stay zero). They and the packed weights are bfloat16,
 * rounded to nearest even, where bf16 is 1, else float32; all else is float32. a is rounded like
 * an activation, sums are float32: first over chunks of 16 channels, then over taps, then over the
 * chunk, all of k before pk; those of out over the channels of 16 bytes of an activation, then as a
 * tree of neighbours.
 *
 * x [n][h / (1 + up)][w / (1 + up)][cin]: up 1 doubles it by nearest neighbour. p likewise.
 * scale, b ... [channels]; those with a stride may differ from tile to tile, by that many floats.
 * y may be res; nothing else overlaps. h and w are even with up, p_up or pool; p is not for up. */
#ifndef LP_CONV_H
#define LP_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

#define LP_CONV_MAX_TILES 65535 /* of a call */

typedef struct {
    int n, h, w, cin, cout;
    const void *x;
    int up;
    const float *scale, *shift; /* [cin] */
    int64_t shift_stride;
    const void *k;  /* lp_conv_pack(taps 9) */
    const float *b; /* [cout] */
    int64_t b_stride;
    const void *p; /* [n][h / (1 + p_up)][w / (1 + p_up)][cp] */
    int cp, p_up;
    const void *pk;     /* lp_conv_pack(taps 1) */
    const float *img;   /* [n][nimg][h][w] */
    const float *img_k; /* [nimg][cout] */
    int nimg;
    const void *res;              /* [n][h][w][cout] */
    const float *scale2, *shift2; /* [cout] */
    int64_t shift2_stride;
    int relu;
    void *y;    /* [n][h][w][cout] */
    void *pool; /* [n][h / 2][w / 2][cout] */
    float *out; /* [n][nout][h][w] */
    int nout;
    const float *out_scale, *out_shift, *out_k, *out_b; /* [cout], [cout], [nout][cout], [nout] */
    int rows; /* of a warp in bfloat16: 7 or 4 (less shared memory); 0: the better fit to h */
} lp_conv_call;

/* Channels as stored: the next multiple of 16. */
static inline int lp_conv_pad(int c)
{
    return (c + 15) / 16 * 16;
}

/* Taps of the packed weights of a 3x3 convolution. In bfloat16, one whose x is doubled is computed
 * as four 2x2 convolutions of x itself, one for each position (y & 1, x & 1) of the output: tap
 * (position * 2 + dy) * 2 + dx, dy and dx 0 or 1, is the sum of the weights of the 3x3 taps that
 * meet source pixel (y / 2 + (y & 1) - 1 + dy, x / 2 + (x & 1) - 1 + dx). */
static inline int lp_conv_taps(int up, int bf16)
{
    return up && bf16 ? 16 : 9;
}

/* Packs weights k [cout][cin][9] (OIHW; [cout][cin] for taps 1) in the order of the tensor cores'
 * operands, so that a stage of the kernel is one piece of memory; taps 9, 16 (lp_conv_taps) or 1;
 * cin and cout as in the model. Bytes of out from lp_conv_packed. lp_conv_weight reads one back,
 * i, o, cin and cout padded. */
size_t lp_conv_packed(int cin, int cout, int taps, int bf16);
void lp_conv_pack(void *out, const float *k, int cin, int cout, int taps, int bf16);
float lp_conv_weight(const void *packed, int cin, int cout, int taps, int bf16, int o, int i,
                     int tap);

/* Weight of tap 0 to 15 of that kind, from k [9]. */
float lp_conv_up_weight(const float *k, int tap);

/* All pointers on the device. Only queues work on stream. Returns 0 or a cudaError_t. */
int lp_conv_cuda(const lp_conv_call *c, int bf16, lp_stream stream);

/* Same contract in host memory; this one defines the right answer. */
void lp_conv_ref(const lp_conv_call *c, int bf16);

#endif
