#include "status.h"

#include <stdarg.h>
#include <stdio.h>

lp_status lp_fail(lp_err *err, lp_status status, const char *fmt, ...)
{
    va_list ap;

    if (err) {
        err->status = status;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
    }
    return status;
}

lp_status lp_fail_mem(lp_err *err, const char *what, double bytes)
{
    return lp_fail(err, LP_ENOMEM, "%s: out of memory (%.1f MiB asked for)", what,
                   bytes / 1048576.0);
}
