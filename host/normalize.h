/* normalize - Cellpose's normalize_img for one 2D image (transforms.py; models.py eval).
 *
 * Order of the steps: lowhigh alone, or else sharpen/smooth, then tile normalisation or
 * percentiles. Two habits of Cellpose are kept because masks depend on them: a constant channel
 * is left as it is, and a channel whose percentiles differ by 1e-3 or less becomes all zero
 * although it may hold an image (float images with values far below 1); notes tells. */
#ifndef LP_NORMALIZE_H
#define LP_NORMALIZE_H

#include <stdint.h>

#include "image.h"
#include "status.h"

typedef struct {
    int normalize;                        /* 1; 0 only sharpens and smooths */
    double percentile[2];                 /* 1, 99: become 0.0 and 1.0 */
    int use_lowhigh;                      /* 0; 1 = lowhigh instead of percentiles, no sharpening */
    double lowhigh[LP_MAX_CHANNELS][2];   /* grey values that become 0.0 and 1.0, per channel */
    int invert;                           /* 0; 1 = 1 - value, in normalised channels only */
    int tile_norm_blocksize;              /* 0 = off; px. Percentiles per block of this size */
    double sharpen_radius, smooth_radius; /* 0 = off; px, sigma of the Gaussians */
} lp_normalize_options;

/* Cellpose's defaults. */
lp_normalize_options lp_normalize_defaults(void);

/* Bits of notes: bit c (c < LP_MAX_CHANNELS): channel c is not constant, but its range is too
 * small to be normalised: it is now zero (with tile normalisation: not scaled). */
#define LP_NORMALIZE_INVERT_IGNORED (1u << 16) /* Cellpose does not invert after tile norm. */

/* Normalises img [nchan][Ly][Lx], float32, in place. nchan 1 to LP_MAX_CHANNELS. notes may be
 * NULL. The result does not depend on the number of threads. LP_EARG for impossible options
 * (checked before img is touched), LP_ENOMEM; img may then be partly normalised. */
lp_status lp_normalize(float *img, int nchan, int Ly, int Lx, const lp_normalize_options *opts,
                       uint32_t *notes, lp_err *err);

#endif
