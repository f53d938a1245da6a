/* run_bytes - the masks of one diameter as bytes, for x_lipopose.h5.
 *
 * Per mask: the number of its runs, then per run three numbers: y and x0 less those of the run
 * before (of the mask's first run, less those of the first run of the mask before it; at the
 * start, less 0), and the length less that of the run before it (likewise). Numbers are zigzag
 * (0, -1, 1, -2, ... as 0, 1, 2, 3, ...; the counts are not), 7 bits per byte, low ones first,
 * the top bit set in all bytes but the last. A round mask takes about 3 bytes per row, and 1 when
 * deflated. */
#ifndef LP_RUN_BYTES_H
#define LP_RUN_BYTES_H

#include <stddef.h>

#include "../kernels/runs.h"
#include "status.h"

/* Bytes into *out [*n], the caller's to free(). LP_ENOMEM. */
lp_status lp_run_bytes_encode(const lp_runs *r, unsigned char **out, size_t *n, lp_err *err);

/* n_masks masks of an image of Ly x Lx pixels from p [n]. out->first and out->run are the
 * caller's. Everything is checked: runs lie in the image, in raster order and apart within their
 * mask; all masks together have at most Ly * Lx pixels; no byte is left. Whether masks overlap is
 * not. LP_EFORMAT with a message that begins with `where`, LP_ENOMEM. */
lp_status lp_run_bytes_decode(const unsigned char *p, size_t n, uint32_t n_masks, int Ly, int Lx,
                              const char *where, lp_runs *out, lp_err *err);

#endif
