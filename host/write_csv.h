/* write_csv - the table of particles, x_particles.csv.
 *
 * RFC 4180, but lines end in "\n" alone, which awk and diff prefer and every reader takes.
 * The decimal mark is '.' in any locale, 7 significant digits. Unknown values are empty
 * fields, among them all nm columns where the pixel size is unknown. The header line is
 * always there. */
#ifndef LP_WRITE_CSV_H
#define LP_WRITE_CSV_H

#include <stdio.h>

#include "measure.h"

/* The header line, without line end; units are in the names. */
extern const char lp_csv_header[];

/* p [n]; pixel_nm: nm per pixel, 0 = unknown. */
lp_status lp_write_csv(const char *path, const lp_particle *p, int64_t n, double pixel_nm,
                       lp_err *err);

/* The same to a stream. */
void lp_csv_print(FILE *f, const lp_particle *p, int64_t n, double pixel_nm);

#endif
