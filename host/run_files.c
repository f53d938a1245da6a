#include "run_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "read.h"

lp_status lp_run_base(const char *path, const char *savedir, char *base, lp_err *err)
{
    const char *name = strrchr(path, '/'), *from = path;
    size_t n = strlen(path), end = strlen(LP_RUN_ENDING);
    int k;

    if (n > end && !strcmp(path + n - end, LP_RUN_ENDING)) n -= end;
    if (savedir) {
        from = name ? name + 1 : path;
        n -= (size_t)(from - path);
        k = snprintf(base, PATH_MAX, "%s/%.*s", savedir, (int)n, from);
    } else {
        k = snprintf(base, PATH_MAX, "%.*s", (int)n, path);
    }
    return k < PATH_MAX ? LP_OK : lp_fail(err, LP_EIO, "%s: the path is too long", path);
}

static lp_status read_fitting(const lp_saved_run *r, const char *image, lp_image *out, lp_err *err)
{
    lp_image im = {0};
    lp_status st = lp_read_image(image, r->page - 1, &im, err);

    if (st) return st;
    if (im.Ly != r->layers->Ly || im.Lx != r->layers->Lx) {
        st = lp_fail(err, LP_EFORMAT, "%s: %d x %d pixels, not %d x %d", image, im.Lx, im.Ly,
                     r->layers->Lx, r->layers->Ly);
        lp_image_free(&im);
        return st;
    }
    im.pixel_nm = r->pixel_nm;
    *out = im;
    return LP_OK;
}

lp_status lp_run_image(const lp_saved_run *r, const char *path, const char *given, lp_image *im,
                       lp_err *err)
{
    const char *name = strrchr(r->image, '/'), *folder = strrchr(path, '/');
    char beside[PATH_MAX];
    lp_status st;
    int k;

    if ((st = read_fitting(r, given ? given : r->image, im, err)) == LP_OK || given) return st;
    k = snprintf(beside, sizeof beside, "%.*s%s", folder ? (int)(folder - path) + 1 : 0, path,
                 name ? name + 1 : r->image);
    if (k >= (int)sizeof beside || !strcmp(beside, r->image)) return st;
    return read_fitting(r, beside, im, NULL) ? st : LP_OK;
}

lp_status lp_run_check(int n, const char *image, lp_err *err)
{
    if (n == 0)
        return lp_fail(err, LP_EARG,
                       "no saved run given: name files NAME" LP_RUN_ENDING ", or see --help");
    if (image && n > 1) return lp_fail(err, LP_EARG, "--image: goes with one saved run, not %d", n);
    return LP_OK;
}

int lp_run_each(char *const *names, int n,
                lp_status (*one)(const void *user, const char *path, lp_err *err), const void *user)
{
    lp_err err;
    int i, code = 0;

    for (i = 0; i < n; i++)
        if (one(user, names[i], &err)) {
            fprintf(stderr, "lipopose: %s\n", err.msg);
            code = 1;
        }
    if (fflush(stdout)) {
        fprintf(stderr, "lipopose: cannot write to standard output: %s\n", strerror(errno));
        code = 1;
    }
    return code;
}
