/* rasterize - from outlines to a label image.
 *
 * A pixel belongs to a shape if its centre, (y + 0.5, x + 0.5), lies inside: for rings by the
 * even-odd rule, so that a ring inside another is a hole whatever way it runs; for an ellipse
 * inside or on it. A centre exactly on an edge belongs to the shape on the left of or below that
 * edge (as in ImageJ): shapes that share an edge share no pixel and leave none between them.
 * Polygons along pixel edges (polygons.h, write_outlines.h) give their label back exactly.
 *
 * Shapes get the labels 1, 2, ... in their order. Where they overlap, the one with fewer pixels
 * wins (of equal ones the later), so that a particle drawn inside or across another one stays. One
 * without pixels, outside the image or too thin, leaves a gap in the numbers. */
#ifndef LP_RASTERIZE_H
#define LP_RASTERIZE_H

#include "image.h"
#include "shapes.h"

/* *out [Ly][Lx] is the caller's. LP_EFORMAT (the message has no file name) where the outlines
 * cover the image many times over, which no annotation does and would take for ever; LP_EARG for
 * sizes out of bounds, LP_ENOMEM. */
lp_status lp_rasterize(const lp_shapes *s, int Ly, int Lx, lp_labels *out, lp_err *err);

#endif
