/* unet_plan - what the network prepares for a tile size: compiled convolutions, packed weights
 * and the places of the activations in a workspace. Only the CPU back end's own files
 * include it. */
#ifndef LP_UNET_PLAN_H
#define LP_UNET_PLAN_H

#include <pthread.h>

#include "unet_cpu.h"
#include "unet_layers.h"

#define LP_MAX_LEVELS (LP_MAX_NBASE - 1)
#define LP_MAX_PLANS 12

/* [0] for one thread, [1] for all. */
typedef struct {
    int ly, lx;
    unsigned long used;
    lp_conv *down[2][LP_MAX_LEVELS][NCONV], *up[2][LP_MAX_LEVELS][NCONV];
    const lp_packed *down_w[2][LP_MAX_LEVELS][NCONV], *up_w[2][LP_MAX_LEVELS][NCONV];
    int made[2];  /* 1: its convolutions are there */
    int users;    /* calls that run it now */
    size_t bytes; /* of a workspace */
    size_t skip[LP_MAX_LEVELS], z[2], a, b, p, q, first, scratch; /* offsets */
} lp_plan;

struct lp_unet {
    int levels, nin, nout, S, bf16, blocked, threads;
    int C[LP_MAX_LEVELS];
    lp_block down[LP_MAX_LEVELS], up[LP_MAX_LEVELS];
    lp_bn out_bn;
    float *out_w, *out_b;
    pthread_mutex_t lock; /* of what follows, and of the layers' packed weights */
    lp_plan *plans[LP_MAX_PLANS];
    unsigned long clock;
};

/* The plan of that tile size, made if need be; the least recently used idle one makes room.
 * Where all are in use, one is made that nobody keeps. which: 1 convolutions for one thread, 2
 * for all, 3 both. *bytes: of a workspace. Give it back with lp_plan_release. */
lp_status lp_plan_acquire(lp_unet *net, int ly, int lx, int which, lp_plan **out, size_t *bytes,
                          lp_err *err);
void lp_plan_release(lp_unet *net, lp_plan *p);
void lp_plan_free(lp_plan *p); /* NULL is fine */

/* 1 where all threads may work on one tile. Winograd's algorithm, and so its rounding, depends
 * on the number of threads that oneDNN plans for. */
int lp_plan_may_share_tile(const lp_unet *net);

#endif
