#include "net_batch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Tiles of a target in a batch: n of them from `first` on, `at` pixels into it. m is NULL where
 * nobody wants them any more. */
typedef struct {
    lp_net_member *m;
    lp_net_target *t;
    int first, n;
    size_t at;
    lp_tile_group group;
} part;

typedef struct {
    lp_buf *tiles, *y, *styles;
    size_t room, room_px; /* tiles and their pixels that the buffers hold */
    int most;             /* tiles with which it is full */
    int n_tiles, n_parts;
    size_t px;
    part *part;           /* [room] */
    lp_tile_group *group; /* [room] */
} set;

struct lp_net_batch {
    const lp_backend *be;
    lp_device *dev; /* used by who has set `running`, or has the lock while it is 0 */
    lp_net *net;
    int nchan, style_length, n_sets;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    set set[2];
    int next; /* the set that is being filled */
    int running;
    int expected, members, largest; /* threads; open members; tiles of the largest of them */
    int limit;                      /* tiles of a batch that memory had room for; 0: all */
    int64_t batches, tiles;
    double pixels, known_pixels, busy; /* run; known to be done; in seconds */
};

static void set_clear(lp_net_batch *b, set *s)
{
    b->be->buf_free(b->dev, &s->tiles);
    b->be->buf_free(b->dev, &s->y);
    b->be->buf_free(b->dev, &s->styles);
    free(s->part);
    free(s->group);
    memset(s, 0, sizeof *s);
}

static lp_status set_new(lp_net_batch *b, set *s, int n, size_t px, lp_err *err)
{
    size_t floats = (size_t)n * px * sizeof(float), k = (size_t)n;
    lp_status st;

    set_clear(b, s);
    s->part = calloc(k, sizeof *s->part);
    s->group = calloc(k, sizeof *s->group);
    if (!s->part || !s->group) {
        st = lp_fail_mem(err, "network", n * (double)sizeof *s->part);
        goto done;
    }
    if ((st = b->be->buf_new(b->dev, floats * (size_t)b->nchan, &s->tiles, err))) goto done;
    if ((st = b->be->buf_new(b->dev, floats * 3, &s->y, err))) goto done;
    if ((st = b->be->buf_new(b->dev, k * (size_t)b->style_length * sizeof(float), &s->styles, err)))
        goto done;
    s->room = k;
    s->room_px = k * px;
done:
    if (st) set_clear(b, s);
    return st;
}

lp_status lp_net_batch_new(const lp_backend *be, lp_device *dev, lp_net *net, int nchan,
                           int style_length, int shared, lp_net_batch **out, lp_err *err)
{
    lp_net_batch *b = calloc(1, sizeof *b);

    if (!b) return lp_fail_mem(err, "network", sizeof *b);
    b->be = be;
    b->dev = dev;
    b->net = net;
    b->nchan = nchan;
    b->style_length = style_length;
    b->n_sets = shared ? 2 : 1;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->news, NULL);
    *out = b;
    return LP_OK;
}

void lp_net_batch_free(lp_net_batch **pb)
{
    lp_net_batch *b = pb ? *pb : NULL;
    int i;

    if (!b) return;
    for (i = 0; i < b->n_sets; i++) set_clear(b, &b->set[i]);
    pthread_cond_destroy(&b->news);
    pthread_mutex_destroy(&b->lock);
    free(b);
    *pb = NULL;
}

void lp_net_batch_expect(lp_net_batch *b, int more)
{
    pthread_mutex_lock(&b->lock);
    b->expected += more;
    pthread_mutex_unlock(&b->lock);
}

void lp_net_batch_join(lp_net_batch *b, lp_net_member *m)
{
    m->added = m->done = 0;
    m->pixels = 0;
    memset(&m->err, 0, sizeof m->err);
    pthread_mutex_lock(&b->lock);
    b->members++;
    if (m->total > b->largest) b->largest = m->total;
    pthread_mutex_unlock(&b->lock);
}

static int has_parts(const set *s, const lp_net_member *m)
{
    int i;

    for (i = 0; i < s->n_parts; i++)
        if (m ? s->part[i].m == m : s->part[i].m != NULL) return 1;
    return 0;
}

static void empty(set *s)
{
    s->n_tiles = s->n_parts = 0;
    s->px = 0;
}

