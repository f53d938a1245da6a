/* measure - one row of numbers per particle of a label image.
 *
 * Pixels are unit squares centred on whole coordinates, so a single pixel at (y, x) has
 * its centroid at exactly (y, x) and area 1. Sums (kernels/measure.h) run in a fixed order: the
 * same bits for any number of threads, and on a device. */
#ifndef LP_MEASURE_H
#define LP_MEASURE_H

#include "../kernels/measure.h"
#include "image.h"

typedef struct {
    uint32_t id;           /* value in the label image */
    double y, x;           /* centroid, px */
    int y0, x0, y1, x1;    /* bounding box, px: first row and column, one past the last */
    int64_t area;          /* px */
    double diameter;       /* of the disc of that area, 2 sqrt(area / pi), px */
    double major, minor;   /* axes of the ellipse of equal second moments, px: 4 sqrt(eigenvalue),
                              with each pixel's own 1/12 (as MATLAB's regionprops;
                              scikit-image leaves it out) */
    double orientation;    /* of the major axis, degrees in (-90, 90]: 0 along x, positive
                              turned from x towards y (downwards) */
    double perimeter;      /* px, Cauchy-Crofton over 4 directions, holes included */
    double circularity;    /* 4 pi area / perimeter^2, at most 1; scatters by 3 % at a diameter
                              of 10 px, by 1 % at 30 */
    double mean_intensity; /* of the image values as read; NaN without an image */
    double support;        /* votes, or weight of the diameters (merge.h) that found it */
    int n_diameters;       /* how many found it */
    double diameter_min, diameter_max; /* smallest and largest such diameter, px */
    double agreement, company;         /* of merging by scale (merge_support.h), else NaN */
    double level;                      /* merging level that accepted it; 0 for a single diameter */
    double mean_cellprob;              /* logit; NaN without cellprob */
    double flow_error; /* mean squared error, as Cellpose's flow_threshold; NaN if unknown */
    int touches_edge;  /* 1 where it has a pixel on the image's border */
} lp_particle;

/* A table that is made where the masks are: what lp_measure_particles gives. The caller says the
 * image, which may be NULL, and frees particle with free(). */
typedef struct {
    const float *image; /* [Ly][Lx] original values, in host memory */
    lp_particle *particle;
    int64_t n;
} lp_particle_table;

/* Measures every label of lb, in ascending order of label; gaps are skipped.
 * image [Ly][Lx]: original values, may be NULL. cellprob [Ly][Lx]: logit, may be NULL.
 * flow_error [n_flow_error]: of label i+1, may be NULL.
 * diameter: the diameter used, px; support and n_diameters are set to 1, diameter_min and _max to
 * it, level to 0 (merging overwrites them). *out [*n] is the caller's, to free(); never NULL on
 * success, also for zero particles. */
lp_status lp_measure_particles(const lp_labels *lb, const float *image, const float *cellprob,
                               const float *flow_error, int64_t n_flow_error, double diameter,
                               lp_particle **out, int64_t *n, lp_err *err);

/* The same from the sums s [n_sums] of labels ids [n_sums], NULL for 1, 2, ..; labels without
 * pixels are left out. has_image, has_cellprob: whether there was one. */
lp_status lp_measure_table(const lp_measure_sums *s, const uint32_t *ids, int64_t n_sums, int Ly,
                           int Lx, int has_image, int has_cellprob, const float *flow_error,
                           int64_t n_flow_error, double diameter, lp_particle **out, int64_t *n,
                           lp_err *err);

#endif
