/* random_net.h - a network and images of chance. */
#ifndef LP_TEST_RANDOM_NET_H
#define LP_TEST_RANDOM_NET_H

#include "weights_make.h"

/* A random network whose activations stay near 1. */
static inline lp_weights *random_net(const int *nbase, int n)
{
    lp_weights *w = mk_weights(nbase, n, 3);
    int i;
    size_t k;

    for (i = 0; i < w->n_tensors; i++) {
        lp_tensor *t = &w->tensors[i];
        float f = t->ndim == 4 ? 1 / sqrtf((float)(t->shape[1] * t->shape[2] * t->shape[3])) : 1;

        for (k = 0; k < t->n; k++) {
            t->data[k] *= f;
            if (strstr(t->name, "running_var")) t->data[k] += 0.5f;
        }
    }
    return w;
}

static inline float *noise(size_t n, unsigned seed)
{
    float *x = malloc(n * sizeof *x);
    size_t i;

    assert_non_null(x);
    for (i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / (1 << 23) - 1;
    }
    return x;
}

#endif
