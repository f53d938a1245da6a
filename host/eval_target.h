/* eval_target - which threshold suits a purpose, and how far to trust the choice.
 *
 * All particles of all images together, matched at IoU 0.5. */
#ifndef LP_EVAL_TARGET_H
#define LP_EVAL_TARGET_H

#include "eval_sweep.h"

typedef enum {
    LP_TARGET_F1,        /* the highest F1 */
    LP_TARGET_F2,        /* the highest F2 = 5 TP / (4 true + predicted): favours recall */
    LP_TARGET_PRECISION, /* the lowest threshold with that precision; see lp_target_pick */
    LP_TARGET_RECALL     /* the highest threshold with that recall */
} lp_target_kind;

typedef struct {
    lp_target_kind kind;
    double value; /* of precision and recall, above 0, at most 1 */
} lp_target;

/* "f1", "f2", "precision=P" or "recall=R". LP_EARG with a message that names --target. */
lp_status lp_target_parse(const char *text, lp_target *out, lp_err *err);
/* The other way round; buf [32]. */
const char *lp_target_text(char *buf, lp_target target);

typedef struct {
    double threshold;
    int64_t n_true, n_pred, tp;
} lp_target_point;

double
lp_target_precision(const lp_target_point *p); /* 0 without a prediction, as in lp_eval_score */
double lp_target_recall(const lp_target_point *p);
double lp_target_f1(const lp_target_point *p);

/* Position among p [n], ascending thresholds, n > 0. *reached (may be NULL): 0 where no threshold
 * has the precision or recall; then the one that comes nearest. Where neighbours find just the
 * same particles as the one described here, it is the middle one of them: a choice with a margin.
 *
 * F1, F2: the best; of equal ones the lowest threshold.
 *
 * Precision: the lowest threshold from which on all have it, but for the end of the curve, where
 * one false particle is a large share: the end begins where fewer are right than 10, or than half
 * (of less than 20) or a twentieth (of more than 200) of those that are at the lowest threshold.
 * Nearest: the highest precision before the end, of equal ones the lowest threshold.
 *
 * Recall: the highest threshold with it. Nearest: the lowest threshold. */
int lp_target_pick(const lp_target_point *p, int n, lp_target target, int *reached);

/* The same of s->point. */
int lp_target_pick_sweep(const lp_sweep *s, lp_target target, int *reached);
lp_target_point lp_target_point_of(const lp_eval_counts *c, double threshold);

/* What to expect of images that took no part: the threshold is chosen without each image in turn
 * and applied to it; *out adds these up (threshold NaN). *lowest, *highest: of the thresholds so
 * chosen. im [n] as for lp_sweep_new, n > 1. LP_ENOMEM. */
lp_status lp_target_leave_one_out(const lp_sweep_image *const *im, int n, const lp_sweep *s,
                                  lp_target target, lp_target_point *out, double *lowest,
                                  double *highest, lp_err *err);

#endif
