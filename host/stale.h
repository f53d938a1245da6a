/* stale - what an older run left beside new results of the same image, and would contradict them.
 *
 * Only files that results start with the same path as, and end as in lp_stale_ending, are looked
 * at, and they go only where they are known to be an older run's:
 *   _lipopose.h5       always;
 *   _view.html         where lipopose made it;
 *   coordinates        where they are those of the older table NAME_particles.csv, row by row:
 *                      other programs use these names too;
 *   all others         where they were written within ten minutes before that table, which a run
 *                      writes last: what was changed since (corrected outlines) stays, and is
 * named. */
#ifndef LP_STALE_H
#define LP_STALE_H

#include <stddef.h>
#include <time.h>

/* All endings of files that a run or `view` writes for an image, ended by NULL. */
extern const char *const lp_stale_ending[];
/* 1 where it is one of them. */
int lp_stale_knows(const char *ending);

/* The older table; has_table 0: none that lipopose wrote. */
typedef struct {
    int has_table;
    time_t when;
    double *x; /* [n] of its rows, px; owned */
    size_t n;
} lp_stale;

/* What lies at base before the new results are written. lp_stale_free frees *s. */
void lp_stale_look(const char *base, lp_stale *s);
void lp_stale_free(lp_stale *s);

/* Removes it after they are written: written [n_written] are their paths. run: the saved run that
 * was merged, or NULL; it stays, its page and copies of it too. text receives one line that names
 * what was removed, what stays although it may not fit, and what could not be removed, or "". */
void lp_stale_remove(const lp_stale *s, const char *base, char *const *written, int n_written,
                     const char *run, char *text, size_t cap);

#endif
