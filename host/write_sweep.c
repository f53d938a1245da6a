#include "write_sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval_target.h"
#include "merge_text.h"
#include "number.h"
#include "write_eval.h"

#define AT(field, k) offsetof(lp_eval_scores, field[k])
static const struct {
    const char *name;
    size_t at;
} column[] = {{"precision50", AT(precision, LP_EVAL_50)},
              {"recall50", AT(recall, LP_EVAL_50)},
              {"f1_50", AT(f1, LP_EVAL_50)},
              {"ap50", AT(ap, LP_EVAL_50)},
              {"precision75", AT(precision, LP_EVAL_75)},
              {"recall75", AT(recall, LP_EVAL_75)},
              {"f1_75", AT(f1, LP_EVAL_75)},
              {"ap75", AT(ap, LP_EVAL_75)},
              {"precision90", AT(precision, LP_EVAL_90)},
              {"recall90", AT(recall, LP_EVAL_90)},
              {"f1_90", AT(f1, LP_EVAL_90)},
              {"ap90", AT(ap, LP_EVAL_90)},
              {"ap_mean", offsetof(lp_eval_scores, ap_mean)}};
enum { N_COLUMNS = sizeof column / sizeof *column };
#undef AT

static double pooled(const lp_sweep_point *p, int k)
{
    if (!p->sum.n_pred && !strncmp(column[k].name, "precision", 9)) return NAN;
    return *(const double *)((const char *)&p->pooled + column[k].at);
}

static double mean(const lp_sweep_point *p, int k)
{
    return *(const double *)((const char *)&p->mean + column[k].at);
}

static const struct {
    lp_target target;
    const char *name;
} wanted[] = {{{LP_TARGET_F1, 0}, "best F1"},
              {{LP_TARGET_PRECISION, 0.9}, "precision at least 0.9"},
              {{LP_TARGET_F2, 0}, "favouring recall (best F2)"}};

int lp_sweep_rows(const lp_eval_sweep *s, lp_sweep_row row[LP_SWEEP_MAX_ROWS])
{
    static const char *const size[] = {"small", "median", "large"}, *const of[] = {"5th", "50th",
                                                                                   "95th"};
    static const char *const key[] = {"f1", "precision=0.9", "f2"};
    int i, n = 0;

    for (i = 0; i < (int)(sizeof wanted / sizeof *wanted) && s->all.n_points; i++, n++) {
        lp_sweep_row *r = &row[n];

        *r = (lp_sweep_row){.key = key[i], .diameter = NAN, .is_threshold = 1};
        r->p = &s->all.point[lp_target_pick_sweep(&s->all, wanted[i].target, &r->reached)];
        r->threshold = r->p->at;
        snprintf(r->name, sizeof r->name, "%s%s", wanted[i].name,
                 r->reached ? "" : ": not reached, nearest");
    }
    for (i = 0; i < LP_SWEEP_N_SIZES; i++) {
        if (!s->all.of_size[i].sum.n_true) continue;
        row[n] = (lp_sweep_row){.key = size[i], .threshold = NAN, .reached = 1};
        row[n].p = &s->all.of_size[i];
        row[n].diameter = row[n].p->at;
        snprintf(row[n].name, sizeof row[n].name, "%s (%s percentile %.1f px)%s", size[i], of[i],
                 s->all.size[i], isnan(row[n].diameter) ? " *" : "");
        n++;
    }
    if (!s->all.own_median.sum.n_true) return n;
    row[n++] = (lp_sweep_row){"each image's true median", "own_median", NAN, NAN, 0, 1,
                              &s->all.own_median};
    row[n++] =
        (lp_sweep_row){"each image's best, by its labels", "best", NAN, NAN, 0, 1, &s->all.best};
    return n;
}

const char *lp_sweep_single_name(const lp_eval_sweep *s, char *buf)
{
    char flow[48] = "unknown or mixed", prob[48] = "unknown or mixed";

    if (s->is_cellpose) return strcpy(buf, "plain Cellpose");
    /* Masks of a larger flow error than Cellpose's threshold are left out (eval_sweep.h). */
    if (!isnan(s->flow_threshold))
        snprintf(flow, sizeof flow, "%g", fmin(s->flow_threshold, LP_SWEEP_FLOW_THRESHOLD));
    if (!isnan(s->cellprob_threshold)) snprintf(prob, sizeof prob, "%g", s->cellprob_threshold);
    snprintf(buf, 160, "one diameter, flow_threshold %s, cellprob_threshold %s", flow, prob);
    return buf;
}

