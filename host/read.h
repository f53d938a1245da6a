/* read - one page of an image file of any supported format.
 *
 * The format is taken from the first bytes, never from the name: TIFF and BigTIFF
 * (read_tiff.h), PNG (read_png.h), MRC/MRCS/CCP4 (read_mrc.h), each also behind gzip or bzip2
 * (TIFF up to 1 GiB unpacked, PNG up to 256 MiB, MRC without a limit). Formats that users try and
 * that are not supported (JPEG, DM3, ND2, ...) are refused by name. Samples are those that
 * Cellpose gets from tifffile and cv2, and mrcfile's; the headers say where they differ.
 *
 * No state is shared: any number of threads may read at once. */
#ifndef LP_READ_H
#define LP_READ_H

#include "image.h"

/* Number of images in the file (TIFF pages of the full-resolution kind, MRC
 * sections; 1 for PNG). Reads headers only. LP_EIO: missing, a folder, not readable; LP_EFORMAT:
 * empty, damaged, cut short, not supported. A TIFF whose pages are not all there is LP_EFORMAT
 * here, while lp_read_image still reads those that are. */
lp_status lp_read_count(const char *path, int *npages, lp_err *err);

/* The same, with the size in pixels of page (0-based; LP_EARG where it is not there): what
 * lp_read_image and lp_read_labels give, if the rest of the file is sound. Of a packed file only
 * TIFF is unpacked for it. */
lp_status lp_read_size(const char *path, int page, int *npages, int *Ly, int *Lx, lp_err *err);

/* Reads page (0-based) into *im, which the caller frees. On failure *im is
 * untouched; the message names path, page and what to do. LP_EARG for a page that is not there,
 * else as lp_read_count; LP_ENOMEM. NaN and Inf become the mean of their channel's finite samples
 * (0 where there are none) and are counted in im->replaced; so do samples beyond float32. */
lp_status lp_read_image(const char *path, int page, lp_image *im, lp_err *err);

/* Reads all pages of the file as the channels of one image, in their order; a file of one page as
 * lp_read_image does. Pages must be of one size and have one channel each, LP_MAX_CHANNELS of them
 * at most, else LP_EFORMAT. The pixel size is the first page's. */
lp_status lp_read_channels(const char *path, lp_image *im, lp_err *err);

/* Reads a label image (first page of a TIFF, or a PNG): one channel of whole
 * numbers 0 .. 2^32-1. Anything else is LP_EFORMAT. */
lp_status lp_read_labels(const char *path, lp_labels *lb, lp_err *err);

/* 1 where the name ends like an image that a folder run should take
 * (.tif .tiff .png .mrc .mrcs .map .rec .st, also with .gz or .bz2), else 0. */
int lp_read_is_image_name(const char *name);

#endif
