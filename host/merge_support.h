/* merge_support - how far a group of masks is to be trusted (method scale of merge.h).
 *
 * Four things tell particles from false ones; all are known without labels:
 *     S  how many diameters agree, each weighted by how well it fits (merge.h),
 *     e  the flow error of the masks, mean by weight; 0.2 where unknown,
 *     c  company: the share of what was found in this micrograph that has about this size. An
 *        outline of 20 px among particles of 180 px is seldom one of them. With a_k pixels and
 *        diameter d_k of the best mask of group k, e_k its flow error, u_k = a_k exp(-4 e_k),
 *            c_j = sum_k u_k exp(-ln(d_j / d_k)^2 / (2 * 0.5^2)) / sum_k u_k,
 *     b  1 where the outline touches the image's border, else 0: cut off there, it is smaller than
 *        its kind and so has too little company.
 *
 * A logistic model of them estimates the probability that the outline is a particle's (IoU of at
 * least 0.5 with its label):
 *     z = 4.2 + 0.2 ln S - 8 e + 1.8 ln(c + 0.001) + 1.5 b,  p = 1 / (1 + exp(-z)),  support = 20
 * p.
 *
 * bench/merge_fit.py fits the numbers and cross-validates them by image (bench/results). 20 and
 * not 1, so that thresholds mean what they mean in LipoPose (2023): above 20 nothing is left, low
 * ones favour recall, high ones precision. */
#ifndef LP_MERGE_SUPPORT_H
#define LP_MERGE_SUPPORT_H

#include <stdint.h>

#include "status.h"

#define LP_SUPPORT_MAX 20.0

typedef struct {
    double agreement;  /* S, above 0 */
    double flow_error; /* e, NaN unknown */
    double diameter;   /* px */
    double area;       /* px^2 */
    int on_border;     /* b */
} lp_merge_evidence;

/* support [n] of groups e [n], 0 to 20, and company [n], c. ln d is rounded to a multiple of 0.02
 * for c. The same bits for any order of the groups. LP_ENOMEM. */
lp_status lp_merge_support(double *support, double *company, const lp_merge_evidence *e, int64_t n,
                           lp_err *err);

#endif
