/* normalize_parts - the optional steps of lp_normalize: tile normalisation, and
 * smoothing and sharpening. Used by normalize.c only. */
#ifndef LP_NORMALIZE_PARTS_H
#define LP_NORMALIZE_PARTS_H

#include <stdint.h>

#include "status.h"

#define LP_MAX_NORM_BLOCKS (1 << 20)

/* normalize99_tile of img [Ly][Lx] in place. *flat = 1 where no block has a range of 1e-3
 * although the image is not constant (img is then left as it is), else 0. LP_EARG for more than
 * 2^20 blocks, LP_ENOMEM. */
lp_status lp_normalize99_tile(float *img, int Ly, int Lx, int blocksize, const double percentile[2],
                              uint32_t *flat, lp_err *err);

/* smooth_sharpen_img of img [Ly][Lx] in place; a radius of 0 leaves its part out, and one of the
 * two must be above 0. LP_ENOMEM; img is then untouched. */
lp_status lp_smooth_sharpen(float *img, int Ly, int Lx, double smooth_radius, double sharpen_radius,
                            lp_err *err);

#endif
