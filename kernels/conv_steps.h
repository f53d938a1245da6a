/* conv_steps - the first and the last steps of conv.h as kernels of their own, for where somebody
 * else's plain convolution stands between them (host/cudnn_cuda.h). */
#ifndef LP_CONV_STEPS_H
#define LP_CONV_STEPS_H

#include "conv.h"

/* a [n][h][w][cin], an activation: conv.h's a without its border, x doubled where c->up. Of c only
 * what that takes is read. Device. Only queues work on stream. Returns 0 or a cudaError_t. */
int lp_conv_before_cuda(void *d_a, const lp_conv_call *c, int bf16, lp_stream stream);

/* y, pool or out of c, from d_sum [n][h][w][cout], an activation: k . a + pk . p. out also where up
 * is 1; x, k, p and pk are not read. d_sum overlaps nothing. */
int lp_conv_after_cuda(const lp_conv_call *c, const void *d_sum, int bf16, lp_stream stream);

/* Same contracts in host memory; these define the right answers. */
void lp_conv_before_ref(void *a, const lp_conv_call *c, int bf16);
void lp_conv_after_ref(const lp_conv_call *c, const void *sum, int bf16);

#endif