const char *lp_sweep_range_note(const lp_eval_sweep *s, char *buf)
{
    const lp_sweep *a = &s->all;
    int64_t n = a->n_points ? a->point[0].sum.n_true : 0;
    char small[32] = "", large[32] = "";

    *buf = 0;
    if (20 * (a->n_smaller + a->n_larger) < n || !(a->n_smaller + a->n_larger)) return buf;
    if (!isnan(a->smallest)) snprintf(small, sizeof small, ", %g px", a->smallest);
    if (!isnan(a->largest)) snprintf(large, sizeof large, ", %g px", a->largest);
    snprintf(buf, 200,
             "%lld of %lld true particles are smaller than the smallest diameter%s%s, %lld larger "
             "than the largest%s",
             (long long)a->n_smaller, (long long)n,
             isnan(a->smallest) || isnan(a->largest) ? " of their image" : "", small,
             (long long)a->n_larger, large);
    return buf;
}

const char *lp_sweep_nearest_note(const lp_eval_sweep *s, char *buf)
{
    int i;

    *buf = 0;
    for (i = 0; i < LP_SWEEP_N_SIZES; i++)
        if (s->all.of_size[i].sum.n_true && s->all.nearest[i] < 0)
            snprintf(buf, 120,
                     "* the images share no diameter near this size: the nearest that each image "
                     "has");
    return buf;
}

const char *lp_sweep_left_out_note(const lp_eval_sweep *s, char *buf)
{
    *buf = 0;
    if (s->n_failed)
        snprintf(buf, 120, "%d saved run%s cannot be used: thresholds are those of the other %d",
                 s->n_failed, s->n_failed == 1 ? "" : "s", s->n);
    return buf;
}

static void cell(FILE *to, int width, double v, int digits)
{
    if (isnan(v))
        fprintf(to, "%*s", width, "-");
    else
        fprintf(to, "%*.*f", width, digits, v);
}

static void line(FILE *to, const char *name, double at, int digits, const lp_sweep_point *p)
{
    int k;

    fprintf(to, "  %-42s", name);
    cell(to, 9, at, digits);
    for (k = 0; k < 4; k++) cell(to, k ? 8 : 11, pooled(p, k), 3);
    cell(to, 11, mean(p, 3), 3);
    fputc('\n', to);
}

void lp_write_sweep_table(FILE *to, const lp_eval_set *set)
{
    const lp_eval_sweep *s = set->sweep;
    lp_sweep_point masks = {.sum = set->sum, .pooled = set->pooled, .mean = set->mean};
    lp_sweep_row row[LP_SWEEP_MAX_ROWS];
    int i, n = lp_sweep_rows(s, row), singles = 0;
    char buf[200];

    fprintf(to, "\n%-44s%9s%11s%8s%8s%8s%11s\n",
            s->all.method == LP_MERGE_SCALE ? "thresholds on support, IoU 0.50"
                                            : "thresholds on levels, IoU 0.50",
            "threshold", "precision", "recall", "F1", "AP", "mean AP");
    if (!isnan(s->masks_at)) line(to, "these masks", s->masks_at, 2, &masks);
    for (i = 0; i < n; i++)
        if (row[i].is_threshold) line(to, row[i].name, row[i].threshold, 2, row[i].p);
    fprintf(to, "  area under the precision-recall curve %.3f\n", s->all.area);
    for (i = 0; i < n; i++) {
        if (row[i].is_threshold) continue;
        if (!singles++) fprintf(to, "%-44s%9s\n", lp_sweep_single_name(s, buf), "diameter");
        line(to, row[i].name, row[i].diameter, 1, row[i].p);
    }
    if (*lp_sweep_nearest_note(s, buf)) fprintf(to, "  %s\n", buf);
    if (*lp_sweep_range_note(s, buf)) fprintf(to, "  %s\n", buf);
    if (*lp_sweep_left_out_note(s, buf)) fprintf(to, "  %s\n", buf);
}

static void json_point(cJSON *j, const lp_sweep_point *p)
{
    static const char *const tp[] = {"tp50", "tp75", "tp90"};
    static const int at[] = {LP_EVAL_50, LP_EVAL_75, LP_EVAL_90};
    char name[32];
    int k;

    cJSON_AddNumberToObject(j, "n_true", (double)p->sum.n_true);
    cJSON_AddNumberToObject(j, "n_pred", (double)p->sum.n_pred);
    for (k = 0; k < 3; k++) cJSON_AddNumberToObject(j, tp[k], (double)p->sum.tp[at[k]]);
    for (k = 0; k < N_COLUMNS; k++) cJSON_AddNumberToObject(j, column[k].name, pooled(p, k));
    for (k = 0; k < N_COLUMNS; k++) {
        snprintf(name, sizeof name, "mean_%s", column[k].name);
        cJSON_AddNumberToObject(j, name, mean(p, k));
    }
}

