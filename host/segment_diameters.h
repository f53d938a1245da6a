/* segment_diameters - the steps of lp_segment_diameters, for choosing diameters on the way. */
#ifndef LP_SEGMENT_DIAMETERS_H
#define LP_SEGMENT_DIAMETERS_H

#include "session.h"

/* *total: tiles of all diameters [n]. LP_EARG where one of them is impossible. */
lp_status lp_diameters_tiles(const lp_session *s, const lp_segment_options *o,
                             const double *diameters, int n, int Ly, int Lx, int *total,
                             lp_err *err);

/* img, of lp_session_prepare, at all diameters; ntiles as counted. Adds a layer for each of them
 * to layers, and to seconds [LP_T_NSTAGES]. */
lp_status lp_diameters_run(lp_session *s, const lp_buf *img, int Ly, int Lx,
                           const lp_segment_options *o, const double *diameters, int n, int ntiles,
                           lp_layers *layers, double *seconds, lp_err *err);

#endif
