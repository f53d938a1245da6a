/* run_files - what belongs to a saved run x_lipopose.h5: its results and its micrograph. */
#ifndef LP_RUN_FILES_H
#define LP_RUN_FILES_H

#include "read_run.h"

#define LP_RUN_ENDING "_lipopose.h5"

/* Where results of the run at path start, without suffix, as segment named them: folder/x, in
 * savedir where one is given. base [PATH_MAX]. LP_EIO where that is too long. */
lp_status lp_run_base(const char *path, const char *savedir, char *base, lp_err *err);

/* The micrograph of r, which was read from path. given: its file, or NULL: the one that the run
 * names, else the file of that name beside the run. LP_EFORMAT where its size is not the run's;
 * the message says what was tried first. The caller frees *im; its pixel_nm is the run's. */
lp_status lp_run_image(const lp_saved_run *r, const char *path, const char *given, lp_image *im,
                       lp_err *err);

/* LP_EARG where names [n] and the options are no list of runs to work through: none named, or
 * --image given for several. */
lp_status lp_run_check(int n, const char *image, lp_err *err);

/* Does `one` to each of names [n]; what fails is named on standard error and the others are done.
 * Returns the exit code, 1 where any failed or standard output could not be written. */
int lp_run_each(char *const *names, int n,
                lp_status (*one)(const void *user, const char *path, lp_err *err),
                const void *user);

#endif
