/* resize - on the device: lp_resize_cuda. One thread per target pixel; neighbours in x read
 * neighbours of the source, and the row pair stays in cache. */
#include "util.cuh"

extern "C" {
#include "resize.h"
#include "resize_point.h"
}

static __global__ void __launch_bounds__(256)
    resize(float *__restrict__ d_out, const float *__restrict__ d_in, int Ly, int Lx, int Ly2,
           int Lx2, double sy, double sx)
{
    int x = (int)(blockIdx.x * 32 + threadIdx.x), y = (int)(blockIdx.y * 8 + threadIdx.y);
    int y0, y1, x0, x1;
    float fy, fx, ra, rb;
    const float *a, *b;

    if (x >= Lx2) return;
    lp_resize_point(x, sx, Lx, &x0, &x1, &fx);
    /* The grid's y has 65,535 blocks at most, which is less than the tallest image. */
    for (; y < Ly2; y += (int)gridDim.y * 8) {
        lp_resize_point(y, sy, Ly, &y0, &y1, &fy);
        a = d_in + ((int64_t)blockIdx.z * Ly + y0) * Lx;
        b = d_in + ((int64_t)blockIdx.z * Ly + y1) * Lx;
        ra = a[x0] * (1 - fx) + a[x1] * fx;
        rb = b[x0] * (1 - fx) + b[x1] * fx;
        d_out[((int64_t)blockIdx.z * Ly2 + y) * Lx2 + x] = ra * (1 - fy) + rb * fy;
    }
}

/* With an unchanged size every weight is 0 and a[x0] * 1 + a[x1] * 0 keeps the bits of finite
 * values, but not those of infinity; so it is copied. */
static __global__ void __launch_bounds__(256)
    copy(float *__restrict__ d_out, const float *__restrict__ d_in, int64_t n)
{
    int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x;

    if (i < n) d_out[i] = d_in[i];
}

int lp_resize_cuda(float *d_out, const float *d_in, int nchan, int Ly, int Lx, int Ly2, int Lx2,
                   lp_stream stream)
{
    int64_t rows = lp_blocks(Ly2, 8);

    if (nchan < 1 || nchan > 65535 || Ly < 1 || Lx < 1 || Ly2 < 1 || Lx2 < 1)
        return cudaErrorInvalidValue;
    if (Ly == Ly2 && Lx == Lx2) {
        int64_t n = (int64_t)nchan * Ly * Lx;

        return LP_LAUNCH(copy, lp_blocks(n, 256), 256, 0, stream, d_out, d_in, n);
    }
    return LP_LAUNCH(resize,
                     dim3((unsigned)lp_blocks(Lx2, 32), (unsigned)(rows < 65535 ? rows : 65535),
                          (unsigned)nchan),
                     dim3(32, 8), 0, stream, d_out, d_in, Ly, Lx, Ly2, Lx2,
                     lp_resize_scale(Ly, Ly2), lp_resize_scale(Lx, Lx2));
}
