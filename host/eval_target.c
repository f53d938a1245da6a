#include "eval_target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

static const struct {
    const char *name;
    lp_target_kind kind;
} targets[] = {{"f1", LP_TARGET_F1},
               {"f2", LP_TARGET_F2},
               {"precision", LP_TARGET_PRECISION},
               {"recall", LP_TARGET_RECALL}};

static int has_value(lp_target_kind kind)
{
    return kind == LP_TARGET_PRECISION || kind == LP_TARGET_RECALL;
}

lp_status lp_target_parse(const char *text, lp_target *out, lp_err *err)
{
    size_t n = strcspn(text, "="), k, all = sizeof targets / sizeof *targets;
    char *end = NULL;
    double v = 0;

    for (k = 0; k < all && (strlen(targets[k].name) != n || strncmp(text, targets[k].name, n));
         k++) {
    }
    if (k < all && has_value(targets[k].kind)) {
        v = text[n] ? strtod(text + n + 1, &end) : 0;
        if (!end || end == text + n + 1 || *end || !(v > 0 && v <= 1))
            return lp_fail(err, LP_EARG,
                           "--target %.60s: give a number above 0, at most 1, as in "
                           "%s=0.9",
                           text, targets[k].name);
    } else if (k == all || text[n]) {
        return lp_fail(err, LP_EARG, "--target %.60s: choose f1, f2, precision=P or recall=R",
                       text);
    }
    *out = (lp_target){targets[k].kind, v};
    return LP_OK;
}

const char *lp_target_text(char *buf, lp_target t)
{
    char v[LP_NUMBER_MAX];
    size_t k = 0;

    while (targets[k].kind != t.kind) k++;
    if (has_value(t.kind))
        snprintf(buf, 32, "%s=%.17s", targets[k].name, lp_number_format(v, t.value, 10));
    else
        snprintf(buf, 32, "%s", targets[k].name);
    return buf;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

double lp_target_precision(const lp_target_point *p)
{
    return ratio((double)p->tp, (double)p->n_pred);
}

double lp_target_recall(const lp_target_point *p)
{
    return ratio((double)p->tp, (double)p->n_true);
}

double lp_target_f1(const lp_target_point *p)
{
    return ratio(2.0 * (double)p->tp, (double)(p->n_true + p->n_pred));
}

static double score(const lp_target_point *p, lp_target_kind kind)
{
    switch (kind) {
    case LP_TARGET_PRECISION:
        return lp_target_precision(p);
    case LP_TARGET_RECALL:
        return lp_target_recall(p);
    case LP_TARGET_F2:
        return ratio(5.0 * (double)p->tp, 4.0 * (double)p->n_true + (double)p->n_pred);
    default:
        return lp_target_f1(p);
    }
}

/* Points that are left when the end of the curve is not looked at; at least one. */
static int without_end(const lp_target_point *p, int n)
{
    int64_t most = 0, least;
    int i;

    for (i = 0; i < n; i++)
        if (p[i].tp > most) most = p[i].tp;
    least = most < 20 ? (most + 1) / 2 : most < 200 ? 10 : most / 20;
    while (n > 1 && (p[n - 1].tp < least || !p[n - 1].n_pred)) n--;
    return n;
}

static int highest(const lp_target_point *p, int n, lp_target_kind kind)
{
    int i, best = 0;

    for (i = 1; i < n; i++)
        if (score(&p[i], kind) > score(&p[best], kind)) best = i;
    return best;
}

/* Of neighbours that find the same, the middle one: farthest from where that would change. */
static int middle(const lp_target_point *p, int n, int at)
{
    int lo = at, hi = at;

    while (lo > 0 && p[lo - 1].tp == p[at].tp && p[lo - 1].n_pred == p[at].n_pred) lo--;
    while (hi + 1 < n && p[hi + 1].tp == p[at].tp && p[hi + 1].n_pred == p[at].n_pred) hi++;
    return (lo + hi) / 2;
}

int lp_target_pick(const lp_target_point *p, int n, lp_target t, int *reached)
{
    int i, m, best = 0, ok = 1;

    switch (t.kind) {
    case LP_TARGET_PRECISION:
        m = without_end(p, n);
        for (best = m; best > 0 && score(&p[best - 1], t.kind) >= t.value;) best--;
        ok = best < m;
        if (!ok) best = highest(p, m, t.kind);
        break;
    case LP_TARGET_RECALL:
        for (i = 0; i < n; i++)
            if (score(&p[i], t.kind) >= t.value) best = i;
        ok = score(&p[best], t.kind) >= t.value;
        break;
    default:
        best = highest(p, n, t.kind);
    }
    if (reached) *reached = ok;
    return middle(p, n, best);
}

lp_target_point lp_target_point_of(const lp_eval_counts *c, double threshold)
{
    return (lp_target_point){threshold, c->n_true, c->n_pred, c->tp[LP_EVAL_50]};
}

int lp_target_pick_sweep(const lp_sweep *s, lp_target target, int *reached)
{
    lp_target_point p[LP_SWEEP_MAX_POINTS];
    int i;

    for (i = 0; i < s->n_points; i++) p[i] = lp_target_point_of(&s->point[i].sum, s->point[i].at);
    return lp_target_pick(p, s->n_points, target, reached);
}

lp_status lp_target_leave_one_out(const lp_sweep_image *const *im, int n, const lp_sweep *s,
                                  lp_target target, lp_target_point *out, double *lowest,
                                  double *highest, lp_err *err)
{
    lp_target_point sum = {.threshold = NAN}, *rest = malloc((size_t)s->n_points * sizeof *rest);
    double lo = INFINITY, hi = -INFINITY;
    int i, k;

    if (!rest) return lp_fail_mem(err, "thresholds", (double)s->n_points * sizeof *rest);
    for (i = 0; i < n; i++) {
        lp_target_point one;
        lp_eval_counts c;

        for (k = 0; k < s->n_points; k++) {
            c = lp_sweep_at(im[i], s->point[k].at);
            one = lp_target_point_of(&c, 0);
            rest[k] = lp_target_point_of(&s->point[k].sum, s->point[k].at);
            rest[k].n_true -= one.n_true;
            rest[k].n_pred -= one.n_pred;
            rest[k].tp -= one.tp;
        }
        k = lp_target_pick(rest, s->n_points, target, NULL);
        c = lp_sweep_at(im[i], s->point[k].at);
        one = lp_target_point_of(&c, 0);
        sum.n_true += one.n_true;
        sum.n_pred += one.n_pred;
        sum.tp += one.tp;
        lo = fmin(lo, s->point[k].at);
        hi = fmax(hi, s->point[k].at);
    }
    free(rest);
    *out = sum;
    *lowest = lo;
    *highest = hi;
    return LP_OK;
}
