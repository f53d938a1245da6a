#include "mask_pool.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 8
#define BYTES_PER_PIXEL 48.0

struct lp_mask_pool {
    lp_session *s;
    const lp_segment_options *o;
    int Ly, Lx, n, n_threads, omp_threads;
    const double *diameters;
    pthread_t thread[MAX_THREADS];

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    int idle, closed, full;
    int job; /* with full: what is to be done next */
    lp_net_output out;
    lp_layer *found; /* [n], empty where there is none yet */
    double seconds[LP_T_NSTAGES];
    lp_err err; /* of the first that failed */
};

/* One diameter, reduced to runs. */
static lp_status make(lp_mask_pool *p, int job, lp_net_output *net, lp_layer *found,
                      double *seconds, lp_err *err)
{
    lp_net_context c = lp_session_net(p->s, p->o);
    lp_status st =
        lp_session_layer(p->s, net, p->Ly, p->Lx, p->o, p->diameters[job], found, seconds, err);

    if (st) lp_net_at_diameter(p->diameters[job], err);
    lp_net_output_free(c.be, c.dev, net);
    return st;
}

/* Called with the lock held, which it gives up while it works. */
static void do_job(lp_mask_pool *p)
{
    double seconds[LP_T_NSTAGES] = {0};
    lp_net_output out = p->out;
    lp_layer found = {0};
    int job = p->job, i;
    lp_err err = {0};
    lp_status st;

    memset(&p->out, 0, sizeof p->out);
    p->full = 0;
    pthread_cond_broadcast(&p->news); /* who gives need not wait where another one is idle */
    pthread_mutex_unlock(&p->lock);
    st = make(p, job, &out, &found, seconds, &err);
    pthread_mutex_lock(&p->lock);
    p->found[job] = found;
    for (i = 0; i < LP_T_NSTAGES; i++) p->seconds[i] += seconds[i];
    if (st && !p->err.status) p->err = err;
}

static void *work(void *arg)
{
    lp_mask_pool *p = arg;

    omp_set_num_threads(p->omp_threads);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        p->idle++;
        pthread_cond_broadcast(&p->news);
        while (!p->full && !p->closed) pthread_cond_wait(&p->news, &p->lock);
        p->idle--;
        if (!p->full) break;
        do_job(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

lp_status lp_mask_pool_new(lp_session *s, const lp_segment_options *o, int Ly, int Lx,
                           const double *diameters, int n, double memory, lp_mask_pool **out,
                           lp_err *err)
{
    int threads = lp_session_threads(s), want = lp_session_mask_threads(s), i;
    double px = (double)Ly * Lx;
    lp_mask_pool *p = calloc(1, sizeof *p);

    if (p) p->found = calloc((size_t)n, sizeof *p->found);
    if (!p || !p->found) {
        free(p);
        return lp_fail_mem(err, "masks", n * (double)sizeof *p->found);
    }
    p->s = s;
    p->o = o;
    p->Ly = Ly;
    p->Lx = Lx;
    p->diameters = diameters;
    p->n = n;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->news, NULL);
    for (i = 0; i < n && !o->resample; i++) { /* flows are followed at the network's size */
        double r = lp_session_diam_mean(s) / diameters[i];

        if (r * r * Ly * Lx > px) px = r * r * Ly * Lx;
    }
    if (want > MAX_THREADS) want = MAX_THREADS;
    while (want > 1 && want * px * BYTES_PER_PIXEL > memory) want--;
    if (want > n) want = n;
    p->omp_threads = threads / want;
    for (i = 0; i < want && threads > 1; i++) {
        if (pthread_create(&p->thread[i], NULL, work, p)) break;
        p->n_threads++;
    }
    *out = p;
    return LP_OK;
}

static lp_status failed(const lp_mask_pool *p, lp_err *err)
{
    return p->err.status ? lp_fail(err, p->err.status, "%s", p->err.msg) : LP_OK;
}

lp_status lp_mask_pool_give(void *pool, int job, lp_net_output *out, lp_err *err)
{
    lp_mask_pool *p = pool;
    lp_status st;

    pthread_mutex_lock(&p->lock);
    while (p->n_threads && !p->err.status && (p->full || !p->idle))
        pthread_cond_wait(&p->news, &p->lock);
    if (!(st = failed(p, err))) {
        p->job = job;
        p->out = *out;
        p->full = 1;
        memset(out, 0, sizeof *out);
        if (p->n_threads) {
            pthread_cond_broadcast(&p->news);
        } else {
            do_job(p);
            st = failed(p, err);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return st;
}

static void stop(lp_mask_pool *p)
{
    int i;

    pthread_mutex_lock(&p->lock);
    p->closed = 1;
    pthread_cond_broadcast(&p->news);
    pthread_mutex_unlock(&p->lock);
    for (i = 0; i < p->n_threads; i++) pthread_join(p->thread[i], NULL);
    p->n_threads = 0;
}

lp_status lp_mask_pool_finish(lp_mask_pool *p, lp_layers *layers, double *seconds, lp_err *err)
{
    lp_status st;
    int i;

    stop(p);
    if ((st = failed(p, err))) return st;
    for (i = 0; i < p->n; i++)
        if ((st = lp_layers_add_layer(layers, &p->found[i], err))) return st;
    for (i = 0; i < LP_T_NSTAGES; i++) seconds[i] += p->seconds[i];
    return LP_OK;
}

void lp_mask_pool_free(lp_mask_pool **pp)
{
    lp_mask_pool *p = pp ? *pp : NULL;
    int i;

    if (!p) return;
    stop(p);
    for (i = 0; i < p->n; i++) lp_layer_clear(&p->found[i]);
    free(p->found);
    pthread_cond_destroy(&p->news);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *pp = NULL;
}
