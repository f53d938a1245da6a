/* unet_layers - the weights of the U-Net's blocks as the back ends use them: batch norms
 * folded into the convolution next to them where that is exact. */
#ifndef LP_UNET_LAYERS_H
#define LP_UNET_LAYERS_H

#include "../weights/weights.h"
#include "onednn.h"

/* Convolutions of a block: Cellpose's conv_0 to conv_3, and proj (resnet_torch.py). */
enum { CONV0, CONV1, CONV2, CONV3, PROJ, NCONV };
#define LP_MAX_PACKED 32

typedef struct {
    int ic, oc, k;
    float *w; /* folded, OIHW; in the block's mem */
    float *b; /* [oc] */
    lp_packed *packed[LP_MAX_PACKED];
    int n_packed;
} lp_layer;

/* y = scale * x + shift, by channel. */
typedef struct {
    float *scale, *shift;
} lp_bn;

/* conv0 and conv2 have the batch norm after them folded in, proj the one before it. */
typedef struct {
    lp_layer conv[NCONV];
    lp_bn bn0, bn1, bn2;        /* bn1: up only */
    float *full[4], *full_b[4]; /* up only: full[k] [C][S] of conv_k */
    float *scale3;              /* up only: scale of bn3, for the style part of conv2's bias */
    float *mem;                 /* of all conv[].w */
} lp_block;

/* The block whose keys begin with `where`, cin to c channels, S the length of the style, sz the
 * kernel size. *k is zero before; 0 where a tensor is missing or memory is short, and the
 * caller frees it all the same. */
int lp_block_load(lp_block *k, const lp_weights *w, const char *where, int up, int cin, int c,
                  int S, int sz);
void lp_block_free(lp_block *k);

/* For weights that will be rounded to bfloat16: corrects the biases for what that takes from the
 * output on average. What a layer sees is known well enough from the batch norm before it.
 * first: the first block, whose conv_0 and proj stay float32: the batch norm behind conv_0
 * may multiply its rounding errors many times over. Returns 0 where memory is short. */
int lp_block_correct(lp_block *k, const lp_weights *w, const char *where, int up, int first);

/* mean [ic]: what that convolution of a block sees on average, channel by channel. 0 where a tensor
 * is missing. */
int lp_block_means(double *mean, const lp_weights *w, const char *where, int up, int conv, int ic);

/* Loads the batch norm of n channels at `prefix`; 0 as lp_block_load. */
int lp_bn_load(lp_bn *out, const lp_weights *w, const char *prefix, int n);
void lp_bn_free(lp_bn *b);

/* A copy of the tensor named prefix + name, the caller's; NULL as above. */
float *lp_tensor_copy(const lp_weights *w, const char *prefix, const char *name, size_t n);

#endif
