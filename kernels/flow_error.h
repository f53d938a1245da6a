/* flow_error - how far the network's flows are from those of the masks
 * (Cellpose: metrics.flow_error). */
#ifndef LP_FLOW_ERROR_H
#define LP_FLOW_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "relabel.h"
#include "stream.h"

/* The order in which pixels of a mask are added, so that warps of a device can share the work and
 * get the bits that plain loops get. The rows of the box are taken in bands of LP_BAND_ROWS. A band
 * has LP_BAND_LANES sums, pixel x of the mask in sum (x - x0) % LP_BAND_LANES, in raster order;
 * sum j gets sum j + 16 added, then j + 8, 4, 2, 1; sum 0 is the band's. Bands are added from the
 * top. */
#define LP_BAND_ROWS 32
#define LP_BAND_LANES 32

/* err [n + 1] double: per label the mean over its pixels of (mu_y - flows_y / 5)^2 plus
 * the same for x, each added up in the order above; NaN for 0 and for absent labels.
 * mu [2][Ly][Lx] from diffuse.h; flows [2][Ly][Lx] as the network gave them (5.0 is one
 * pixel per step), NaN and infinity count as 0; info [n + 1] of exactly these labels. */
void lp_flow_error_ref(double *err, const float *mu, const float *flows, const uint32_t *labels,
                       const lp_label_info *info, uint32_t n, int Ly, int Lx);

/* On the device, the same bits. scratch: 4 bytes per label. */
size_t lp_flow_error_scratch_cuda(uint32_t n);
int lp_flow_error_cuda(double *d_err, const float *d_mu, const float *d_flows,
                       const uint32_t *d_labels, const lp_label_info *d_info, uint32_t n, int Ly,
                       int Lx, void *d_scratch, lp_stream stream);

#endif
