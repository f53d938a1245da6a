#include "planes.h"

#include <stdlib.h>

#include "../kernels/resize.h"

lp_status lp_planes_at_size(const float *in, int nchan, int Ly, int Lx, int Ly2, int Lx2,
                            float **own, const float **out, lp_err *err)
{
    size_t bytes = (size_t)nchan * (size_t)Ly2 * (size_t)Lx2 * sizeof(float);

    *own = NULL;
    *out = in;
    if (!in || (Ly == Ly2 && Lx == Lx2)) return LP_OK;
    if (!(*own = malloc(bytes))) return lp_fail_mem(err, "planes", (double)bytes);
    lp_resize_ref(*own, in, nchan, Ly, Lx, Ly2, Lx2);
    *out = *own;
    return LP_OK;
}
