/* net_batch - the batches of a network, filled by one thread or by several.
 *
 * A batch runs when it is full, or as soon as somebody waits for his tiles and the device has
 * nothing but the batch before to do: nobody waits for a timer, nor for a thread that reads or
 * writes, and while the device is busy the next batch fills up with tiles of whoever comes. Whoever
 * wants it runs it, for all. A batch that fails, fails for all who have tiles in it; who leaves
 * takes his tiles out. What a tile gives does not depend on its company, to the bit.
 *
 * Memory: a batch (a tile takes its pixels x (nchan + 3) floats), and of a shared one two: one is
 * filled while the other runs. */
#ifndef LP_NET_BATCH_H
#define LP_NET_BATCH_H

#include "backend.h"

typedef struct lp_net_batch lp_net_batch;

/* The tiles of one image at one size, and where their results go. */
typedef struct {
    const lp_tiling *plan;
    lp_buf *yf;    /* [3][Lyr][Lxr] */
    lp_buf *style; /* [style_length] double */
    int left;      /* tiles that have not been averaged; the batch's */
} lp_net_target;

/* One who adds tiles: a thread. The first four are his, the others the batch's. */
typedef struct {
    lp_device *dev; /* of his images; of the same card as the batch's */
    int total;      /* tiles that he will add */
    int batch_size; /* tiles in a batch, at most */
    /* Before each batch that he runs or waits for, without a lock; done: of his tiles. Nonzero
     * stops. May be NULL. */
    int (*before)(void *user, int done);
    void *user;
    int added, done;
    double pixels; /* of done */
    lp_err err;    /* of a batch with tiles of his */
} lp_net_member;

/* dev, on which nothing else may be done, and net stay the caller's. shared 0: for one thread,
 * whose device dev may be. */
lp_status lp_net_batch_new(const lp_backend *be, lp_device *dev, lp_net *net, int nchan,
                           int style_length, int shared, lp_net_batch **out, lp_err *err);
void lp_net_batch_free(lp_net_batch **b); /* nobody is a member; NULL is fine */

/* How many threads there are that may become members: by that, a batch has room for them. */
void lp_net_batch_expect(lp_net_batch *b, int more);

void lp_net_batch_join(lp_net_batch *b, lp_net_member *m);
/* Waits where a batch with tiles of his runs. */
void lp_net_batch_leave(lp_net_batch *b, lp_net_member *m);

/* Adds all tiles of t, cut from img [nchan][Lyr][Lxr] on m->dev. LP_ESIGNAL where before() said so;
 * the error of a batch with tiles of his; after an error only leave. */
lp_status lp_net_batch_add(lp_net_batch *b, lp_net_member *m, lp_net_target *t, const lp_buf *img,
                           lp_err *err);
/* Until all his tiles were run. */
lp_status lp_net_batch_finish(lp_net_batch *b, lp_net_member *m, lp_err *err);
/* Whether all tiles of t were. */
int lp_net_batch_has(lp_net_batch *b, const lp_net_target *t);

typedef struct {
    int64_t batches, tiles;
    double busy;        /* seconds of the device, of what is known to be done */
    double s_per_pixel; /* of that */
} lp_net_batch_state;

/* What ran so far. Waits for the device with all 1, or where nothing is known yet. LP_EIO where it
 * is lost. */
lp_status lp_net_batch_look(lp_net_batch *b, int all, lp_net_batch_state *s, lp_err *err);

#endif
