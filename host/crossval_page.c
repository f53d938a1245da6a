#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "crossval.h"
#include "report_html.h"
#include "report_plot.h"

static const char *const merged_colour = "#1f6fb2", *const pale = "#9cc3e4";
static const char *const size_colour[LP_SWEEP_N_SIZES] = {"#c8501e", "#3f8f3f", "#8a4bab"};
static const char *const size_dash[LP_SWEEP_N_SIZES] = {"2 3", "8 3", "12 3 3 3"};
static const char *const size_name[LP_SWEEP_N_SIZES] = {"Cellpose, small", "Cellpose, median",
                                                        "Cellpose, large"};

static void td_stat(FILE *f, lp_cv_stat s)
{
    if (isnan(s.mean))
        fputs("<td>&ndash;", f);
    else
        fprintf(f, "<td>%.3f &plusmn; %.3f", s.mean, s.sd);
}

static void head(FILE *f, const lp_crossval_report *r)
{
    const lp_crossval_scores *s = r->scores;
    const lp_crossval_plan *p = r->plan;
    int i;

    fprintf(f,
            "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
            "content=\"width=device-width,initial-scale=1\"><title>lipopose cross-validation"
            "</title><link rel=icon href=\"data:,\"><style>\n%s</style></head><body><main>\n"
            "<h1>Cross-validation</h1>\n<p class=sub>",
            lp_html_style);
    lp_html_text(f, r->dir);
    fprintf(f, " &middot; %d images &middot; %lld particles &middot; %d folds &middot; from ", p->n,
            (long long)p->n_particles, p->n_folds);
    lp_html_text(f, r->model ? r->model : "scratch");
    fprintf(f, " &middot; lipopose %s</p>\n", lp_version());
    fputs("<p class=sub>For each fold a model was trained on the images of the other folds and "
          "judged on the fold's own: plain Cellpose at the 5th, 50th and 95th percentile of the "
          "diameters it was trained on, and many diameters merged. Numbers are means and standard "
          "deviations over the folds, all particles of a fold together, IoU 0.5.</p>\n"
          "<div class=tiles>",
          f);
    for (i = 0; i < 2; i++)
        lp_html_tile(f, i ? "recall, merged" : "precision, merged",
                     lp_cv_stat_of(s->row[LP_CV_MERGED].fold, s->n_folds, (lp_cv_metric)i).mean);
    for (i = 0; i < 2; i++)
        lp_html_tile(f, i ? "recall, Cellpose at the median" : "precision, Cellpose at the median",
                     lp_cv_stat_of(s->row[LP_CV_MEDIAN].fold, s->n_folds, (lp_cv_metric)i).mean);
    lp_html_tile(f, "precision gained", s->gain[0].mean);
    lp_html_tile(f, "recall gained", s->gain[1].mean);
    fputs("</div>\n", f);
}

static void means(FILE *f, const lp_crossval_scores *s)
{
    static const lp_cv_metric shown[] = {LP_CV_PRECISION, LP_CV_RECALL, LP_CV_F1,      LP_CV_AP50,
                                         LP_CV_AP75,      LP_CV_AP90,   LP_CV_IMAGE_AP};
    size_t k;
    int i;

    fputs("<h2>Means over the folds</h2><div class=wide tabindex=0><table class=names><tr><th>"
          "<th>precision<th>recall<th>F1<th>AP 0.5<th>AP 0.75<th>AP 0.9<th>mean AP 0.5\n",
          f);
    for (i = 0; i < LP_CV_N_ROWS; i++) {
        fputs("<tr><td>", f);
        lp_html_text(f, s->row[i].name);
        for (k = 0; k < sizeof shown / sizeof *shown; k++)
            td_stat(f, lp_cv_stat_of(s->row[i].fold, s->n_folds, shown[k]));
        fputc('\n', f);
    }
    fputs("</table></div><p class=sub>The last column is the mean over the images of a fold, the "
          "others count all its particles together. A fold in which nothing was found has no "
          "precision, and then there is no mean: &ndash;.</p>\n",
          f);
}

