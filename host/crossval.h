/* crossval - the experiment of the LipoPose paper: is what was learnt from some images true of
 * others?
 *
 * The labelled images are dealt into folds. For each fold one model is trained on the images of
 * the other folds, and judged on its own: plain Cellpose at the 5th, 50th and 95th percentile of
 * the diameters it was trained on (Cellpose's thresholds), and the merged run of many diameters at
 * every threshold. In OUT/:
 *
 *     plan.json                  images, folds, options: what the run is; written first
 *     fold_K/model.h5            with model_loss.csv, model_loss.png (train_run.h)
 *     fold_K/runs/NAME_lipopose.h5       saved runs of its images (view, merge and eval read them)
 *     fold_K/cellpose/NAME_lipopose.h5   the same at the three diameters
 *     fold_K/report.html, results.json   as `eval` writes them
 *     crossval.json, crossval.html       all folds; written last
 *
 * A model, a saved run and a report are there whole or not at all, so the same command goes on
 * where it was stopped. Other options for the same OUT are refused by comparing plan.json, but for
 * those of merging, which cost nothing, and those that change no number. */
#ifndef LP_CROSSVAL_H
#define LP_CROSSVAL_H

#include <cjson/cJSON.h>

#include "eval_runs.h"
#include "segment_run.h"
#include "train_run.h"

#define LP_CROSSVAL_MAX_FOLDS 100

typedef struct {
    /* dir, model, files, data, seed, quiet, threads and what the training is; out, given,
     * given_test, resume and overwrite are set for each fold. */
    lp_train_options train;
    /* diameters or auto_diameters, segment (thresholds of the merged runs), merge, session. */
    lp_run_options run;
    int folds;
    const char *out; /* folder */
    int overwrite, json;
} lp_crossval_options;

/* Everything; lines for people go to stderr, the table (or --json's object) to stdout. LP_EARG
 * before anything is computed for images, labels or options that would fail later; LP_ESIGNAL
 * where a signal came (*signal). */
lp_status lp_crossval_run(const lp_crossval_options *o, int *signal, lp_err *err);

/* ---- crossval_plan.c: which image is in which fold */

typedef struct {
    char *name; /* of its files: the image's path below dir, '/' as '_', no extension */
    char *image, *labels;
    char image_sha256[65], labels_sha256[65];
    int Ly, Lx, npages;
    double *diameter; /* [n_particles] of discs of equal area, px, ascending */
    int n_particles;
    int fold; /* 0 .. n_folds-1 */
} lp_crossval_image;

typedef struct {
    lp_crossval_image *image; /* [n] in natural order of their paths */
    int n, n_folds;
    int64_t n_particles;
    int n_few; /* images with fewer particles than min_train_masks: judged, not learnt from */
    int n_alone, n_orphans; /* train_files.h */
    char *alone, *orphan;
    double size[LP_CROSSVAL_MAX_FOLDS][LP_SWEEP_N_SIZES]; /* px, to 0.1: of the training images */
} lp_crossval_plan;

/* Images in descending order of particles, n_folds at a time, are dealt to the folds in an order
 * that follows from the seed: folds differ by one image at most, and each has crowded and sparse
 * ones. LP_EARG: fewer images than folds, or fewer than two to learn from; two images of one name.
 * LP_EFORMAT: sizes differ. *out is the caller's. */
lp_status lp_crossval_plan_new(const lp_train_options *t, int n_folds, lp_crossval_plan *out,
                               lp_err *err);
void lp_crossval_plan_free(lp_crossval_plan *p);

/* The part of deal that knows no files: fold [n] from particles [n]. LP_ENOMEM. */
lp_status lp_crossval_deal(const int *particles, int n, int n_folds, uint64_t seed, int *fold,
                           lp_err *err);

/* Images, folds and options; model_sha256 "" for none. The caller's; NULL where memory is short. */
cJSON *lp_crossval_plan_json(const lp_crossval_plan *p, const lp_crossval_options *o,
                             const char *model_name, const char *model_sha256);

/* ---- crossval_score.c: what the folds add up to */

typedef enum {
    LP_CV_PRECISION, /* NaN where nothing is predicted */
    LP_CV_RECALL,
    LP_CV_F1,
    LP_CV_AP50,
    LP_CV_AP75,
    LP_CV_AP90,
    LP_CV_AP_MEAN,  /* over IoU 0.5 .. 0.95 */
    LP_CV_IMAGE_AP, /* AP at IoU 0.5, mean over the images */
    LP_CV_N
} lp_cv_metric;
extern const char *const lp_cv_metric_name[LP_CV_N];

/* All but LP_CV_IMAGE_AP: all particles of the fold together. IoU 0.5 where nothing is said. */
double lp_cv_value(const lp_sweep_point *p, lp_cv_metric m);

typedef struct {
    double mean, sd; /* over folds; sd with n - 1. NaN where a fold has no value */
} lp_cv_stat;
lp_cv_stat lp_cv_over(const double *v, int n);
lp_cv_stat lp_cv_stat_of(const lp_sweep_point *fold, int n_folds, lp_cv_metric m);

typedef struct {
    char name[100], key[24];
    int is_threshold;     /* at of the points is a threshold, else a diameter */
    lp_sweep_point *fold; /* [n_folds] in lp_crossval_scores.point */
} lp_cv_row;

enum { LP_CV_SMALL, LP_CV_MEDIAN, LP_CV_LARGE, LP_CV_MERGED, LP_CV_CHOSEN, LP_CV_N_ROWS };

typedef struct {
    int n_folds;
    lp_merge_method method;
    double threshold; /* of LP_CV_MERGED */
    /* Cellpose at three diameters; merged at the threshold asked for; merged at the threshold of
     * the best F1 over the images of the other folds. */
    lp_cv_row row[LP_CV_N_ROWS];
    double *at; /* [n_at] thresholds, ascending */
    int n_at;
    lp_sweep_point *curve; /* [n_at][n_folds] */
    lp_sweep_point *point; /* [LP_CV_N_ROWS][n_folds] */
    lp_cv_stat gain[2];    /* LP_CV_MERGED less LP_CV_MEDIAN, fold by fold: precision, recall */
} lp_crossval_scores;

/* merged, cellpose [p->n_folds]. LP_EFORMAT where a fold's cellpose has not the plan's diameters.
 * *out is the caller's. */
lp_status lp_crossval_score(const lp_crossval_plan *p, const lp_eval_sweep *merged,
                            const lp_eval_sweep *cellpose, lp_crossval_scores *out, lp_err *err);
void lp_crossval_scores_free(lp_crossval_scores *s);

/* ---- crossval_write.c, crossval_page.c */

typedef struct {
    const lp_crossval_plan *plan;
    const lp_crossval_scores *scores;
    const char *dir, *model; /* paths; model NULL: from scratch */
} lp_crossval_report;

void lp_crossval_table(FILE *to, const lp_crossval_report *r);
/* Adds "results" to the plan's object. 0 where memory is short. */
int lp_crossval_add_results(cJSON *plan, const lp_crossval_report *r);
/* One page without script and without anything from elsewhere; links to the folds' reports. */
lp_status lp_crossval_page(const char *path, const lp_crossval_report *r, lp_err *err);

#endif