void lp_net_batch_leave(lp_net_batch *b, lp_net_member *m)
{
    set *s;
    int i;

    pthread_mutex_lock(&b->lock);
    while (b->running && has_parts(&b->set[(b->next + 1) % b->n_sets], m))
        pthread_cond_wait(&b->news, &b->lock);
    s = &b->set[b->next];
    for (i = 0; i < s->n_parts; i++)
        if (s->part[i].m == m) s->part[i].m = NULL;
    if (!has_parts(s, NULL)) empty(s);
    b->members--;
    while (b->running && !b->members) pthread_cond_wait(&b->news, &b->lock); /* somebody looks */
    if (!b->members) {
        for (i = 0; i < b->n_sets; i++) set_clear(b, &b->set[i]);
        b->largest = b->limit = 0;
    }
    pthread_mutex_unlock(&b->lock);
}

/* Neighbours of the same size are one group. */
static int make_groups(set *s)
{
    int n = 0, i;

    for (i = 0; i < s->n_parts; i++) {
        const lp_tile_group *k = &s->part[i].group;

        if (n && s->group[n - 1].ly == k->ly && s->group[n - 1].lx == k->lx)
            s->group[n - 1].n += k->n;
        else
            s->group[n++] = *k;
    }
    return n;
}

/* Queues the batch; then, so that never more than two are, waits for the one before it. */
static lp_status compute(lp_net_batch *b, set *s, const set *before, lp_err *err)
{
    const lp_backend *be = b->be;
    lp_status st =
        be->unet(b->dev, b->net, s->tiles, s->group, make_groups(s), s->y, s->styles, err);
    int i, at = 0;

    for (i = 0; i < s->n_parts && !st; i++) {
        const part *p = &s->part[i];

        if (p->m && !(st = be->tile_average(b->dev, p->t->yf, s->y, p->at, p->t->plan, p->first,
                                            p->n, err)))
            st = be->style_add(b->dev, p->t->style, s->styles, at, p->n, b->style_length,
                               p->first == 0, err);
        at += p->n;
    }
    return st || !before || !before->y ? st : be->wait(b->dev, before->y, err);
}

/* Called with the lock held, which it gives up meanwhile; nothing is running. */
static void run(lp_net_batch *b)
{
    set *s = &b->set[b->next];
    double work[LP_WORK_N], known = b->pixels;
    lp_err err = {0}, quiet;
    int i, timed;

    b->next = (b->next + 1) % b->n_sets;
    b->running = 1;
    pthread_mutex_unlock(&b->lock);
    (void)compute(b, s, b->n_sets > 1 ? &b->set[b->next] : NULL, &err);
    timed = b->n_sets > 1 && !err.status && !b->be->seconds(b->dev, 0, work, &quiet);
    pthread_mutex_lock(&b->lock);
    for (i = 0; i < s->n_parts; i++) {
        const part *p = &s->part[i];

        if (!p->m) continue;
        if (err.status) {
            p->m->err = err;
            continue;
        }
        p->m->done += p->n;
        p->m->pixels += (double)p->n * p->group.ly * p->group.lx;
        p->t->left -= p->n;
    }
    if (!err.status) {
        b->batches++;
        b->tiles += s->n_tiles;
        b->pixels += (double)s->px;
    }
    if (timed && known > 0) {
        b->known_pixels = known;
        b->busy = work[LP_WORK_NET];
    }
    empty(s);
    b->running = 0;
    pthread_cond_broadcast(&b->news);
}

/* One step on: runs the batch that is being filled, or waits for the one that runs. Called with the
 * lock held, which it gives up meanwhile. */
static lp_status turn(lp_net_batch *b, lp_net_member *m, lp_err *err)
{
    int done = m->done;

    pthread_mutex_unlock(&b->lock);
    if (m->before && m->before(m->user, done)) {
        pthread_mutex_lock(&b->lock);
        return lp_fail(err, LP_ESIGNAL, "stopped after %d of %d tiles", done, m->total);
    }
    pthread_mutex_lock(&b->lock);
    if (b->running)
        pthread_cond_wait(&b->news, &b->lock);
    else if (b->set[b->next].n_tiles)
        run(b);
    return LP_OK;
}

static lp_status failed(const lp_net_member *m, lp_err *err)
{
    return m->err.status ? lp_fail(err, m->err.status, "%s", m->err.msg) : LP_OK;
}

/* Room for n tiles of px pixels in every set, or for less where memory is short; all are empty. */
static lp_status grow(lp_net_batch *b, int *n, size_t px, lp_err *err)
{
    lp_status st = LP_OK;
    int i;

    for (i = 0; i < b->n_sets; i++) {
        set *s = &b->set[i];

        if (s->room >= (size_t)*n && s->room_px >= (size_t)*n * px) continue;
        if (b->n_sets > 1 && s->room > (size_t)*n) *n = (int)s->room;
        while ((st = set_new(b, s, *n, px, err)) == LP_ENOMEM && *n > 1) b->limit = *n /= 2;
        if (st) return st;
    }
    return LP_OK;
}

