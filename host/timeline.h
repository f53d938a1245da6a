/* timeline - which worker of which task did what when, from the records of a folder (gather.h).
 *
 * Times are seconds since the first image began. They come from the clocks of the machines that did
 * the work: a clock that is wrong shifts its task's bars. Pauses in which nobody worked, as between
 * a run and its rerun, are shortened. Only what each image's last record tells is there: an image
 * that was done again is shown once. */
#ifndef LP_TIMELINE_H
#define LP_TIMELINE_H

#include "gather.h"

#define LP_TIMELINE_STAGES 14 /* further ones are part of LP_TIMELINE_OTHER */
enum { LP_TIMELINE_OTHER = LP_TIMELINE_STAGES, LP_TIMELINE_FAILED, LP_TIMELINE_KINDS };

/* One image. */
typedef struct {
    const lp_gathered *it;
    double begin, end; /* s */
    int lane;
    float part[LP_TIMELINE_KINDS]; /* of the time from begin to end, in order; sums to 1 */
} lp_timeline_bar;

/* One worker of a task. Strings are the records'. */
typedef struct {
    const char *process, *shard; /* "HOST:PID"; "2/4" or "" */
    int worker;                  /* from 1 */
    int task;                    /* 0 .. n_tasks - 1: lanes of a process, which follow each other */
    int first, n;                /* its bars */
} lp_timeline_lane;

/* A shortened pause. */
typedef struct {
    double at, seconds; /* on the shortened axis; how long it was */
} lp_timeline_pause;

typedef struct {
    lp_timeline_bar *bar; /* [n] by lane, then by begin */
    int n;
    int failed;  /* images, also those that could not be opened, which have no times */
    int unknown; /* done, but without times: by other versions */
    lp_timeline_lane *lane;
    int n_lanes, n_tasks;
    lp_timeline_pause *pause;
    int n_pauses;
    double span;                           /* the last end, pauses shortened */
    const char *stage[LP_TIMELINE_STAGES]; /* [n_stages] names, the records' */
    int n_stages;
    double began; /* s since 1970 */
} lp_timeline;

/* *out refers to g. LP_ENOMEM. */
lp_status lp_timeline_new(const lp_gather *g, lp_timeline *out, lp_err *err);
void lp_timeline_free(lp_timeline *t);

#define LP_TIMELINE_PAGE "lipopose_gathered.html"

/* One page that needs nothing else. LP_EIO, LP_ENOMEM. */
lp_status lp_timeline_write(const lp_timeline *t, const char *dir, const char *path, lp_err *err);

#endif
