/* eval_boundary - how much of the outlines of two label images lies close together.
 *
 * Follows boundary_scores of Cellpose's metrics.py: both sets of outlines are widened by a disc
 * and compared pixel by pixel, so a prediction of the right shape that is off by the radius still
 * scores about one half. Two differences: borders of holes count, and a score that Cellpose
 * leaves NaN because there is no outline is 0. */
#ifndef LP_EVAL_BOUNDARY_H
#define LP_EVAL_BOUNDARY_H

#include "image.h"

/* Outline pixels: those of a label with a 4-neighbour that is not of it, or outside the image.
 * The disc has all pixels within radius (px, >= 0). count receives the pixels of both widened
 * outlines (true positives), of the prediction's alone and of the truth's alone. The images have
 * the same size. LP_ENOMEM. */
lp_status lp_eval_boundary(const lp_labels *truth, const lp_labels *pred, double radius,
                           int64_t count[3], lp_err *err);

#endif
