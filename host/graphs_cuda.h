/* graphs_cuda - sequences of launches that come again, as CUDA graphs.
 *
 * What a key stands for is queued plainly the first time (code of kernels is loaded then), captured
 * the second time and replayed from then on: one launch instead of many. At most LP_GRAPHS keys
 * are remembered; the one not used for longest makes room. Where a capture fails, for
 * whatever reason, the sequence is queued plainly, and after three failures always. */
#ifndef LP_GRAPHS_CUDA_H
#define LP_GRAPHS_CUDA_H

#include "../kernels/stream.h"
#include "status.h"

#define LP_GRAPHS 16

/* Everything that the sequence depends on. */
typedef struct {
    int n, ly, lx;
    const void *d_x, *d_y, *d_styles;
} lp_graph_key;

typedef struct lp_graphs lp_graphs; /* one caller at a time */

lp_status lp_graphs_new(lp_graphs **out, lp_err *err);
/* Waits for what was replayed. NULL is fine; clears the pointer. */
void lp_graphs_free(lp_graphs **g);
/* Forgets all: memory that they use is about to go. Waits for what was replayed. */
void lp_graphs_clear(lp_graphs *g);

/* Queues on stream what queue(user, stream) queues there: launches, copies and fills only, always
 * the same for the same key. queue returns 0 or a cudaError_t, and so does this. Without a
 * graph for stream NULL. No thread may wait for the whole device meanwhile. */
int lp_graphs_run(lp_graphs *g, const lp_graph_key *key, int (*queue)(void *user, lp_stream stream),
                  void *user, lp_stream stream);

#endif
