/* image - one micrograph plane and one label plane in memory.
 *
 * Samples are float32 whatever the file held (as Cellpose's convert_image does);
 * channels are planar. NaN and Inf never get past a reader: they are replaced
 * and counted. Readers: read.h. */
#ifndef LP_IMAGE_H
#define LP_IMAGE_H

#include <stdint.h>

#include "status.h"

/* Largest side and largest number of pixels that any reader accepts. */
#define LP_MAX_SIDE 131072
#define LP_MAX_PIXELS ((int64_t)1 << 31)

typedef struct {
    float *data; /* [nchan][Ly][Lx], owned */
    int nchan;   /* colour channels; alpha is not one of them */
    int Ly, Lx;
    double pixel_nm;  /* nm per pixel, 0 where the file does not say, or pixels are not square */
    int64_t replaced; /* NaN or Inf samples that the reader replaced */
    int page, npages; /* 0-based page or section of the file, and how many it has */
} lp_image;

typedef struct {
    uint32_t *data; /* [Ly][Lx], 0 = background, owned */
    int Ly, Lx;
} lp_labels;

/* Allocates data (uninitialised) for nchan x Ly x Lx and sets the sizes; the other
 * fields are zeroed. Returns LP_EARG for sizes out of bounds, LP_ENOMEM. */
lp_status lp_image_new(lp_image *im, int nchan, int Ly, int Lx, lp_err *err);
void lp_image_free(lp_image *im); /* NULL and empty are fine; clears *im */

lp_status lp_labels_new(lp_labels *lb, int Ly, int Lx, lp_err *err); /* zeroed */
void lp_labels_free(lp_labels *lb);

#endif
