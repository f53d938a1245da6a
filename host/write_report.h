/* write_report - an evaluation as one self-contained HTML page.
 *
 * Plots are inline SVG, pictures inline PNG; no script, no external resource. */
#ifndef LP_WRITE_REPORT_H
#define LP_WRITE_REPORT_H

#include "eval_run.h"

/* truth, pred: named in the head of the page. worst: how many of the worst images to picture.
 * LP_EIO, LP_ENOMEM; a picture that cannot be made is replaced by the reason. */
lp_status lp_write_report(const char *path, const lp_eval_set *s, const lp_eval_options *opt,
                          const char *truth, const char *pred, int worst, lp_err *err);

#endif
