/* train_init - a network that has learnt nothing, as PyTorch makes it. */
#ifndef LP_TRAIN_INIT_H
#define LP_TRAIN_INIT_H

#include "../weights/weights.h"
#include "status.h"

/* nbase [n_nbase], e.g. 2,32,64,128,256: convolutions and linear layers uniform in
 * +-1 / sqrt(inputs), weights and biases (torch.nn's reset_parameters); norms 1 and 0. The same
 * seed gives the same weights on any machine. *out is the caller's. */
lp_status lp_train_init(const int *nbase, int n_nbase, double diam_mean, uint64_t seed,
                        lp_weights **out, lp_err *err);

/* A copy of the tensors and of what describes them, without size model and self-test, which belong
 * to the weights as they were. *out is the caller's. */
lp_status lp_train_copy(const lp_weights *w, lp_weights **out, lp_err *err);

#endif
