/* train_sums - sums over the pixels of activations of training on the device, in two launches.
 *
 * First a block of 8 warps has a piece of PIECE pixels of 32 channels, a lane each, so that a warp
 * reads whole lines: float32 sums of a warp's 32 pixels, which are then added, in double but for a
 * piece's mean. Then a block has 32 channels and adds pieces, 8 at a time, in the order of their
 * numbers. work [n][pieces][cp][2]. */
#include "util.cuh"

extern "C" {
#include "train_maps.h"
}
#include "train_value.cuh"

#define PIECE 256
#define WARPS 8
#define LANES 32

static inline int64_t pieces_of(const lp_tdims *d)
{
    return lp_blocks((int64_t)d->h * d->w, PIECE);
}

size_t lp_tmaps_work(const lp_tdims *d)
{
    return (size_t)d->n * (size_t)pieces_of(d) * d->nblk * d->cb * 2;
}

static inline dim3 lanes_and_warps()
{
    return dim3(LANES, WARPS);
}

static inline dim3 over(int64_t x, int cp, int64_t z)
{
    return dim3((unsigned)x, (unsigned)lp_blocks(cp, LANES), (unsigned)z);
}

/* The first value of a piece and how many pixels it has. */
struct place {
    int64_t k, work;
    int pixels;
};

static __device__ __forceinline__ place place_of(int64_t plane, int np, int cp, int c)
{
    const int64_t piece = blockIdx.x % np, image = blockIdx.x / np, first = piece * PIECE;
    const int64_t left = plane - first;

    return {(image * plane + first) * cp + c, ((int64_t)blockIdx.x * cp + c) * 2,
            left < PIECE ? (int)left : PIECE};
}

/* Mean and sum of squared differences from it; the second pass finds the piece in the cache. */
template <class T>
static __global__ void __launch_bounds__(LANES *WARPS)
    moments(double *__restrict__ work, const T *__restrict__ x, int64_t plane, int np, int cp)
{
    __shared__ float part[2][WARPS][LANES];
    const int lane = threadIdx.x, warp = threadIdx.y, c = (int)blockIdx.y * LANES + lane;
    const place at = place_of(plane, np, cp, c);
    float s = 0, q = 0, m = 0, all = 0;

    if (c < cp)
        for (int i = warp; i < at.pixels; i += WARPS) s += lp_load1(x, at.k + (int64_t)i * cp);
    part[0][warp][lane] = s;
    __syncthreads();
    for (int i = 0; i < WARPS; i++) m += part[0][i][lane];
    m /= (float)at.pixels;
    if (c < cp)
        for (int i = warp; i < at.pixels; i += WARPS) {
            const float e = lp_load1(x, at.k + (int64_t)i * cp) - m;

            q += e * e;
        }
    part[1][warp][lane] = q;
    __syncthreads();
    if (warp || c >= cp) return;
    for (int i = 0; i < WARPS; i++) all += part[1][i][lane];
    work[at.work] = m;
    work[at.work + 1] = all;
}

/* Chan, Golub, LeVeque (1979): adds n2 values of mean m2 and squares q2 to n, m, q. */
static __device__ __forceinline__ void merge(double &n, double &m, double &q, double n2, double m2,
                                             double q2)
{
    const double e = m2 - m, share = n2 / (n + n2);

    if (n2 == 0) return;
    m += e * share;
    q += q2 + e * e * n * share;
    n += n2;
}

static __global__ void __launch_bounds__(LANES *WARPS)
    merge_moments(const double *__restrict__ work, const float *__restrict__ f, double *mean,
                  double *var, double *__restrict__ image_mean, int n, int64_t plane, int np,
                  int cp)
{
    __shared__ double part[3][WARPS][LANES];
    const int lane = threadIdx.x, warp = threadIdx.y, c = (int)blockIdx.y * LANES + lane;
    double count = 0, m = 0, q = 0;

    for (int i = 0; i < n; i++) {
        double ni = 0, mi = 0, qi = 0;

        for (int p = warp; c < cp && p < np; p += WARPS) {
            const double *w = work + (((int64_t)i * np + p) * cp + c) * 2;
            const int64_t left = plane - (int64_t)p * PIECE;

            merge(ni, mi, qi, left < PIECE ? (double)left : PIECE, w[0], w[1]);
        }
        part[0][warp][lane] = ni;
        part[1][warp][lane] = mi;
        part[2][warp][lane] = qi;
        __syncthreads();
        if (!warp && c < cp) {
            for (int k = 1; k < WARPS; k++)
                merge(ni, mi, qi, part[0][k][lane], part[1][k][lane], part[2][k][lane]);
            if (f) mi += f[(int64_t)i * cp + c];
            image_mean[(int64_t)i * cp + c] = mi;
            merge(count, m, q, ni, mi, qi);
        }
        __syncthreads();
    }
    if (warp || c >= cp || !mean) return;
    mean[c] = m;
    var[c] = q / count;
}

