#include "eval_support.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read_text.h"
#include "sort.h"

#define MAX_BYTES ((long)1 << 30)
#define MAX_FIELD 63

/* The next field of a line, without quotes, cut to MAX_FIELD characters: none of the fields that
 * are wanted is longer. Returns what follows the field: a ',' , '\n' or the end. */
static const char *field(const char *s, const char *end, char out[MAX_FIELD + 1])
{
    size_t k = 0;

    while (s < end && *s != ',' && *s != '\n') {
        if (*s != '"' && *s != '\r' && *s && k < MAX_FIELD) out[k++] = *s;
        s++;
    }
    out[k] = 0;
    return s;
}

static int number(const char *s, double *v)
{
    char *end;

    *v = strtod(s, &end);
    return end != s && !*end && isfinite(*v);
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

lp_status lp_eval_support_parse(const char *text, size_t n, const uint32_t *ids, int32_t n_ids,
                                double *support, lp_err *err)
{
    const char *s = text, *end = text + n;
    char f[MAX_FIELD + 1];
    int col = 0, c_id = -1, c_support = -1;
    int64_t line = 1;
    int32_t i;

    for (; s < end && *s != '\n'; col++, s += s < end && *s == ',') {
        s = field(s, end, f);
        if (!strcmp(f, "id")) c_id = col;
        if (!strcmp(f, "support")) c_support = col;
    }
    if (c_id < 0 || c_support < 0)
        return lp_fail(err, LP_EFORMAT, "no column %s", c_id < 0 ? "id" : "support");
    for (i = 0; i < n_ids; i++) support[i] = NAN;
    while (s < end) {
        double id = 0, v = 0;
        int have = 0;
        uint32_t key;
        const uint32_t *at;

        s++; /* the line end */
        line++;
        if (s == end) break;
        for (col = 0;; col++, s++) {
            s = field(s, end, f);
            if (col == c_id) have += number(f, &id);
            if (col == c_support) have += number(f, &v);
            if (s == end || *s == '\n') break;
        }
        if (col == 0 && !*f) continue;
        if (have != 2 || !(id >= 0 && id <= UINT32_MAX))
            return lp_fail(err, LP_EFORMAT, "line %lld has no id or no support", (long long)line);
        key = (uint32_t)id;
        at = n_ids ? bsearch(&key, ids, (size_t)n_ids, sizeof *ids, by_id) : NULL;
        if (at) support[at - ids] = v;
    }
    for (i = 0; i < n_ids; i++)
        if (isnan(support[i]))
            return lp_fail(err, LP_EFORMAT, "label %u has no row", (unsigned)ids[i]);
    return LP_OK;
}

lp_status lp_eval_support_read(const char *path, const uint32_t *ids, int32_t n_ids,
                               double *support, lp_err *err)
{
    char *text = NULL;
    size_t n = 0;
    lp_err why;
    lp_status st = lp_read_text(path, MAX_BYTES, &text, &n, err);

    if (st) return st;
    if ((st = lp_eval_support_parse(text, n, ids, n_ids, support, &why)))
        st = lp_fail(err, st, "%s: %.400s: made by another run than the masks?", path, why.msg);
    free(text);
    return st;
}

/* Distinct values, ascending, at most LP_EVAL_MAX_POINTS of them. */
static int distinct(double *v, size_t n)
{
    size_t k = 0, i;

    if (!n) return 0;
    qsort(v, n, sizeof *v, lp_by_double);
    for (i = 0; i < n; i++)
        if (!k || v[k - 1] != v[i]) v[k++] = v[i];
    if (k <= LP_EVAL_MAX_POINTS) return (int)k;
    for (i = 0; i < LP_EVAL_MAX_POINTS; i++) v[i] = v[i * (k - 1) / (LP_EVAL_MAX_POINTS - 1)];
    return LP_EVAL_MAX_POINTS;
}

/* Adds one image to the points. keep [np] and pred_of [nt] are scratch. */
static lp_status add_image(const lp_eval_overlap *o, const double *support, uint8_t *keep,
                           int32_t *pred_of, lp_eval_point *pt, int n, lp_err *err)
{
    static const double th[3] = {0.5, 0.75, 0.9};
    int64_t tp[3] = {0}, last = -1;
    int i, k;
    int32_t j;
    lp_status st;

    for (i = 0; i < n; i++) {
        int64_t kept = 0;

        for (j = 0; j < o->np; j++) kept += keep[j] = support[j] >= pt[i].threshold;
        for (k = 0; k < 3 && kept != last; k++)
            if ((st = lp_eval_matches(o, th[k], keep, pred_of, &tp[k], NULL, err))) return st;
        last = kept;
        pt[i].n_true += o->nt;
        pt[i].n_pred += kept;
        for (k = 0; k < 3; k++) pt[i].tp[k] += tp[k];
    }
    return LP_OK;
}

lp_status lp_eval_curve(const lp_eval_overlap *const *o, const double *const *support, int n,
                        lp_eval_point **out, int *n_points, lp_err *err)
{
    size_t all = 0, most_t = 0, most_p = 0, at = 0;
    lp_eval_point *pt = NULL;
    int32_t *pred_of = NULL;
    uint8_t *keep = NULL;
    double *v;
    int i, k = 0;
    lp_status st = LP_OK;

    for (i = 0; i < n; i++) {
        all += (size_t)o[i]->np;
        if ((size_t)o[i]->np > most_p) most_p = (size_t)o[i]->np;
        if ((size_t)o[i]->nt > most_t) most_t = (size_t)o[i]->nt;
    }
    v = malloc((all + 1) * sizeof *v);
    pt = calloc(LP_EVAL_MAX_POINTS, sizeof *pt);
    keep = malloc(most_p + 1);
    pred_of = malloc((most_t + 1) * sizeof *pred_of);
    if (!v || !pt || !keep || !pred_of) {
        st = lp_fail_mem(err, "thresholds", (double)all * sizeof *v);
        goto done;
    }
    for (i = 0; i < n; i++) {
        if (o[i]->np) memcpy(v + at, support[i], (size_t)o[i]->np * sizeof *v);
        at += (size_t)o[i]->np;
    }
    k = distinct(v, all);
    for (i = 0; i < k; i++) pt[i].threshold = v[i];
    for (i = 0; i < n; i++)
        if ((st = add_image(o[i], support[i], keep, pred_of, pt, k, err))) goto done;
    *out = pt;
    *n_points = k;
    pt = NULL;
done:
    free(v);
    free(pt);
    free(keep);
    free(pred_of);
    return st;
}

lp_status lp_eval_curve_points(const double *score, int64_t n, const double *best, int64_t nt,
                               lp_eval_point **out, int *n_points, lp_err *err)
{
    double *v = malloc(((size_t)n + 1) * sizeof *v);
    lp_eval_point *pt = calloc(LP_EVAL_MAX_POINTS, sizeof *pt);
    int64_t j;
    int i, k;

    if (!v || !pt) {
        free(v);
        free(pt);
        return lp_fail_mem(err, "thresholds", (double)n * sizeof *v);
    }
    if (n) memcpy(v, score, (size_t)n * sizeof *v);
    k = distinct(v, (size_t)n);
    for (i = 0; i < k; i++) {
        pt[i].threshold = v[i];
        pt[i].n_true = nt;
        for (j = 0; j < n; j++) pt[i].n_pred += score[j] >= v[i];
        for (j = 0; j < nt; j++) pt[i].tp[0] += best[j] >= v[i];
    }
    free(v);
    *out = pt;
    *n_points = k;
    return LP_OK;
}
