/* label - on the device: labels from where pixels ended, and labels at another size. */
#include "util.cuh"

extern "C" {
#include "follow.h"
#include "label.h"
}

#define THREADS 256

/* labels may be end. */
static __global__ void __launch_bounds__(THREADS)
    label_pixels(uint32_t *labels, const uint32_t *end, const uint32_t *__restrict__ m, int64_t n)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i >= n) return;
    const uint32_t e = end[i];

    labels[i] = e == LP_FOLLOW_NONE ? 0 : m[e];
}

int lp_label_cuda(uint32_t *d_labels, const uint32_t *d_end, const uint32_t *d_m, int Ly, int Lx,
                  lp_stream stream)
{
    const int64_t n = (int64_t)Ly * Lx;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    return LP_LAUNCH(label_pixels, lp_blocks(n, THREADS), THREADS, 0, stream, d_labels, d_end, d_m,
                     n);
}

static __device__ inline int nearest(int i, double step, int L)
{
    const double s = floor(i * step);

    return s < L - 1 ? (int)s : L - 1;
}

static __global__ void __launch_bounds__(THREADS)
    label_resize(uint32_t *__restrict__ out, const uint32_t *__restrict__ in, int Ly, int Lx,
                 int Lx2, int64_t n, double sy, double sx)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n)
        out[i] = in[(int64_t)nearest((int)((uint32_t)i / (uint32_t)Lx2), sy, Ly) * Lx +
                    nearest((int)((uint32_t)i % (uint32_t)Lx2), sx, Lx)];
}

int lp_label_resize_cuda(uint32_t *d_out, const uint32_t *d_in, int Ly, int Lx, int Ly2, int Lx2,
                         lp_stream stream)
{
    const double sy = 1 / ((double)Ly2 / Ly), sx = 1 / ((double)Lx2 / Lx);
    const int64_t n = (int64_t)Ly2 * Lx2;

    if (Ly < 1 || Lx < 1 || Ly2 < 1 || Lx2 < 1) return cudaErrorInvalidValue;
    return LP_LAUNCH(label_resize, lp_blocks(n, THREADS), THREADS, 0, stream, d_out, d_in, Ly, Lx,
                     Lx2, n, sy, sx);
}
