/* measure - sums over the pixels of every particle of a label image.
 *
 * Coordinates are taken from a particle's first pixel in raster order, which keeps the integers
 * small and the second moments exact. What is made of the sums: host/measure.h. */
#ifndef LP_KERNEL_MEASURE_H
#define LP_KERNEL_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "runs.h"

typedef struct {
    int64_t area;               /* px */
    int64_t sy, sx;             /* sums of y - y0 and x - ox */
    int64_t syy, sxx, syx;      /* of their products */
    int64_t cross_axis;         /* boundary crossings of lines along x or y */
    int64_t cross_diag;         /* of diagonals */
    double intensity, cellprob; /* sums of runs, each from left to right, in the order of runs */
    int y0, x0, y1, x1, ox;     /* box, y1 and x1 exclusive; first pixel (y0, ox) */
} lp_measure_sums;

/* Adds the run of pixels xa .. xb-1 of row y to s, zeroed before the first; runs come in raster
 * order. image, cellprob: that row, or NULL. */
void lp_measure_add_run(lp_measure_sums *s, int y, int xa, int xb, const float *image,
                        const float *cellprob);

/* Adds the crossings between the rows above and here, [Lx + 2] with a zero at each end, of labels
 * 1 .. n: s [n]. To be called for every row, and with zeros as here after the last one. */
void lp_measure_add_crossings(lp_measure_sums *s, const uint32_t *above, const uint32_t *here,
                              int Lx);

/* s [n] of labels [Ly][Lx], values 0 .. n. image, cellprob [Ly][Lx] or NULL. row: scratch,
 * [2 (Lx + 2)]. */
void lp_measure_ref(lp_measure_sums *s, uint32_t n, const uint32_t *labels, const float *image,
                    const float *cellprob, int Ly, int Lx, uint32_t *row);

/* The same in device memory, with the runs of the labels (runs.h), r->n = n. Only queues work on
 * stream; returns 0 or a cudaError_t. d_sum [2 n_runs]: scratch. */
int lp_measure_cuda(lp_measure_sums *d_s, const lp_runs *r, uint64_t n_runs,
                    const uint32_t *d_labels, const float *d_image, const float *d_cellprob, int Ly,
                    int Lx, double *d_sum, lp_stream stream);

#endif
