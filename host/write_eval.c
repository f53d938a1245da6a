#include "write_eval.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "number.h"
#include "write_sweep.h"

#define MAX_ROWS 40 /* images of the table; a longer list is cut to the worst */
#define WORST 10

lp_status lp_write_eval_text(const char *path, const char *text, size_t n, lp_err *err)
{
    if (strcmp(path, "-")) return lp_atomic_write_file(path, text, n, err);
    if (fwrite(text, 1, n, stdout) != n || fflush(stdout))
        return lp_fail(err, LP_EIO, "standard output: %s", strerror(errno));
    return LP_OK;
}

/* Right-aligned in width, or "-". */
static void cell(FILE *to, int width, double v)
{
    if (isnan(v))
        fprintf(to, "%*s", width, "-");
    else
        fprintf(to, "%*.3f", width, v);
}

static void scores_at(FILE *to, const char *name, const lp_eval_scores *s, int k)
{
    fprintf(to, "  %-22s", name);
    cell(to, 11, s->precision[k]);
    cell(to, 9, s->recall[k]);
    cell(to, 9, s->f1[k]);
    cell(to, 9, s->ap[k]);
    fputc('\n', to);
}

static void block(FILE *to, const char *title, const lp_eval_scores *s, int points)
{
    static const struct {
        const char *name;
        size_t at;
    } more[] = {{"matched IoU", offsetof(lp_eval_scores, mean_iou)},
                {"panoptic quality", offsetof(lp_eval_scores, pq)},
                {"aggregated Jaccard", offsetof(lp_eval_scores, aji)},
                {"boundary F", offsetof(lp_eval_scores, boundary_f)}};
    size_t i;

    fprintf(to, "\n%-24s%11s%9s%9s%9s\n", title, "precision", "recall", "F1", "AP");
    fprintf(to, "  %-22s", "centre inside");
    cell(to, 11, s->centre_precision);
    cell(to, 9, s->centre_recall);
    cell(to, 9, s->centre_f1);
    cell(to, 9, s->centre_ap);
    fputc('\n', to);
    if (points) return;
    scores_at(to, "IoU 0.50", s, LP_EVAL_50);
    scores_at(to, "IoU 0.75", s, LP_EVAL_75);
    scores_at(to, "IoU 0.90", s, LP_EVAL_90);
    fprintf(to, "  %-49s", "IoU 0.50:0.05:0.95");
    cell(to, 11, s->ap_mean);
    fputs("\n ", to);
    for (i = 0; i < sizeof more / sizeof *more; i++) {
        fprintf(to, "%s %s", i ? ";" : "", more[i].name);
        cell(to, 6, *(const double *)((const char *)s + more[i].at));
    }
    fputc('\n', to);
}

static double part(int64_t a, int64_t b)
{
    return b ? (double)a / (double)b : NAN;
}

static void class_name(char buf[64], const lp_eval_class *c)
{
    if (c->min <= 0 && !isfinite(c->max))
        snprintf(buf, 64, "all");
    else if (c->min <= 0)
        snprintf(buf, 64, "< %g", c->max);
    else if (!isfinite(c->max))
        snprintf(buf, 64, ">= %g", c->min);
    else
        snprintf(buf, 64, "%g - %g", c->min, c->max);
}

static void classes(FILE *to, const lp_eval_set *s)
{
    int i;

    fprintf(to, "\n%-24s%11s%9s%9s%11s   (%s)\n", "diameter, px", "precision", "recall", "true",
            "predicted", s->sum.points ? "centre inside" : "IoU 0.50");
    for (i = 0; i < s->n_cls; i++) {
        const lp_eval_class *c = &s->cls[i];
        char name[64];

        class_name(name, c);
        fprintf(to, "  %-22s", name);
        cell(to, 11, part(c->n_right, c->n_pred));
        cell(to, 9, part(c->n_found, c->n_true));
        fprintf(to, "%9lld", (long long)c->n_true);
        if (s->sum.points) /* a point has no size */
            fprintf(to, "%11s\n", "-");
        else
            fprintf(to, "%11lld\n", (long long)c->n_pred);
    }
}

