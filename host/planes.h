/* planes - planes of the network's output at the image's size. */
#ifndef LP_PLANES_H
#define LP_PLANES_H

#include "status.h"

/* in [nchan][Ly][Lx] at Ly2 x Lx2: *out is in itself, or *own, resized (kernels/resize.h), which
 * the caller frees; *own is NULL otherwise. in may be NULL: then both are. LP_ENOMEM. */
lp_status lp_planes_at_size(const float *in, int nchan, int Ly, int Lx, int Ly2, int Lx2,
                            float **own, const float **out, lp_err *err);

#endif
