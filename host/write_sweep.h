/* write_sweep - a sweep over thresholds as a table to read, as JSON and as CSV.
 *
 * Precision does not exist where nothing is predicted: "-", null or an empty field. */
#ifndef LP_WRITE_SWEEP_H
#define LP_WRITE_SWEEP_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "eval_run.h"

/* What is worth a row: recommended thresholds, then the references. */
typedef struct {
    char name[80];
    const char *key;            /* the same as one word */
    double threshold, diameter; /* NaN: none, or differs by image */
    int is_threshold;
    int reached; /* 0: a target that no threshold has; the nearest */
    const lp_sweep_point *p;
} lp_sweep_row;

#define LP_SWEEP_MAX_ROWS 8
int lp_sweep_rows(const lp_eval_sweep *s, lp_sweep_row row[LP_SWEEP_MAX_ROWS]);

/* What the single diameters are: "plain Cellpose", or the settings that make them something else.
 * buf [160]. */
const char *lp_sweep_single_name(const lp_eval_sweep *s, char *buf);

/* A sentence where many true particles are smaller or larger than all diameters, else "". buf
 * [200]. */
const char *lp_sweep_range_note(const lp_eval_sweep *s, char *buf);

/* What * in the names of rows means, where one has it, else "". buf [120]. */
const char *lp_sweep_nearest_note(const lp_eval_sweep *s, char *buf);

/* A sentence where runs are left out, else "". buf [120]. */
const char *lp_sweep_left_out_note(const lp_eval_sweep *s, char *buf);

void lp_write_sweep_table(FILE *to, const lp_eval_set *s);
/* The caller's. NULL where memory is short. */
cJSON *lp_write_sweep_json(const lp_eval_sweep *s);
/* One row per threshold, per single diameter and per reference. path "-": stdout. */
lp_status lp_write_sweep_csv(const char *path, const lp_eval_sweep *s, lp_err *err);

#endif
