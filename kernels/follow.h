/* follow - moves every foreground pixel along the flows (Cellpose: follow_flows).
 *
 * Arithmetic is that of dynamics.py (steps_interp on the CPU, steps2D), bit for bit:
 * a step is flows / 5 in float32 and zero where cellprob is not above the threshold;
 * of the four products of the bilinear mean the two of the lower row are begun in float32,
 * everything else is double (what numba makes of map_coordinates); the mean is rounded to
 * float32, added in float32 and the sum clamped to the image. A flow that is NaN or infinite counts
 * as 0, and a cellprob that is NaN is not above any threshold. */
#ifndef LP_FOLLOW_H
#define LP_FOLLOW_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* end[] of a pixel that is not above the threshold. */
#define LP_FOLLOW_NONE UINT32_MAX

/* Bytes of scratch for one call. */
size_t lp_follow_scratch(int Ly, int Lx);

/* end [Ly][Lx] uint32: the pixel y * Lx + x in which each foreground pixel comes to
 * rest (its end position, truncated), LP_FOLLOW_NONE for the others.
 * p [2][Ly][Lx] float32 or NULL: the end positions themselves, y then x, in pixels;
 * left alone where cellprob is not above the threshold.
 * flows [2][Ly][Lx] float32, y then x, 5.0 is one pixel per step; cellprob [Ly][Lx].
 * interp 1: bilinear; 0: the flow of the pixel that the position truncates to.
 * The threshold is compared in float32. Ly * Lx below 2^32 - 1, niter >= 0. */
void lp_follow_ref(uint32_t *end, float *p, const float *flows, const float *cellprob, int Ly,
                   int Lx, double cellprob_threshold, int niter, int interp, void *scratch);

/* The same bits, faster: points stop at fixed points and cycles. */
void lp_follow_cpu(uint32_t *end, float *p, const float *flows, const float *cellprob, int Ly,
                   int Lx, double cellprob_threshold, int niter, int interp, void *scratch);

/* The same bits; all arrays on the device, as in every lp_..._cuda. About 12.2 bytes of scratch per
 * pixel. */
size_t lp_follow_scratch_cuda(int Ly, int Lx);
int lp_follow_cuda(uint32_t *d_end, float *d_p, const float *d_flows, const float *d_cellprob,
                   int Ly, int Lx, double cellprob_threshold, int niter, int interp,
                   void *d_scratch, lp_stream stream);

#endif
