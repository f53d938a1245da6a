/* watch - folders that fill while a run goes on: `segment --watch`.
 *
 * The folders are listed again and again, since file servers do not tell of what other machines
 * write. A file is complete when two looks at least `settle` seconds apart found the same size and
 * time of change; the machine's clock is never compared with the file server's. A file that is
 * renamed into place passes likewise. What was complete and has changed is given out again when it
 * is complete again: so a file that could not be read is tried again once it is mended.
 *
 * A folder that is away for a while is waited for. Of two files that would write the same results
 * (x.mrc beside x.tif) the one seen first is taken and the other is named once.
 *
 * For one thread at a time. */
#ifndef LP_WATCH_H
#define LP_WATCH_H

#include "inputs.h"
#include "shard.h"

typedef struct {
    char *const *names; /* [n] folders; stay the caller's, and must last */
    int n;
    lp_inputs_options find; /* its strings must last too */
    lp_shard shard;         /* of what is found, this part is given out */
    double settle;          /* s */
    double timeout;         /* s without a change after which the watch is over; 0: never */
} lp_watch_options;

typedef struct lp_watch lp_watch;

/* tell is given lines for people: folders that are away, files left out. */
typedef void lp_watch_tell(void *user, const char *line);

/* LP_EARG for times that are not positive. Folders that are not there are waited for. */
lp_status lp_watch_new(const lp_watch_options *o, lp_watch **out, lp_err *err);
/* Frees also all that was given out. *w becomes NULL; NULL is fine. */
void lp_watch_free(lp_watch **w);

/* Lists the folders, if it is time to. now: s, of a clock that only goes forward. */
void lp_watch_look(lp_watch *w, double now, lp_watch_tell *tell, void *user);

/* What has become complete since the last call, or NULL. Stays w's. Each image is in it once for
 * every state that it was complete in. */
const lp_inputs *lp_watch_take(lp_watch *w);

/* When anything was last seen to change, on the clock of lp_watch_look; -1 where something is not
 * complete yet or was not taken yet. */
double lp_watch_last(const lp_watch *w);

/* When the last look began; what came later was not seen yet. */
double lp_watch_looked(const lp_watch *w);
double lp_watch_timeout(const lp_watch *w);
/* "DIR", or "DIR and 2 more". Stays w's. */
const char *lp_watch_name(const lp_watch *w);

/* Writes the list of what was seen (expected.h), if it has grown; lp_watch_look does it once a
 * minute. */
void lp_watch_keep(lp_watch *w, lp_watch_tell *tell, void *user);

#endif
