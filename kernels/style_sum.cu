/* style_sum - on the device: lp_style_sum_cuda, a thread per component. */
#include "util.cuh"

extern "C" {
#include "style_sum.h"
}

static __global__ void __launch_bounds__(64)
    add(double *__restrict__ d_sum, const float *__restrict__ d_styles, int n, int length,
        int begin)
{
    int k = (int)(blockIdx.x * 64 + threadIdx.x);
    double s;

    if (k >= length) return;
    s = begin ? 0 : d_sum[k];
    for (int i = 0; i < n; i++) s += d_styles[(int64_t)i * length + k];
    d_sum[k] = s;
}

int lp_style_sum_cuda(double *d_sum, const float *d_styles, int n, int length, int begin,
                      lp_stream stream)
{
    if (n < 0 || length < 1) return cudaErrorInvalidValue;
    return LP_LAUNCH(add, lp_blocks(length, 64), 64, 0, stream, d_sum, d_styles, n, length, begin);
}
