#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crossval.h"
#include "eval_target.h"
#include "sort.h"

const char *const lp_cv_metric_name[LP_CV_N] = {"precision", "recall", "f1",      "ap50",
                                                "ap75",      "ap90",   "ap_mean", "image_ap50"};

double lp_cv_value(const lp_sweep_point *p, lp_cv_metric m)
{
    const lp_eval_scores *s = &p->pooled;

    switch (m) {
    case LP_CV_PRECISION:
        return p->sum.n_pred ? s->precision[LP_EVAL_50] : NAN;
    case LP_CV_RECALL:
        return s->recall[LP_EVAL_50];
    case LP_CV_F1:
        return s->f1[LP_EVAL_50];
    case LP_CV_AP50:
        return s->ap[LP_EVAL_50];
    case LP_CV_AP75:
        return s->ap[LP_EVAL_75];
    case LP_CV_AP90:
        return s->ap[LP_EVAL_90];
    case LP_CV_AP_MEAN:
        return s->ap_mean;
    default:
        return p->mean.ap[LP_EVAL_50];
    }
}

lp_cv_stat lp_cv_over(const double *v, int n)
{
    lp_cv_stat s = {0, 0};
    int i;

    for (i = 0; i < n; i++) s.mean += v[i];
    s.mean /= n;
    for (i = 0; i < n; i++) s.sd += (v[i] - s.mean) * (v[i] - s.mean);
    s.sd = n > 1 ? sqrt(s.sd / (n - 1)) : NAN;
    return s;
}

lp_cv_stat lp_cv_stat_of(const lp_sweep_point *fold, int n_folds, lp_cv_metric m)
{
    double v[LP_CROSSVAL_MAX_FOLDS];
    int i;

    for (i = 0; i < n_folds; i++) v[i] = lp_cv_value(&fold[i], m);
    return lp_cv_over(v, n_folds);
}

static lp_status point_at(const lp_eval_sweep *s, double threshold, lp_sweep_point *out,
                          lp_err *err)
{
    lp_eval_scores *each = malloc(((size_t)s->n + 1) * sizeof *each);
    lp_sweep_point p = {.at = threshold};
    int i;

    if (!each) return lp_fail_mem(err, "scores", s->n * (double)sizeof *each);
    for (i = 0; i < s->n; i++) {
        lp_eval_counts c = lp_sweep_at(&s->im[i], threshold);

        lp_eval_add(&p.sum, &c);
        each[i] = lp_eval_score(&c);
    }
    p.pooled = lp_eval_score(&p.sum);
    p.mean = lp_eval_mean(each, s->n);
    free(each);
    *out = p;
    return LP_OK;
}

/* All thresholds that any fold has. */
static lp_status thresholds(const lp_eval_sweep *merged, int n_folds, lp_crossval_scores *s,
                            lp_err *err)
{
    int f, i, n = 0;

    for (f = 0; f < n_folds; f++) n += merged[f].all.n_points;
    if (!(s->at = malloc(((size_t)n + 1) * sizeof *s->at)))
        return lp_fail_mem(err, "thresholds", n * 8.0);
    for (f = n = 0; f < n_folds; f++)
        for (i = 0; i < merged[f].all.n_points; i++) s->at[n++] = merged[f].all.point[i].at;
    qsort(s->at, (size_t)n, sizeof *s->at, lp_by_double);
    for (i = 0; i < n; i++)
        if (!s->n_at || s->at[i] != s->at[s->n_at - 1]) s->at[s->n_at++] = s->at[i];
    return LP_OK;
}

/* The threshold of the best F1 over all folds but one. */
static double chosen(const lp_crossval_scores *s, int but, lp_target_point *p)
{
    int i, f;

    for (i = 0; i < s->n_at; i++) {
        lp_eval_counts sum = {0};

        for (f = 0; f < s->n_folds; f++)
            if (f != but) lp_eval_add(&sum, &s->curve[(size_t)i * s->n_folds + f].sum);
        p[i] = lp_target_point_of(&sum, s->at[i]);
    }
    return s->at[lp_target_pick(p, s->n_at, (lp_target){LP_TARGET_F1, 0}, NULL)];
}

