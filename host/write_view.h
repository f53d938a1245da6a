/* write_view - a saved run as one self-contained HTML page: the micrograph with its outlines and a
 * slider for the threshold.
 *
 * The page holds all particles, merged at the lowest threshold. They are in falling order of
 * support, and a higher threshold only takes away from the end, so the page needs no merging: its
 * table is the one that `lipopose merge` writes at the same threshold.
 *
 * The page is host/view.html, .css and .js, made into C strings when building. The micrograph is
 * an 8-bit PNG in the overlay's grey values, reduced by a whole factor to at most
 * LP_VIEW_MAX_SIDE: the largest for which its base64, 22 MB, is surely below what browsers take
 * for a data URI (Firefox: 32 MB). Outlines keep the image's pixels. Nothing is loaded from
 * outside, and a Content-Security-Policy forbids it. */
#ifndef LP_WRITE_VIEW_H
#define LP_WRITE_VIEW_H

#include "measure.h"
#include "read_run.h"

#define LP_VIEW_MAX_SIDE 4096

typedef struct {
    const char *file;                      /* of the run, for the command that the page shows */
    const char *image;                     /* --image as given, or NULL; for the same */
    const char *method;                    /* --merge as given, or NULL: scale */
    const char *levels;                    /* --levels as given, or NULL */
    const lp_saved_run *run;               /* its diameters, model, image */
    const lp_merged *merged;               /* at the lowest threshold */
    const lp_particle *particle;           /* [merged->n], of all labels, with merging's values */
    const float *plane;                    /* [Ly][Lx] the micrograph */
    double threshold;                      /* that the page begins with */
    double level[LP_MERGE_MAX_LEVELS + 1]; /* votes, affinity: falling; scale: none */
    int n_levels;
} lp_view;

/* LP_EIO, LP_ENOMEM. */
lp_status lp_write_view(const char *path, const lp_view *v, lp_err *err);

#endif
