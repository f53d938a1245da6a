/* remerge - a saved run merged again, with its results written. */
#ifndef LP_REMERGE_H
#define LP_REMERGE_H

#include "read_run.h"
#include "results.h"

typedef struct {
    const char *image; /* the micrograph; NULL: where the run says */
    int keep_run;      /* 1: also write the run again, beside the results, with the new masks; its
                          model is then o's */
    /* Told what was read, before it is merged. May be NULL. */
    void (*on_run)(void *user, const lp_saved_run *r);
    void *user;
} lp_remerge_options;

/* Reads the run at path, merges it with o->merge (min_size is the run's), and writes what o asks
 * for under base, as segment would. Where the micrograph cannot be read, or has another size,
 * there are no intensities and no pictures; *no_image then says why, else its status is LP_OK.
 * *res is the caller's. May be called from several threads. */
lp_status lp_remerge(const char *path, const char *base, const lp_run_options *o,
                     const lp_remerge_options *r, lp_results *res, lp_err *no_image, lp_err *err);

#endif
