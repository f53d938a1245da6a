/* read_geojson - outlines drawn in QuPath (or any program that writes GeoJSON in pixels).
 *
 * A FeatureCollection, an array of Features, or a single Feature; each Feature with a Polygon
 * (with holes), a MultiPolygon or a GeometryCollection of these is one shape. Coordinates are x, y
 * in px of the full image, (0, 0) the upper left corner of the first pixel; further ones (z) are
 * not looked at. Whether it is an annotation, a detection or a cell, its class and its name make no
 * difference; of a cell the nucleus is not read. Points, lines and Features without geometry have
 * no inside: they are an error that counts to them. */
#ifndef LP_READ_GEOJSON_H
#define LP_READ_GEOJSON_H

#include <stddef.h>

#include "shapes.h"

/* Adds the outlines of the file, in its order, to *s, which is zeroed before and freed by the
 * caller, also after an error. LP_EIO (also above 256 MiB), LP_EFORMAT, LP_ENOMEM; messages name
 * path. */
lp_status lp_read_geojson(const char *path, lp_shapes *s, lp_err *err);

/* The same for text [n]; the message has no file name. */
lp_status lp_geojson_parse(const char *text, size_t n, lp_shapes *s, lp_err *err);

#endif
