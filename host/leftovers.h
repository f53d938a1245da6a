/* leftovers - temporaries of runs that were killed while they wrote (atomic.h).
 *
 * They are listed once, before the run writes its own, and those of an image are removed only while
 * its claim is held (claim.h): nobody else writes its results then. Temporaries of other names,
 * which may be other programs', stay. */
#ifndef LP_LEFTOVERS_H
#define LP_LEFTOVERS_H

#include "inputs.h"

typedef struct {
    char **path;
    int n;
} lp_leftovers;

/* In all folders that in has results in. What cannot be read or kept is left away. */
void lp_leftovers_find(const lp_inputs *in, lp_leftovers *out);
/* Those of results that begin with base. */
void lp_leftovers_remove(const lp_leftovers *l, const char *base);
void lp_leftovers_free(lp_leftovers *l);

#endif
