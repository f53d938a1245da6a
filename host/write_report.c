#include "write_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "report_html.h"
#include "report_picture.h"
#include "report_plot.h"
#include "report_sweep.h"

#define PICTURE_SIDE 640
#define MAX_WORST 100
#define N_BINS 18

static const char *const precision_colour = "#1f6fb2", *const recall_colour = "#c8501e",
                         *const f1_colour = "#6a51a3", *const ap_colour = "#222222";
static const char *const found_colour = "#1b9e57", *const missed_colour = "#3388ff",
                         *const false_colour = "#e03131";

static void head(FILE *f, const lp_eval_set *s, const char *truth, const char *pred)
{
    const lp_eval_scores *p = &s->pooled;
    int i, done = s->n - s->n_failed;

    fprintf(f,
            "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
            "content=\"width=device-width,initial-scale=1\"><title>lipopose evaluation</title>"
            "<link rel=icon href=\"data:,\"><style>\n%s</style></head><body><main>\n"
            "<h1>Evaluation of predicted particles</h1>\n<p class=sub>",
            lp_html_style);
    lp_html_text(f, pred);
    fputs(" against ", f);
    lp_html_text(f, truth);
    fprintf(f, "</p>\n<p class=sub>%d image%s &middot; %lld true particles &middot; %lld predicted",
            done, done == 1 ? "" : "s", (long long)s->sum.n_true, (long long)s->sum.n_pred);
    fprintf(f, " &middot; lipopose %s</p>\n", lp_version());
    if (s->n_missing)
        fprintf(f, "<p class=warn>%d image%s without prediction counted as empty.</p>\n",
                s->n_missing, s->n_missing == 1 ? "" : "s");
    for (i = 0; i < s->n; i++) {
        if (!s->item[i].failed.status) continue;
        fputs("<p class=warn>Left out: ", f);
        lp_html_text(f, s->item[i].failed.msg);
        fputs("</p>\n", f);
    }
    fputs("<div class=tiles>", f);
    if (s->sum.points) {
        lp_html_tile(f, "precision, centre inside", p->centre_precision);
        lp_html_tile(f, "recall, centre inside", p->centre_recall);
        lp_html_tile(f, "F1, centre inside", p->centre_f1);
        lp_html_tile(f, "AP, centre inside", p->centre_ap);
        fputs("</div>\n", f);
        return;
    }
    lp_html_tile(f, "precision, IoU 0.5", p->precision[LP_EVAL_50]);
    lp_html_tile(f, "recall, IoU 0.5", p->recall[LP_EVAL_50]);
    lp_html_tile(f, "F1, IoU 0.5", p->f1[LP_EVAL_50]);
    lp_html_tile(f, "AP, IoU 0.5", p->ap[LP_EVAL_50]);
    lp_html_tile(f, "AP, IoU 0.5&ndash;0.95", p->ap_mean);
    lp_html_tile(f, "boundary F", p->boundary_f);
    fputs("</div>\n", f);
}