int lp_tmaps_stats_cuda(const lp_tdims *d, const void *x, const float *f, double *mean, double *var,
                        double *image_mean, double *work, lp_stream stream)
{
    const int64_t plane = (int64_t)d->h * d->w, np = pieces_of(d);
    const int cp = d->nblk * d->cb;
    int e;

    if (!lp_tmaps_size(d) || d->n * np > INT32_MAX) return cudaErrorInvalidValue;
    if (d->bf16)
        e = LP_LAUNCH(moments<uint16_t>, over(d->n * np, cp, 1), lanes_and_warps(), 0, stream, work,
                      (const uint16_t *)x, plane, (int)np, cp);
    else
        e = LP_LAUNCH(moments<float>, over(d->n * np, cp, 1), lanes_and_warps(), 0, stream, work,
                      (const float *)x, plane, (int)np, cp);
    if (e) return e;
    return LP_LAUNCH(merge_moments, over(1, cp, 1), lanes_and_warps(), 0, stream, work, f, mean,
                     var, image_mean, d->n, plane, (int)np, cp);
}

/* Sums of g where scale x + shift > 0, and there of g x; with x NULL of g everywhere, and of 0. */
template <class T>
static __global__ void __launch_bounds__(LANES *WARPS)
    sums(double *__restrict__ work, const T *__restrict__ g, const T *__restrict__ x,
         const float *__restrict__ scale, const float *__restrict__ shift, int64_t plane, int np,
         int cp)
{
    __shared__ float part[2][WARPS][LANES];
    const int lane = threadIdx.x, warp = threadIdx.y, c = (int)blockIdx.y * LANES + lane;
    const place at = place_of(plane, np, cp, c);
    float s = 0, q = 0;
    double a = 0, b = 0;

    if (c < cp && x) {
        const float k = scale[c], t = shift[(int64_t)(blockIdx.x / np) * cp + c];

        for (int i = warp; i < at.pixels; i += WARPS) {
            const float v = lp_load1(x, at.k + (int64_t)i * cp);
            const float e = k * v + t > 0 ? lp_load1(g, at.k + (int64_t)i * cp) : 0;

            s += e;
            q += e * v;
        }
    } else if (c < cp) {
        for (int i = warp; i < at.pixels; i += WARPS) s += lp_load1(g, at.k + (int64_t)i * cp);
    }
    part[0][warp][lane] = s;
    part[1][warp][lane] = q;
    __syncthreads();
    if (warp || c >= cp) return;
    for (int i = 0; i < WARPS; i++) {
        a += part[0][i][lane];
        b += part[1][i][lane];
    }
    work[at.work] = a;
    work[at.work + 1] = b;
}

/* Group z of np pieces: first and second [groups][cp], or its first sum as float32 in one [c]. */
static __global__ void __launch_bounds__(LANES *WARPS)
    add_pieces(const double *__restrict__ work, double *__restrict__ first,
               double *__restrict__ second, float *__restrict__ one, int n_one, int np, int cp)
{
    __shared__ double part[2][WARPS][LANES];
    const int lane = threadIdx.x, warp = threadIdx.y, c = (int)blockIdx.y * LANES + lane;
    const int64_t group = blockIdx.z;
    double s = 0, q = 0;

    for (int p = warp; c < cp && p < np; p += WARPS) {
        const double *w = work + ((group * np + p) * cp + c) * 2;

        s += w[0];
        q += w[1];
    }
    part[0][warp][lane] = s;
    part[1][warp][lane] = q;
    __syncthreads();
    if (warp || c >= cp) return;
    for (int k = 1; k < WARPS; k++) {
        s += part[0][k][lane];
        q += part[1][k][lane];
    }
    if (first) {
        first[group * cp + c] = s;
        second[group * cp + c] = q;
    } else if (c < n_one) {
        one[c] = (float)s;
    }
}

static int queue_sums(const lp_tdims *d, const void *g, const void *x, const float *scale,
                      const float *shift, double *work, lp_stream stream)
{
    const int64_t plane = (int64_t)d->h * d->w, np = pieces_of(d);
    const int cp = d->nblk * d->cb;

    if (!lp_tmaps_size(d) || d->n * np > INT32_MAX) return cudaErrorInvalidValue;
    return d->bf16
               ? LP_LAUNCH(sums<uint16_t>, over(d->n * np, cp, 1), lanes_and_warps(), 0, stream,
                           work, (const uint16_t *)g, (const uint16_t *)x, scale, shift, plane,
                           (int)np, cp)
               : LP_LAUNCH(sums<float>, over(d->n * np, cp, 1), lanes_and_warps(), 0, stream, work,
                           (const float *)g, (const float *)x, scale, shift, plane, (int)np, cp);
}

int lp_tmaps_norm_sums_cuda(const lp_tdims *d, const void *d_out, const void *x, const float *scale,
                            const float *shift, double *sum_g, double *sum_gx, double *work,
                            lp_stream stream)
{
    const int cp = d->nblk * d->cb;
    int e = queue_sums(d, d_out, x, scale, shift, work, stream);

    if (e) return e;
    return LP_LAUNCH(add_pieces, over(1, cp, d->n), lanes_and_warps(), 0, stream, work, sum_g,
                     sum_gx, (float *)NULL, 0, (int)pieces_of(d), cp);
}

int lp_tmaps_bias_sums_cuda(const lp_tdims *d, const void *x, int c, float *sum, double *work,
                            lp_stream stream)
{
    const int cp = d->nblk * d->cb;
    int e = queue_sums(d, x, NULL, NULL, NULL, work, stream);

    if (e) return e;
    return LP_LAUNCH(add_pieces, over(1, cp, 1), lanes_and_warps(), 0, stream, work, (double *)NULL,
                     (double *)NULL, sum, c, (int)(d->n * pieces_of(d)), cp);
}
