/* status - error values for everything that can fail.
 *
 * Who detects an error writes the message (what, where, what to do: one line,
 * no newline); everybody else only passes the status on. Nothing below main()
 * exits or prints an error. */
#ifndef LP_STATUS_H
#define LP_STATUS_H

typedef enum {
    LP_OK = 0,
    LP_EARG,     /* the caller asked for something impossible: exit code 2 */
    LP_EIO,      /* a file or folder cannot be opened, read or written */
    LP_EFORMAT,  /* the bytes are there but are not what they should be */
    LP_ENOMEM,   /* memory, or a size beyond a stated limit */
    LP_EMISSING, /* a resource is missing (model, GPU): exit code 3 */
    LP_ESIGNAL   /* interrupted by a signal: exit code 128 + n */
} lp_status;

typedef struct {
    lp_status status;
    char msg[1024];
} lp_err;

/* Writes the message into *err (which may be NULL) and returns status.
 * A message that is too long is cut. */
lp_status lp_fail(lp_err *err, lp_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Same, for a failed allocation of bytes for `what`. */
lp_status lp_fail_mem(lp_err *err, const char *what, double bytes);

#endif
