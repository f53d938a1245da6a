/* flow_error - how far the network's flows are from those of the masks
 * (Cellpose: metrics.flow_error). */
#ifndef LP_FLOW_ERROR_H
#define LP_FLOW_ERROR_H

#include <stdint.h>

#include "relabel.h"

/* err [n + 1] double: per label the mean over its pixels of (mu_y - flows_y / 5)^2 plus
 * the same for x; NaN for 0 and for absent labels. Sums run in raster order.
 * mu [2][Ly][Lx] from diffuse.h; flows [2][Ly][Lx] as the network gave them (5.0 is one
 * pixel per step), NaN and infinity count as 0; info [n + 1] of exactly these labels. */
void lp_flow_error_ref(double *err, const float *mu, const float *flows, const uint32_t *labels,
                       const lp_label_info *info, uint32_t n, int Ly, int Lx);

#endif
