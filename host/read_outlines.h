/* read_outlines - labels from outlines that were drawn or corrected in ImageJ or QuPath.
 *
 * read_rois.h and read_geojson.h say what is read, rasterize.h how it becomes pixels and who wins
 * where outlines overlap. Such files do not say how large their image is: the caller must. */
#ifndef LP_READ_OUTLINES_H
#define LP_READ_OUTLINES_H

#include "image.h"

/* 1 where the name ends in .roi, .zip or .geojson. */
int lp_outlines_is_name(const char *name);

/* Labels 1, 2, ... in the file's order, of an image of Ly x Lx pixels; *out is the caller's. What
 * lies outside the image is cut off; where everything does, the file belongs to another image:
 * LP_EFORMAT. Else as the readers and lp_rasterize; messages name path. */
lp_status lp_read_outlines(const char *path, int Ly, int Lx, lp_labels *out, lp_err *err);

#endif
