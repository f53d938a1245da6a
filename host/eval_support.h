/* eval_support - the confidence of each predicted particle, from NAME_particles.csv, and the
 * scores of a prediction at every threshold on it. */
#ifndef LP_EVAL_SUPPORT_H
#define LP_EVAL_SUPPORT_H

#include "eval.h"

/* text [n]: a table with the columns id and support (write_csv.h), in any place. ids [n_ids]
 * ascending, support [n_ids] receives their values; rows of other ids are passed over. LP_EFORMAT
 * (the message has no file name): a column or a label's row is missing, or a value is no number. */
lp_status lp_eval_support_parse(const char *text, size_t n, const uint32_t *ids, int32_t n_ids,
                                double *support, lp_err *err);
/* The same for a file; LP_EIO where it cannot be read. */
lp_status lp_eval_support_read(const char *path, const uint32_t *ids, int32_t n_ids,
                               double *support, lp_err *err);

typedef struct {
    double threshold; /* predictions with support >= threshold count */
    int64_t n_true, n_pred;
    int64_t tp[3]; /* at IoU 0.5, 0.75, 0.9; of points: [0] by centre */
} lp_eval_point;

#define LP_EVAL_MAX_POINTS 200

/* o [n], support [n][o->np]. One point per distinct value, ascending; of more than
 * LP_EVAL_MAX_POINTS evenly chosen ones, with the first and the last. One value only: *n_points
 * is 1. Without any prediction it is 0. *out is the caller's, to free(). */
lp_status lp_eval_curve(const lp_eval_overlap *const *o, const double *const *support, int n,
                        lp_eval_point **out, int *n_points, lp_err *err);

/* The same for points: score [n] of all predictions, best [nt] of the points in each true particle
 * (NaN without one). Only tp[0] of a point is set: particles with a centre inside. */
lp_status lp_eval_curve_points(const double *score, int64_t n, const double *best, int64_t nt,
                               lp_eval_point **out, int *n_points, lp_err *err);

#endif
