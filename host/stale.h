/* stale - what lies beside new results of an image and is not of the run that made them.
 *
 * The run's own files (saved run, its page, overlay) would contradict the new masks, so an older
 * run's go. All others are named and stay: other programs write files of these names too, and
 * outlines may have been corrected by hand. */
#ifndef LP_STALE_H
#define LP_STALE_H

#include <stddef.h>

/* 1 for an ending of files that a run or `view` writes for an image. */
int lp_stale_knows(const char *ending);

/* After the new results are there: written [n_written] are their paths, base what all begin with.
 * run: the saved run that was merged, or NULL; it, or a copy of it at base, stays with its page.
 * text receives one line that names what was removed and what lies there from before, or "". */
void lp_stale_remove(const char *base, char *const *written, int n_written, const char *run,
                     char *text, size_t cap);

#endif
