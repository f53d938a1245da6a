/* write_flows - the flow field as Cellpose saves it with save_flows. */
#ifndef LP_WRITE_FLOWS_H
#define LP_WRITE_FLOWS_H

#include <stdint.h>

#include "status.h"

/* rgb [Ly][Lx][3] of flows [2][Ly][Lx] float32, y then x: hue is the direction, brightness the
 * length between its 1st and 99th percentile (Cellpose plot.dx_to_circ). LP_ENOMEM. */
lp_status lp_flows_rgb(const float *flows, int Ly, int Lx, uint8_t *rgb, lp_err *err);

/* x_flows_cp_masks.tif: the same as uint16, 8-bit values times 257. Cellpose 3.1.1.3 multiplies by
 * 65,535 instead, which wraps to the negative picture. */
lp_status lp_write_flows_rgb(const char *path, const float *flows, int Ly, int Lx, lp_err *err);

/* x_dP_cp_masks.tif: the numbers themselves, float32, page 1 = y, page 2 = x. */
lp_status lp_write_flows_dp(const char *path, const float *flows, int Ly, int Lx, lp_err *err);

#endif
