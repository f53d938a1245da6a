/* train_load - what a training run learns from, told to people as it is read. */
#ifndef LP_TRAIN_LOAD_H
#define LP_TRAIN_LOAD_H

#include "train_run.h"

/* o->given or dir, o->given_test or test_dir, and with o->probs *probs [train->n]
 * (train_probs.h), else NULL. nchan: the network's. On success all is the caller's. */
lp_status lp_train_load(const lp_train_options *o, int nchan, lp_train_set *train,
                        lp_train_set *test, double **probs, lp_err *err);

#endif
