/* train_shape - passes of training on the device between activations of two sizes, and between them
 * and planes. Threads as in train_maps.cu; planes: a thread per pixel of a plane or per value. */
#include "util.cuh"

extern "C" {
#include "train_maps.h"
}
#include "train_value.cuh"

#define BLOCK 256

/* Four channels of a small pixel, and the first of the four pixels under it, whose next is cp on
 * and whose next row is `down` on. */
struct place {
    int64_t small, large, down;
};

static __device__ __forceinline__ place place_of(int64_t t, int cp, int w)
{
    int64_t k = 4 * t, pixel = k / cp, row = pixel / w, x = pixel - row * w;

    return {k, (4 * row * w + 2 * x) * cp + (k - pixel * cp), (int64_t)2 * w * cp};
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    pool(T *__restrict__ out, const T *__restrict__ x, int64_t fours, int cp, int w)
{
    int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (t >= fours) return;
    const place at = place_of(t, cp, w);
    const lp_four a = lp_load4(x, at.large), b = lp_load4(x, at.large + cp),
                  p = lp_load4(x, at.large + at.down), q = lp_load4(x, at.large + at.down + cp);
    lp_four r;

    for (int j = 0; j < 4; j++) {
        float above = a.v[j] >= b.v[j] ? a.v[j] : b.v[j];
        float below = p.v[j] >= q.v[j] ? p.v[j] : q.v[j];

        r.v[j] = above >= below ? above : below;
    }
    lp_store4(out, at.small, r);
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    pool_back(T *__restrict__ d_x, const T *__restrict__ d_out, const T *__restrict__ x,
              int64_t fours, int cp, int w)
{
    int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (t >= fours) return;
    const place at = place_of(t, cp, w);
    const int64_t k[4] = {at.large, at.large + cp, at.large + at.down, at.large + at.down + cp};
    const lp_four g = lp_load4(d_out, at.small);
    lp_four v[4], e[4];

    for (int i = 0; i < 4; i++) {
        v[i] = lp_load4(x, k[i]);
        e[i] = lp_load4(d_x, k[i]);
    }
    for (int j = 0; j < 4; j++) {
        float a = v[0].v[j], b = v[1].v[j], p = v[2].v[j], q = v[3].v[j];
        float above = a >= b ? a : b, below = p >= q ? p : q;
        float ga = above >= below ? g.v[j] : 0, gb = above >= below ? 0 : g.v[j];

        e[0].v[j] += a >= b ? ga : 0;
        e[1].v[j] += a >= b ? 0 : ga;
        e[2].v[j] += p >= q ? gb : 0;
        e[3].v[j] += p >= q ? 0 : gb;
    }
    for (int i = 0; i < 4; i++) lp_store4(d_x, k[i], e[i]);
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    up(T *__restrict__ out, const T *__restrict__ x, int64_t fours, int cp, int w)
{
    int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (t >= fours) return;
    const place at = place_of(t, cp, w);
    const lp_four v = lp_load4(x, at.small);

    lp_store4(out, at.large, v);
    lp_store4(out, at.large + cp, v);
    lp_store4(out, at.large + at.down, v);
    lp_store4(out, at.large + at.down + cp, v);
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    up_back(T *__restrict__ d_x, const T *__restrict__ d_out, int64_t fours, int cp, int w)
{
    int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (t >= fours) return;
    const place at = place_of(t, cp, w);
    const lp_four a = lp_load4(d_out, at.large), b = lp_load4(d_out, at.large + cp),
                  p = lp_load4(d_out, at.large + at.down),
                  q = lp_load4(d_out, at.large + at.down + cp);
    lp_four r;

    for (int j = 0; j < 4; j++) r.v[j] = a.v[j] + b.v[j] + (p.v[j] + q.v[j]);
    lp_store4(d_x, at.small, r);
}

/* A thread per value: neighbours write neighbours. Few planes: the image's or the output's. */
template <class T>
static __global__ void __launch_bounds__(BLOCK)
    from_planes(T *__restrict__ x, const float *__restrict__ planes, int64_t n, int cp,
                int64_t plane, int c)
{
    int64_t k = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (k >= n) return;
    const int64_t pixel = k / cp, image = pixel / plane;
    const int j = (int)(k - pixel * cp);

    lp_store1(x, k, j < c ? planes[(image * c + j) * plane + (pixel - image * plane)] : 0);
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    to_planes(float *__restrict__ planes, const T *__restrict__ x, int64_t n, int cp, int64_t plane,
              int c)
{
    int64_t k = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (k >= n) return;
    const int64_t row = k / plane, image = row / c;
    const int j = (int)(row - image * c);

    planes[k] = lp_load1(x, (image * plane + (k - row * plane)) * cp + j);
}

int lp_tmaps_pool_cuda(const lp_tdims *d, void *out, const void *x, lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), grid = lp_blocks(n / 4, BLOCK);
    int cp = d->nblk * d->cb;

    if (!n) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH(pool<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)out,
                               (const uint16_t *)x, n / 4, cp, d->w)
                   : LP_LAUNCH(pool<float>, grid, BLOCK, 0, stream, (float *)out, (const float *)x,
                               n / 4, cp, d->w);
}

int lp_tmaps_pool_back_cuda(const lp_tdims *d, void *d_x, const void *d_out, const void *x,
                            lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), grid = lp_blocks(n / 4, BLOCK);
    int cp = d->nblk * d->cb;

    if (!n) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH(pool_back<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)d_x,
                               (const uint16_t *)d_out, (const uint16_t *)x, n / 4, cp, d->w)
                   : LP_LAUNCH(pool_back<float>, grid, BLOCK, 0, stream, (float *)d_x,
                               (const float *)d_out, (const float *)x, n / 4, cp, d->w);
}

int lp_tmaps_up_cuda(const lp_tdims *d, void *out, const void *x, lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), grid = lp_blocks(n / 4, BLOCK);
    int cp = d->nblk * d->cb;

    if (!n) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH(up<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)out,
                               (const uint16_t *)x, n / 4, cp, d->w)
                   : LP_LAUNCH(up<float>, grid, BLOCK, 0, stream, (float *)out, (const float *)x,
                               n / 4, cp, d->w);
}

