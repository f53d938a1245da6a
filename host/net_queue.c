#include "net_queue.h"

#include <stdlib.h>
#include <string.h>

/* A job that has tiles in the batch: n of them from `first` on, `at` pixels into the batch. */
typedef struct {
    lp_net_options o;
    int number, Ly, Lx; /* of the image */
    lp_tiling plan;
    lp_net_output r; /* yf at the network's size until the job is done */
    int first, n;
    size_t at;
} piece;

struct lp_net_queue {
    lp_net_context c;
    lp_net_on_output *on_output;
    void *user;
    int n_jobs, done, total; /* jobs added; tiles */
    int batch;               /* tiles of a full batch */
    size_t tile_px;          /* of the largest tile that fits `batch` times */
    lp_buf *tiles, *y, *styles;
    int n_tiles, n_pieces; /* of the batch being filled; a job has one piece in it */
    size_t px;
    piece *piece;         /* [batch] */
    lp_tile_group *group; /* [batch] */
};

static void drop_piece(lp_net_queue *q, piece *p)
{
    lp_tiling_free(&p->plan);
    lp_net_output_free(q->c.be, q->c.dev, &p->r);
}

void lp_net_queue_free(lp_net_queue **pq)
{
    lp_net_queue *q = pq ? *pq : NULL;
    int i;

    if (!q) return;
    for (i = 0; i < q->n_pieces; i++) drop_piece(q, &q->piece[i]);
    q->c.be->buf_free(q->c.dev, &q->tiles);
    q->c.be->buf_free(q->c.dev, &q->y);
    q->c.be->buf_free(q->c.dev, &q->styles);
    free(q->piece);
    free(q->group);
    free(q);
    *pq = NULL;
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
    q->total = total;
    q->batch = c->batch_size < total ? c->batch_size : total;
    if (q->batch < 1) q->batch = 1;
    q->piece = calloc((size_t)q->batch, sizeof *q->piece);
    q->group = calloc((size_t)q->batch, sizeof *q->group);
    if (!q->piece || !q->group) {
        st = lp_fail_mem(err, "network", (double)q->batch * sizeof *q->piece);
        goto done;
    }
    if ((st = c->be->buf_new(c->dev, (size_t)q->batch * c->style_length * sizeof(float), &q->styles,
                             err)))
        goto done;
    *out = q;
    q = NULL;
done:
    lp_net_queue_free(&q);
    return st;
}

/* A job is through the network: brings its output to the image's size and hands it over. */
static lp_status finish(lp_net_queue *q, piece *p, lp_err *err)
{
    const lp_backend *be = q->c.be;
    int Lyr = p->plan.grid.Ly, Lxr = p->plan.grid.Lx;
    lp_buf *full = NULL;
    lp_status st;

    p->r.Ly = p->o.resample ? p->Ly : Lyr;
    p->r.Lx = p->o.resample ? p->Lx : Lxr;
    p->r.ntiles = p->plan.ntiles;
    if (p->o.resample && p->o.rescale != 1.0) {
        size_t bytes = (size_t)3 * p->Ly * p->Lx * sizeof(float);

        if ((st = be->buf_new(q->c.dev, bytes, &full, err)) ||
            (st = be->resize(q->c.dev, full, p->r.yf, 3, Lyr, Lxr, p->Ly, p->Lx, err))) {
            be->buf_free(q->c.dev, &full);
            lp_net_at_diameter(p->o.diameter, err);
            return st;
        }
        be->buf_free(q->c.dev, &p->r.yf);
        p->r.yf = full;
    }
    return q->on_output(q->user, p->number, &p->r, err);
}

/* Neighbours of the same size are one group. */
static int make_groups(lp_net_queue *q)
{
    int n = 0, i;

    for (i = 0; i < q->n_pieces; i++) {
        const piece *p = &q->piece[i];
        int ly = p->plan.grid.ly, lx = p->plan.grid.lx;

        if (n && q->group[n - 1].ly == ly && q->group[n - 1].lx == lx)
            q->group[n - 1].n += p->n;
        else
            q->group[n++] = (lp_tile_group){p->n, ly, lx};
    }
    return n;
}

