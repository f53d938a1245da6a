/* write_geojson - outlines for QuPath, NAME_outlines.geojson.
 *
 * A FeatureCollection as QuPath's own export: one annotation per label, because those are what its
 * brush and wand correct (detections cannot be edited), named by its label number, with the table's
 * columns as measurements. A label in one 4-connected piece is a Polygon, else a MultiPolygon;
 * holes are kept. Coordinates are x, y in px of the full image; (0, 0) is the upper left corner of
 * the first pixel of the file, so a pixel's centre is at + 0.5, and a polygon runs along pixel
 * edges: filled, it is the label again. Import: File > Import objects from file. */
#ifndef LP_WRITE_GEOJSON_H
#define LP_WRITE_GEOJSON_H

#include "measure.h"

/* p [n]: the particles of lb, in ascending order of label. pixel_nm: 0 unknown. Without particles
 * there is a collection without features. LP_EIO, LP_ENOMEM. */
lp_status lp_write_geojson(const char *path, const lp_labels *lb, const lp_particle *p, int64_t n,
                           double pixel_nm, lp_err *err);

#endif
