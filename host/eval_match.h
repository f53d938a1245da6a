/* eval_match - which predicted particle belongs to which true one: exact one-to-one assignment.
 *
 * Works on the pairs that overlap only, never on the full matrix: a search spreads through the
 * particles that compete with each other and no further. */
#ifndef LP_EVAL_MATCH_H
#define LP_EVAL_MATCH_H

#include <stdint.h>

#include "status.h"

typedef struct {
    int32_t t, p; /* position of the true and of the predicted particle */
    double w;     /* > 0 */
} lp_eval_edge;

/* The matching of largest total weight. edge [n], in ascending order of t; t < nt, p < np.
 * pred_of [nt] receives the p of each t, or -1. Among equals the choice depends on the input only.
 * Successive shortest paths, as in scipy's linear_sum_assignment (D. F. Crouse, IEEE Trans.
 * Aerosp. Electron. Syst. 52, 2016), on sparse rows, each with a private column of weight 0 that
 * stands for "unmatched". LP_ENOMEM. */
lp_status lp_eval_assign(const lp_eval_edge *edge, int64_t n, int32_t nt, int32_t np,
                         int32_t *pred_of, lp_err *err);

#endif
