/* turns - threads whose work shares memory: side by side, and alone where that was too much.
 *
 * A thread must not begin a turn within a turn. */
#ifndef LP_TURNS_H
#define LP_TURNS_H

#include <pthread.h>

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int at_work, alone; /* alone: somebody is, or waits to be */
} lp_turns;

void lp_turns_init(lp_turns *t);
void lp_turns_destroy(lp_turns *t);

/* Waits while somebody else is alone; with alone 1 also until nobody else is at work. */
void lp_turns_begin(lp_turns *t, int alone);
void lp_turns_end(lp_turns *t, int alone); /* as it was begun */

#endif