cJSON *lp_write_sweep_json(const lp_eval_sweep *s)
{
    cJSON *j = cJSON_CreateObject(), *list, *x;
    lp_sweep_row row[LP_SWEEP_MAX_ROWS];
    int i, n = lp_sweep_rows(s, row), pass;
    char buf[160];

    cJSON_AddStringToObject(j, "method", lp_merge_text_name(s->merge.method));
    if (s->merge.n_levels)
        cJSON_AddItemToObject(j, "levels",
                              cJSON_CreateDoubleArray(s->merge.levels, s->merge.n_levels));
    cJSON_AddNumberToObject(j, "n_images", s->n);
    cJSON_AddNumberToObject(j, "n_runs_failed", s->n_failed);
    cJSON_AddNumberToObject(j, "flow_threshold", s->flow_threshold);
    cJSON_AddNumberToObject(j, "cellprob_threshold", s->cellprob_threshold);
    cJSON_AddStringToObject(j, "single_diameters", lp_sweep_single_name(s, buf));
    cJSON_AddNumberToObject(j, "masks_threshold", s->masks_at);
    cJSON_AddNumberToObject(j, "area_under_curve", s->all.area);
    cJSON_AddNumberToObject(j, "n_smaller_than_diameters", (double)s->all.n_smaller);
    cJSON_AddNumberToObject(j, "n_larger_than_diameters", (double)s->all.n_larger);
    for (pass = 0; pass < 2; pass++) {
        list = cJSON_AddArrayToObject(j, pass ? "references" : "recommended");
        for (i = 0; i < n; i++) {
            if (row[i].is_threshold == pass) continue;
            cJSON_AddItemToArray(list, x = cJSON_CreateObject());
            cJSON_AddStringToObject(x, pass ? "name" : "target", row[i].key);
            if (!pass) cJSON_AddBoolToObject(x, "reached", row[i].reached);
            /* null: differs by image */
            cJSON_AddNumberToObject(x, pass ? "diameter" : "threshold",
                                    pass ? row[i].diameter : row[i].threshold);
            json_point(x, row[i].p);
        }
    }
    list = cJSON_AddArrayToObject(j, "thresholds");
    for (i = 0; i < s->all.n_points; i++) {
        cJSON_AddItemToArray(list, x = cJSON_CreateObject());
        cJSON_AddNumberToObject(x, "threshold", s->all.point[i].at);
        json_point(x, &s->all.point[i]);
    }
    list = cJSON_AddArrayToObject(j, "diameters");
    for (i = 0; i < s->all.n_single; i++) {
        cJSON_AddItemToArray(list, x = cJSON_CreateObject());
        cJSON_AddNumberToObject(x, "diameter", s->all.single[i].at);
        json_point(x, &s->all.single[i]);
    }
    return j;
}

static void csv_row(FILE *f, const char *kind, const char *name, double threshold, double diameter,
                    const lp_sweep_point *p)
{
    char buf[LP_NUMBER_MAX];
    int k;

    fprintf(f, "%s,%s,%s", kind, name, lp_number_format(buf, threshold, 10));
    fprintf(f, ",%s", lp_number_format(buf, diameter, 10));
    fprintf(f, ",%lld,%lld", (long long)p->sum.n_true, (long long)p->sum.n_pred);
    fprintf(f, ",%lld,%lld,%lld", (long long)p->sum.tp[LP_EVAL_50],
            (long long)p->sum.tp[LP_EVAL_75], (long long)p->sum.tp[LP_EVAL_90]);
    for (k = 0; k < N_COLUMNS; k++) fprintf(f, ",%s", lp_number_format(buf, pooled(p, k), 7));
    for (k = 0; k < N_COLUMNS; k++) fprintf(f, ",%s", lp_number_format(buf, mean(p, k), 7));
    fputc('\n', f);
}

lp_status lp_write_sweep_csv(const char *path, const lp_eval_sweep *s, lp_err *err)
{
    lp_sweep_row row[LP_SWEEP_MAX_ROWS];
    int i, n = lp_sweep_rows(s, row), bad;
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    lp_status st;

    if (!f) return lp_fail_mem(err, path, 0);
    fputs("kind,name,threshold,diameter_px,n_true,n_pred,tp50,tp75,tp90", f);
    for (i = 0; i < 2 * N_COLUMNS; i++)
        fprintf(f, ",%s%s", i < N_COLUMNS ? "" : "mean_", column[i % N_COLUMNS].name);
    fputc('\n', f);
    for (i = 0; i < s->all.n_points; i++)
        csv_row(f, "threshold", "", s->all.point[i].at, NAN, &s->all.point[i]);
    for (i = 0; i < s->all.n_single; i++)
        csv_row(f, "diameter", "", NAN, s->all.single[i].at, &s->all.single[i]);
    for (i = 0; i < n; i++)
        csv_row(f, row[i].is_threshold ? "recommended" : "reference", row[i].key, row[i].threshold,
                row[i].diameter, row[i].p);
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 1e5) : lp_write_eval_text(path, text, size, err);
    free(text);
    return st;
}
