/* train_curve - the losses of a run: NAME_loss.csv and NAME_loss.png. */
#ifndef LP_TRAIN_CURVE_H
#define LP_TRAIN_CURVE_H

#include "train_state.h"

/* One row per epoch done: epoch (from 1), rate, train_loss, test_loss; what is not known is empty.
 */
lp_status lp_train_curve_csv(const char *path, const lp_train_progress *p, double learning_rate,
                             lp_err *err);

/* Loss against epoch, from 0 to the largest: blue in training, orange on the test images. */
lp_status lp_train_curve_png(const char *path, const lp_train_progress *p, lp_err *err);

#endif
