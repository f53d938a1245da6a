/* train_maps - elementwise passes of training on the device: a thread per four channels of a pixel,
 * so that a warp reads and writes whole lines. */
#include "util.cuh"

extern "C" {
#include "train_maps.h"
}
#include "train_value.cuh"

#define BLOCK 256

/* Where four values are: their channel, and that of arrays [n][cp]. */
struct place {
    int64_t k, row;
    int c;
};

static __device__ __forceinline__ place place_of(int64_t t, int cp, int64_t plane)
{
    int64_t k = 4 * t, pixel = k / cp;
    int c = (int)(k - pixel * cp);

    return {k, pixel / plane * cp + c, c};
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    norm(T *__restrict__ out, T *__restrict__ copy, const T *__restrict__ x,
         const float *__restrict__ scale, const float *__restrict__ shift, int64_t fours, int cp,
         int64_t plane)
{
    int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (t >= fours) return;
    const place at = place_of(t, cp, plane);
    const lp_four v = lp_load4(x, at.k), a = lp_load4(scale, at.c), b = lp_load4(shift, at.row);
    lp_four r;

    for (int j = 0; j < 4; j++) {
        float e = a.v[j] * v.v[j] + b.v[j];

        r.v[j] = e > 0 ? e : 0;
    }
    lp_store4(out, at.k, r);
    if (copy) lp_store4(copy, at.k, v);
}

int lp_tmaps_norm_cuda(const lp_tdims *d, void *out, void *copy, const void *x, const float *scale,
                       const float *shift, lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), plane = (int64_t)d->h * d->w, grid = lp_blocks(n / 4, BLOCK);
    int cp = d->nblk * d->cb;

    if (!n) return cudaErrorInvalidValue;
    return d->bf16
               ? LP_LAUNCH(norm<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)out,
                           (uint16_t *)copy, (const uint16_t *)x, scale, shift, n / 4, cp, plane)
               : LP_LAUNCH(norm<float>, grid, BLOCK, 0, stream, (float *)out, (float *)copy,
                           (const float *)x, scale, shift, n / 4, cp, plane);
}

/* d_x may be extra's place. */
template <class T>
static __global__ void __launch_bounds__(BLOCK)
    norm_back(T *d_x, int add, const T *__restrict__ d_out, const T *__restrict__ x,
              const float *__restrict__ scale, const float *__restrict__ shift,
              const float *__restrict__ p, const float *__restrict__ q, const T *extra,
              int64_t fours, int cp, int64_t plane)
{
    int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (t >= fours) return;
    const place at = place_of(t, cp, plane);
    const lp_four v = lp_load4(x, at.k), g = lp_load4(d_out, at.k), a = lp_load4(scale, at.c),
                  b = lp_load4(shift, at.row), u = lp_load4(p, at.c), w = lp_load4(q, at.row);
    lp_four r;

    for (int j = 0; j < 4; j++) {
        float e = a.v[j] * v.v[j] + b.v[j] > 0 ? g.v[j] : 0;

        r.v[j] = a.v[j] * e + u.v[j] * v.v[j] + w.v[j];
    }
    if (extra) {
        const lp_four e = lp_load4(extra, at.k);

        for (int j = 0; j < 4; j++) r.v[j] += e.v[j];
    }
    if (add) {
        const lp_four e = lp_load4(d_x, at.k);

        for (int j = 0; j < 4; j++) r.v[j] = e.v[j] + r.v[j];
    }
    lp_store4(d_x, at.k, r);
}

int lp_tmaps_norm_back_cuda(const lp_tdims *d, void *d_x, int add, const void *d_out, const void *x,
                            const float *scale, const float *shift, const float *p, const float *q,
                            const void *extra, lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), plane = (int64_t)d->h * d->w, grid = lp_blocks(n / 4, BLOCK);
    int cp = d->nblk * d->cb;

    if (!n) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH(norm_back<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)d_x, add,
                               (const uint16_t *)d_out, (const uint16_t *)x, scale, shift, p, q,
                               (const uint16_t *)extra, n / 4, cp, plane)
                   : LP_LAUNCH(norm_back<float>, grid, BLOCK, 0, stream, (float *)d_x, add,
                               (const float *)d_out, (const float *)x, scale, shift, p, q,
                               (const float *)extra, n / 4, cp, plane);
}

template <class T>
static __global__ void __launch_bounds__(BLOCK)
    add_channels(T *__restrict__ x, const float *__restrict__ f, int64_t fours, int cp,
                 int64_t plane, int c, int per_image)
{
    int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (t >= fours) return;
    const int64_t k = 4 * t, pixel = k / cp;
    const int first = (int)(k - pixel * cp);
    const float *row = f + (per_image ? pixel / plane * c : 0);
    lp_four v = lp_load4(x, k);

    for (int j = 0; j < 4; j++)
        if (first + j < c) v.v[j] += row[first + j];
    lp_store4(x, k, v);
}

int lp_tmaps_add_channels_cuda(const lp_tdims *d, void *x, const float *f, int c, int per_image,
                               lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), plane = (int64_t)d->h * d->w, grid = lp_blocks(n / 4, BLOCK);
    int cp = d->nblk * d->cb;

    if (!n || c < 1 || c > cp) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH(add_channels<uint16_t>, grid, BLOCK, 0, stream, (uint16_t *)x, f,
                               n / 4, cp, plane, c, per_image)
                   : LP_LAUNCH(add_channels<float>, grid, BLOCK, 0, stream, (float *)x, f, n / 4,
                               cp, plane, c, per_image);
}

template <class To, class From>
static __global__ void __launch_bounds__(BLOCK)
    convert(To *__restrict__ out, const From *__restrict__ x, int64_t fours)
{
    int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x;

    if (t < fours) lp_store4(out, 4 * t, lp_load4(x, 4 * t));
}

int lp_tmaps_convert_cuda(const lp_tdims *d, void *out, const void *x, lp_stream stream)
{
    int64_t n = lp_tmaps_size(d), grid = lp_blocks(n / 4, BLOCK);

    if (!n) return cudaErrorInvalidValue;
    return d->bf16 ? LP_LAUNCH((convert<uint16_t, float>), grid, BLOCK, 0, stream, (uint16_t *)out,
                               (const float *)x, n / 4)
                   : LP_LAUNCH((convert<float, uint16_t>), grid, BLOCK, 0, stream, (float *)out,
                               (const uint16_t *)x, n / 4);
}
