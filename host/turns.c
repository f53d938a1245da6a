#include "turns.h"

void lp_turns_init(lp_turns *t)
{
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->news, NULL);
    t->at_work = t->alone = 0;
}

void lp_turns_destroy(lp_turns *t)
{
    pthread_cond_destroy(&t->news);
    pthread_mutex_destroy(&t->lock);
}

void lp_turns_begin(lp_turns *t, int alone)
{
    pthread_mutex_lock(&t->lock);
    while (t->alone) pthread_cond_wait(&t->news, &t->lock);
    if (alone) {
        t->alone = 1; /* before the others are through, so that no new ones begin */
        while (t->at_work) pthread_cond_wait(&t->news, &t->lock);
    }
    t->at_work++;
    pthread_mutex_unlock(&t->lock);
}

void lp_turns_end(lp_turns *t, int alone)
{
    pthread_mutex_lock(&t->lock);
    t->at_work--;
    if (alone) t->alone = 0;
    pthread_cond_broadcast(&t->news);
    pthread_mutex_unlock(&t->lock);
}