/* Begins a batch with tiles of px pixels. *ready is 0 where it has to wait for the running one. */
static lp_status begin(lp_net_batch *b, const lp_net_member *m, size_t px, int *ready, lp_err *err)
{
    set *s = &b->set[b->next];
    int64_t all = (int64_t)b->largest * (b->expected > 1 ? b->expected : 1);
    int most = all < m->batch_size ? (int)all : m->batch_size;
    lp_status st;

    if (b->limit && most > b->limit) most = b->limit;
    if (most < 1) most = 1;
    if (s->room < (size_t)most || s->room_px < (size_t)most * px) {
        if (!(*ready = !b->running)) return LP_OK;
        if ((st = grow(b, &most, px, err))) return st;
        if ((size_t)most > s->room) most = (int)s->room; /* the other set may have more */
    }
    s->most = most;
    return LP_OK;
}

/* *n: of so many tiles of px pixels, those that there is room for now. */
static lp_status room(lp_net_batch *b, const lp_net_member *m, size_t px, int *n, lp_err *err)
{
    set *s = &b->set[b->next];
    int ready = 1;
    size_t fit;
    lp_status st;

    if (!s->n_tiles && (st = begin(b, m, px, &ready, err))) return st;
    fit = ready ? (s->room_px - s->px) / px : 0;
    if (fit > (size_t)(s->most - s->n_tiles)) fit = (size_t)(s->most - s->n_tiles);
    if (fit < (size_t)*n) *n = (int)fit;
    return LP_OK;
}

static lp_status add(lp_net_batch *b, lp_net_member *m, lp_net_target *t, const lp_buf *img,
                     int *first, lp_err *err)
{
    const lp_tile_grid *g = &t->plan->grid;
    size_t px = (size_t)g->ly * g->lx;
    int n = t->plan->ntiles - *first;
    lp_status st = failed(m, err);
    set *s;

    if (st || (st = room(b, m, px, &n, err))) return st;
    s = &b->set[b->next];
    if (n) {
        if ((st = b->be->tile_cut(m->dev, s->tiles, s->px, img, b->nchan, t->plan, *first, n, err)))
            return st;
        s->part[s->n_parts++] = (part){m, t, *first, n, s->px, {n, g->ly, g->lx}};
        s->n_tiles += n;
        s->px += (size_t)n * px;
        m->added += n;
        *first += n;
    }
    return !n || (s->n_tiles == s->most && !b->running) ? turn(b, m, err) : LP_OK;
}

lp_status lp_net_batch_add(lp_net_batch *b, lp_net_member *m, lp_net_target *t, const lp_buf *img,
                           lp_err *err)
{
    lp_status st = LP_OK;
    int first = 0;

    pthread_mutex_lock(&b->lock);
    t->left = t->plan->ntiles;
    while (!st && first < t->plan->ntiles) st = add(b, m, t, img, &first, err);
    pthread_mutex_unlock(&b->lock);
    return st;
}

lp_status lp_net_batch_finish(lp_net_batch *b, lp_net_member *m, lp_err *err)
{
    lp_status st;

    pthread_mutex_lock(&b->lock);
    while (!(st = failed(m, err)) && m->done < m->added)
        if ((st = turn(b, m, err))) break;
    pthread_mutex_unlock(&b->lock);
    return st;
}

int lp_net_batch_has(lp_net_batch *b, const lp_net_target *t)
{
    int has;

    pthread_mutex_lock(&b->lock);
    has = t->left == 0;
    pthread_mutex_unlock(&b->lock);
    return has;
}

lp_status lp_net_batch_look(lp_net_batch *b, int all, lp_net_batch_state *out, lp_err *err)
{
    double work[LP_WORK_N];
    lp_status st = LP_OK;

    pthread_mutex_lock(&b->lock);
    while (b->running && (all || !b->known_pixels)) pthread_cond_wait(&b->news, &b->lock);
    if ((all || !b->known_pixels) && b->pixels > 0) {
        b->running = 1;
        pthread_mutex_unlock(&b->lock);
        st = b->be->seconds(b->dev, 1, work, err);
        pthread_mutex_lock(&b->lock);
        b->running = 0;
        pthread_cond_broadcast(&b->news);
        if (!st) {
            b->known_pixels = b->pixels;
            b->busy = work[LP_WORK_NET];
        }
    }
    if (!st)
        *out = (lp_net_batch_state){b->batches, b->tiles, b->busy,
                                    b->known_pixels > 0 ? b->busy / b->known_pixels : 0};
    pthread_mutex_unlock(&b->lock);
    return st;
}
