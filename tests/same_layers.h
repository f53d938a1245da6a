/* same_layers.h - what was found at each diameter is the same, bit by bit. */
#ifndef LP_TEST_SAME_LAYERS_H
#define LP_TEST_SAME_LAYERS_H

#include "lp_test.h"

#include "host/layers.h"

static inline void same_layers(const lp_layers *a, const lp_layers *b)
{
    int i;

    assert_int_equal(a->n, b->n);
    for (i = 0; i < a->n; i++) {
        const lp_layer *p = &a->layer[i], *q = &b->layer[i];
        size_t n = p->masks.n;

        assert_true(p->diameter == q->diameter && n == q->masks.n);
        assert_memory_equal(p->masks.first, q->masks.first, (n + 1) * sizeof *p->masks.first);
        assert_memory_equal(p->masks.run, q->masks.run, p->masks.first[n] * sizeof *p->masks.run);
        assert_memory_equal(p->flow_error, q->flow_error, n * sizeof(float));
        assert_memory_equal(p->cellprob, q->cellprob, n * sizeof(float));
    }
}

#endif
