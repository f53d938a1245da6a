#include <math.h>
#include <string.h>

#include "crossval.h"
#include "merge_text.h"
#include "number.h"

static const lp_cv_metric shown[] = {LP_CV_PRECISION, LP_CV_RECALL, LP_CV_F1, LP_CV_AP50,
                                     LP_CV_AP75};
enum { N_SHOWN = sizeof shown / sizeof *shown };

static void cell(FILE *to, lp_cv_stat s)
{
    if (isnan(s.mean))
        fprintf(to, "%15s", "-");
    else
        fprintf(to, "   %.3f +- %.3f", s.mean, s.sd);
}

static lp_cv_stat at_of(const lp_cv_row *r, int n)
{
    double v[LP_CROSSVAL_MAX_FOLDS];
    int f;

    for (f = 0; f < n; f++) v[f] = r->fold[f].at;
    return lp_cv_over(v, n);
}

static void gain(FILE *to, const char *name, lp_cv_stat d, double of, const char *end)
{
    fprintf(to, "%s %+.3f +- %.3f", name, d.mean, d.sd);
    if (of > 0) fprintf(to, " (%+.1f %%)", 100 * d.mean / of);
    fputs(end, to);
}

void lp_crossval_table(FILE *to, const lp_crossval_report *r)
{
    const lp_crossval_scores *s = r->scores;
    const lp_cv_row *median = &s->row[LP_CV_MEDIAN];
    int i, k;

    fprintf(to,
            "%d folds of %d images, %lld particles; mean and standard deviation over the folds\n",
            s->n_folds, r->plan->n, (long long)r->plan->n_particles);
    fprintf(to, "\n%-44s%9s%15s%15s%15s%15s%15s\n", "IoU 0.5", "at", "precision", "recall", "F1",
            "AP", "AP, IoU 0.75");
    for (i = 0; i < LP_CV_N_ROWS; i++) {
        fprintf(to, "  %-42s%9.1f", s->row[i].name, at_of(&s->row[i], s->n_folds).mean);
        for (k = 0; k < N_SHOWN; k++) cell(to, lp_cv_stat_of(s->row[i].fold, s->n_folds, shown[k]));
        fputc('\n', to);
    }
    if (isnan(s->gain[0].mean) || isnan(s->gain[1].mean)) {
        fputs("\n-: a fold in which nothing was found has no precision\n", to);
        return;
    }
    gain(to, "\nmerged against Cellpose at the median, fold by fold: precision", s->gain[0],
         lp_cv_stat_of(median->fold, s->n_folds, LP_CV_PRECISION).mean, ",");
    gain(to, " recall", s->gain[1], lp_cv_stat_of(median->fold, s->n_folds, LP_CV_RECALL).mean,
         "\n");
}

static cJSON *number(double v)
{
    char buf[LP_NUMBER_MAX];

    return isfinite(v) ? cJSON_CreateRaw(lp_number_exact(buf, v)) : cJSON_CreateNull();
}

static void put(cJSON *j, const char *key, double v)
{
    cJSON_AddItemToObject(j, key, number(v));
}

static cJSON *point_json(const lp_sweep_point *p, const char *at)
{
    cJSON *j = cJSON_CreateObject();
    int m;

    if (at) put(j, at, p->at);
    put(j, "n_true", (double)p->sum.n_true);
    put(j, "n_predicted", (double)p->sum.n_pred);
    put(j, "n_matched", (double)p->sum.tp[LP_EVAL_50]);
    for (m = 0; m < LP_CV_N; m++) put(j, lp_cv_metric_name[m], lp_cv_value(p, (lp_cv_metric)m));
    return j;
}

/* "mean" and "sd" of every score. */
static void put_stats(cJSON *j, const lp_sweep_point *fold, int n)
{
    cJSON *mean = cJSON_AddObjectToObject(j, "mean"), *sd = cJSON_AddObjectToObject(j, "sd");
    int m;

    for (m = 0; m < LP_CV_N; m++) {
        lp_cv_stat s = lp_cv_stat_of(fold, n, (lp_cv_metric)m);

        put(mean, lp_cv_metric_name[m], s.mean);
        put(sd, lp_cv_metric_name[m], s.sd);
    }
}

int lp_crossval_add_results(cJSON *plan, const lp_crossval_report *r)
{
    static const char *const gained[] = {"precision", "recall"};
    const lp_crossval_scores *s = r->scores;
    cJSON *j = cJSON_AddObjectToObject(plan, "results"), *a, *in, *folds;
    int i, f;

    if (!j) return 0;
    cJSON_AddStringToObject(j, "program", lp_version());
    cJSON_AddStringToObject(j, "dir", r->dir);
    cJSON_AddStringToObject(j, "merge", lp_merge_text_name(s->method));
    put(j, "threshold", s->threshold);
    a = cJSON_AddArrayToObject(j, "rows");
    for (i = 0; i < LP_CV_N_ROWS; i++) {
        const lp_cv_row *row = &s->row[i];

        cJSON_AddItemToArray(a, in = cJSON_CreateObject());
        cJSON_AddStringToObject(in, "key", row->key);
        cJSON_AddStringToObject(in, "name", row->name);
        put_stats(in, row->fold, s->n_folds);
        folds = cJSON_AddArrayToObject(in, "folds");
        for (f = 0; f < s->n_folds; f++)
            cJSON_AddItemToArray(
                folds, point_json(&row->fold[f], row->is_threshold ? "threshold" : "diameter"));
    }
    in = cJSON_AddObjectToObject(j, "merged_less_cellpose_median");
    for (i = 0; i < 2; i++) {
        folds = cJSON_AddObjectToObject(in, gained[i]);
        put(folds, "mean", s->gain[i].mean);
        put(folds, "sd", s->gain[i].sd);
    }
    a = cJSON_AddArrayToObject(j, "thresholds");
    for (i = 0; i < s->n_at; i++) {
        cJSON_AddItemToArray(a, in = cJSON_CreateObject());
        put(in, "threshold", s->at[i]);
        put_stats(in, s->curve + (size_t)i * s->n_folds, s->n_folds);
    }
    return a != NULL;
}
