/* train_step - on the device: a thread per pixel or value. */
#include "util.cuh"

extern "C" {
#include "train_step.h"
}
#include "train_value.cuh"

#define BLOCK 256

static inline int64_t loss_blocks(int ly, int lx)
{
    return lp_blocks((int64_t)ly * lx, BLOCK);
}

size_t lp_tstep_loss_work(int n, int ly, int lx)
{
    return (size_t)n * (size_t)loss_blocks(ly, lx);
}

/* Image y of the grid. The sum of a block is taken by halves. */
static __global__ void __launch_bounds__(BLOCK)
    loss(const float *__restrict__ ys, const float *__restrict__ ts, int64_t plane, double per_flow,
         double per_prob, float *__restrict__ d_ys, double *__restrict__ work)
{
    __shared__ double part[BLOCK];
    const int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, image = blockIdx.y;
    const float *y = ys + image * 3 * plane, *t = ts + image * 3 * plane;
    float *d_y = d_ys ? d_ys + image * 3 * plane : NULL;
    double mse = 0, bce = 0;

    if (i < plane) {
        for (int k = 0; k < 2; k++) {
            const double e = (double)y[k * plane + i] - 5.0 * t[(k + 1) * plane + i];

            mse += e * e;
            if (d_y) d_y[k * plane + i] = (float)(e * per_flow);
        }
        const double v = y[2 * plane + i], in = t[i] > 0.5f, z = exp(-fabs(v));

        bce = (v > 0 ? v : 0) - v * in + log1p(z);
        if (d_y)
            d_y[2 * plane + i] = (float)(((v > 0 ? 1 / (1 + z) : z / (1 + z)) - in) * per_prob);
    }
    part[threadIdx.x] = mse / 4 + bce;
    for (int half = BLOCK / 2; half; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (!threadIdx.x) work[image * gridDim.x + blockIdx.x] = part[0];
}

/* A block per image. */
static __global__ void __launch_bounds__(BLOCK)
    add_loss(const double *__restrict__ work, int64_t blocks, int64_t plane,
             double *__restrict__ image_loss)
{
    __shared__ double part[BLOCK];
    double s = 0;

    for (int64_t k = threadIdx.x; k < blocks; k += BLOCK) s += work[blockIdx.x * blocks + k];
    part[threadIdx.x] = s;
    for (int half = BLOCK / 2; half; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (!threadIdx.x) image_loss[blockIdx.x] = part[0] / (double)plane;
}

int lp_tstep_loss_cuda(const float *y, const float *target, int n, int ly, int lx,
                       double *image_loss, float *d_y, double *work, lp_stream stream)
{
    const int64_t plane = (int64_t)ly * lx, blocks = loss_blocks(ly, lx);
    const double all = (double)n * (double)plane;
    int e;

    if (n < 1 || plane < 1) return cudaErrorInvalidValue;
    if ((e = LP_LAUNCH(loss, dim3((unsigned)blocks, (unsigned)n), BLOCK, 0, stream, y, target,
                       plane, 0.5 / all, 1 / all, d_y, work)))
        return e;
    return LP_LAUNCH(add_loss, n, BLOCK, 0, stream, work, blocks, plane, image_loss);
}

static __global__ void __launch_bounds__(BLOCK)
    sgd(float *__restrict__ p, const float *__restrict__ g, float *__restrict__ m, int64_t n,
        lp_tstep_rates r)
{
    const int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (i >= n) return;
    m[i] = (r.first ? 0 : r.momentum) * m[i] + (g[i] + r.decay * p[i]);
    p[i] -= r.lr * m[i];
}

int lp_tstep_sgd_cuda(float *p, const float *g, float *m, int64_t n, const lp_tstep_rates *r,
                      lp_stream stream)
{
    return LP_LAUNCH(sgd, lp_blocks(n, BLOCK), BLOCK, 0, stream, p, g, m, n, *r);
}

static __global__ void __launch_bounds__(BLOCK)
    adamw(float *__restrict__ p, const float *__restrict__ g, float *__restrict__ m,
          float *__restrict__ v, int64_t n, lp_tstep_rates r)
{
    const float b1 = 0.9f, b2 = 0.999f, c1 = (float)(1 - 0.9), c2 = (float)(1 - 0.999);
    const int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (i >= n) return;
    m[i] = b1 * m[i] + c1 * g[i];
    v[i] = b2 * v[i] + c2 * g[i] * g[i];
    p[i] = r.decay * p[i] - r.step * (m[i] / (sqrtf(v[i]) / r.root2 + 1e-8f));
}

int lp_tstep_adamw_cuda(float *p, const float *g, float *m, float *v, int64_t n,
                        const lp_tstep_rates *r, lp_stream stream)
{
    return LP_LAUNCH(adamw, lp_blocks(n, BLOCK), BLOCK, 0, stream, p, g, m, v, n, *r);
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    pack(T *__restrict__ out, const float *__restrict__ w, int oc, int ic, int taps, int icp,
         int64_t total)
{
    const int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x, row = t / icp, o = row / taps;
    const int i = (int)(t - row * icp), tap = (int)(row - o * taps);

    if (t >= total) return;
    lp_store1(out, t, o < oc && i < ic ? w[(o * ic + i) * taps + tap] : 0);
}

int lp_tstep_pack_cuda(void *out, const float *w, int oc, int ic, int taps, int ocp, int icp,
                       int bf16, lp_stream stream)
{
    const int64_t total = (int64_t)ocp * taps * icp, grid = lp_blocks(total, BLOCK);

    return bf16 ? LP_LAUNCH(pack<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)out, w, oc, ic,
                            taps, icp, total)
                : LP_LAUNCH(pack<float>, grid, BLOCK, 0, stream, (float *)out, w, oc, ic, taps, icp,
                            total);
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    unpack(float *__restrict__ w, const T *__restrict__ packed, int ic, int taps, int icp,
           int64_t total)
{
    const int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x, row = t / taps, o = row / ic;
    const int tap = (int)(t - row * taps), i = (int)(row - o * ic);

    if (t < total) w[t] = lp_load1(packed, (o * taps + tap) * icp + i);
}

int lp_tstep_unpack_cuda(float *w, const void *packed, int oc, int ic, int taps, int icp, int bf16,
                         lp_stream stream)
{
    const int64_t total = (int64_t)oc * ic * taps, grid = lp_blocks(total, BLOCK);

    return bf16 ? LP_LAUNCH(unpack<uint16_t>, grid, BLOCK, 0, stream, w, (const uint16_t *)packed,
                            ic, taps, icp, total)
                : LP_LAUNCH(unpack<float>, grid, BLOCK, 0, stream, w, (const float *)packed, ic,
                            taps, icp, total);
}
