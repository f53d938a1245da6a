/* run_tasks - the parts of segment_run: a run's state, and one image of it.
 *
 * Only segment_run.c, run_image.c, run_say.c and run_watch.c include this. */
#ifndef LP_RUN_TASKS_H
#define LP_RUN_TASKS_H

#include <pthread.h>

#include "done.h"
#include "leftovers.h"
#include "progress.h"
#include "run_devices.h"
#include "run_tiles.h"
#include "session.h"
#include "tally.h"
#include "turns.h"

typedef struct {
    const lp_input *x;
    int page, npages; /* 0-based; of x */
    int expected;     /* tiles that the progress was told of */
    int worker;       /* that does it, from 1; 0: none yet */
} lp_run_task;

typedef struct {
    lp_run_task *task; /* [n] of room */
    int n, room;
} lp_run_list;

typedef struct {
    const lp_run_options *o;
    lp_progress *progress;
    double started, cpu_before; /* by omp_get_wtime; CPU time of the process, s */
    char process[300];          /* "HOST:PID" */
    lp_leftovers leftovers;

    int workers;
    lp_turns turns;         /* of images, which share the memory */
    pthread_mutex_t lock;   /* of what follows, and of stdout */
    const lp_inputs *in;    /* of a watch: what it gave last */
    lp_run_tiles *tiles;    /* [in->n], or NULL: what the progress was told */
    int next, page, npages; /* the next task: page `page` (0-based) of input `next` */
    lp_run_list later;      /* another process was at them */
    lp_run_list back;       /* the device that they were on is lost */
    lp_run_device device[LP_RUN_GPUS];
    int n_devices;
    int at_work;         /* workers that have a task, or look for one */
    pthread_cond_t news; /* at_work */
    double ended;        /* when one of them last had nothing more to do */
    int looking;         /* one of them has the watch */
    int over;            /* the watch is, for all of them: nothing comes any more */
    lp_tally tally;
    int stdout_error;         /* an errno */
    int told;                 /* bits of LP_TOLD_ */
    pthread_mutex_t end_lock; /* of finished, held for moments only */
    int finished;
    pthread_cond_t end; /* finished */
} lp_running;

enum { LP_TOLD_LOCKS = 1, LP_TOLD_JOURNAL = 2, LP_TOLD_WAITING = 4 };

typedef struct {
    lp_running *r;
    lp_session *session;
    lp_run_device *device;
    int index;        /* from 1 */
    int threads;      /* its share of the CPU's */
    int tiles, total; /* of the current image, told to the progress so far */
} lp_run_worker;

/* Whether images are segmented at several diameters. */
static inline int lp_run_many(const lp_run_options *o)
{
    return o->n_diameters || o->auto_diameters;
}

/* Does a task unless it is done, or puts it off where another process is at it. Returns 1 where it
 * went back on the list because the worker's device is lost while there are others: the worker can
 * do no more (run_image.c). */
int lp_run_do(lp_run_worker *w, const lp_run_task *t);
lp_status lp_run_list_add(lp_run_list *l, const lp_run_task *t, lp_err *err);
/* The first of the list; 0 where there is none. */
int lp_run_list_take(lp_run_list *l, lp_run_task *t);

/* A new list, when all of the last one is taken: counts its pages and tiles (segment_run.c). */
void lp_run_new_list(lp_running *r, const lp_session *s, const lp_inputs *in);

/* Of run_watch.c. Looks whether there are new images, where there is a watch. */
void lp_run_look(lp_run_worker *w);
/* Waits for new images, and for those that other workers may give back. 1: there are some, 0: there
 * will be none. */
int lp_run_wait(lp_run_worker *w);
/* The worker looks for tasks (more 1), or does so no longer (-1). */
void lp_run_at_work(lp_running *r, int more);
/* At the end. */
void lp_run_unwatch(lp_running *r);

/* Of run_say.c: the name as it may be printed: one line, nothing that a terminal would obey. */
void lp_run_printable(char *out, size_t cap, const char *name);
/* The same with the page, where there are several. */
void lp_run_name(char *out, size_t cap, const char *path, int page, int npages);
/* A record on standard output; called with the lock held. */
void lp_run_print(lp_running *r, const char *line);
/* One line, the first time only; what: a bit of LP_TOLD_. */
void lp_run_tell_once(lp_running *r, int what, const char *text);
/* The record of a task that began at start (omp_get_wtime; NaN: it did not) and ends now, for all
 * who want one; the caller frees; NULL without memory. input may be NULL. found: of several
 * diameters, else without layers; may be NULL without res. error is NULL where all went well. */
char *lp_run_record(const lp_running *r, const lp_run_task *t, const lp_done_input *input,
                    double start, const lp_results *res, const lp_diameters_result *found,
                    const char *error);
/* A task came to its end: prints and logs its record (line, may be NULL) and keeps count. error is
 * NULL where all went well, else res is. */
void lp_run_count(lp_running *r, const lp_run_task *t, const char *base, const lp_results *res,
                  const char *error, const char *line);
/* A task that failed. It gets a record, for which its claim must be held, unless input is NULL.
 * Where the failure cannot be kept, the next run finds no record either. */
void lp_run_fail(lp_running *r, const lp_run_task *t, const char *base, const lp_done_input *input,
                 double start, const char *error);

#endif
