#include "rasterize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Work that any annotation of an image stays far below, per pixel and for all of it. */
#define WORK_PER_PIXEL 32
#define WORK_MIN 20000000

typedef struct {
    int first, last; /* rows first .. last - 1 whose centres it passes */
    double y, x, slope;
} edge;

typedef struct {
    lp_labels *lb;
    uint32_t label;    /* 0: only count */
    int64_t n, budget; /* pixels counted; work left */
    edge *e;
    int *active;
    double *cross;
    size_t room;
} canvas;

/* The first pixel whose centre is at or beyond v, in 0 .. n. */
static int first_at(double v, int n)
{
    double k = ceil(v - 0.5);

    return k <= 0 ? 0 : k >= n ? n : (int)k;
}

/* The first pixel whose centre is beyond v, in 0 .. n. */
static int first_beyond(double v, int n)
{
    double k = floor(v + 0.5);

    return k <= 0 ? 0 : k >= n ? n : (int)k;
}

static void span(canvas *c, int y, double from, double to)
{
    int a = first_beyond(from, c->lb->Lx), b = first_beyond(to, c->lb->Lx);
    uint32_t *row = c->lb->data + (size_t)y * c->lb->Lx;

    if (b <= a) return;
    c->n += b - a;
    c->budget -= b - a;
    if (!c->label) return;
    for (; a < b; a++) row[a] = c->label;
}

static int by_first(const void *a, const void *b)
{
    const edge *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static void add_edge(canvas *c, const double *p, const double *q, size_t *n)
{
    edge *e = &c->e[*n];
    const double *t;

    /* From above to below: neighbours that share an edge then round alike. */
    if (p[0] > q[0]) t = p, p = q, q = t;
    e->first = first_at(p[0], c->lb->Ly);
    e->last = first_at(q[0], c->lb->Ly);
    if (e->first == e->last) return;
    e->y = p[0];
    e->x = p[1];
    e->slope = (q[1] - p[1]) / (q[0] - p[0]);
    ++*n;
}

static lp_status reserve(canvas *c, size_t n, lp_err *err)
{
    if (n <= c->room) return LP_OK;
    free(c->e);
    free(c->active);
    free(c->cross);
    c->e = malloc(n * sizeof *c->e);
    c->active = malloc(n * sizeof *c->active);
    c->cross = malloc(n * sizeof *c->cross);
    c->room = n;
    return c->e && c->active && c->cross ? LP_OK
                                         : lp_fail_mem(err, "outlines", (double)n * sizeof(edge));
}

/* Ascending; few, and nearly sorted from row to row. */
static void sort(double *v, int n)
{
    int i, k;

    for (i = 1; i < n; i++) {
        double x = v[i];

        for (k = i; k > 0 && v[k - 1] > x; k--) v[k] = v[k - 1];
        v[k] = x;
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static lp_status draw_rings(canvas *c, const lp_shapes *s, const lp_shape *sh, lp_err *err)
{
    int64_t r, i, points = 0;
    size_t n = 0, next = 0;
    int y, na = 0, k;
    lp_status st;

    for (r = sh->first; r < sh->first + sh->n; r++) points += lp_shapes_end(s, r) - s->ring[r];
    c->budget -= points;
    if ((st = reserve(c, (size_t)points, err))) return st;
    for (r = sh->first; r < sh->first + sh->n; r++) {
        int64_t from = s->ring[r], to = lp_shapes_end(s, r);

        for (i = from; i < to; i++) add_edge(c, s->yx[i], s->yx[i + 1 < to ? i + 1 : from], &n);
    }
    if (!n) return LP_OK;
    qsort(c->e, n, sizeof *c->e, by_first);
    for (y = c->e[0].first; (na || next < n) && c->budget >= 0; y++) {
        int kept = 0;

        for (k = 0; k < na; k++)
            if (c->e[c->active[k]].last > y) c->active[kept++] = c->active[k];
        for (na = kept; next < n && c->e[next].first == y; next++) c->active[na++] = (int)next;
        for (k = 0; k < na; k++) {
            const edge *e = &c->e[c->active[k]];

            c->cross[k] = e->x + (y + 0.5 - e->y) * e->slope;
        }
        if (na < 32)
            sort(c->cross, na);
        else
            qsort(c->cross, (size_t)na, sizeof *c->cross, ascending);
        for (k = 0; k + 1 < na; k += 2) span(c, y, c->cross[k], c->cross[k + 1]);
        c->budget -= na + 1;
    }
    return LP_OK;
}

static void draw_ellipse(canvas *c, const double *p, const double *q)
{
    double cy = (p[0] + q[0]) / 2, cx = (p[1] + q[1]) / 2;
    double ry = fabs(q[0] - p[0]) / 2, rx = fabs(q[1] - p[1]) / 2;
    int y, last = first_at(cy + ry, c->lb->Ly);

    for (y = first_at(cy - ry, c->lb->Ly); y < last && c->budget >= 0; y++) {
        double t = (y + 0.5 - cy) / ry, half = rx * sqrt(t * t < 1 ? 1 - t * t : 0);

        span(c, y, nextafter(cx - half, -INFINITY), cx + half);
        c->budget--;
    }
}

static lp_status draw(canvas *c, const lp_shapes *s, const lp_shape *sh, uint32_t label,
                      lp_err *err)
{
    lp_status st = LP_OK;

    c->label = label;
    c->n = 0;
    if (sh->kind == LP_SHAPE_ELLIPSE) { /* two points; others may have none, and then no yx */
        const double(*p)[2] = (const double(*)[2])s->yx + s->ring[sh->first];

        draw_ellipse(c, p[0], p[1]);
    } else {
        st = draw_rings(c, s, sh, err);
    }
    if (!st && c->budget < 0)
        st = lp_fail(err, LP_EFORMAT, "the outlines cover the image of %d x %d pixels many times",
                     c->lb->Lx, c->lb->Ly);
    return st;
}

typedef struct {
    int64_t area, index;
} order;

/* The largest first; of equal ones the earlier. */
static int by_area(const void *a, const void *b)
{
    const order *x = a, *y = b;

    if (x->area != y->area) return x->area > y->area ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

lp_status lp_rasterize(const lp_shapes *s, int Ly, int Lx, lp_labels *out, lp_err *err)
{
    lp_labels lb = {0};
    canvas c = {.lb = &lb};
    order *o = NULL;
    lp_status st;
    int64_t i;

    if ((st = lp_labels_new(&lb, Ly, Lx, err))) return st;
    c.budget = (int64_t)Ly * Lx * WORK_PER_PIXEL + WORK_MIN;
    if (!(o = malloc(((size_t)s->n + 1) * sizeof *o))) {
        st = lp_fail_mem(err, "outlines", (double)s->n * sizeof *o);
        goto done;
    }
    for (i = 0; i < s->n; i++) {
        if ((st = draw(&c, s, &s->shape[i], 0, err))) goto done;
        o[i] = (order){c.n, i};
    }
    if (s->n) qsort(o, (size_t)s->n, sizeof *o, by_area);
    for (i = 0; i < s->n; i++)
        if ((st = draw(&c, s, &s->shape[o[i].index], (uint32_t)o[i].index + 1, err))) goto done;
    *out = lb;
    memset(&lb, 0, sizeof lb);
done:
    free(o);
    free(c.e);
    free(c.active);
    free(c.cross);
    lp_labels_free(&lb);
    return st;
}
