/* run_tiles - how much work a run is, known from the headers of its images before it begins. */
#ifndef LP_RUN_TILES_H
#define LP_RUN_TILES_H

#include "segment_run.h"

typedef struct {
    int pages; /* to be segmented; 1 where the file cannot be read */
    int tiles; /* of each page, as the first one's size tells; 0 where that is not known */
} lp_run_tiles;

/* out [in->n]. Diameters that are found from the image (auto, --diameter 0) make the tiles unknown.
 * Headers are read for a few seconds at most (slow network folders); the rest then has 1 page and
 * unknown tiles. */
void lp_run_tiles_count(const lp_session *s, const lp_inputs *in, const lp_run_options *o,
                        lp_run_tiles *out);

#endif
