#include "merge_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "merge_support.h"

static const struct {
    const char *name;
    lp_merge_method method;
} methods[] = {
    {"scale", LP_MERGE_SCALE}, {"votes", LP_MERGE_VOTES}, {"affinity", LP_MERGE_AFFINITY}};

static lp_status parse_levels(const char *text, lp_merge_options *o, lp_err *err)
{
    const char *at = text;
    int n = 0;

    for (;; at++) {
        char *end;
        double v = strtod(at, &end);

        if (end == at || (*end && *end != ',') || !(v >= 0 && v <= 1e9) ||
            (n && !(v < o->levels[n - 1])))
            return lp_fail(err, LP_EARG,
                           "--levels %.60s: give falling numbers, 0 or more, as in 20,10,5,2,0",
                           text);
        if (n == LP_MERGE_MAX_LEVELS)
            return lp_fail(err, LP_EARG, "--levels: more than %d levels", LP_MERGE_MAX_LEVELS);
        o->levels[n++] = v;
        at = end;
        if (!*at) break;
    }
    o->n_levels = n;
    return LP_OK;
}

lp_status lp_merge_text_parse(const char *method, const char *levels, int has_threshold,
                              double threshold, lp_merge_options *o, lp_err *err)
{
    size_t i, n = sizeof methods / sizeof *methods;
    lp_status st;

    if (method) {
        for (i = 0; i < n && strcmp(method, methods[i].name); i++) {
        }
        if (i == n)
            return lp_fail(err, LP_EARG, "--merge %.60s: choose scale, votes or affinity", method);
        o->method = methods[i].method;
    }
    if (has_threshold) {
        if (!(threshold >= 0 && threshold <= 1e9))
            return lp_fail(err, LP_EARG, "--threshold %g: must be 0 or more", threshold);
        o->threshold = threshold;
    }
    if (levels && (st = parse_levels(levels, o, err))) return st;
    if (has_threshold) return lp_merge_text_check("--threshold", o->method, threshold, err);
    if (levels && isnan(o->threshold))
        return lp_merge_text_check("--levels: the last one,", o->method, o->levels[o->n_levels - 1],
                                   err);
    return LP_OK;
}

lp_status lp_merge_text_check(const char *what, lp_merge_method method, double threshold,
                              lp_err *err)
{
    if (method == LP_MERGE_SCALE && threshold > LP_SUPPORT_MAX)
        return lp_fail(err, LP_EARG,
                       "%s %g: support of scale ends at %g; give a number from 0 to %g", what,
                       threshold, LP_SUPPORT_MAX, LP_SUPPORT_MAX);
    return LP_OK;
}

const char *lp_merge_text_name(lp_merge_method method)
{
    size_t i = 0;

    while (methods[i].method != method) i++;
    return methods[i].name;
}