/* Runs the batch; of its jobs only the last may have tiles left to cut. */
static lp_status run_batch(lp_net_queue *q, lp_err *err)
{
    const lp_backend *be = q->c.be;
    int i, at = 0, n = q->n_pieces;
    lp_status st;

    if (q->c.on_tiles && q->c.on_tiles(q->c.user, q->done, q->total))
        return lp_fail(err, LP_ESIGNAL, "stopped after %d of %d tiles", q->done, q->total);
    if ((st = be->unet(q->c.dev, q->c.net, q->tiles, q->group, make_groups(q), q->y, q->styles,
                       err)))
        return st;
    for (i = 0; i < n; i++) {
        piece *p = &q->piece[i];

        if ((st = be->tile_average(q->c.dev, p->r.yf, q->y, p->at, &p->plan, p->first, p->n, err)))
            return st;
        if ((st = be->style_add(q->c.dev, p->r.style, q->styles, at, p->n, q->c.style_length,
                                p->first == 0, err)))
            return st;
        at += p->n;
    }
    q->done += q->n_tiles;
    q->n_tiles = 0;
    q->px = 0;
    for (i = 0; i < n; i++) {
        piece *p = &q->piece[i];

        if (p->first + p->n < p->plan.ntiles) break;
        if ((st = finish(q, p, err))) return st;
        drop_piece(q, p);
    }
    q->n_pieces = n - i;
    if (i && i < n) {
        q->piece[0] = q->piece[i];
        memset(&q->piece[i], 0, sizeof *q->piece);
    }
    return LP_OK;
}

/* Room for a full batch of tiles of px pixels. */
static lp_status reserve(lp_net_queue *q, size_t px, lp_err *err)
{
    const lp_backend *be = q->c.be;
    size_t floats = q->batch * px * sizeof(float);
    lp_status st;

    if (px <= q->tile_px) return LP_OK;
    if (q->n_tiles && (st = run_batch(q, err))) return st;
    be->buf_free(q->c.dev, &q->tiles);
    be->buf_free(q->c.dev, &q->y);
    q->tile_px = 0;
    if ((st = be->buf_new(q->c.dev, floats * q->c.nchan, &q->tiles, err))) return st;
    if ((st = be->buf_new(q->c.dev, floats * 3, &q->y, err))) return st;
    q->tile_px = px;
    return LP_OK;
}

/* Cuts all tiles of the job, of which q->piece[q->n_pieces] is to be the first piece. */
static lp_status cut(lp_net_queue *q, const lp_buf *img, lp_err *err)
{
    int left = q->piece[q->n_pieces].plan.ntiles;
    lp_status st;

    q->n_pieces++;
    while (left > 0) {
        piece *p = &q->piece[q->n_pieces - 1];

        p->first += p->n;
        p->n = left < q->batch - q->n_tiles ? left : q->batch - q->n_tiles;
        p->at = q->px;
        if ((st = q->c.be->tile_cut(q->c.dev, q->tiles, p->at, img, q->c.nchan, &p->plan, p->first,
                                    p->n, err)))
            return st;
        left -= p->n;
        q->n_tiles += p->n;
        q->px += (size_t)p->n * p->plan.grid.ly * p->plan.grid.lx;
        if (q->n_tiles == q->batch && (st = run_batch(q, err))) return st;
    }
    return LP_OK;
}

lp_status lp_net_queue_add(lp_net_queue *q, const lp_buf *img, int Ly, int Lx,
                           const lp_net_options *o, lp_err *err)
{
    const lp_backend *be = q->c.be;
    piece p = {.o = *o, .number = q->n_jobs, .Ly = Ly, .Lx = Lx};
    int Lyr = (int)(Ly * o->rescale), Lxr = (int)(Lx * o->rescale); /* as int() in Cellpose */
    size_t px = (size_t)Lyr * Lxr * sizeof(float);
    lp_buf *small = NULL;
    lp_status st;
    int tiles;

    if ((st = lp_net_tiles(Ly, Lx, o, &tiles, err))) goto done;
    if ((st = lp_tiling_plan(Lyr, Lxr, o->bsize, o->tile_overlap, o->augment, &p.plan, err)))
        goto done;
    if (o->rescale != 1.0) {
        if ((st = be->buf_new(q->c.dev, px * q->c.nchan, &small, err))) goto done;
        if ((st = be->resize(q->c.dev, small, img, q->c.nchan, Ly, Lx, Lyr, Lxr, err))) goto done;
    }
    if ((st = be->buf_new(q->c.dev, px * 3, &p.r.yf, err))) goto done;
    if ((st = be->buf_new(q->c.dev, (size_t)q->c.style_length * sizeof(double), &p.r.style, err)))
        goto done;
    if ((st = reserve(q, (size_t)p.plan.grid.ly * p.plan.grid.lx, err))) goto done;
    q->piece[q->n_pieces] = p;
    memset(&p, 0, sizeof p);
    q->n_jobs++;
    st = cut(q, small ? small : img, err);
    be->buf_free(q->c.dev, &small);
    return st;
done:
    if (st != LP_ESIGNAL) lp_net_at_diameter(o->diameter, err);
    be->buf_free(q->c.dev, &small);
    drop_piece(q, &p);
    return st;
}

lp_status lp_net_queue_flush(lp_net_queue *q, lp_err *err)
{
    lp_status st;

    if (q->n_tiles && (st = run_batch(q, err))) return st;
    if (q->c.on_tiles) (void)q->c.on_tiles(q->c.user, q->done, q->total);
    return LP_OK;
}
