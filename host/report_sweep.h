/* report_sweep - the thresholds of saved runs in the report: plots, words and a table. */
#ifndef LP_REPORT_SWEEP_H
#define LP_REPORT_SWEEP_H

#include <stdio.h>

#include "eval_run.h"

/* Precision, recall and F1 against the threshold, with the single diameters as horizontal lines,
 * and precision against recall. For within the page's plots. */
void lp_report_sweep_plots(FILE *f, const lp_eval_sweep *s);
/* A section: what to take in words, and the table of lp_sweep_rows. */
void lp_report_sweep_table(FILE *f, const lp_eval_set *set);

/* The curve over the scores of coordinates: set->curve, at least two points. */
void lp_report_score_plots(FILE *f, const lp_eval_set *set);

#endif
