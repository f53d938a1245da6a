/* shapes - outlines as drawn in an editor, in order of drawing, on their way to labels.
 *
 * A shape is one particle: rings of points, or an ellipse. Coordinates are in px, y then x; (0, 0)
 * is the upper left corner of the first pixel, as in ImageJ and QuPath. Readers fill one;
 * rasterize.h makes labels of it. */
#ifndef LP_SHAPES_H
#define LP_SHAPES_H

#include <stdint.h>

#include "status.h"

#define LP_SHAPES_MAX_POINTS ((int64_t)1 << 25) /* of all shapes together */
#define LP_SHAPES_MAX ((int64_t)1 << 24)
#define LP_SHAPES_FAR 1e6 /* coordinates beyond are refused */

typedef enum { LP_SHAPE_RINGS, LP_SHAPE_ELLIPSE } lp_shape_kind;

typedef struct {
    lp_shape_kind kind; /* ELLIPSE: one ring of two points, opposite corners of its box */
    int64_t first, n;   /* rings */
} lp_shape;

typedef struct {
    lp_shape *shape;
    int64_t n;
    int64_t *ring; /* [n_rings]: first point of each; the next ring's is the end */
    int64_t n_rings;
    double (*yx)[2];
    int64_t n_points;
    int64_t room_shapes, room_rings, room_points;
} lp_shapes;

/* A new shape, to which rings and points are added. LP_EFORMAT beyond the limits (the message has
 * no file name), LP_ENOMEM. */
lp_status lp_shapes_begin(lp_shapes *s, lp_shape_kind kind, lp_err *err);
lp_status lp_shapes_ring(lp_shapes *s, lp_err *err);
/* LP_EFORMAT for NaN, infinities and what lies beyond LP_SHAPES_FAR. */
lp_status lp_shapes_point(lp_shapes *s, double y, double x, lp_err *err);
void lp_shapes_free(lp_shapes *s);

/* Points of ring r: first .. last - 1. */
static inline int64_t lp_shapes_end(const lp_shapes *s, int64_t r)
{
    return r + 1 < s->n_rings ? s->ring[r + 1] : s->n_points;
}

#endif
