#include "report_sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_html.h"
#include "report_plot.h"
#include "write_sweep.h"

static const char *const merged_colour = "#1f6fb2";
static const char *const size_name[LP_SWEEP_N_SIZES] = {"small", "median", "large"};
static const char *const size_colour[LP_SWEEP_N_SIZES] = {"#c8501e", "#3f8f3f", "#8a4bab"};
static const char *const size_dash[LP_SWEEP_N_SIZES] = {"2 3", "8 3", "12 3 3 3"};

typedef enum { PRECISION, RECALL, F1 } what;

static double value(const lp_sweep_point *p, what w)
{
    const lp_eval_scores *s = &p->pooled;

    if (w == PRECISION) return p->sum.n_pred ? s->precision[LP_EVAL_50] : NAN;
    return w == RECALL ? s->recall[LP_EVAL_50] : s->f1[LP_EVAL_50];
}

/* One score against the threshold; the thresholds that leave nothing are not shown. */
static void against_threshold(FILE *f, const lp_eval_sweep *s, what w, const char *title)
{
    double x[LP_SWEEP_MAX_POINTS], y[LP_SWEEP_MAX_POINTS], end[2], level[LP_SWEEP_N_SIZES][2];
    lp_plot_curve c[1 + LP_SWEEP_N_SIZES] = {{"merged", merged_colour, "", x, y, 0, 0, NULL}};
    char name[LP_SWEEP_N_SIZES][48];
    const lp_sweep *a = &s->all;
    int i, k = 1, last = 0;

    for (i = 0; i < a->n_points; i++) {
        x[i] = a->point[i].at;
        y[i] = value(&a->point[i], w);
        if (a->point[i].sum.n_pred) last = i;
    }
    c[0].n = a->n_points;
    if (last + 1 < a->n_points) last++;
    end[0] = x[0];
    end[1] = x[last];
    for (i = 0; i < LP_SWEEP_N_SIZES; i++) {
        const lp_sweep_point *p;

        p = &a->of_size[i];
        if (!p->sum.n_true) continue;
        level[i][0] = level[i][1] = value(p, w);
        if (isnan(p->at))
            snprintf(name[i], sizeof name[i], "%s: nearest to %.1f px", size_name[i], a->size[i]);
        else
            snprintf(name[i], sizeof name[i], "%s: %.1f px", size_name[i], p->at);
        c[k++] = (lp_plot_curve){name[i], size_colour[i], size_dash[i], end, level[i], 2, 0, NULL};
    }
    lp_plot_curves(f, title, "threshold", end[0], end[1], c, k, s->masks_at, "these masks");
}

static void against_recall(FILE *f, const lp_eval_sweep *s)
{
    const lp_sweep *a = &s->all;
    double x[LP_SWEEP_MAX_POINTS], y[LP_SWEEP_MAX_POINTS], one[2][2];
    double size_x[LP_SWEEP_N_SIZES], size_y[LP_SWEEP_N_SIZES];
    double *sx = malloc(((size_t)a->n_single + 1) * sizeof *sx);
    double *sy = malloc(((size_t)a->n_single + 1) * sizeof *sy);
    char(*text)[32] = malloc(((size_t)a->n_single + 1) * sizeof *text);
    const char **title = malloc(((size_t)a->n_single + 1) * sizeof *title);
    lp_plot_curve c[LP_SWEEP_N_SIZES + 4];
    int i, k = 0;

    if (!sx || !sy || !text || !title) goto done;
    for (i = 0; i < a->n_points; i++) {
        x[i] = value(&a->point[i], RECALL);
        y[i] = value(&a->point[i], PRECISION);
    }
    for (i = 0; i < a->n_single; i++) {
        sx[i] = value(&a->single[i], RECALL);
        sy[i] = value(&a->single[i], PRECISION);
        snprintf(text[i], sizeof text[i], "diameter %.1f px", a->single[i].at);
        title[i] = text[i];
    }
    c[k++] = (lp_plot_curve){"merged", merged_colour, "", x, y, a->n_points, 0, NULL};
    c[k++] = (lp_plot_curve){"one diameter", "#8b95a7", "", sx, sy, a->n_single, 1, title};
    for (i = 0; i < LP_SWEEP_N_SIZES; i++) {
        if (!a->of_size[i].sum.n_true) continue;
        size_x[i] = value(&a->of_size[i], RECALL);
        size_y[i] = value(&a->of_size[i], PRECISION);
        c[k++] = (lp_plot_curve){size_name[i],
                                 size_colour[i],
                                 "",
                                 &size_x[i],
                                 &size_y[i],
                                 1,
                                 1,
                                 a->nearest[i] < 0 ? NULL : &title[a->nearest[i]]};
    }
    if (a->own_median.sum.n_true) {
        const lp_sweep_point *p[2] = {&a->own_median, &a->best};
        static const char *const n[2] = {"each image's true median", "each image's best"};
        static const char *const colour[2] = {"#111111", "#d4a017"};

        for (i = 0; i < 2; i++) {
            one[i][0] = value(p[i], RECALL);
            one[i][1] = value(p[i], PRECISION);
            c[k++] = (lp_plot_curve){n[i], colour[i], "", &one[i][0], &one[i][1], 1, 1, NULL};
        }
    }
    lp_plot_curves(f, "Precision against recall (IoU 0.5)", "recall", 0, 1, c, k, NAN, NULL);
done:
    free(sx);
    free(sy);
    free(text);
    free(title);
}

