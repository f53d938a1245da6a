/* read_tiff_layout - how the pixels of libtiff's current directory are stored, checked.
 *
 * Everything that a lying file could say is checked here, before memory for pixels is
 * asked for: sizes, sample types, and whether a file of this length can hold them. */
#ifndef LP_READ_TIFF_LAYOUT_H
#define LP_READ_TIFF_LAYOUT_H

#include <tiffio.h>

#include "read_bytes.h"
#include "read_samples.h"

typedef struct {
    int64_t w, h;      /* pixels */
    int spp;           /* samples per pixel, as decoded */
    int nkeep;         /* channels kept */
    int keep[16];      /* [nkeep] their sample numbers */
    lp_sample type;    /* of samples, after unpacking */
    int packed;        /* bits per sample where they need unpacking, else 0 */
    int swapped24;     /* libtiff has reversed the bytes of 24-bit samples, which are packed bits */
    int sign_extend;   /* packed samples are signed */
    int differences;   /* rows of differences (predictor 2) that libtiff leaves so */
    int separate;      /* one plane per sample */
    int tiled, rgba;   /* rgba: libtiff's own conversion, 4 bytes per pixel */
    int64_t bw, bh;    /* a block (strip or tile), pixels */
    int64_t row_bytes; /* of a decoded block */
    int64_t block_bytes; /* of a decoded block */
    int64_t raw_at;      /* first byte of unpacked, contiguous pixels; 0 where they are not */
    int64_t raw_bytes;   /* their number */
} lp_tiff_layout;

/* Also prepares codecs (JPEG to RGB, LogLuv to float). page is for messages, predictor that of
 * lp_tiff_pages_predictor. */
lp_status lp_tiff_layout_get(TIFF *tif, lp_bytes *b, int page, int predictor, lp_tiff_layout *l,
                             lp_err *err);

#endif
