/* runs - the masks of a label image as runs of pixels.
 *
 * A mask of d x d pixels is d runs, so the masks of many diameters fit where their label images
 * would not, and two masks are compared by their rows. Runs of a mask are in raster order and
 * as long as they can be: neither overlapping nor adjacent. */
#ifndef LP_RUNS_H
#define LP_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* Pixels x0 .. x1-1 of row y. */
typedef struct {
    int32_t y, x0, x1;
} lp_run;

/* The masks of one label image: those of mask l (0-based, label l + 1) are
 * run[first[l]] .. run[first[l + 1] - 1]; a mask may have none. */
typedef struct {
    uint32_t n;
    uint64_t *first; /* [n + 1] */
    lp_run *run;     /* [first[n]] */
} lp_runs;

/* What is known of one mask; area 0 has an empty box. */
typedef struct {
    int64_t area;       /* px */
    int y0, y1, x0, x1; /* bounding box, y1 and x1 exclusive */
} lp_runs_box;

/* first [n + 1]: where the runs of each mask begin; first[n] is how many there are. labels
 * [Ly][Lx], values 0 .. n. */
void lp_runs_count_ref(uint64_t *first, const uint32_t *labels, uint32_t n, int Ly, int Lx);

/* run [first[n]]. next [n]: scratch. */
void lp_runs_fill_ref(lp_run *run, const uint64_t *first, const uint32_t *labels, uint32_t n,
                      int Ly, int Lx, uint64_t *next);

/* box [r->n]. */
void lp_runs_box_ref(lp_runs_box *box, const lp_runs *r);

/* mean [r->n] of plane [Ly][Lx] over each mask, NaN where it has no pixels: sums of runs, each from
 * left to right, added in the order of runs, in double. */
void lp_runs_mean_ref(float *mean, const lp_runs *r, const float *plane, int Lx);

/* Pixels that two masks, as na and nb runs, have in common. */
int64_t lp_runs_common_ref(const lp_run *a, uint64_t na, const lp_run *b, uint64_t nb);

/* The same in device memory. Only queue work on stream; return 0 or a cudaError_t.
 * d_n_runs [1]: how many runs there are; the host has to know before it makes room for them.
 * d_scratch, of lp_runs_count_scratch_cuda bytes, is lp_runs_fill_cuda's d_counted. The pointers of
 * an lp_runs are to device memory, the struct itself is the host's. d_sum [n_runs]: scratch. */
size_t lp_runs_count_scratch_cuda(int Ly, int Lx);
int lp_runs_count_cuda(uint32_t *d_n_runs, const uint32_t *d_labels, int Ly, int Lx,
                       void *d_scratch, lp_stream stream);
size_t lp_runs_fill_scratch_cuda(uint32_t n, uint32_t n_runs);
int lp_runs_fill_cuda(lp_run *d_run, uint64_t *d_first, const uint32_t *d_labels, uint32_t n,
                      uint32_t n_runs, int Ly, int Lx, const void *d_counted, void *d_scratch,
                      lp_stream stream);
int lp_runs_box_cuda(lp_runs_box *d_box, const lp_runs *r, lp_stream stream);
int lp_runs_mean_cuda(float *d_mean, const lp_runs *r, uint64_t n_runs, const float *d_plane,
                      int Lx, double *d_sum, lp_stream stream);

#endif
