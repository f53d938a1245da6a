#include "number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *lp_number_format(char buf[LP_NUMBER_MAX], double v, int digits)
{
    char raw[LP_NUMBER_MAX + 8];
    char *w = buf;
    const char *r;
    int mark = 0;

    *buf = 0;
    if (!isfinite(v)) return buf;
    if (v == 0) v = 0; /* no "-0" */
    snprintf(raw, sizeof raw, "%.*g", digits < 1 ? 1 : digits > 17 ? 17 : digits, v);
    /* Whatever is neither digit, sign nor exponent is the locale's mark, of any length. */
    for (r = raw; *r; r++) {
        if (strchr("0123456789+-e", *r))
            *w++ = *r;
        else if (!mark++)
            *w++ = '.';
    }
    *w = 0;
    return buf;
}

char *lp_number_exact(char buf[LP_NUMBER_MAX], double v)
{
    char raw[LP_NUMBER_MAX];
    int digits = 15;

    /* Both follow the locale, so that they fit each other. */
    for (; digits < 17; digits++) {
        snprintf(raw, sizeof raw, "%.*g", digits, v);
        if (strtod(raw, NULL) == v) break;
    }
    return lp_number_format(buf, v, digits);
}
