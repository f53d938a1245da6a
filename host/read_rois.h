/* read_rois - outlines drawn in ImageJ or Fiji: a single .roi, or the ROI Manager's .zip.
 *
 * The layout is that of ImageJ's RoiDecoder (ij.io), big-endian. Read are polygon, freehand,
 * traced, ellipse and rotated rectangle (by their points), rectangle, oval, and composite ones
 * (what the brush leaves, with holes), in whole pixels or with fractions. The corners of a rounded
 * rectangle are rounded; of a polygon with a fitted spline the knots are joined by lines; of a
 * rectangle or oval with fractions these count (ImageJ fills the whole pixels around it). Lines,
 * points, angles, text and pictures have no inside: they are an error that names them, because a
 * truth that silently lacks something misleads. Slice, colour and group are not looked at.
 *
 * Files of other names in a .zip are passed over; a .zip with files but without any .roi is an
 * error. An empty .zip has no particles. */
#ifndef LP_READ_ROIS_H
#define LP_READ_ROIS_H

#include <stddef.h>

#include "shapes.h"

/* Adds the outlines of a .roi or a .zip to *s, one shape for each, in the order of the archive. *s
 * is zeroed before and freed by the caller, also after an error. LP_EIO, LP_EFORMAT (damaged, not
 * an outline, or unpacking to more than 1 GiB), LP_ENOMEM; messages name path and entry. */
lp_status lp_read_rois(const char *path, lp_shapes *s, lp_err *err);

/* The same for one ROI in memory; the message has no file name. */
lp_status lp_roi_parse(const uint8_t *b, size_t n, lp_shapes *s, lp_err *err);

#endif
