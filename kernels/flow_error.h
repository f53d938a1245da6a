/* flow_error - how far the network's flows are from those of the masks
 * (Cellpose: metrics.flow_error). */
#ifndef LP_FLOW_ERROR_H
#define LP_FLOW_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "relabel.h"
#include "stream.h"

/* err [n + 1] double: per label the mean over its pixels of (mu_y - flows_y / 5)^2 plus
 * the same for x, each added up in the order of band_sum.h; NaN for 0 and for absent labels.
 * mu [2][Ly][Lx] from diffuse.h; flows [2][Ly][Lx] as the network gave them (5.0 is one
 * pixel per step), NaN and infinity count as 0; info [n + 1] of exactly these labels. */
void lp_flow_error_ref(double *err, const float *mu, const float *flows, const uint32_t *labels,
                       const lp_label_info *info, uint32_t n, int Ly, int Lx);

/* On the device, the same bits. scratch: 12 bytes per label. */
size_t lp_flow_error_scratch_cuda(uint32_t n);
int lp_flow_error_cuda(double *d_err, const float *d_mu, const float *d_flows,
                       const uint32_t *d_labels, const lp_label_info *d_info, uint32_t n, int Ly,
                       int Lx, void *d_scratch, lp_stream stream);

/* err [n + 1] = NaN; out [n + 1] = err in float32. */
int lp_flow_error_none_cuda(double *d_err, uint32_t n, lp_stream stream);
int lp_flow_error_float_cuda(float *d_out, const double *d_err, uint32_t n, lp_stream stream);

#endif
