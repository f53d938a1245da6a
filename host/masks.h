/* masks - from network output to label images (Cellpose: resize_and_compute_masks,
 * fill_holes_and_remove_small_masks, remove_edge_masks; CPU path of 3.1.1.3).
 *
 * follow -> seeds -> labels -> masks that are too big removed -> flow QC -> nearest
 * resize to the image -> small masks removed, holes filled -> masks at the edge removed.
 * The result does not depend on the number of threads. Contracts of the steps: kernels/. */
#ifndef LP_MASKS_H
#define LP_MASKS_H

#include <stdint.h>

#include "image.h"

/* Where the time goes, for lp_masks_options.seconds. */
enum {
    LP_MASKS_FOLLOW,
    LP_MASKS_SEEDS,   /* histogram, peaks, basins */
    LP_MASKS_LABEL,   /* label, remove the too big, renumber */
    LP_MASKS_DIFFUSE, /* flows that the masks should have */
    LP_MASKS_QC,      /* compare them with the network's */
    LP_MASKS_RESIZE,
    LP_MASKS_FILL, /* small masks, holes, edges, renumber */
    LP_MASKS_NSTAGES
};

typedef struct {
    double flow_threshold;     /* masks with a larger flow error go; 0 or less: no QC */
    double cellprob_threshold; /* pixels above it are foreground */
    double max_size_fraction;  /* of Ly * Lx; masks with more pixels go (before QC) */
    int niter;                 /* steps, 0 or more: lp_masks_niter */
    int interp;                /* 1: flows between pixels are interpolated */
    int min_size;              /* pixels; smaller masks go; 0 or less: none does */
    int exclude_on_edges;      /* 1: masks that touch the image edge go */
    int compat_cellpose3;      /* 1: with the two defects of 3.1.1.3, see below */
    double *seconds;           /* [LP_MASKS_NSTAGES], added to; may be NULL */
} lp_masks_options;

/* Cellpose's defaults: 0.4, 0, 0.4, 200, 1, 15, 0, 0, NULL. */
lp_masks_options lp_masks_defaults(void);

/* Steps for flows that were (resample) or were not brought to the image's size, rescale =
 * diameter of the model / diameter: 200 / rescale, truncated, or 200. */
int lp_masks_niter(double rescale, int resample);

/* flows [2][Ly][Lx], y then x, 5.0 is one pixel per step; cellprob [Ly][Lx], logit; neither
 * is changed. NaN: see kernels/follow.h. The masks have out_Ly x out_Lx pixels.
 * *masks: 0 = background, 1 .. *n_masks in raster order of first appearance (after
 * exclude_on_edges too); freed by the caller with lp_labels_free.
 * *flow_error [*n_masks]: of mask l at l - 1; NaN where there was no QC; freed by the
 * caller; flow_error may be NULL. n_masks may be NULL.
 * compat_cellpose3: small masks are counted without, but removed with, the gaps that QC
 * left in the numbering; holes are filled in label order over other masks. Labels may
 * then have gaps if min_size <= 0 (*n_masks is the highest label, absent ones NaN).
 * Needs about 14 bytes of working memory per pixel of the network output, the masks
 * included, and up to 30 where one mask's box is the whole image. Returns LP_EARG for sizes or
 * options out of range, LP_ENOMEM; nothing is written then. */
lp_status lp_masks_compute(const float *flows, const float *cellprob, int Ly, int Lx, int out_Ly,
                           int out_Lx, const lp_masks_options *o, lp_labels *masks,
                           float **flow_error, uint32_t *n_masks, lp_err *err);

/* LP_EARG for sizes of network output or options out of range. */
lp_status lp_masks_check(int Ly, int Lx, const lp_masks_options *o, lp_err *err);

#endif
