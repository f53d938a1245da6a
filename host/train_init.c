#include "train_init.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../weights/arch.h"
#include "rng.h"

#define STREAM 0x696e6974u /* of the random numbers: "init" */

static lp_status allocate(lp_weights *w, lp_err *err)
{
    int i;

    for (i = 0; i < w->n_tensors; i++)
        if (!(w->tensors[i].data = calloc(w->tensors[i].n, sizeof(float))))
            return lp_fail_mem(err, "weights", (double)w->tensors[i].n * sizeof(float));
    return LP_OK;
}

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

static void fill(lp_tensor *t, int inputs, uint64_t seed, int i)
{
    double bound = 1 / sqrt((double)inputs);
    lp_rng r;
    size_t k;

    lp_rng_init(&r, seed, STREAM, (uint32_t)i);
    for (k = 0; k < t->n; k++) t->data[k] = (float)lp_rng_range(&r, -bound, bound);
}

lp_status lp_train_init(const int *nbase, int n_nbase, double diam_mean, uint64_t seed,
                        lp_weights **out, lp_err *err)
{
    lp_weights *w = calloc(1, sizeof *w);
    int i, inputs = 1;
    lp_status st;

    if (!w) return lp_fail_mem(err, "weights", sizeof *w);
    memcpy(w->nbase, nbase, (size_t)n_nbase * sizeof *nbase);
    w->n_nbase = n_nbase;
    w->nout = 3;
    w->sz = 3;
    w->diam_mean = w->diam_labels = diam_mean;
    w->source = calloc(1, 1);
    w->source_sha256 = calloc(1, 1);
    w->licence = calloc(1, 1);
    if (!w->source || !w->source_sha256 || !w->licence) {
        st = lp_fail_mem(err, "weights", 3);
        goto done;
    }
    if ((st = lp_arch_list(w, "new network", err)) || (st = allocate(w, err))) goto done;
    for (i = 0; i < w->n_tensors; i++) {
        lp_tensor *t = &w->tensors[i];

        if (!strncmp(t->name, "diam_", 5)) {
            t->data[0] = (float)diam_mean;
        } else if (t->ndim >= 2) {
            inputs = t->shape[1] * (t->ndim == 4 ? t->shape[2] * t->shape[3] : 1);
            fill(t, inputs, seed, i);
        } else if (ends_with(t->name, ".0.weight") || ends_with(t->name, ".running_var")) {
            size_t k;

            for (k = 0; k < t->n; k++) t->data[k] = 1;
        } else if (ends_with(t->name, ".bias") && !ends_with(t->name, ".0.bias")) {
            fill(t, inputs, seed, i); /* its weight is the tensor before */
        }
    }
    if ((st = lp_weights_check(w, "new network", err))) goto done;
    *out = w;
    w = NULL;
done:
    lp_weights_free(&w);
    return st;
}

lp_status lp_train_copy(const lp_weights *from, lp_weights **out, lp_err *err)
{
    lp_weights *w = calloc(1, sizeof *w);
    lp_status st;
    int i;

    if (!w) return lp_fail_mem(err, "weights", sizeof *w);
    memcpy(w->nbase, from->nbase, sizeof w->nbase);
    memcpy(w->diam_range, from->diam_range, sizeof w->diam_range);
    w->n_nbase = from->n_nbase;
    w->nout = from->nout;
    w->sz = from->sz;
    w->diam_mean = from->diam_mean;
    w->diam_labels = from->diam_labels;
    w->source = strdup(from->source);
    w->source_sha256 = strdup(from->source_sha256);
    w->licence = strdup(from->licence);
    if (!w->source || !w->source_sha256 || !w->licence) {
        st = lp_fail_mem(err, "weights", 3);
        goto done;
    }
    if ((st = lp_arch_list(w, "copy of a network", err)) || (st = allocate(w, err))) goto done;
    for (i = 0; i < w->n_tensors; i++)
        memcpy(w->tensors[i].data, from->tensors[i].data, w->tensors[i].n * sizeof(float));
    *out = w;
    w = NULL;
done:
    lp_weights_free(&w);
    return st;
}
