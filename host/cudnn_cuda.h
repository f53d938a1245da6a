/* cudnn_cuda - the convolutions of the network by NVIDIA's cuDNN: a second opinion on our own
 * kernels, and what they are measured against.
 *
 * The library is loaded when it is asked for; nothing is linked to it. It computes sums of products
 * only, rounded like an activation, that of the projection added to the first; what else conv.h
 * has are kernels before and after (kernels/conv_steps.h). So results differ from our own by
 * rounding, and in bfloat16 by some more of it. float32 is float32: no TF32. */
#ifndef LP_CUDNN_CUDA_H
#define LP_CUDNN_CUDA_H

#include <stddef.h>

#include "../kernels/conv.h"
#include "status.h"

#define LP_CUDNN_LIBRARY "libcudnn.so.9"

typedef struct lp_cudnn lp_cudnn; /* one caller at a time, for the GPU that was current */

/* library: LP_CUDNN_LIBRARY, or a path. LP_EMISSING where it cannot be loaded or will not run.
 * The caller closes. */
lp_status lp_cudnn_open(const char *library, lp_cudnn **out, lp_err *err);
/* The same with what the message begins with and what else can be done instead of --conv's. */
lp_status lp_cudnn_open_for(const char *library, const char *what, const char *instead,
                            lp_cudnn **out, lp_err *err);
void lp_cudnn_close(lp_cudnn **c);       /* NULL is fine; clears the pointer */
int lp_cudnn_version(const lp_cudnn *c); /* 91900 is 9.19.0 */

/* Weights for c->k (taps 9) and c->pk (1): [cout][taps][cin], channels padded; k as in conv.h.
 * Bytes of out from lp_cudnn_packed. */
size_t lp_cudnn_packed(int cin, int cout, int taps, int bf16);
void lp_cudnn_pack(void *out, const float *k, int cin, int cout, int taps, int bf16);

/* lp_conv_cuda's contract, but for the weights. d_scratch: lp_cudnn_scratch bytes, aligned to 256.
 * 0, a cudaError_t, or -1 for a failure of cuDNN, of which lp_cudnn_error has the text. */
size_t lp_cudnn_scratch(const lp_conv_call *c, int bf16);
int lp_cudnn_conv(lp_cudnn *h, const lp_conv_call *c, int bf16, void *d_scratch, lp_stream stream);

/* The part of it that cuDNN does: d_y [n][h][w][cout] = (add ? d_y : 0) + k . x, 3x3 (taps 9) or
 * 1x1 (taps 1), d_x [n][h][w][cin]. d_work: LP_CUDNN_WORK bytes. */
#define LP_CUDNN_WORK ((size_t)64 << 20)
int lp_cudnn_sum(lp_cudnn *h, int n, int height, int width, int cin, int cout, int taps, int bf16,
                 const void *d_x, const void *d_k, int add, void *d_y, void *d_work,
                 lp_stream stream);
const char *lp_cudnn_error(const lp_cudnn *c);

#endif
