#include "net_queue.h"

#include <stdlib.h>
#include <string.h>

typedef struct job {
    struct job *next;
    lp_net_options o;
    int number, Ly, Lx; /* of the image */
    lp_tiling plan;
    lp_net_output r; /* yf at the network's size until the job is done */
    lp_net_target t;
} job;

struct lp_net_queue {
    lp_net_context c;
    lp_net_on_output *on_output;
    void *user;
    int n_jobs;
    job *first, *last; /* those that were not handed over */
    lp_net_batch *own, *batch;
    lp_net_member m;
};

static void drop(lp_net_queue *q, job *j)
{
    if (!j) return;
    lp_tiling_free(&j->plan);
    lp_net_output_free(q->c.be, q->c.dev, &j->r);
    free(j);
}

void lp_net_queue_free(lp_net_queue **pq)
{
    lp_net_queue *q = pq ? *pq : NULL;
    job *j;

    if (!q) return;
    if (q->batch) lp_net_batch_leave(q->batch, &q->m);
    if (q->c.batch && q->c.pixels) *q->c.pixels += q->m.pixels;
    while ((j = q->first)) {
        q->first = j->next;
        drop(q, j);
    }
    lp_net_batch_free(&q->own);
    free(q);
    *pq = NULL;
}

static int before(void *user, int done)
{
    lp_net_queue *q = user;

    return q->c.on_tiles ? q->c.on_tiles(q->c.user, done, q->m.total) : 0;
}

lp_status lp_net_queue_new(const lp_net_context *c, int total, lp_net_on_output *on_output,
                           void *user, lp_net_queue **out, lp_err *err)
{
    lp_net_queue *q = calloc(1, sizeof *q);
    lp_status st;

    if (!q) return lp_fail_mem(err, "network", sizeof *q);
    q->c = *c;
    q->on_output = on_output;
    q->user = user;
    q->m = (lp_net_member){
        .dev = c->dev, .total = total, .batch_size = c->batch_size, .before = before, .user = q};
    if (!c->batch && (st = lp_net_batch_new(c->be, c->dev, c->net, c->nchan, c->style_length, 0,
                                            &q->own, err))) {
        free(q);
        return st;
    }
    q->batch = c->batch ? c->batch : q->own;
    lp_net_batch_join(q->batch, &q->m);
    *out = q;
    return LP_OK;
}

/* A job is through the network: brings its output to the image's size and hands it over. */
static lp_status finish(lp_net_queue *q, job *j, lp_err *err)
{
    const lp_backend *be = q->c.be;
    int Lyr = j->plan.grid.Ly, Lxr = j->plan.grid.Lx;
    lp_buf *full = NULL;
    lp_status st;

    j->r.Ly = j->o.resample ? j->Ly : Lyr;
    j->r.Lx = j->o.resample ? j->Lx : Lxr;
    j->r.ntiles = j->plan.ntiles;
    if (j->o.resample && j->o.rescale != 1.0) {
        size_t bytes = (size_t)3 * j->Ly * j->Lx * sizeof(float);

        if ((st = be->buf_new(q->c.dev, bytes, &full, err)) ||
            (st = be->resize(q->c.dev, full, j->r.yf, 3, Lyr, Lxr, j->Ly, j->Lx, err))) {
            be->buf_free(q->c.dev, &full);
            lp_net_at_diameter(j->o.diameter, err);
            return st;
        }
        be->buf_free(q->c.dev, &j->r.yf);
        j->r.yf = full;
    }
    return q->on_output(q->user, j->number, &j->r, err);
}

static lp_status hand_over(lp_net_queue *q, lp_err *err)
{
    lp_status st = LP_OK;
    job *j;

    while (!st && (j = q->first) && lp_net_batch_has(q->batch, &j->t)) {
        st = finish(q, j, err);
        q->first = j->next;
        if (!q->first) q->last = NULL;
        drop(q, j);
    }
    return st;
}

/* The image at the network's size: *small is NULL where it has that already. */
static lp_status rescale(lp_net_queue *q, const lp_buf *img, const job *j, lp_buf **small,
                         lp_err *err)
{
    int Lyr = j->plan.grid.Ly, Lxr = j->plan.grid.Lx;
    size_t bytes = (size_t)q->c.nchan * Lyr * Lxr * sizeof(float);
    lp_status st;

    if (j->o.rescale == 1.0) return LP_OK;
    if ((st = q->c.be->buf_new(q->c.dev, bytes, small, err))) return st;
    return q->c.be->resize(q->c.dev, *small, img, q->c.nchan, j->Ly, j->Lx, Lyr, Lxr, err);
}

/* Plan and memory of a job's tiles. */
static lp_status prepare(lp_net_queue *q, job *j, lp_err *err)
{
    const lp_backend *be = q->c.be;
    int Lyr = (int)(j->Ly * j->o.rescale), Lxr = (int)(j->Lx * j->o.rescale); /* as int() */
    int tiles;
    lp_status st;

    if ((st = lp_net_tiles(j->Ly, j->Lx, &j->o, &tiles, err))) return st;
    if ((st = lp_tiling_plan(Lyr, Lxr, j->o.bsize, j->o.tile_overlap, j->o.augment, &j->plan, err)))
        return st;
    if ((st = be->buf_new(q->c.dev, (size_t)3 * Lyr * Lxr * sizeof(float), &j->r.yf, err)))
        return st;
    if ((st = be->buf_new(q->c.dev, (size_t)q->c.style_length * sizeof(double), &j->r.style, err)))
        return st;
    j->t = (lp_net_target){.plan = &j->plan, .yf = j->r.yf, .style = j->r.style};
    return LP_OK;
}

lp_status lp_net_queue_add(lp_net_queue *q, const lp_buf *img, int Ly, int Lx,
                           const lp_net_options *o, lp_err *err)
{
    job *j = calloc(1, sizeof *j), *k = j;
    lp_buf *small = NULL;
    lp_status st;

    if (!j) return lp_fail_mem(err, "network", sizeof *j);
    *j = (job){.o = *o, .number = q->n_jobs, .Ly = Ly, .Lx = Lx};
    if ((st = prepare(q, j, err))) goto done;
    if ((st = rescale(q, img, j, &small, err))) goto done;
    if (q->last)
        q->last->next = j;
    else
        q->first = j;
    q->last = j;
    j = NULL;
    q->n_jobs++;
    st = lp_net_batch_add(q->batch, &q->m, &k->t, small ? small : img, err);
    if (!st) st = hand_over(q, err);
done:
    if (j && st != LP_ESIGNAL) lp_net_at_diameter(o->diameter, err);
    q->c.be->buf_free(q->c.dev, &small);
    drop(q, j);
    return st;
}

lp_status lp_net_queue_flush(lp_net_queue *q, lp_err *err)
{
    lp_status st;

    if ((st = lp_net_batch_finish(q->batch, &q->m, err))) return st;
    if ((st = hand_over(q, err))) return st;
    if (q->c.on_tiles) (void)q->c.on_tiles(q->c.user, q->m.done, q->m.total);
    return LP_OK;
}
