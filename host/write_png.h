/* write_png - 8 and 16 bit PNG files, grey or RGB.
 *
 * Blocks of rows are filtered ("up") and deflated independently, in parallel, and joined
 * by full flushes, as pigz does: the bytes depend on the pixels only, not on threads. */
#ifndef LP_WRITE_PNG_H
#define LP_WRITE_PNG_H

#include "status.h"

/* data [Ly][Lx][nchan]: uint8 or (native order) uint16 by bits = 8 or 16; nchan 1 or 3. */
lp_status lp_write_png(const char *path, const void *data, int Ly, int Lx, int nchan, int bits,
                       lp_err *err);

#endif
