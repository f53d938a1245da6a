/* write_outlines - outlines of particles as text and as ImageJ ROIs. */
#ifndef LP_WRITE_OUTLINES_H
#define LP_WRITE_OUTLINES_H

#include "image.h"

/* x_cp_outlines.txt as Cellpose's outlines_to_text: a line per label in ascending order,
 * x1,y1,x2,y2,... of its border pixels (x first). A label whose border has fewer than 5
 * points gives an empty line, as there. */
lp_status lp_write_outlines_txt(const char *path, const lp_labels *lb, lp_err *err);

/* x_rois.zip for ImageJ and Fiji: one ROI per label, named by its number, of type "traced", or
 * "composite" where the label has several pieces or holes. Polygons follow the corners of the
 * pixels, so ImageJ's "create mask" gives the label back; Cellpose's own ROIs run through pixel
 * centres taken as corners and lose the last row and column. File times are constant. */
lp_status lp_write_rois(const char *path, const lp_labels *lb, lp_err *err);

#endif