int lp_tmaps_up_back_cuda(const lp_tdims *d, void *d_x, const void *d_out, lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), grid = lp_blocks(n / 4, BLOCK);
    int cp = d->nblk * d->cb;

    if (!n) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH(up_back<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)d_x,
                               (const uint16_t *)d_out, n / 4, cp, d->w)
                   : LP_LAUNCH(up_back<float>, grid, BLOCK, 0, stream, (float *)d_x,
                               (const float *)d_out, n / 4, cp, d->w);
}

int lp_tmaps_from_planes_cuda(const lp_tdims *d, void *x, const float *planes, int c,
                              lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), plane = (int64_t)d->h * d->w, grid = lp_blocks(n, BLOCK);
    int cp = d->nblk * d->cb;

    if (!n || c < 1 || c > cp) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH(from_planes<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)x, planes,
                               n, cp, plane, c)
                   : LP_LAUNCH(from_planes<float>, grid, BLOCK, 0, stream, (float *)x, planes, n,
                               cp, plane, c);
}

int lp_tmaps_to_planes_cuda(const lp_tdims *d, float *planes, const void *x, int c,
                            lp_stream stream)
{
    int64_t plane = (int64_t)d->h * d->w, n = d->n * plane * c, grid = lp_blocks(n, BLOCK);
    int cp = d->nblk * d->cb;

    if (!lp_tmaps_size(d) || c < 1 || c > cp) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH(to_planes<uint16_t>, grid, BLOCK, 0, stream, planes,
                               (const uint16_t *)x, n, cp, plane, c)
                   : LP_LAUNCH(to_planes<float>, grid, BLOCK, 0, stream, planes, (const float *)x,
                               n, cp, plane, c);
}
