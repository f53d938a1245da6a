/* mask_pool - makes the masks of several diameters while the network runs the next ones.
 *
 * Network output goes in (lp_mask_pool_give is a receiver for net_queue.h), layers come out, in
 * the order of the jobs whoever was first. A session with one thread makes the masks on the spot,
 * others with up to 8 threads beside the caller's; who gives waits while all of them are at work,
 * so that no more outputs are alive than are worked on, and one. Each takes about 48 bytes per
 * pixel: with little memory there are fewer threads. */
#ifndef LP_MASK_POOL_H
#define LP_MASK_POOL_H

#include "layers.h"
#include "session.h"

typedef struct lp_mask_pool lp_mask_pool;

/* n jobs, job i at diameters[i]; *o and diameters must stay. memory: bytes that outputs being
 * worked on may take, about. The caller frees with lp_mask_pool_free. */
lp_status lp_mask_pool_new(lp_session *s, const lp_segment_options *o, int Ly, int Lx,
                           const double *diameters, int n, double memory, lp_mask_pool **out,
                           lp_err *err);

/* lp_net_on_output with the pool as user. Fails also where an earlier job failed. */
lp_status lp_mask_pool_give(void *pool, int job, lp_net_output *out, lp_err *err);

/* Waits for all jobs; adds what they found to layers and their times, which overlap, to seconds
 * [LP_T_NSTAGES]. Once. */
lp_status lp_mask_pool_finish(lp_mask_pool *p, lp_layers *layers, double *seconds, lp_err *err);

/* Waits for those at work. NULL is fine; clears the pointer. */
void lp_mask_pool_free(lp_mask_pool **p);

#endif
