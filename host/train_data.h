/* train_data - images and what the network should make of them, in memory.
 *
 * Flows come from the labels as Cellpose's labels_to_flows (kernels/diffuse.h); they are kept as
 * int16, 32767 being one pixel per step: 9 bytes per pixel of a grey image. */
#ifndef LP_TRAIN_DATA_H
#define LP_TRAIN_DATA_H

#include <stdint.h>

#include "normalize.h"
#include "train_files.h"

typedef struct {
    char *name; /* path of the image, owned */
    int Ly, Lx;
    int nchan;       /* channels kept; the network's others are zero */
    float *image;    /* [nchan][Ly][Lx], normalised, owned */
    uint8_t *inside; /* [Ly][Lx] 1 in a particle, owned */
    int16_t *flows;  /* [2][Ly][Lx] y, x, owned */
    int n_masks;
    int64_t replaced; /* NaN or infinite pixels that became the mean */
    int flat;         /* 1: too small a range of grey values, which normalisation makes 0 */
    int npages;       /* of the file; the first is used */
    double diameter;  /* median of its particles as Cellpose's utils.diameters, at least 5 px */
} lp_train_image;

typedef struct {
    lp_train_image *image;
    int n;
    int n_few;            /* images passed over: fewer than min_train_masks particles */
    double diam_labels;   /* px: mean of the diameters of the images */
    double diam_range[2]; /* px: 5th and 95th percentile over all particles */
    int64_t n_particles;
    uint64_t digest; /* of names, pixels and labels: the same data, the same number */
} lp_train_set;

typedef struct {
    int chan, chan2, nchan; /* channels.h; nchan: the network's */
    lp_normalize_options normalize;
    int min_train_masks;
    double memory; /* bytes that the set may take; 0: no limit */
} lp_train_data_options;

/* Reads all pairs. LP_EFORMAT, naming both files, where sizes differ; LP_EARG where no image has
 * enough particles; else as the readers. *out is the caller's (lp_train_set_free). */
lp_status lp_train_set_load(const lp_train_files *files, const lp_train_data_options *o,
                            lp_train_set *out, lp_err *err);
void lp_train_set_free(lp_train_set *s);

/* The labels of a pair whose image has Ly x Lx pixels; LP_EFORMAT, naming both files, where they
 * have another size. *lb is the caller's. */
lp_status lp_train_labels_read(const lp_train_pair *p, int Ly, int Lx, lp_labels *lb, lp_err *err);

/* One image from arrays: image [nchan][Ly][Lx] normalised, labels any numbers. areas (may be NULL):
 * *areas [n_masks] pixels of each, the caller's. */
lp_status lp_train_image_make(const char *name, const float *image, int nchan,
                              const lp_labels *labels, lp_train_image *out, double **areas,
                              lp_err *err);
void lp_train_image_free(lp_train_image *im);

#endif
