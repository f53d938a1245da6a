/* write_tiff - plain TIFF files that tifffile, ImageJ and napari read.
 *
 * Strips are compressed here, in parallel, and handed to libtiff ready: the bytes depend
 * on the pixels only, never on threads, time or path. Sizes above 3.9 GB become BigTIFF. */
#ifndef LP_WRITE_TIFF_H
#define LP_WRITE_TIFF_H

#include "status.h"

typedef struct {
    int npages, Ly, Lx;
    int nsamples;    /* interleaved: 1 grey, 3 RGB */
    int bits;        /* 8, 16 or 32 */
    int is_float;    /* needs bits = 32 */
    double pixel_nm; /* nm per pixel, written as resolution per cm; 0 = unknown */
    int deflate;     /* 1: zlib; with the horizontal predictor for 8 and 16 bits (readers
                        disagree on predictors of 32 bits) */
} lp_tiff_desc;

/* data [npages][Ly][Lx][nsamples], native byte order. */
lp_status lp_write_tiff(const char *path, const void *data, const lp_tiff_desc *d, lp_err *err);

#endif
