/* outline - the outer border of each label as a closed chain of points.
 *
 * Two kinds: LP_OUTLINE_PIXELS gives the border pixels themselves, 8-connected, as
 * OpenCV's findContours (external, no approximation) and so Cellpose's outlines_list, in
 * the same order: from the first pixel in raster order, down its left side first.
 * LP_OUTLINE_CORNERS gives the corners of the polygon around the pixels, ImageJ's
 * convention: (0, 0) is the upper left corner of pixel (0, 0), the polygon of one pixel
 * has area 1, and filling it gives the label back (holes filled); clockwise.
 *
 * A label in several pieces is given by the piece with the longest chain, the first in
 * raster order among equals. Pixels that touch at a corner are one piece. */
#ifndef LP_OUTLINE_H
#define LP_OUTLINE_H

#include "image.h"

typedef enum { LP_OUTLINE_PIXELS, LP_OUTLINE_CORNERS } lp_outline_kind;

typedef struct {
    int64_t n;        /* number of labels */
    uint32_t *ids;    /* [n] ascending */
    int64_t *start;   /* [n+1]: label i has points start[i] .. start[i+1]-1, at least one */
    int32_t (*yx)[2]; /* [start[n]]: y, x in px; the last point joins the first */
} lp_outlines;

lp_status lp_outline_trace(const lp_labels *lb, lp_outline_kind kind, lp_outlines *out,
                           lp_err *err);
void lp_outlines_free(lp_outlines *o);

#endif