static void image_row(FILE *to, const lp_eval_result *r)
{
    const char *name = r->file->name;
    int64_t tp = r->c.points ? r->c.tp_centre : r->c.tp[LP_EVAL_50];
    size_t n = strlen(name);

    fprintf(to, "  %-22s%7lld%7lld%7lld", n > 22 ? name + n - 22 : name, (long long)tp,
            (long long)(r->c.n_pred - tp), (long long)(r->c.n_true - tp));
    cell(to, 11, r->c.points ? r->s.centre_precision : r->s.precision[LP_EVAL_50]);
    cell(to, 8, r->c.points ? r->s.centre_recall : r->s.recall[LP_EVAL_50]);
    cell(to, 8, r->c.points ? r->s.centre_f1 : r->s.f1[LP_EVAL_50]);
    cell(to, 8, r->c.points ? r->s.centre_ap : r->s.ap[LP_EVAL_50]);
    cell(to, 8, r->s.ap[LP_EVAL_75]);
    cell(to, 8, r->s.ap[LP_EVAL_90]);
    fputs(r->missing ? "  no prediction\n" : "\n", to);
}

static void images(FILE *to, const lp_eval_set *s)
{
    int rank[WORST], i, n, done = s->n - s->n_failed;

    fprintf(to, "\n%-24s%7s%7s%7s%11s%8s%8s%8s%8s%8s\n",
            s->sum.points ? "image (centre inside)" : "image (IoU 0.50)", "TP", "FP", "FN",
            "precision", "recall", "F1", "AP", "AP.75", "AP.90");
    if (done <= MAX_ROWS) {
        for (i = 0; i < s->n; i++)
            if (!s->item[i].failed.status) image_row(to, &s->item[i]);
        return;
    }
    n = lp_eval_worst(s, rank, WORST);
    for (i = 0; i < n; i++) image_row(to, &s->item[rank[i]]);
    fprintf(to, "  the worst %d of %d; --csv lists all\n", n, done);
}

void lp_write_eval_table(FILE *to, const lp_eval_set *s)
{
    int done = s->n - s->n_failed;

    fprintf(to, "%d image%s, %lld true particles, %lld predicted", done, done == 1 ? "" : "s",
            (long long)s->sum.n_true, (long long)s->sum.n_pred);
    if (s->n_missing) fprintf(to, "; %d without prediction, counted as empty", s->n_missing);
    if (s->n_failed) fprintf(to, "; %d FAILED, left out", s->n_failed);
    fputc('\n', to);
    block(to, "all particles together", &s->pooled, s->sum.points);
    if (done > 1) block(to, "mean over images", &s->mean, s->sum.points);
    classes(to, s);
    if (s->sweep) lp_write_sweep_table(to, s);
    if (done > 1) images(to, s);
}

static void csv_text(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        if (*s == '"') fputc('"', f);
        fputc(*s, f);
    }
    fputc('"', f);
}

static void csv_value(FILE *f, double v)
{
    char buf[LP_NUMBER_MAX];

    fputc(',', f);
    fputs(lp_number_format(buf, v, 7), f);
}

static void csv_row(FILE *f, const lp_eval_result *r)
{
    static const int at[3] = {LP_EVAL_50, LP_EVAL_75, LP_EVAL_90};
    const lp_eval_scores *s = &r->s;
    int i, bad = r->failed.status != LP_OK;

    csv_text(f, r->file->name);
    if (bad) {
        for (i = 0; i < 30; i++) fputc(',', f);
        csv_text(f, r->failed.msg);
        fputc('\n', f);
        return;
    }
    fprintf(f, ",%d,%d,%lld,%lld", r->Ly, r->Lx, (long long)r->c.n_true, (long long)r->c.n_pred);
    for (i = 0; i < 3; i++) {
        int k = at[i];

        if (r->c.points)
            fputc(',', f);
        else
            fprintf(f, ",%lld", (long long)r->c.tp[k]);
        csv_value(f, s->precision[k]);
        csv_value(f, s->recall[k]);
        csv_value(f, s->f1[k]);
        csv_value(f, s->ap[k]);
    }
    csv_value(f, s->ap_mean);
    csv_value(f, s->mean_iou);
    csv_value(f, s->pq);
    csv_value(f, s->aji);
    csv_value(f, s->boundary_f);
    fprintf(f, ",%lld", (long long)r->c.tp_centre);
    csv_value(f, s->centre_precision);
    csv_value(f, s->centre_recall);
    csv_value(f, s->centre_f1);
    csv_value(f, s->centre_ap);
    fputs(r->missing ? ",no prediction\n" : ",\n", f);
}

