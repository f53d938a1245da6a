/* write_eval - an evaluation as a table to read, as JSON and as CSV.
 *
 * Scores that do not exist (an image without any particle) are "-" in the table, null in JSON and
 * empty in CSV. */
#ifndef LP_WRITE_EVAL_H
#define LP_WRITE_EVAL_H

#include <stdio.h>

#include "eval_run.h"

/* text [n] to path; "-": stdout. */
lp_status lp_write_eval_text(const char *path, const char *text, size_t n, lp_err *err);

void lp_write_eval_table(FILE *to, const lp_eval_set *s);
/* One row per image, failed ones with their error in the last column. path "-": stdout. */
lp_status lp_write_eval_csv(const char *path, const lp_eval_set *s, lp_err *err);
/* One object, indented. path "-": stdout. */
lp_status lp_write_eval_json(const char *path, const lp_eval_set *s, const lp_eval_files *files,
                             const lp_eval_options *opt, lp_err *err);

#endif
