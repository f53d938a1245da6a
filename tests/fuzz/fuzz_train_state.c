/* The state of a stopped run: any bytes are taken whole, or nothing changes. */
#include <stdlib.h>
#include <string.h>

#include "host/train_init.h"
#include "host/train_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int nbase[] = {1, 1, 1};
    uint8_t *copy = malloc(size ? size : 1); /* ends where the memory ends */
    double loss[2][2] = {{1, 2}, {3, 4}};
    lp_train_progress p = {.n_epochs = 2, .train_loss = loss[0], .test_loss = loss[1]};
    const lp_optim_options oo = {1, 0, 0.9};
    lp_weights *w = NULL;
    lp_optim o = {0};
    lp_err err;

    if (!copy || lp_train_init(nbase, 3, 30, 0, &w, &err) || lp_optim_new(w, &oo, &o, &err)) {
        free(copy);
        lp_weights_free(&w);
        return 0;
    }
    if (size) memcpy(copy, data, size);
    memset(p.fingerprint, 'a', 64);
    if (!lp_train_state_parse("x", copy, size, &p, w, &o, &err)) {
        if (p.epoch < 0 || p.epoch > p.n_epochs || p.images < 0 || o.steps < 0) abort();
    } else if (p.epoch || p.images || o.steps || loss[0][0] != 1 || o.state[0] != 0) {
        abort();
    }
    free(copy);
    lp_optim_free(&o);
    lp_weights_free(&w);
    return 0;
}
