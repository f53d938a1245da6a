#include "read_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

lp_status lp_read_text(const char *path, size_t max, char **text, size_t *n, lp_err *err)
{
    FILE *f = fopen(path, "rbe");
    long size = -1;
    char *p = NULL;
    lp_status st = LP_OK;

    if (f && !fseek(f, 0, SEEK_END)) size = ftell(f);
    if (!f || size < 0 || (size_t)size > max) {
        st = lp_fail(err, LP_EIO, "%s: %s", path,
                     f && size > 0 && (size_t)size > max ? "too large" : strerror(errno));
        goto done;
    }
    rewind(f);
    if (!(p = malloc((size_t)size + 1))) {
        st = lp_fail_mem(err, path, (double)size);
        goto done;
    }
    *n = fread(p, 1, (size_t)size, f);
    if (ferror(f)) {
        st = lp_fail(err, LP_EIO, "%s: cannot be read", path);
        goto done;
    }
    *text = p;
    p = NULL;
done:
    free(p);
    if (f) fclose(f);
    return st;
}
