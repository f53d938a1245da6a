/* read_png - PNG of every kind, through libpng.
 *
 * Grey stays one channel, colour and palette become three, alpha and transparency
 * are dropped. 16-bit samples keep their full range; grey of 1, 2 and 4 bits is
 * scaled to 0..255; gamma and colour profiles are not applied: the samples are those of
 * cv2.imread(path, -1). pHYs says how to print, not how large a pixel is: not used. */
#ifndef LP_READ_PNG_H
#define LP_READ_PNG_H

#include "image.h"
#include "read_bytes.h"

/* Its size in pixels, from the first bytes. LP_EFORMAT where they are none of a PNG's. */
lp_status lp_png_size(lp_bytes *b, int *Ly, int *Lx, lp_err *err);

/* Reads the picture; the caller frees *im, which is untouched on failure. */
lp_status lp_png_read(lp_bytes *b, lp_image *im, lp_err *err);

/* Reads labels: grey samples or palette indices as stored, unscaled. LP_EFORMAT for
 * colour. */
lp_status lp_png_read_labels(lp_bytes *b, lp_labels *lb, lp_err *err);

#endif
