/* unet_cuda_net - what a network on the device consists of. Only unet_cuda's own files include it.
 *
 * All weights lie in one piece of device memory; those of a layer are in the order and with
 * the padding that kernels/conv.h wants. */
#ifndef LP_UNET_CUDA_NET_H
#define LP_UNET_CUDA_NET_H

#include "cudnn_cuda.h"
#include "graphs_cuda.h"
#include "unet_cuda.h"

#define LP_CUDA_LEVELS (LP_MAX_NBASE - 1)

/* Device pointers, [channels] unless said otherwise. */
typedef struct {
    void *k[4], *pk;        /* conv_0 to conv_3 and proj, packed (kernels/conv.h or cudnn_cuda.h) */
    float *b[4];            /* biases; proj's is part of b[1] */
    float *scale0, *shift0; /* batch norm before conv_0 */
    float *scale1;          /* up: before conv_1; its shift depends on the style */
    float *scale2, *shift2; /* before conv_2; up: the shift depends on the style */
    int row[4];             /* up: first row of conv_k's part of the style's shifts */
} lp_cuda_block;

struct lp_unet_cuda {
    lp_device_mem mem;
    int levels, nin, nout, S, bf16, warp_rows;
    int C[LP_CUDA_LEVELS]; /* padded (lp_conv_pad) */
    lp_cuda_block down[LP_CUDA_LEVELS], up[LP_CUDA_LEVELS];
    float *first_k, *first_b, *proj_k; /* down[0]: conv_0 and proj in float32 */
    float *out_scale, *out_shift, *out_k, *out_b;
    float *full, *full_b, *full_scale, *full_shift; /* [rows][S], [rows]: style.h */
    int rows;
    void *d_weights, *d_act;
    size_t weight_bytes, act_bytes, max_bytes;
    lp_graphs *graphs; /* of batches */
    lp_cudnn *cudnn;   /* the caller's, or NULL: our own convolutions */
};

/* Folds, packs and uploads w; sets everything from down to weight_bytes. */
lp_status lp_cuda_load(lp_unet_cuda *net, const lp_weights *w, lp_err *err);

#endif