/* Mean and mean +- sd against the threshold, Cellpose as horizontal lines. v [3][n_at] is scratch.
 */
static void against_threshold(FILE *f, const lp_crossval_scores *s, lp_cv_metric m,
                              const char *title, double *v)
{
    double *mean = v, *lo = v + s->n_at, *hi = lo + s->n_at, end[2];
    double level[LP_SWEEP_N_SIZES][2];
    lp_plot_curve c[3 + LP_SWEEP_N_SIZES];
    int i, k, last = 0;

    for (i = 0; i < s->n_at; i++) {
        const lp_sweep_point *fold = s->curve + (size_t)i * s->n_folds;
        lp_cv_stat t = lp_cv_stat_of(fold, s->n_folds, m);

        mean[i] = t.mean;
        lo[i] = isnan(t.mean) ? NAN : fmax(0, t.mean - t.sd); /* fmax would take the 0 */
        hi[i] = isnan(t.mean) ? NAN : fmin(1, t.mean + t.sd);
        for (k = 0; k < s->n_folds; k++)
            if (fold[k].sum.n_pred) last = i;
    }
    end[0] = s->n_at ? s->at[0] : 0;
    end[1] = s->n_at ? s->at[last + 1 < s->n_at ? last + 1 : last] : 1;
    c[0] = (lp_plot_curve){NULL, pale, "2 2", s->at, lo, s->n_at, 0, NULL};
    c[1] = (lp_plot_curve){"one standard deviation", pale, "2 2", s->at, hi, s->n_at, 0, NULL};
    for (i = 0; i < LP_SWEEP_N_SIZES; i++) {
        level[i][0] = level[i][1] = lp_cv_stat_of(s->row[LP_CV_SMALL + i].fold, s->n_folds, m).mean;
        c[2 + i] =
            (lp_plot_curve){size_name[i], size_colour[i], size_dash[i], end, level[i], 2, 0, NULL};
    }
    c[2 + i] = (lp_plot_curve){"merged", merged_colour, "", s->at, mean, s->n_at, 0, NULL};
    lp_plot_curves(f, title, "threshold", end[0], end[1], c, 3 + i, s->threshold,
                   "threshold of the table");
}

/* Each fold's curve and their mean; Cellpose's points of each fold. v [2 (n_folds + 1)][n_at]. */
static void against_recall(FILE *f, const lp_crossval_scores *s, double *v)
{
    const int n = s->n_folds, n_curves = n + 1 + LP_SWEEP_N_SIZES;
    lp_plot_curve *c = calloc((size_t)n_curves, sizeof *c);
    double(*point)[LP_CROSSVAL_MAX_FOLDS] = malloc(2 * LP_SWEEP_N_SIZES * sizeof *point);
    int i, k, j;

    if (!c || !point) goto done;
    for (k = 0; k <= n; k++) {
        double *x = v + (size_t)2 * k * s->n_at, *y = x + s->n_at;

        for (i = 0; i < s->n_at; i++) {
            const lp_sweep_point *fold = s->curve + (size_t)i * n;

            x[i] = k < n ? lp_cv_value(&fold[k], LP_CV_RECALL)
                         : lp_cv_stat_of(fold, n, LP_CV_RECALL).mean;
            y[i] = k < n ? lp_cv_value(&fold[k], LP_CV_PRECISION)
                         : lp_cv_stat_of(fold, n, LP_CV_PRECISION).mean;
        }
        c[k] = (lp_plot_curve){k == 0   ? "merged, each fold"
                               : k == n ? "merged, mean"
                                        : NULL,
                               k < n ? pale : merged_colour,
                               "",
                               x,
                               y,
                               s->n_at,
                               0,
                               NULL};
    }
    for (i = 0; i < LP_SWEEP_N_SIZES; i++) {
        for (j = 0; j < n; j++) {
            point[2 * i][j] = lp_cv_value(&s->row[LP_CV_SMALL + i].fold[j], LP_CV_RECALL);
            point[2 * i + 1][j] = lp_cv_value(&s->row[LP_CV_SMALL + i].fold[j], LP_CV_PRECISION);
        }
        c[k++] = (lp_plot_curve){
            size_name[i], size_colour[i], "", point[2 * i], point[2 * i + 1], n, 1, NULL};
    }
    lp_plot_curves(f, "Precision against recall", "recall", 0, 1, c, k, NAN, NULL);
done:
    free(c);
    free(point);
}