void lp_report_sweep_plots(FILE *f, const lp_eval_sweep *s)
{
    against_threshold(f, s, PRECISION, "Precision against threshold (IoU 0.5)");
    against_threshold(f, s, RECALL, "Recall against threshold (IoU 0.5)");
    against_threshold(f, s, F1, "F1 against threshold (IoU 0.5)");
    against_recall(f, s);
}

static void words(FILE *f, const lp_sweep_row *r)
{
    static const struct {
        const char *key, *text;
    } say[] = {{"f1", "For the best balance (F1) take"},
               {"precision=0.9", "For at least 9 of 10 outlines to be right take"},
               {"f2", "To miss few (F2) take"}};
    const lp_eval_scores *s = &r->p->pooled;
    size_t i = 0;

    while (strcmp(say[i].key, r->key)) i++;
    if (r->reached)
        fprintf(f, "<p class=good>%s <b>--threshold %g</b>", say[i].text, r->threshold);
    else
        fprintf(
            f, "<p class=warn>No threshold has precision 0.9; the nearest is <b>--threshold %g</b>",
            r->threshold);
    fprintf(f, ": precision %.3f, recall %.3f, F1 %.3f.</p>\n", s->precision[LP_EVAL_50],
            s->recall[LP_EVAL_50], s->f1[LP_EVAL_50]);
}

static void table_row(FILE *f, const char *name, double at, const lp_eval_counts *sum,
                      const lp_eval_scores *s, const lp_eval_scores *mean)
{
    fputs("<tr><td>", f);
    lp_html_text(f, name);
    if (isnan(at))
        fputs("<td>&ndash;", f);
    else
        fprintf(f, "<td>%.4g", at);
    lp_html_td(f, sum->n_pred ? s->precision[LP_EVAL_50] : NAN);
    lp_html_td(f, s->recall[LP_EVAL_50]);
    lp_html_td(f, s->f1[LP_EVAL_50]);
    lp_html_td(f, s->ap[LP_EVAL_50]);
    lp_html_td(f, s->ap[LP_EVAL_75]);
    lp_html_td(f, s->ap[LP_EVAL_90]);
    lp_html_td(f, mean->ap[LP_EVAL_50]);
    fputc('\n', f);
}

void lp_report_sweep_table(FILE *f, const lp_eval_set *set)
{
    const lp_eval_sweep *s = set->sweep;
    lp_sweep_row row[LP_SWEEP_MAX_ROWS];
    int i, n = lp_sweep_rows(s, row), singles = 0;
    char buf[200];

    fputs("<h2>Which threshold</h2>", f);
    for (i = 0; i < n; i++)
        if (row[i].is_threshold) words(f, &row[i]);
    fputs("<div class=wide tabindex=0><table "
          "class=names><tr><th>merged<th>threshold<th>precision<th>recall<th>F1<th>AP 0.5"
          "<th>AP 0.75<th>AP 0.9<th>mean AP 0.5\n",
          f);
    if (!isnan(s->masks_at))
        table_row(f, "these masks", s->masks_at, &set->sum, &set->pooled, &set->mean);
    for (i = 0; i < n; i++) {
        if (!row[i].is_threshold && !singles++) {
            fputs("<tr><th>", f);
            lp_html_text(f, lp_sweep_single_name(s, buf));
            fputs("<th>diameter, px<th><th><th><th><th><th><th>\n", f);
        }
        table_row(f, row[i].name, row[i].is_threshold ? row[i].threshold : row[i].diameter,
                  &row[i].p->sum, &row[i].p->pooled, &row[i].p->mean);
    }
    fprintf(f,
            "</table></div><p class=sub>All particles together, but for the last column, the mean "
            "over %d images. Area under the precision-recall curve %.3f.</p>\n",
            s->n, s->all.area);
    if (*lp_sweep_nearest_note(s, buf)) fprintf(f, "<p class=sub>%s.</p>\n", buf);
    if (*lp_sweep_range_note(s, buf)) fprintf(f, "<p class=warn>%s.</p>\n", buf);
    if (*lp_sweep_left_out_note(s, buf)) {
        fprintf(f, "<p class=warn>%s.", buf);
        for (i = 0; i < s->n_failed; i++) {
            fputs("<br>", f);
            lp_html_text(f, s->failed[i].msg);
        }
        fputs("</p>\n", f);
    }
}

void lp_report_score_plots(FILE *f, const lp_eval_set *set)
{
    double x[LP_EVAL_MAX_POINTS], p[LP_EVAL_MAX_POINTS], r[LP_EVAL_MAX_POINTS];
    lp_plot_series l[2] = {{"precision", merged_colour, "", p},
                           {"recall", size_colour[0], "8 3", r}};
    lp_plot_curve c = {"by falling score", merged_colour, "", r, p, set->n_curve, 0, NULL};
    int i;

    for (i = 0; i < set->n_curve; i++) {
        const lp_eval_point *q = &set->curve[i];

        x[i] = q->threshold;
        p[i] = q->n_pred ? (double)q->tp[0] / (double)q->n_pred : NAN;
        r[i] = q->n_true ? (double)q->tp[0] / (double)q->n_true : NAN;
    }
    lp_plot_lines(f, "Scores against threshold on score (centre inside)",
                  "threshold: points with at least this score", x, set->n_curve, l, 2);
    lp_plot_curves(f, "Precision against recall (centre inside)", "recall", 0, 1, &c, 1, NAN, NULL);
}
