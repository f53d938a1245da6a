/* normalize - the parts of Cellpose's normalize_img: percentiles, scaling, tile maps,
 * and the circular blur behind smoothing and sharpening.
 *
 * host/normalize.h puts them together. Percentiles are exact order statistics with linear
 * interpolation (np.percentile), not a histogram's estimate. NaN sorts above +Inf. */
#ifndef LP_NORMALIZE_KERNELS_H
#define LP_NORMALIZE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* What a percentile is taken of: rows 0, sy, 2 sy.. and columns 0, sx, 2 sx.. of Ly x Lx
 * samples whose rows are stride samples apart. All >= 1; at most 2^31 samples. */
typedef struct {
    int Ly, Lx;
    int64_t stride;
    int sy, sx;
} lp_window;

/* out[i] = percentile p[i] (0 to 100, p[0] <= p[1]) of in; the rank is
 * p / 100 * (n - 1) in double. scratch: float, as many as there are samples. */
void lp_percentile_ref(float out[2], const float *in, const lp_window *w, const double p[2],
                       float *scratch);

/* Same contract and bits for any nthreads >= 1 (a radix select; NaN's sign aside);
 * scratch: lp_percentile_scratch bytes, aligned to 4. */
size_t lp_percentile_scratch(int nthreads);
void lp_percentile_cpu(float out[2], const float *in, const lp_window *w, const double p[2],
                       int nthreads, void *scratch);

/* 1 where all n >= 1 samples are equal, else 0. */
int lp_is_constant_ref(const float *in, int64_t n);

/* img[i] = (img[i] - lower) / range; then, if invert, 1 - img[i]. In place, float32. */
void lp_scale_ref(float *img, int64_t n, float lower, float range, int invert);

/* img[i] = value. */
void lp_fill_ref(float *img, int64_t n, float value);

/* img [n] = (img - x01) / (x99 - x01), x01 and x99 [n]: normalize99_tile's last step. */
void lp_scale_maps_ref(float *img, const float *x01, const float *x99, int64_t n);

/* Tile percentiles x01, x99 [ny][nx] of one channel, in place: tiles with a range below
 * 1e-3 take those of the nearest other tile (squared distance, then tile index); if all
 * tiles are such, x01 = 0 and x99 = 1, and the result is 1, else 0. Then a Gaussian of one
 * tile over y, twice: Cellpose smooths axes 0 and 1 of [z][y][x], and for its default norm3D
 * axis 1 once more; x is never smoothed.
 * scratch: 3 ny nx values of 4 bytes. */
int lp_tile_maps_ref(float *x01, float *x99, int ny, int nx, void *scratch);

/* out[y][x] = sum over i < ty, k < tx of
 *             wy[i] wx[k] in[(y + oy + i) mod Ly][(x + ox + k) mod Lx].
 * out, in [Ly][Lx]: float32, no overlap; ty <= Ly, tx <= Lx; sums are double. The same bits
 * for any nthreads; scratch: lp_blur_scratch bytes, aligned to 8. */
size_t lp_blur_scratch(int Lx, int tx, int nthreads);
void lp_blur_ref(float *out, const float *in, int Ly, int Lx, const double *wy, int ty, int oy,
                 const double *wx, int tx, int ox, int nthreads, void *scratch);

/* out[i] = a * x[i] - y[i] in double, then rounded; out may be x. */
void lp_difference_ref(float *out, const float *x, double a, const float *y, int64_t n);

#endif
