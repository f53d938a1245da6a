#include "status.h"

#include <stdarg.h>
#include <stdio.h>

lp_status lp_fail(lp_err *err, lp_status status, const char *fmt, ...)
{
    va_list ap;
    char *p;

    if (err) {
        err->status = status;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
        /* File names may hold anything; a message is one line. */
        for (p = err->msg; *p; p++)
            if ((unsigned char)*p < 32 || *p == 127) *p = '?';
    }
    return status;
}

lp_status lp_fail_mem(lp_err *err, const char *what, double bytes)
{
    return lp_fail(err, LP_ENOMEM, "%s: out of memory (%.1f MiB asked for)", what,
                   bytes / 1048576.0);
}
