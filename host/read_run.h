/* read_run - x_lipopose.h5 of a run over several diameters, to merge it again (write_run.h).
 *
 * A file is data from anywhere: all sizes are checked before anything is allocated or read, and
 * masks lie within the image. */
#ifndef LP_READ_RUN_H
#define LP_READ_RUN_H

#include "layers.h"

typedef struct {
    char *image, *model;                       /* as segment was given them; owned */
    char *model_sha256;                        /* "" unknown; owned */
    double flow_threshold, cellprob_threshold; /* of segment, NaN unknown */
    int page;                                  /* 1-based */
    int min_size;                              /* of segment */
    double pixel_nm;                           /* 0 unknown */
    lp_layers *layers;                         /* owned */
} lp_saved_run;

/* LP_EIO, LP_EFORMAT (also for a run of one diameter, which has nothing to merge, and for a file
 * of a newer version), LP_ENOMEM. The caller frees with lp_saved_run_free. HDF5 is not
 * thread-safe: one call at a time, not beside other HDF5 calls of the process. */
lp_status lp_read_run(const char *path, lp_saved_run *out, lp_err *err);
void lp_saved_run_free(lp_saved_run *r); /* NULL and empty are fine; clears *r */

#endif
