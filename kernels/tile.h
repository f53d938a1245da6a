/* tile - cutting tiles out of a padded image, and averaging the network's output
 * over them.
 *
 * The padded image of Cellpose (run_net: zeros around the image so that both sides are
 * multiples of 16, and for augment zeros below and right up to one tile) is never
 * made: the kernels work with its coordinates and touch only image pixels.
 * Flips of augment: odd tile columns are flipped in y, odd tile rows in x (make_tiles).
 * The plan that fills the grid in is host/tiling.h. */
#ifndef LP_TILE_H
#define LP_TILE_H

#include <stdint.h>

#include "stream.h"

typedef struct {
    int Ly, Lx;           /* image, unpadded */
    int ypad, xpad;       /* rows above and columns left of it in padded coordinates */
    int Lyt, Lxt;         /* padded size */
    int ly, lx;           /* tile */
    int ny, nx;           /* tiles; tile t is row t / nx, column t % nx */
    int augment;          /* 0 or 1 */
    const int *ystart;    /* [ny] first row of a tile, padded coordinates, rising */
    const int *xstart;    /* [nx] first column */
    const double *ytaper; /* [ly]; the taper mask is ytaper[y] * xtaper[x] */
    const double *xtaper; /* [lx] */
    const double *ynavg;  /* [Lyt]; sum of the masks over all tiles is ynavg[y] * xnavg[x], */
    const double *xnavg;  /* [Lxt]  because tiles form a grid and the mask is a product */
} lp_tile_grid;

/* n tiles of one size in a batch that holds several sizes, end to end. */
typedef struct {
    int n, ly, lx;
} lp_tile_group;

/* Tiles first .. first + n - 1. out [n][nchan][ly][lx], img [nchan][Ly][Lx]: float32, host. */
void lp_tile_cut_ref(float *out, const float *img, int nchan, const lp_tile_grid *g, int first,
                     int n);

/* Adds network output y [n][nout][ly][lx] of tiles first .. first + n - 1, weighted by the
 * taper mask, to yf [nout][Ly][Lx]; both float32, host. Flips are undone: channel 0 is the
 * y flow and changes sign with a flip in y, channel 1 the x flow. The caller zeroes yf
 * before the first tile and passes every tile once, in rising order; how they are grouped
 * into calls does not change a bit. Each sum is double, then rounded (average_tiles). */
void lp_tile_average_ref(float *yf, const float *y, int nout, const lp_tile_grid *g, int first,
                         int n);

/* Divides yf [nout][Ly][Lx] by the summed masks, after the last tile. */
void lp_tile_average_end_ref(float *yf, int nout, const lp_tile_grid *g);

/* Same contracts and the same bits in device memory; g itself is in host memory, its arrays on
 * the device. Only queue work on stream; return 0 or a cudaError_t. */
int lp_tile_cut_cuda(float *d_out, const float *d_img, int nchan, const lp_tile_grid *g, int first,
                     int n, lp_stream stream);
int lp_tile_average_cuda(float *d_yf, const float *d_y, int nout, const lp_tile_grid *g, int first,
                         int n, lp_stream stream);
int lp_tile_average_end_cuda(float *d_yf, int nout, const lp_tile_grid *g, lp_stream stream);

#endif
