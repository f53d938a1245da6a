#include "resize.h"

#include <math.h>
#include <string.h>

#include "resize_point.h"

void lp_resize_ref(float *out, const float *in, int nchan, int Ly, int Lx, int Ly2, int Lx2)
{
    double sy = lp_resize_scale(Ly, Ly2), sx = lp_resize_scale(Lx, Lx2);
    int64_t r;

    if (Ly == Ly2 && Lx == Lx2) {
        memcpy(out, in, (size_t)nchan * (size_t)Ly * (size_t)Lx * sizeof *out);
        return;
    }
#pragma omp parallel for schedule(static)
    for (r = 0; r < (int64_t)nchan * Ly2; r++) {
        const float *plane = in + r / Ly2 * Ly * Lx, *a, *b;
        float *o = out + r * Lx2, fy;
        int y0, y1, x;

        lp_resize_point((int)(r % Ly2), sy, Ly, &y0, &y1, &fy);
        a = plane + (int64_t)y0 * Lx;
        b = plane + (int64_t)y1 * Lx;
        for (x = 0; x < Lx2; x++) {
            float fx, ra, rb;
            int x0, x1;

            lp_resize_point(x, sx, Lx, &x0, &x1, &fx);
            ra = a[x0] * (1 - fx) + a[x1] * fx;
            rb = b[x0] * (1 - fx) + b[x1] * fx;
            o[x] = ra * (1 - fy) + rb * fy;
        }
    }
}
