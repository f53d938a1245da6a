/* train_optim - AdamW and SGD as PyTorch's, and Cellpose's learning rates (train.py, train_seg).
 *
 * The state is one flat array, so that it can be kept in a file: momentum of all learnt tensors in
 * the order of w->tensors, and for AdamW the second moments behind it. */
#ifndef LP_TRAIN_OPTIM_H
#define LP_TRAIN_OPTIM_H

#include <stdint.h>

#include "../kernels/train_step.h"
#include "../weights/weights.h"
#include "status.h"

typedef struct {
    int sgd;             /* 1: SGD, 0: AdamW with betas 0.9, 0.999, eps 1e-8 */
    double weight_decay; /* SGD adds it to the gradient, AdamW takes it from the weight */
    double momentum;     /* SGD's: 0.9 in Cellpose */
} lp_optim_options;

typedef struct {
    lp_optim_options o;
    float *state;   /* [n_state], owned */
    size_t n_state; /* learnt parameters, times 2 for AdamW */
    int64_t steps;  /* taken so far */
} lp_optim;

/* For the tensors of w, nothing learnt yet. *out is the caller's (lp_optim_free). */
lp_status lp_optim_new(const lp_weights *w, const lp_optim_options *o, lp_optim *out, lp_err *err);
void lp_optim_free(lp_optim *o);

/* Counts a step of rate lr, and what its arithmetic needs. */
lp_tstep_rates lp_optim_rates(lp_optim *o, double lr);
/* One step along grad [w->n_tensors] (NULL: not learnt) with learning rate lr, in place. */
void lp_optim_step(lp_optim *o, lp_weights *w, float *const *grad, double lr);

/* The rate of an epoch (from 0): rises from 0 over 10 epochs, and in the last 100 of more than 300,
 * or the last 50 of more than 100, is halved ten times. */
double lp_train_rate(double learning_rate, int n_epochs, int epoch);

#endif
