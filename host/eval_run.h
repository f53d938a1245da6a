/* eval_run - all pairs of images of an evaluation and what they add up to. */
#ifndef LP_EVAL_RUN_H
#define LP_EVAL_RUN_H

#include "eval_files.h"
#include "eval_runs.h"
#include "eval_support.h"

typedef struct {
    double boundary_scale;
    int n_edges;
    const double *edges; /* [n_edges] px, ascending: classes below the first ... above the last */
    int flip_y;          /* 1: y of coordinates counts from the last row */
    int missing_zero;    /* 1: an image without prediction counts as one without particles */
    int threads;         /* images at a time; 0: all that the process may use */
    lp_merge_options merge; /* of predictions that are saved runs */
} lp_eval_options;

typedef struct {
    const lp_eval_item *file; /* of the lp_eval_files given to lp_eval_run */
    int missing;              /* 1: no prediction, counted as empty */
    lp_err failed;            /* status other than LP_OK: the rest is not set */
    int Ly, Lx;
    lp_eval_overlap o;
    int32_t *pred_of; /* [o.nt] match at IoU 0.5, or -1 */
    uint8_t *found;   /* [o.nt] of coordinates only: 1 where a point lies in the particle */
    double *support;  /* [o.np], or NULL without a table; of points: [c.n_pred] their scores, or
                         NULL where not all have one */
    double *best;     /* [o.nt] of points with scores: the best in the particle, NaN without one */
    double (*yx)[2];  /* [c.n_pred] of points: where they are, px */
    uint8_t *right;   /* [c.n_pred] of points: 1 for the first in a true particle */
    lp_eval_counts c;
    lp_eval_scores s;
} lp_eval_result;

typedef struct {
    lp_eval_result *item; /* [n] in the files' order */
    int n, n_failed, n_missing;
    lp_eval_counts sum;
    lp_eval_scores pooled, mean; /* all particles together; mean over images */
    lp_eval_class cls[LP_EVAL_MAX_CLASSES];
    int n_cls;
    lp_eval_point *curve; /* [n_curve]; 0 where a table is missing or support does not vary */
    int n_curve;
    const lp_eval_sweep *sweep; /* the caller may set it for the writers; NULL: none */
} lp_eval_set;

/* picks: NULL, or the predictions where they are coordinates: then only the centre scores and the
 * recall of the size classes exist. A pair that cannot be read or compared is marked in its item
 * and left out of the sums. Missing predictions without missing_zero are LP_EARG. A table that does
 * not fit its masks only costs the curve: *note (not NULL) then says why, else its status is LP_OK.
 * files must outlive *out, which the caller frees. */
lp_status lp_eval_run(const lp_eval_files *files, const lp_picks *picks, const lp_eval_options *opt,
                      lp_eval_set *out, lp_err *note, lp_err *err);
void lp_eval_set_free(lp_eval_set *s);

/* Positions of the items without failure, the lowest AP at IoU 0.5 first, at most max of them;
 * images without any particle are not listed. rank [max]; returns how many. */
int lp_eval_worst(const lp_eval_set *s, int *rank, int max);

#endif
