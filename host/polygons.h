/* polygons - the borders of all pieces of each label, with their holes, along pixel edges.
 *
 * outline.h gives one chain of points per label; these give the label back exactly when they are
 * filled (rasterize.h). Points are corners of pixels: (0, 0) is the upper left corner of pixel
 * (0, 0), as in QuPath and ImageJ.
 *
 * A polygon is one 4-connected piece: pixels that touch at a corner only are two polygons. No ring
 * meets itself: where it would, at a corner, it is parted into two rings. Rings of a polygon meet
 * in single points at most and its inside is connected, so all are valid simple features (OGC).
 * Outer rings have the positive area sum(x dy - y dx) / 2, holes a negative one. */
#ifndef LP_POLYGONS_H
#define LP_POLYGONS_H

#include "image.h"

typedef struct {
    uint32_t label;
    int64_t first, n_rings; /* rings first .. first + n_rings - 1; the first is the outer one */
} lp_polygon;

typedef struct {
    int64_t n;           /* polygons */
    lp_polygon *polygon; /* [n] by label, then by their first pixel in raster order */
    int64_t n_rings;
    int64_t *start;   /* [n_rings + 1]: ring r has points start[r] .. start[r + 1] - 1 */
    int32_t (*yx)[2]; /* [start[n_rings]]: y, x in px; the last point joins the first */
} lp_polygons;

/* *out is the caller's. Memory: 9 bytes per pixel beside the result. LP_ENOMEM. */
lp_status lp_polygons_trace(const lp_labels *lb, lp_polygons *out, lp_err *err);
void lp_polygons_free(lp_polygons *p);

#endif
