/* net_queue - images at their diameters as jobs in one queue of tiles, so that batches are full
 * whatever a single job has.
 *
 * A job is cut into tiles when it is added; tiles of several jobs, also of different sizes and, in
 * a shared batch (net_batch.h), of other threads' micrographs, go through the network together.
 * With the batch of its last tile a job is done and its output is handed over, by the thread that
 * added it. What a job gives does not depend on its company, to the bit.
 *
 * Memory: the batch; of the job being added the rescaled image; of jobs in the batch the network's
 * output, 12 bytes per pixel: all of one job at most, and of others only what fits a batch. */
#ifndef LP_NET_QUEUE_H
#define LP_NET_QUEUE_H

#include "net.h"

typedef struct lp_net_queue lp_net_queue;

/* Takes the output of a job (0, 1, ... in order of adding; they come in this order); *out is the
 * receiver's, who leaves it empty, or it is freed. An error ends the queue. */
typedef lp_status lp_net_on_output(void *user, int job, lp_net_output *out, lp_err *err);

/* *c is copied. total: tiles of all jobs to come (lp_net_tiles), told to on_tiles. The caller
 * frees with lp_net_queue_free. */
lp_status lp_net_queue_new(const lp_net_context *c, int total, lp_net_on_output *on_output,
                           void *user, lp_net_queue **out, lp_err *err);

/* img [nchan][Ly][Lx], normalised, on the device; not needed any more afterwards. Runs the network
 * for every batch that is full, and hands over what is done. After an error, only
 * lp_net_queue_free. */
lp_status lp_net_queue_add(lp_net_queue *q, const lp_buf *img, int Ly, int Lx,
                           const lp_net_options *o, lp_err *err);

/* Runs what is left; then all outputs were handed over. */
lp_status lp_net_queue_flush(lp_net_queue *q, lp_err *err);

void lp_net_queue_free(lp_net_queue **q); /* NULL is fine; clears the pointer */

#endif
