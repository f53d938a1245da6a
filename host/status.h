/* status - error values for everything that can fail (lp_status, lp_err: lipopose.h).
 *
 * Who detects an error writes the message (what, where, what to do: one line,
 * no newline); everybody else only passes the status on. Nothing below main()
 * exits or prints an error. */
#ifndef LP_STATUS_H
#define LP_STATUS_H

#include "lipopose.h"

/* Writes the message into *err (which may be NULL) and returns status.
 * A message that is too long is cut; control characters, which file names may have, become '?'. */
lp_status lp_fail(lp_err *err, lp_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Same, for a failed allocation of bytes for `what`. */
lp_status lp_fail_mem(lp_err *err, const char *what, double bytes);

#endif
