/* write_masks - label images as Cellpose names and types them: x_cp_masks.tif, .png.
 *
 * uint16 up to label 65,535, uint32 above. What counts is the largest label, not how
 * many there are. */
#ifndef LP_WRITE_MASKS_H
#define LP_WRITE_MASKS_H

#include "image.h"

/* TIFF, deflate. pixel_nm: nm per pixel, 0 = unknown. */
lp_status lp_write_masks(const char *path, const lp_labels *lb, double pixel_nm, lp_err *err);

/* 16-bit grey PNG. PNG has no 32 bits: above 65,535 nothing is written, *fits is set to 0
 * and the call returns LP_OK; the caller then writes the TIFF and says so, as Cellpose
 * does. Otherwise *fits is 1. */
lp_status lp_write_masks_png(const char *path, const lp_labels *lb, int *fits, lp_err *err);

#endif