lp_status lp_write_eval_csv(const char *path, const lp_eval_set *s, lp_err *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    lp_status st;
    int i, bad;

    if (!f) return lp_fail_mem(err, path, 0);
    fputs("image,height,width,n_true,n_pred", f);
    for (i = 0; i < 3; i++) {
        static const char *const th[] = {"50", "75", "90"};

        fprintf(f, ",tp%s,precision%s,recall%s,f1_%s,ap%s", th[i], th[i], th[i], th[i], th[i]);
    }
    fputs(",ap_mean,matched_iou,panoptic_quality,aji,boundary_f,tp_centre,"
          "precision_centre,recall_centre,f1_centre,ap_centre,note\n",
          f);
    for (i = 0; i < s->n; i++) csv_row(f, &s->item[i]);
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 300.0 * s->n) : lp_write_eval_text(path, text, size, err);
    free(text);
    return st;
}

/* cJSON writes NaN as null. Counts that could not be allocated show as a missing text. */
static void json_list(cJSON *j, const char *name, const double *v)
{
    cJSON_AddItemToObject(j, name, cJSON_CreateDoubleArray(v, LP_EVAL_NTH));
}

static cJSON *json_scores(const lp_eval_scores *s)
{
    cJSON *j = cJSON_CreateObject();

    json_list(j, "precision", s->precision);
    json_list(j, "recall", s->recall);
    json_list(j, "f1", s->f1);
    json_list(j, "ap", s->ap);
    cJSON_AddNumberToObject(j, "ap50", s->ap[LP_EVAL_50]);
    cJSON_AddNumberToObject(j, "ap75", s->ap[LP_EVAL_75]);
    cJSON_AddNumberToObject(j, "ap90", s->ap[LP_EVAL_90]);
    cJSON_AddNumberToObject(j, "ap_mean", s->ap_mean);
    cJSON_AddNumberToObject(j, "matched_iou", s->mean_iou);
    cJSON_AddNumberToObject(j, "panoptic_quality", s->pq);
    cJSON_AddNumberToObject(j, "aji", s->aji);
    cJSON_AddNumberToObject(j, "boundary_precision", s->boundary_precision);
    cJSON_AddNumberToObject(j, "boundary_recall", s->boundary_recall);
    cJSON_AddNumberToObject(j, "boundary_f", s->boundary_f);
    cJSON_AddNumberToObject(j, "centre_precision", s->centre_precision);
    cJSON_AddNumberToObject(j, "centre_recall", s->centre_recall);
    cJSON_AddNumberToObject(j, "centre_f1", s->centre_f1);
    cJSON_AddNumberToObject(j, "centre_ap", s->centre_ap);
    return j;
}

static void json_counts(cJSON *j, const lp_eval_counts *c)
{
    double tp[LP_EVAL_NTH];
    int k;

    for (k = 0; k < LP_EVAL_NTH; k++) tp[k] = (double)c->tp[k];
    cJSON_AddNumberToObject(j, "n_true", (double)c->n_true);
    cJSON_AddNumberToObject(j, "n_pred", (double)c->n_pred);
    if (!c->points) json_list(j, "tp", tp);
    cJSON_AddNumberToObject(j, "tp_centre", (double)c->tp_centre);
}

static cJSON *json_image(const lp_eval_result *r)
{
    cJSON *j = cJSON_CreateObject(), *s;

    cJSON_AddStringToObject(j, "image", r->file->name);
    cJSON_AddStringToObject(j, "truth", r->file->truth);
    if (r->file->pred) cJSON_AddStringToObject(j, "pred", r->file->pred);
    if (r->failed.status) {
        cJSON_AddStringToObject(j, "error", r->failed.msg);
        return j;
    }
    cJSON_AddBoolToObject(j, "missing", r->missing);
    cJSON_AddNumberToObject(j, "height", r->Ly);
    cJSON_AddNumberToObject(j, "width", r->Lx);
    json_counts(j, &r->c);
    s = json_scores(&r->s);
    cJSON_AddItemToObject(j, "scores", s);
    return j;
}