static lp_status cellpose_points(const lp_crossval_plan *p, const lp_eval_sweep *cellpose,
                                 lp_crossval_scores *s, lp_err *err)
{
    int f, k, i;

    for (f = 0; f < p->n_folds; f++) {
        const lp_sweep *a = &cellpose[f].all;

        for (k = 0; k < LP_SWEEP_N_SIZES; k++) {
            for (i = 0; i < a->n_single && a->single[i].at != p->size[f][k]; i++) continue;
            if (i == a->n_single)
                return lp_fail(err, LP_EFORMAT,
                               "fold %d: its saved runs of Cellpose have no diameter of %g px: "
                               "they are of another plan; --overwrite begins anew",
                               f + 1, p->size[f][k]);
            s->row[LP_CV_SMALL + k].fold[f] = a->single[i];
        }
    }
    return LP_OK;
}

static void name_rows(lp_crossval_scores *s)
{
    static const char *const size[] = {"small", "median", "large"};
    static const char *const of[] = {"5th", "50th", "95th"};
    int k;

    for (k = 0; k < LP_SWEEP_N_SIZES; k++) {
        lp_cv_row *r = &s->row[LP_CV_SMALL + k];

        snprintf(r->name, sizeof r->name, "Cellpose, %s diameter (%s percentile)", size[k], of[k]);
        snprintf(r->key, sizeof r->key, "cellpose_%s", size[k]);
    }
    snprintf(s->row[LP_CV_MERGED].name, sizeof s->row->name, "merged, threshold %g", s->threshold);
    strcpy(s->row[LP_CV_MERGED].key, "merged");
    snprintf(s->row[LP_CV_CHOSEN].name, sizeof s->row->name,
             "merged, threshold chosen on the other folds");
    strcpy(s->row[LP_CV_CHOSEN].key, "merged_chosen");
    s->row[LP_CV_MERGED].is_threshold = s->row[LP_CV_CHOSEN].is_threshold = 1;
}

lp_status lp_crossval_score(const lp_crossval_plan *p, const lp_eval_sweep *merged,
                            const lp_eval_sweep *cellpose, lp_crossval_scores *out, lp_err *err)
{
    lp_crossval_scores s = {.n_folds = p->n_folds, .method = merged->all.method};
    int n = p->n_folds, f, i, k;
    lp_target_point *pick = NULL;
    double gain[LP_CROSSVAL_MAX_FOLDS];
    lp_status st = thresholds(merged, n, &s, err);

    if (st) goto done;
    s.threshold = merged->masks_at;
    s.curve = calloc((size_t)s.n_at * n + 1, sizeof *s.curve);
    s.point = calloc((size_t)LP_CV_N_ROWS * n, sizeof *s.point);
    pick = malloc(((size_t)s.n_at + 1) * sizeof *pick);
    if (!s.curve || !s.point || !pick) {
        st = lp_fail_mem(err, "scores", (double)s.n_at * n * sizeof *s.curve);
        goto done;
    }
    for (k = 0; k < LP_CV_N_ROWS; k++) s.row[k].fold = s.point + (size_t)k * n;
    name_rows(&s);
    for (i = 0; i < s.n_at; i++)
        for (f = 0; f < n; f++)
            if ((st = point_at(&merged[f], s.at[i], &s.curve[(size_t)i * n + f], err))) goto done;
    if ((st = cellpose_points(p, cellpose, &s, err))) goto done;
    for (f = 0; f < n; f++) {
        if ((st = point_at(&merged[f], s.threshold, &s.row[LP_CV_MERGED].fold[f], err)) ||
            (st = point_at(&merged[f], chosen(&s, f, pick), &s.row[LP_CV_CHOSEN].fold[f], err)))
            goto done;
    }
    for (k = 0; k < 2; k++) {
        for (f = 0; f < n; f++)
            gain[f] = lp_cv_value(&s.row[LP_CV_MERGED].fold[f], (lp_cv_metric)k) -
                      lp_cv_value(&s.row[LP_CV_MEDIAN].fold[f], (lp_cv_metric)k);
        s.gain[k] = lp_cv_over(gain, n);
    }
    *out = s;
    memset(&s, 0, sizeof s);
done:
    free(pick);
    lp_crossval_scores_free(&s);
    return st;
}

void lp_crossval_scores_free(lp_crossval_scores *s)
{
    if (!s) return;
    free(s->at);
    free(s->curve);
    free(s->point);
    memset(s, 0, sizeof *s);
}
