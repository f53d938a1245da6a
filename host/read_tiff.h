/* read_tiff - TIFF and BigTIFF through libtiff: every codec it was built with.
 *
 * Samples are those that tifffile gives Cellpose, as stored: MinIsWhite is not
 * inverted, a palette gives its indices, the orientation tag is ignored, CMYK gives
 * four channels. Exceptions: YCbCr becomes RGB (also outside JPEG), LogL and LogLuv
 * become linear float (Y or XYZ).
 *
 * Channels: alpha is dropped; for RGB, CMYK and palette so is every extra sample. Extra samples
 * that are not alpha stay with grey images (microscopes store channels so).
 *
 * Pages: every full-resolution directory of the main chain; reduced-resolution ones
 * and masks (NewSubfileType bits 0 and 2) and sub-directories are not counted. A
 * stack behind one directory (ImageJ's way past 4 GB, tifffile's truncate) has its N pages.
 *
 * Bits: unsigned and signed integers of 1..32 and 64 bits, float of 16, 32 and 64. Complex
 * numbers and 24-bit float are refused.
 *
 * Memory: the image and one strip or tile. Sizes are checked against what a file of
 * this length and codec can hold before any is asked for. */
#ifndef LP_READ_TIFF_H
#define LP_READ_TIFF_H

#include "image.h"
#include "read_bytes.h"

lp_status lp_tiff_count(lp_bytes *b, int *npages, lp_err *err);

/* The same, with the size of page (0-based), in pixels. LP_EARG for a page that is not there. */
lp_status lp_tiff_size(lp_bytes *b, int page, int *npages, int *Ly, int *Lx, lp_err *err);

/* Reads page (0-based); the caller frees *im, which is untouched on failure. LP_EARG for
 * a page that is not there, LP_EFORMAT with libtiff's words for damaged files. */
lp_status lp_tiff_read(lp_bytes *b, int page, lp_image *im, lp_err *err);

/* Reads the first page as labels: one channel of whole numbers 0 .. 2^32-1 of any type. */
lp_status lp_tiff_read_labels(lp_bytes *b, lp_labels *lb, lp_err *err);

#endif
