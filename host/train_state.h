/* train_state - a run that was stopped, in a file of its own beside the model: all that is needed
 * to go on as if nothing had happened.
 *
 *     "LPTRAIN1" | fingerprint [64] | epoch, images, n_epochs, 0: int32 | steps, n_weights,
 *     n_state: int64 | loss_sum: double | train_loss, test_loss [n_epochs]: double |
 *     all tensors of the model, optimizer's state: float | SHA-256 of all before, in hex [64]
 *
 * little-endian. Which tensors there are is not in the file: it belongs to the run whose
 * fingerprint it has. */
#ifndef LP_TRAIN_STATE_H
#define LP_TRAIN_STATE_H

#include "train_optim.h"

typedef struct {
    char fingerprint[65]; /* SHA-256, hex, of all that defines the run */
    int epoch, images;    /* epochs done, and images of the one begun */
    int n_epochs;
    double loss_sum;                /* of those images */
    double *train_loss, *test_loss; /* [n_epochs]; NaN: not known */
} lp_train_progress;

/* Whole or not at all. */
lp_status lp_train_state_write(const char *path, const lp_train_progress *p, const lp_weights *w,
                               const lp_optim *o, lp_err *err);

/* Fills p's numbers and arrays, w's tensors and o; p->fingerprint and n_epochs must be set and p's
 * arrays there. LP_EARG where the file is of another run, LP_EFORMAT where it is damaged; nothing
 * is changed then. */
lp_status lp_train_state_read(const char *path, lp_train_progress *p, lp_weights *w, lp_optim *o,
                              lp_err *err);
/* The same of bytes [n]; where starts the message. */
lp_status lp_train_state_parse(const char *where, const uint8_t *data, size_t n,
                               lp_train_progress *p, lp_weights *w, lp_optim *o, lp_err *err);

#endif
