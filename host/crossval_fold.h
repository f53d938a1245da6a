/* crossval_fold - one fold of a cross-validation (crossval.h): train, segment, judge; and the files
 * of a folder OUT. */
#ifndef LP_CROSSVAL_FOLD_H
#define LP_CROSSVAL_FOLD_H

#include "crossval.h"

/* Does what is not done yet. merged, cellpose: zeroed; the caller's, also after an error. */
lp_status lp_crossval_fold(const lp_crossval_options *o, const lp_crossval_plan *p, int fold,
                           lp_eval_sweep *merged, lp_eval_sweep *cellpose, int *signal,
                           lp_err *err);

/* Cellpose's thresholds instead of those for many diameters. */
void lp_crossval_plain(lp_segment_options *s);

/* LP_EARG where out has folds, but no plan that says what they are. */
lp_status lp_crossval_check_empty(const char *out, lp_err *err);
/* Removes what a cross-validation wrote into out, and nothing else; the plan last, so that what is
 * left after a crash still has one. LP_EIO. */
lp_status lp_crossval_clear(const char *out, lp_err *err);

#endif
