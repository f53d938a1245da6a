/* resize_point - where bilinear resizing samples; shared by the versions of lp_resize. */
#ifndef LP_RESIZE_POINT_H
#define LP_RESIZE_POINT_H

#include <math.h>

#ifndef LP_BOTH
#define LP_BOTH /* kernels: also on the device (util.cuh) */
#endif

/* cv2 inverts the ratio target / source instead of dividing the other way round. */
LP_BOTH static inline double lp_resize_scale(int L, int L2)
{
    return 1.0 / ((double)L2 / L);
}

/* Target d of an axis of L source pixels is pixel i0 with weight 1 - f and i1 with weight f. */
LP_BOTH static inline void lp_resize_point(int d, double scale, int L, int *i0, int *i1, float *f)
{
    float p = (float)(((double)d + 0.5) * scale - 0.5);
    int i = (int)floorf(p);

    *f = p - (float)i;
    if (i < 0) {
        i = 0;
        *f = 0;
    }
    if (i >= L - 1) {
        i = L - 1;
        *f = 0;
    }
    *i0 = i;
    *i1 = i + 1 < L ? i + 1 : i;
}

#endif