/* points: predictions have no size. */
static cJSON *json_class(const lp_eval_class *c, int points)
{
    cJSON *j = cJSON_CreateObject();

    cJSON_AddNumberToObject(j, "diameter_min", c->min);
    cJSON_AddNumberToObject(j, "diameter_max", c->max); /* infinite: null */
    cJSON_AddNumberToObject(j, "n_true", (double)c->n_true);
    cJSON_AddNumberToObject(j, "n_found", (double)c->n_found);
    cJSON_AddNumberToObject(j, "n_pred", points ? NAN : (double)c->n_pred);
    cJSON_AddNumberToObject(j, "n_right", points ? NAN : (double)c->n_right);
    cJSON_AddNumberToObject(j, "recall", part(c->n_found, c->n_true));
    cJSON_AddNumberToObject(j, "precision", part(c->n_right, c->n_pred));
    return j;
}

static cJSON *json_point(const lp_eval_point *p, int points)
{
    static const char *const th[] = {"50", "75", "90"};
    cJSON *j = cJSON_CreateObject();
    double all = (double)(p->n_true + p->n_pred);
    char name[32];
    int k;

    cJSON_AddNumberToObject(j, "threshold", p->threshold);
    cJSON_AddNumberToObject(j, "n_pred", (double)p->n_pred);
    for (k = 0; k < (points ? 1 : 3); k++) {
        const char *before = points ? "centre_" : "", *after = points ? "" : th[k];

        snprintf(name, sizeof name, "%sprecision%s", before, after);
        cJSON_AddNumberToObject(j, name, part(p->tp[k], p->n_pred));
        snprintf(name, sizeof name, "%srecall%s", before, after);
        cJSON_AddNumberToObject(j, name, part(p->tp[k], p->n_true));
        snprintf(name, sizeof name, "%sap%s", before, after);
        cJSON_AddNumberToObject(j, name, (double)p->tp[k] / (all - (double)p->tp[k]));
    }
    return j;
}

lp_status lp_write_eval_json(const char *path, const lp_eval_set *s, const lp_eval_files *files,
                             const lp_eval_options *opt, lp_err *err)
{
    cJSON *j = cJSON_CreateObject(), *list;
    double th[LP_EVAL_NTH];
    char *text = NULL, *line = NULL;
    lp_status st;
    int i;

    for (i = 0; i < LP_EVAL_NTH; i++) th[i] = LP_EVAL_TH(i);
    cJSON_AddStringToObject(j, "format", "lipopose-eval");
    cJSON_AddNumberToObject(j, "version", 1);
    cJSON_AddStringToObject(j, "program", lp_version());
    cJSON_AddNumberToObject(j, "boundary_scale", opt->boundary_scale);
    cJSON_AddNumberToObject(j, "n_images", s->n - s->n_failed);
    cJSON_AddNumberToObject(j, "n_failed", s->n_failed);
    cJSON_AddNumberToObject(j, "n_missing", s->n_missing);
    cJSON_AddNumberToObject(j, "n_without_truth", files->n_extra);
    json_counts(j, &s->sum);
    json_list(j, "iou_thresholds", th);
    cJSON_AddItemToObject(j, "all_particles", json_scores(&s->pooled));
    cJSON_AddItemToObject(j, "mean_over_images", json_scores(&s->mean));
    list = cJSON_AddArrayToObject(j, "size_classes");
    for (i = 0; i < s->n_cls; i++)
        cJSON_AddItemToArray(list, json_class(&s->cls[i], s->sum.points));
    list = cJSON_AddArrayToObject(j, "thresholds");
    for (i = 0; i < s->n_curve; i++)
        cJSON_AddItemToArray(list, json_point(&s->curve[i], s->sum.points));
    if (s->sweep) cJSON_AddItemToObject(j, "sweep", lp_write_sweep_json(s->sweep));
    list = cJSON_AddArrayToObject(j, "images");
    for (i = 0; i < s->n; i++) cJSON_AddItemToArray(list, json_image(&s->item[i]));
    text = cJSON_Print(j);
    cJSON_Delete(j);
    if (text && (line = realloc(text, strlen(text) + 2))) strcat(text = line, "\n");
    st = line ? lp_write_eval_text(path, text, strlen(text), err)
              : lp_fail_mem(err, path, 1000.0 * s->n);
    free(text);
    return st;
}