static void overall(FILE *f, const lp_eval_set *s)
{
    static const struct {
        const char *name;
        size_t at;
    } row[] = {{"precision, IoU 0.5", offsetof(lp_eval_scores, precision[LP_EVAL_50])},
               {"recall, IoU 0.5", offsetof(lp_eval_scores, recall[LP_EVAL_50])},
               {"F1, IoU 0.5", offsetof(lp_eval_scores, f1[LP_EVAL_50])},
               {"AP, IoU 0.5", offsetof(lp_eval_scores, ap[LP_EVAL_50])},
               {"AP, IoU 0.75", offsetof(lp_eval_scores, ap[LP_EVAL_75])},
               {"AP, IoU 0.9", offsetof(lp_eval_scores, ap[LP_EVAL_90])},
               {"AP, IoU 0.5&ndash;0.95", offsetof(lp_eval_scores, ap_mean)},
               {"precision, centre inside", offsetof(lp_eval_scores, centre_precision)},
               {"recall, centre inside", offsetof(lp_eval_scores, centre_recall)},
               {"F1, centre inside", offsetof(lp_eval_scores, centre_f1)},
               {"AP, centre inside", offsetof(lp_eval_scores, centre_ap)},
               {"matched IoU", offsetof(lp_eval_scores, mean_iou)},
               {"panoptic quality", offsetof(lp_eval_scores, pq)},
               {"aggregated Jaccard", offsetof(lp_eval_scores, aji)},
               {"boundary precision", offsetof(lp_eval_scores, boundary_precision)},
               {"boundary recall", offsetof(lp_eval_scores, boundary_recall)},
               {"boundary F", offsetof(lp_eval_scores, boundary_f)}};
    int means = s->n - s->n_failed > 1;
    size_t i;

    fprintf(f, "<h2>Overall</h2><div class=wide tabindex=0><table><tr><th><th>all<br>particles%s\n",
            means ? "<th>mean over<br>images" : "");
    for (i = 0; i < sizeof row / sizeof *row; i++) {
        if (s->sum.points && !strstr(row[i].name, "centre")) continue;
        fprintf(f, "<tr><td>%s", row[i].name);
        lp_html_td(f, *(const double *)((const char *)&s->pooled + row[i].at));
        if (means) lp_html_td(f, *(const double *)((const char *)&s->mean + row[i].at));
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

static void iou_plot(FILE *f, const lp_eval_scores *s)
{
    lp_plot_series l[4] = {{"precision", precision_colour, "", s->precision},
                           {"recall", recall_colour, "8 3", s->recall},
                           {"F1", f1_colour, "2 3", s->f1},
                           {"AP", ap_colour, "12 3 3 3", s->ap}};
    double x[LP_EVAL_NTH];
    int k;

    for (k = 0; k < LP_EVAL_NTH; k++) x[k] = LP_EVAL_TH(k);
    lp_plot_lines(f, "Scores against IoU threshold", "IoU threshold", x, LP_EVAL_NTH, l, 4);
}

/* Bin of a diameter among N_BINS between lo and hi, in equal steps of the logarithm. */
static int bin_of(int64_t area, double lo, double hi)
{
    double d = lp_eval_diameter(area);
    int b = (int)floor(log(d / lo) / log(hi / lo) * N_BINS);

    return b < 0 ? 0 : b >= N_BINS ? N_BINS - 1 : b;
}

static void size_range(const lp_eval_set *s, double *lo, double *hi)
{
    int64_t least = INT64_MAX, most = 1;
    int i;
    int32_t k;

    for (i = 0; i < s->n; i++) {
        const lp_eval_overlap *o = &s->item[i].o;

        for (k = 0; k < o->nt + o->np; k++) {
            int64_t a = k < o->nt ? o->true_area[k] : o->pred_area[k - o->nt];

            if (a < least) least = a;
            if (a > most) most = a;
        }
    }
    *lo = lp_eval_diameter(least < most ? least : most);
    *hi = fmax(lp_eval_diameter(most), *lo * 1.5);
}

static void size_plot(FILE *f, const lp_eval_set *s)
{
    double found[N_BINS] = {0}, missed[N_BINS] = {0}, wrong[N_BINS] = {0}, edge[N_BINS + 1], lo, hi;
    lp_plot_series l[3] = {{"found", found_colour, "", found},
                           {"missed", missed_colour, "", missed},
                           {"false (by predicted size)", false_colour, "", wrong}};
    int i;
    int32_t k;

    size_range(s, &lo, &hi);
    for (i = 0; i <= N_BINS; i++) edge[i] = lo * pow(hi / lo, (double)i / N_BINS);
    for (i = 0; i < s->n; i++) {
        const lp_eval_result *r = &s->item[i];

        if (r->failed.status) continue;
        for (k = 0; k < r->o.np; k++) wrong[bin_of(r->o.pred_area[k], lo, hi)]++;
        for (k = 0; k < r->o.nt; k++) {
            int b = bin_of(r->o.true_area[k], lo, hi);

            if (r->found ? !r->found[k] : r->pred_of[k] < 0) {
                missed[b]++;
                continue;
            }
            found[b]++;
            if (r->found) continue;
            wrong[bin_of(r->o.pred_area[r->pred_of[k]], lo, hi)]--;
        }
    }
    lp_plot_bars(
        f, s->sum.points ? "Particles by size (centre inside)" : "Particles by size (IoU 0.5)",
        "diameter, px (logarithmic)", edge, N_BINS, l, s->sum.points ? 2 : 3);
}

static void support_plot(FILE *f, const lp_eval_set *s)
{
    double x[LP_EVAL_MAX_POINTS], v[3][LP_EVAL_MAX_POINTS];
    lp_plot_series l[3] = {{"precision", precision_colour, "", v[0]},
                           {"recall", recall_colour, "8 3", v[1]},
                           {"AP", ap_colour, "12 3 3 3", v[2]}};
    int i;

    for (i = 0; i < s->n_curve; i++) {
        const lp_eval_point *p = &s->curve[i];
        double tp = (double)p->tp[0], all = (double)(p->n_true + p->n_pred);

        x[i] = p->threshold;
        v[0][i] = p->n_pred ? tp / (double)p->n_pred : NAN;
        v[1][i] = p->n_true ? tp / (double)p->n_true : NAN;
        v[2][i] = tp / (all - tp);
    }
    lp_plot_lines(f, "Scores against threshold on support (IoU 0.5)",
                  "threshold: particles with at least this support", x, s->n_curve, l, 3);
}

static void classes(FILE *f, const lp_eval_set *s)
{
    int i;

    fprintf(f,
            "<h2>By size, %s</h2><div class=wide tabindex=0><table><tr><th>diameter, "
            "px<th>true<th>found"
            "<th>recall%s\n",
            s->sum.points ? "centre inside" : "IoU 0.5",
            s->sum.points ? "" : "<th>predicted<th>right<th>precision");
    for (i = 0; i < s->n_cls; i++) {
        const lp_eval_class *c = &s->cls[i];

        if (isfinite(c->max))
            fprintf(f, "<tr><td>%g &ndash; %g", c->min, c->max);
        else
            fprintf(f, "<tr><td>%g and more", c->min);
        fprintf(f, "<td>%lld<td>%lld", (long long)c->n_true, (long long)c->n_found);
        lp_html_td(f, c->n_true ? (double)c->n_found / (double)c->n_true : NAN);
        if (s->sum.points) continue;
        fprintf(f, "<td>%lld<td>%lld", (long long)c->n_pred, (long long)c->n_right);
        lp_html_td(f, c->n_pred ? (double)c->n_right / (double)c->n_pred : NAN);
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

static void picture(FILE *f, const lp_eval_result *r, const lp_merge_options *merge)
{
    int64_t tp = r->c.points ? r->c.tp_centre : r->c.tp[LP_EVAL_50];
    uint8_t *png = NULL;
    size_t n = 0;
    int on_image = 0;
    lp_err why;

    fputs("<figure>", f);
    if (lp_report_picture(r, merge, PICTURE_SIDE, &png, &n, &on_image, &why)) {
        fputs("<p class=warn>", f);
        lp_html_text(f, why.msg);
        fputs("</p>", f);
    } else {
        lp_html_png(f, r->file->name, png, n);
    }
    free(png);
    fputs("<figcaption>", f);
    lp_html_text(f, r->file->name);
    fprintf(f, "</figcaption><p class=sub>AP %.3f: %lld found, %lld false, %lld missed%s</p>",
            r->c.points ? r->s.centre_ap : r->s.ap[LP_EVAL_50], (long long)tp,
            (long long)(r->c.n_pred - tp), (long long)(r->c.n_true - tp),
            r->file->image && !on_image ? "; micrograph unreadable or of another size" : "");
    fputs("</figure>\n", f);
}

static void worst_images(FILE *f, const lp_eval_set *s, const lp_merge_options *merge, int worst)
{
    int rank[MAX_WORST], n = lp_eval_worst(s, rank, worst < MAX_WORST ? worst : MAX_WORST), i;
    static const lp_plot_series key[3] = {{"found", "#00c853", "", NULL},
                                          {"false", "#ff3030", "", NULL},
                                          {"missed", "#3388ff", "", NULL}};

    if (!n) return;
    fprintf(f, "<h2>The %d worst image%s by AP, %s</h2><p class=legend>", n, n == 1 ? "" : "s",
            s->sum.points ? "centre inside" : "IoU 0.5");
    for (i = 0; i < 3; i++)
        fprintf(f,
                "<span><svg class=key viewBox=\"0 0 24 12\"><rect width=24 height=12 "
                "fill=\"%s\" /></svg>%s</span> ",
                key[i].colour, key[i].name);
    fputs("</p><div class=pictures>\n", f);
    for (i = 0; i < n; i++) picture(f, &s->item[rank[i]], merge);
    fputs("</div>\n", f);
}

static void all_images(FILE *f, const lp_eval_set *s)
{
    int i;

    fprintf(f,
            "<h2>All images</h2><div class=wide "
            "tabindex=0><table><tr><th>image<th>TP<th>FP<th>FN<th>precision"
            "<th>recall<th>F1%s\n",
            s->sum.points ? "<th>AP"
                          : "<th>AP 0.5<th>AP 0.75<th>AP 0.9<th>AP 0.5&ndash;0.95<th>boundary F");
    for (i = 0; i < s->n; i++) {
        const lp_eval_result *r = &s->item[i];
        int64_t tp = r->c.points ? r->c.tp_centre : r->c.tp[LP_EVAL_50];

        if (r->failed.status) continue;
        fputs("<tr><td title=\"", f);
        lp_html_text(f, r->file->name);
        fputs("\">", f);
        lp_html_text(f, r->file->name);
        fprintf(f, "<td>%lld<td>%lld<td>%lld", (long long)tp, (long long)(r->c.n_pred - tp),
                (long long)(r->c.n_true - tp));
        lp_html_td(f, r->c.points ? r->s.centre_precision : r->s.precision[LP_EVAL_50]);
        lp_html_td(f, r->c.points ? r->s.centre_recall : r->s.recall[LP_EVAL_50]);
        lp_html_td(f, r->c.points ? r->s.centre_f1 : r->s.f1[LP_EVAL_50]);
        lp_html_td(f, r->c.points ? r->s.centre_ap : r->s.ap[LP_EVAL_50]);
        if (r->c.points) {
            fputc('\n', f);
            continue;
        }
        lp_html_td(f, r->s.ap[LP_EVAL_75]);
        lp_html_td(f, r->s.ap[LP_EVAL_90]);
        lp_html_td(f, r->s.ap_mean);
        lp_html_td(f, r->s.boundary_f);
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

static void notes(FILE *f, const lp_eval_set *s, const lp_eval_options *opt)
{
    if (s->sum.points) {
        fputs(
            "<h2>What the numbers mean</h2><dl><dt>Matching</dt><dd>A true particle is found where "
            "a point lies in it; one point each is right, all other points are false. AP is TP / "
            "(TP + FP + FN).</dd><dt>Worst images</dt><dd>Points in their colour, and the "
            "true outline of missed particles.</dd></dl>\n",
            f);
        return;
    }
    fprintf(
        f,
        "<h2>What the numbers mean</h2><dl>"
        "<dt>Matching</dt><dd>One-to-one, as many pairs as possible with an intersection over "
        "union (IoU) of at least the threshold. A pair is a true positive (TP), what is left of "
        "the prediction false (FP), what is left of the truth missed (FN).</dd>"
        "<dt>AP</dt><dd>TP / (TP + FP + FN), as Cellpose's average precision; 0.5&ndash;0.95 is "
        "the "
        "mean over ten thresholds.</dd>"
        "<dt>All particles together, mean over images</dt><dd>The first adds up the counts of all "
        "images; the second averages each image's score, which is what Cellpose users report. "
        "Images without any particle have no score.</dd>"
        "<dt>By size</dt><dd>Recall by the true diameter, precision by the predicted one, both of "
        "the disc of equal area.</dd>"
        "<dt>Matched IoU, PQ</dt><dd>Mean IoU of the matches at 0.5; panoptic quality, the sum of "
        "their IoU / (TP + FP/2 + FN/2).</dd>"
        "<dt>AJI</dt><dd>Shared pixels of matched pairs / pixels of either image, as Cellpose's "
        "aggregated Jaccard index.</dd>"
        "<dt>Boundary F</dt><dd>Agreement of the outlines widened by %g of the median true "
        "diameter, at least 1 px.</dd></dl>\n",
        opt->boundary_scale);
}

lp_status lp_write_report(const char *path, const lp_eval_set *s, const lp_eval_options *opt,
                          const char *truth, const char *pred, int worst, lp_err *err)
{
    char *page = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&page, &size);
    lp_status st;
    int bad;

    if (!f) return lp_fail_mem(err, path, 0);
    head(f, s, truth, pred);
    overall(f, s);
    if (s->sweep) lp_report_sweep_table(f, s);
    fputs("<h2>Plots</h2><div class=plots>\n", f);
    if (s->sweep)
        lp_report_sweep_plots(f, s->sweep);
    else if (s->n_curve && s->sum.points)
        lp_report_score_plots(f, s);
    else if (s->n_curve)
        support_plot(f, s);
    if (!s->sum.points) iou_plot(f, &s->pooled);
    size_plot(f, s);
    fputs("</div>\n", f);
    classes(f, s);
    worst_images(f, s, &opt->merge, worst);
    if (s->n > 1) all_images(f, s);
    notes(f, s, opt);
    fputs("</main></body></html>\n", f);
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 1e6) : lp_atomic_write_file(path, page, size, err);
    free(page);
    return st;
}
