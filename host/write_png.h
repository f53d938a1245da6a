/* write_png - 8 and 16 bit PNG files, grey or RGB.
 *
 * Blocks of rows are filtered ("up") and deflated independently, in parallel, and joined
 * by full flushes, as pigz does: the bytes depend on the pixels only, not on threads. */
#ifndef LP_WRITE_PNG_H
#define LP_WRITE_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* data [Ly][Lx][nchan]: uint8 or (native order) uint16 by bits = 8 or 16; nchan 1 or 3. */
lp_status lp_write_png(const char *path, const void *data, int Ly, int Lx, int nchan, int bits,
                       lp_err *err);

/* The same file in memory: *png [*n] is the caller's, to free(). LP_ENOMEM. */
lp_status lp_png_encode(const void *data, int Ly, int Lx, int nchan, int bits, uint8_t **png,
                        size_t *n, lp_err *err);

#endif
