/* read - one page of an image file of any supported format.
 *
 * The format is taken from the first bytes, never from the name: TIFF and
 * BigTIFF (read_tiff.h), PNG (read_png.h), MRC/MRCS/CCP4 (read_mrc.h), the last
 * also behind gzip or bzip2. */
#ifndef LP_READ_H
#define LP_READ_H

#include "image.h"

/* Number of images in the file (TIFF pages of the full-resolution kind, MRC
 * sections; 1 for PNG). Reads headers only. */
lp_status lp_read_count(const char *path, int *npages, lp_err *err);

/* Reads page (0-based) into *im, which the caller frees. On failure *im is
 * untouched; the message names path, page and what to do. */
lp_status lp_read_image(const char *path, int page, lp_image *im, lp_err *err);

/* Reads a label image (first page of a TIFF, or a PNG): one channel of whole
 * numbers 0 .. 2^32-1. Anything else is LP_EFORMAT. */
lp_status lp_read_labels(const char *path, lp_labels *lb, lp_err *err);

/* 1 where the name ends like an image that a folder run should take
 * (.tif .tiff .png .mrc .mrcs .map .rec .st, also with .gz or .bz2), else 0. */
int lp_read_is_image_name(const char *name);

#endif
