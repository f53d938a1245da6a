/* write_mrc - one image plane as an MRC2014 file.
 *
 * Little-endian on every machine, no extended header, no date: the same image gives
 * the same bytes. Row 0 of the image is the first row of the file, as mrcfile and the
 * readers here have it (some viewers draw it at the bottom). Header: Cheng et al. 2015,
 * J. Struct. Biol. 192. */
#ifndef LP_WRITE_MRC_H
#define LP_WRITE_MRC_H

#include "image.h"

/* Modes: 0 int8, 1 int16, 2 float32, 6 uint16, 12 float16. Whole-number modes round
 * to nearest (ties to even) and saturate, NaN becomes 0; float16 saturates at 65504.
 * Minimum, maximum, mean and rms in the header are of the values as stored.
 *
 * im: first channel is written; pixel_nm > 0 gives the cell size, else it is 0.
 * label: up to 80 characters for the header, may be NULL.
 * The file appears under its name only when it is complete (temporary file in the same
 * folder, fsync, rename). Returns LP_EARG for another mode, LP_EIO, LP_ENOMEM. */
lp_status lp_write_mrc(const char *path, const lp_image *im, int mode, const char *label,
                       lp_err *err);

/* IEEE binary16 of v: nearest, ties to even; saturates; NaN stays NaN. */
uint16_t lp_write_mrc_half(float v);

#endif
