/* read_text - a whole text file in memory. */
#ifndef LP_READ_TEXT_H
#define LP_READ_TEXT_H

#include <stddef.h>

#include "status.h"

/* *text [*n] is the caller's, to free(); no terminating 0 is counted or promised. LP_EIO where
 * path cannot be read or is longer than max bytes, LP_ENOMEM; the message names path. */
lp_status lp_read_text(const char *path, size_t max, char **text, size_t *n, lp_err *err);

#endif
