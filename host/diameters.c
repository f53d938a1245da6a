#include "diameters.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

/* Bytes of working memory per pixel of the enlarged image: the image, the network's output, and
 * what the following of flows needs where they are not brought back to the image's size. */
#define BYTES_PER_PIXEL 28.0

static lp_status bad(const char *text, lp_err *err)
{
    return lp_fail(err, LP_EARG,
                   "--diameters %.60s: give auto, MIN:MAX:STEP (20:150:5), MIN:MAX:xRATIO "
                   "(20:150:x1.2) or a list (20,40,80)",
                   text);
}

/* One number up to `end`. */
static lp_status number(const char *text, const char **at, double *v, lp_err *err)
{
    char *end;

    errno = 0;
    *v = strtod(*at, &end);
    if (end == *at || errno == EINVAL) return bad(text, err);
    *at = end;
    return LP_OK;
}

static lp_status check_one(const char *text, const char *what, double v, lp_err *err)
{
    if (!(v > 0 && v <= 1e6))
        return lp_fail(err, LP_EARG, "--diameters %.60s: %s %g: must be positive (px)%s", text,
                       what, v, v > 1e6 ? ", at most 1000000" : "");
    return LP_OK;
}

static lp_status too_many(const char *text, double n, lp_err *err)
{
    return lp_fail(err, LP_EARG,
                   "--diameters %.60s: %.0f diameters, at most %d; take a larger step, or a ratio "
                   "as in 20:150:x1.1",
                   text, n, LP_MAX_DIAMETERS);
}

static lp_status range(const char *text, lp_diameters *d, lp_err *err)
{
    const char *at = text;
    double min, max, step, n;
    int ratio, i;
    lp_status st;

    if ((st = number(text, &at, &min, err))) return st;
    if (*at++ != ':') return bad(text, err);
    if ((st = number(text, &at, &max, err))) return st;
    if (*at++ != ':') return bad(text, err);
    ratio = *at == 'x';
    at += ratio;
    if ((st = number(text, &at, &step, err))) return st;
    if (*at) return bad(text, err);
    if ((st = check_one(text, "diameter", min, err))) return st;
    if ((st = check_one(text, "diameter", max, err))) return st;
    if (max < min)
        return lp_fail(err, LP_EARG,
                       "--diameters %.60s: the largest, %g, is below the smallest, %g", text, max,
                       min);
    if (ratio && !(step > 1 && step <= 1e6))
        return lp_fail(err, LP_EARG, "--diameters %.60s: ratio %g: must be more than 1", text,
                       step);
    if (!ratio && (st = check_one(text, "step", step, err))) return st;
    /* What rounding leaves short of MAX still counts as MAX. */
    n = floor((ratio ? log(max / min) / log(step) : (max - min) / step) + 1e-9) + 1;
    if (!(n <= LP_MAX_DIAMETERS)) return too_many(text, n, err);
    if (!(d->d = malloc((size_t)n * sizeof *d->d))) return lp_fail_mem(err, "diameters", 8 * n);
    for (i = 0; i < (int)n; i++) d->d[i] = ratio ? min * pow(step, i) : min + i * step;
    d->n = (int)n;
    return LP_OK;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static lp_status list(const char *text, lp_diameters *d, lp_err *err)
{
    const char *at = text;
    size_t n = 1;
    int i, k;
    lp_status st;

    for (at = text; *at; at++) n += *at == ',';
    if (n > LP_MAX_DIAMETERS) return too_many(text, (double)n, err);
    if (!(d->d = malloc(n * sizeof *d->d))) return lp_fail_mem(err, "diameters", 8.0 * (double)n);
    for (at = text;; at++) {
        double v;

        if ((st = number(text, &at, &v, err))) return st;
        if ((st = check_one(text, "diameter", v, err))) return st;
        d->d[d->n++] = v;
        if (!*at) break;
        if (*at != ',') return bad(text, err);
    }
    qsort(d->d, (size_t)d->n, sizeof *d->d, ascending);
    for (i = k = 1; i < d->n; i++)
        if (d->d[i] != d->d[k - 1]) d->d[k++] = d->d[i];
    d->n = k;
    return LP_OK;
}

lp_status lp_diameters_parse(const char *text, lp_diameters *out, lp_err *err)
{
    lp_diameters d = {0};
    lp_status st = strchr(text, ':') ? range(text, &d, err) : list(text, &d, err);

    if (st)
        lp_diameters_free(&d);
    else
        *out = d;
    return st;
}

void lp_diameters_free(lp_diameters *d)
{
    if (!d) return;
    free(d->d);
    memset(d, 0, sizeof *d);
}

lp_status lp_diameters_check(const double *d, int n, double diam_mean, int Ly, int Lx,
                             double memory, lp_err *err)
{
    double px = (double)Ly * Lx, side = Ly > Lx ? Ly : Lx, most = (double)LP_MAX_PIXELS, min, small;
    const char *why = "more than lipopose handles";
    int i;

    for (small = d[0], i = 1; i < n; i++)
        if (d[i] < small) small = d[i];
    if (memory > 0 && memory / BYTES_PER_PIXEL < most) {
        most = memory / BYTES_PER_PIXEL;
        why = "more than the memory allows";
    }
    min = diam_mean * sqrt(px / most);
    if (min < diam_mean * side / LP_MAX_SIDE) min = diam_mean * side / LP_MAX_SIDE;
    if (small >= min) return LP_OK;
    return lp_fail(err, LP_EARG,
                   "diameter %g is too small: %d x %d pixels would be enlarged %.3g-fold to %.3g "
                   "megapixels, %s; the smallest possible is %.2g",
                   small, Lx, Ly, diam_mean / small,
                   px * (diam_mean / small) * (diam_mean / small) / 1e6, why,
                   ceil(min * 20) / 20 * 1.02);
}
