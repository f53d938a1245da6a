/* train_net_parts - a lp_tnet from within: train_net.c runs it, train_net_lay.c gives everything
 * its place. */
#ifndef LP_TRAIN_NET_PARTS_H
#define LP_TRAIN_NET_PARTS_H

#include "train_block.h"
#include "train_net.h"

#define LP_TNET_LEVELS (LP_MAX_NBASE - 1)

/* Gradients that live only inside a block share buffers (lp_tstep); xd[n].g is also the gradient
 * of the sum that level n of the decoder begins with, which is written first. */
struct lp_tnet {
    lp_tstep t;
    lp_weights *w;
    int bf16, batch, ly, lx, levels, threads;
    lp_tmap in, pooled[LP_TNET_LEVELS], up[LP_TNET_LEVELS], y;
    void *d_x; /* gradient of pooled or up, one at a time */
    lp_tblock down[LP_TNET_LEVELS], dec[LP_TNET_LEVELS];
    lp_tunit output;
    lp_tstats of_out;
    lp_tstyle style;
    int plan_n[LP_TNET_PLANS], next_plan;
    size_t scratch; /* bytes of t.conv_scratch */
    float *arena;
    size_t used; /* floats */
};

/* Everything that it needs, in the same order each time; while there is no arena it only counts
 * (t->used). */
void lp_tnet_lay_out(lp_tnet *t);
/* The convolution of a unit for n images. */
lp_tconv_spec lp_tnet_spec(const lp_tnet *t, const lp_tunit *u, int n);

#endif
