/* run_watch - workers that have nothing to do, but may have again: the list grows (watch.h), or
 * another one gives back what it could not do. */
#include <omp.h>
#include <stdio.h>
#include <time.h>

#include "run_signals.h"
#include "run_tasks.h"
#include "watch.h"

static void tell(void *user, const char *line)
{
    lp_progress_message(user, line);
}

void lp_run_look(lp_run_worker *w)
{
    lp_running *r = w->r;
    lp_watch *watch = r->o->watch;
    const lp_inputs *in;

    if (!watch) return;
    pthread_mutex_lock(&r->lock);
    if (!r->looking && !r->over && !lp_signals_stop()) {
        int at_end;

        r->looking = 1; /* the watch is ours, while the others go on */
        pthread_mutex_unlock(&r->lock);
        lp_watch_look(watch, omp_get_wtime(), tell, r->progress);
        pthread_mutex_lock(&r->lock);
        at_end = r->next >= r->in->n;
        pthread_mutex_unlock(&r->lock);
        if (at_end && (in = lp_watch_take(watch))) lp_run_new_list(r, w->session, in);
        pthread_mutex_lock(&r->lock);
        r->looking = 0;
    }
    pthread_mutex_unlock(&r->lock);
}

/* Nothing has come for as long as the watch is to last, and it has looked since then. Called with
 * the lock held. */
static int is_over(const lp_running *r)
{
    double last = r->looking || r->at_work ? -1 : lp_watch_last(r->o->watch);

    if (r->over) return 1;
    if (last < 0 || lp_watch_timeout(r->o->watch) == 0) return 0;
    if (last < r->started) last = r->started;
    if (last < r->ended) last = r->ended;
    return lp_watch_looked(r->o->watch) - last >= lp_watch_timeout(r->o->watch);
}

void lp_run_at_work(lp_running *r, int more)
{
    pthread_mutex_lock(&r->lock);
    r->at_work += more;
    pthread_cond_broadcast(&r->news);
    pthread_mutex_unlock(&r->lock);
}

/* A moment, without the lock, in which the folders are looked at. */
static void watch_on(lp_run_worker *w)
{
    lp_running *r = w->r;
    char text[5000], failed[32];
    int idle = r->at_work == 0;

    snprintf(failed, sizeof failed, ", %d failed", r->tally.failed);
    snprintf(text, sizeof text, "watching %.4000s: %d done%s, waiting", lp_watch_name(r->o->watch),
             r->tally.done, r->tally.failed ? failed : "");
    pthread_mutex_unlock(&r->lock);
    if (idle) lp_progress_waiting(r->progress, text);
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    lp_run_look(w);
    pthread_mutex_lock(&r->lock);
}

int lp_run_wait(lp_run_worker *w)
{
    lp_running *r = w->r;
    int more = 0;

    pthread_mutex_lock(&r->lock);
    r->at_work--;
    r->ended = omp_get_wtime();
    pthread_cond_broadcast(&r->news);
    while (!lp_signals_stop()) {
        more = r->next < r->in->n || r->later.n || r->back.n;
        if (r->o->watch && !more) r->over = is_over(r);
        if (more || r->over || (!r->o->watch && !r->at_work)) break;
        if (r->o->watch)
            watch_on(w);
        else
            pthread_cond_wait(&r->news, &r->lock);
    }
    r->at_work += more;
    pthread_mutex_unlock(&r->lock);
    return more;
}

void lp_run_unwatch(lp_running *r)
{
    if (r->o->watch) lp_watch_keep(r->o->watch, tell, r->progress);
}
