/* eval_runs - saved runs of many diameters (NAME_lipopose.h5) as predictions, and their sweep over
 * all thresholds. */
#ifndef LP_EVAL_RUNS_H
#define LP_EVAL_RUNS_H

#include "eval_files.h"
#include "eval_sweep.h"

/* The true labels of an item and, where p is not NULL, its prediction's, empty where it has none:
 * label images, outlines, or a saved run, which is merged. LP_EARG where outlines have no size
 * (eval_labels.h), LP_EIO, LP_EFORMAT, LP_ENOMEM. May be called from several threads. */
lp_status lp_eval_read_pair(const lp_eval_item *f, const lp_merge_options *o, lp_labels *t,
                            lp_labels *p, lp_err *err);

typedef struct {
    lp_sweep all;
    lp_sweep_image *im;         /* [n] of the items, in their order; masks is NULL */
    const lp_sweep_image **ptr; /* [n] to them */
    int n;
    lp_err *failed; /* [n_failed] runs that cannot be read or do not fit their truth: left out */
    int n_failed;
    lp_merge_options merge; /* method and levels */
    /* What the runs were segmented with; NaN: unknown, or not the same for all. */
    double flow_threshold, cellprob_threshold;
    int is_cellpose; /* 1: the single diameters are plain Cellpose's masks */
    /* The threshold at which merging gives the items' predictions, as round a number as can be:
     * their numbers are the sweep's there. NaN where they come from elsewhere, or any is left out.
     */
    double masks_at;
} lp_eval_sweep;

/* All items [n] must have a run, but for those without prediction, where nothing was found; where
 * one has not, or no run can be used, *note says so, LP_OK is returned and of *out only failed is
 * set. Runs that cannot be read, or whose truth has another size, are left out. *out must be
 * zeroed. threads 0: all that the process may use.
 * LP_EARG for bad merge options, LP_ENOMEM. *out is the caller's. */
lp_status lp_eval_sweep_runs(const lp_eval_item *const *item, int n, const lp_merge_options *o,
                             int threads, lp_eval_sweep *out, lp_err *note, lp_err *err);
void lp_eval_sweep_free(lp_eval_sweep *s);

#endif