static void each_fold(FILE *f, const lp_crossval_report *r)
{
    static const int rows[] = {LP_CV_MEDIAN, LP_CV_MERGED};
    const lp_crossval_plan *p = r->plan;
    const lp_crossval_scores *s = r->scores;
    int k, i, m;

    fputs("<h2>Each fold</h2><div class=wide tabindex=0><table><tr><th>fold<th>images<th>particles"
          "<th>diameters, px<th>Cellpose at the median:<br>precision<th>recall<th>F1<th>merged:<br>"
          "precision<th>recall<th>F1<th>threshold chosen\n",
          f);
    for (k = 0; k < p->n_folds; k++) {
        int n = 0;
        int64_t particles = 0;

        for (i = 0; i < p->n; i++) {
            if (p->image[i].fold != k) continue;
            n++;
            particles += p->image[i].n_particles;
        }
        fprintf(f,
                "<tr><td><a href=\"fold_%d/report.html\">fold %d</a><td>%d<td>%lld<td>%g, %g, %g",
                k + 1, k + 1, n, (long long)particles, p->size[k][0], p->size[k][1], p->size[k][2]);
        for (i = 0; i < 2; i++)
            for (m = 0; m < 3; m++)
                lp_html_td(f, lp_cv_value(&s->row[rows[i]].fold[k], (lp_cv_metric)m));
        fprintf(f, "<td>%g\n", s->row[LP_CV_CHOSEN].fold[k].at);
    }
    fputs("</table></div>\n<h2>Images</h2><dl>", f);
    for (k = 0; k < p->n_folds; k++) {
        fprintf(f, "<dt>Fold %d<dd>", k + 1);
        for (i = 0, m = 0; i < p->n; i++) {
            if (p->image[i].fold != k) continue;
            if (m++) fputs(", ", f);
            lp_html_text(f, p->image[i].name);
            fprintf(f, " (%d)", p->image[i].n_particles);
        }
        fputc('\n', f);
    }
    fputs("</dl><p class=sub>In brackets: labelled particles. Options, seed and checksums are in "
          "plan.json, all numbers in crossval.json.</p>\n",
          f);
}

lp_status lp_crossval_page(const char *path, const lp_crossval_report *r, lp_err *err)
{
    const lp_crossval_scores *s = r->scores;
    double *v = malloc(2 * ((size_t)s->n_folds + 2) * ((size_t)s->n_at + 1) * sizeof *v);
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    lp_status st;

    if (!v || !f) {
        if (f) fclose(f);
        free(text);
        free(v);
        return lp_fail_mem(err, path, 1e5);
    }
    head(f, r);
    means(f, s);
    fputs("<h2>Thresholds</h2><div class=plots>\n", f);
    against_threshold(f, s, LP_CV_PRECISION, "Precision against threshold", v);
    against_threshold(f, s, LP_CV_RECALL, "Recall against threshold", v);
    against_threshold(f, s, LP_CV_F1, "F1 against threshold", v);
    against_recall(f, s, v);
    fputs("</div>\n", f);
    each_fold(f, r);
    fputs("</main></body></html>\n", f);
    st = fclose(f) ? lp_fail_mem(err, path, 1e5) : lp_atomic_write_file(path, text, n, err);
    free(text);
    free(v);
    return st;
}
