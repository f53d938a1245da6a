#include "shapes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static lp_status grow(void **p, int64_t *room, int64_t need, int64_t max, size_t size,
                      const char *what, lp_err *err)
{
    int64_t n = *room ? *room : 16;
    void *q;

    if (need > max) return lp_fail(err, LP_EFORMAT, "more than %lld %s", (long long)max, what);
    if (need <= *room) return LP_OK;
    while (n < need) n *= 2;
    if (!(q = realloc(*p, (size_t)n * size))) return lp_fail_mem(err, what, (double)n * size);
    *p = q;
    *room = n;
    return LP_OK;
}

lp_status lp_shapes_begin(lp_shapes *s, lp_shape_kind kind, lp_err *err)
{
    lp_status st = grow((void **)&s->shape, &s->room_shapes, s->n + 1, LP_SHAPES_MAX,
                        sizeof *s->shape, "outlines", err);

    if (!st) s->shape[s->n++] = (lp_shape){kind, s->n_rings, 0};
    return st;
}

lp_status lp_shapes_ring(lp_shapes *s, lp_err *err)
{
    lp_status st = grow((void **)&s->ring, &s->room_rings, s->n_rings + 1, LP_SHAPES_MAX_POINTS,
                        sizeof *s->ring, "rings of outlines", err);

    if (st) return st;
    s->ring[s->n_rings++] = s->n_points;
    s->shape[s->n - 1].n++;
    return LP_OK;
}

lp_status lp_shapes_point(lp_shapes *s, double y, double x, lp_err *err)
{
    lp_status st;

    if (!(fabs(y) <= LP_SHAPES_FAR && fabs(x) <= LP_SHAPES_FAR))
        return lp_fail(err, LP_EFORMAT, "a point at x %g, y %g", x, y);
    if ((st = grow((void **)&s->yx, &s->room_points, s->n_points + 1, LP_SHAPES_MAX_POINTS,
                   sizeof *s->yx, "points of outlines", err)))
        return st;
    s->yx[s->n_points][0] = y;
    s->yx[s->n_points++][1] = x;
    return LP_OK;
}

void lp_shapes_free(lp_shapes *s)
{
    if (!s) return;
    free(s->shape);
    free(s->ring);
    free(s->yx);
    memset(s, 0, sizeof *s);
}
