/* style_sum - the sum of the style vectors of an image's tiles.
 *
 * Cellpose takes the mean over tiles and normalises it, so the sum will do; the host divides
 * (host/net.c). */
#ifndef LP_STYLE_SUM_H
#define LP_STYLE_SUM_H

#include "stream.h"

/* Adds styles [n][length] float32 to sum [length] double, one after the other: how they are
 * grouped into calls does not change a bit. begin 1: sum is set to 0 before. */
void lp_style_sum_ref(double *sum, const float *styles, int n, int length, int begin);

/* The same bits in device memory. Only queues work on stream; returns 0 or a cudaError_t. */
int lp_style_sum_cuda(double *d_sum, const float *d_styles, int n, int length, int begin,
                      lp_stream stream);

#endif
