#include "segment_run.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "claim.h"
#include "journal.h"
#include "machine.h"
#include "read.h"
#include "run_options.h"
#include "run_signals.h"
#include "run_tasks.h"
#include "run_workers.h"

#define GRACE 8.0 /* s from a signal to the end, whatever is being done */

/* A file without a task. keep: a record says so, unless another process is at its results. */
static void fail_file(lp_running *r, const lp_input *x, int keep, const char *why)
{
    const lp_run_task t = {x, 0, 1, 0, 0};
    lp_done_input input = lp_done_look(x->path);
    lp_claim claim = {LP_CLAIM_BUSY, -1};

    if (keep && r->o->settings) lp_claim_take(x->base, &claim, NULL);
    lp_run_fail(r, &t, x->base, claim.state == LP_CLAIM_BUSY ? NULL : &input, NAN, why);
    lp_claim_release(&claim);
}

/* The next task; 0 where there is none. Files are opened here only to count their pages. */
static int take(lp_running *r, lp_run_task *t)
{
    lp_err err;
    int got = 0;

    while (!got) {
        const lp_input *x;
        int bad = 0, beyond = 0;

        pthread_mutex_lock(&r->lock);
        if (lp_signals_stop() || r->next >= r->in->n) {
            pthread_mutex_unlock(&r->lock);
            return 0;
        }
        x = &r->in->item[r->next];
        if (r->npages == 0) {
            if (lp_read_count(x->path, &r->npages, &err)) {
                bad = 1;
            } else if (r->o->page > r->npages) {
                lp_fail(&err, LP_EARG, "%s: has %d page%s, --page %d asked for", x->path, r->npages,
                        r->npages == 1 ? "" : "s", r->o->page);
                bad = beyond = 1;
            } else {
                if (r->o->page_channels) r->npages = 1;
                r->page = r->o->page ? r->o->page - 1 : 0;
                int told = r->tiles ? r->tiles[r->next].pages : 1;

                if (!r->o->page) lp_progress_add_total(r->progress, r->npages - told, 0);
            }
        }
        if (!bad) {
            *t = (lp_run_task){x, r->page++, r->npages, 0, 0};
            if (r->tiles && (r->o->page || t->page < r->tiles[r->next].pages))
                t->expected = r->tiles[r->next].tiles;
            got = 1;
        }
        if (bad && r->tiles) {
            lp_run_tiles told = r->tiles[r->next];

            lp_progress_add_total(r->progress, 1 - told.pages, -(int64_t)told.pages * told.tiles);
        }
        if (bad || r->o->page || r->page >= r->npages) {
            r->next++;
            r->page = r->npages = 0;
        }
        pthread_mutex_unlock(&r->lock);
        /* Of a page that is not there, nothing is said of the file's results. */
        if (bad) fail_file(r, x, !beyond, err.msg);
    }
    return 1;
}

/* A task that was put off; waits a moment, as it may still be with the other process. */
static int take_later(lp_running *r, lp_run_task *t)
{
    int got;

    pthread_mutex_lock(&r->lock);
    got = !lp_signals_stop() && lp_run_list_take(&r->later, t);
    pthread_mutex_unlock(&r->lock);
    if (got) {
        if (!r->o->quiet)
            lp_run_tell_once(r, LP_TOLD_WAITING,
                             "lipopose: waiting for images that another process is working on");
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
    return got;
}

/* A task that had to leave its device. */
static int take_back(lp_running *r, lp_run_task *t)
{
    int got;

    pthread_mutex_lock(&r->lock);
    got = !lp_signals_stop() && lp_run_list_take(&r->back, t);
    pthread_mutex_unlock(&r->lock);
    return got;
}

static void *work(void *arg)
{
    lp_run_worker *w = arg;
    int before = omp_get_max_threads(), gone = 0;
    lp_run_task t;

    omp_set_num_threads(w->threads); /* reading and writing too */
    while (!gone) {
        lp_run_look(w);
        if (take_back(w->r, &t) || take(w->r, &t) || take_later(w->r, &t)) {
            t.worker = w->index;
            gone = lp_run_do(w, &t);
        } else if (!lp_run_wait(w)) {
            break;
        }
    }
    if (gone) lp_run_at_work(w->r, -1);
    omp_set_num_threads(before);
    return NULL;
}

/* The end of a run, also of one that is cut off. */
static void sum_up(lp_running *r)
{
    const lp_run_options *o = r->o;
    double s = omp_get_wtime() - r->started;
    int n = lp_signals_stop();
    char *line = NULL;
    lp_err err;

    if (!o->no_summary && !o->quiet) lp_tally_print(&r->tally, o, s, o->json ? stderr : stdout);
    if (o->settings && r->in->n && !lp_tally_json(&r->tally, s, n, &line, NULL) &&
        lp_journal_add(r->in->item[0].base, &o->shard, line, &err) &&
        !(r->told & LP_TOLD_JOURNAL) && r->tally.done)
        fprintf(stderr, "lipopose: the log of records has gaps: %s\n", err.msg);
    free(line);
    if (n)
        fprintf(
            stderr, "lipopose: stopped by signal %d with %d images done; %s\n", n, r->tally.done,
            o->settings || o->no_summary ? "a rerun goes on from there" : "a rerun starts over");
}

/* The summary only where no worker hangs with the lock, as in a write that nobody reads. */
static void cut_off(lp_running *r)
{
    int tries = 10, n = lp_signals_stop();

    while (tries && pthread_mutex_trylock(&r->lock)) {
        nanosleep(&(struct timespec){0, 50000000}, NULL);
        tries--;
    }
    if (tries)
        sum_up(r);
    else
        fprintf(stderr, "lipopose: stopped by signal %d\n", n);
    signal(n, SIG_DFL);
    raise(n);
    _exit(128 + n); /* the first process of a container survives its own signals */
}

/* Ends the process when it has not ended GRACE seconds after a signal: files are whole or not
 * there at any moment, and claims are the kernel's. */
static void *guard(void *arg)
{
    lp_running *r = arg;
    double since = 0;

    pthread_mutex_lock(&r->end_lock);
    while (!r->finished) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        if (lp_signals_stop() && since == 0) since = (double)t.tv_sec;
        if (since > 0 && (double)t.tv_sec - since >= GRACE) cut_off(r);
        t.tv_nsec += 200000000;
        if (t.tv_nsec >= 1000000000) {
            t.tv_nsec -= 1000000000;
            t.tv_sec++;
        }
        pthread_cond_timedwait(&r->end, &r->end_lock, &t);
    }
    pthread_mutex_unlock(&r->end_lock);
    return NULL;
}

void lp_run_new_list(lp_running *r, const lp_session *s, const lp_inputs *in)
{
    lp_run_tiles *tiles = r->o->quiet ? NULL : calloc((size_t)in->n, sizeof *tiles);
    int64_t pages = 0, n = 0;
    int i;

    if (tiles) lp_run_tiles_count(s, in, r->o, tiles);
    for (i = 0; i < in->n; i++) {
        pages += tiles ? tiles[i].pages : 1;
        n += tiles ? (int64_t)tiles[i].pages * tiles[i].tiles : 0;
    }
    lp_progress_add_total(r->progress, pages, n);
    pthread_mutex_lock(&r->lock);
    free(r->tiles);
    r->tiles = tiles;
    r->in = in;
    r->next = 0;
    pthread_mutex_unlock(&r->lock);
}

static void name_process(char *name, size_t cap)
{
    char host[HOST_NAME_MAX + 1] = "";

    if (gethostname(host, sizeof host - 1)) *host = 0;
    snprintf(name, cap, "%s:%ld", host, (long)getpid());
}

/* Of this process, s. */
static double cpu_time(void)
{
    struct timespec t;

    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? NAN
                                                       : (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void begin(lp_running *r, const lp_inputs *in, const lp_run_options *o)
{
    pthread_condattr_t attr;

    *r = (lp_running){.in = in, .next = in->n, .o = o, .started = omp_get_wtime()};
    r->cpu_before = cpu_time();
    r->tally.cpu = NAN;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->news, NULL);
    pthread_mutex_init(&r->end_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->end, &attr);
    pthread_condattr_destroy(&attr);
    lp_turns_init(&r->turns);
    name_process(r->process, sizeof r->process);
}

static void end(lp_running *r)
{
    free(r->tiles);
    free(r->later.task);
    free(r->back.task);
    lp_tally_free(&r->tally);
    lp_leftovers_free(&r->leftovers);
    lp_turns_destroy(&r->turns);
    pthread_cond_destroy(&r->end);
    pthread_cond_destroy(&r->news);
    pthread_mutex_destroy(&r->end_lock);
    pthread_mutex_destroy(&r->lock);
}

/* Workers, each with a session, dealt to the devices. *out [r->workers] is the caller's also after
 * a failure. */
static lp_status hire(lp_running *r, lp_run_worker **out, lp_err *err)
{
    const lp_run_options *o = r->o;
    lp_session_options so = o->session;
    int threads = so.threads > 0 ? so.threads : lp_machine_threads(), n, i, found;
    char left[2000];
    lp_run_worker *w;
    lp_status st;

    if ((st = lp_run_devices_find(o, r->device, &r->n_devices, err))) return st;
    n = lp_run_workers(r->in, o, r->device, r->n_devices, threads, 30);
    if (r->n_devices > n) r->n_devices = n;
    so.threads = threads / n > 0 ? threads / n : 1;
    if (!(w = calloc((size_t)n, sizeof *w))) return lp_fail_mem(err, "workers", n * 64.0);
    *out = w;
    r->workers = r->tally.side = n;
    found = r->n_devices;
    if ((st = lp_run_devices_open(o, &so, r->device, &r->n_devices, left, sizeof left, err)))
        return st;
    if (*left && !o->quiet) fprintf(stderr, "%s\n", left);
    /* Those of devices that could not be opened are not needed. */
    n = n * r->n_devices / found > r->n_devices ? n * r->n_devices / found : r->n_devices;
    r->workers = r->tally.side = n;
    for (i = 0; i < n; i++) {
        w[i] = (lp_run_worker){
            .r = r, .device = &r->device[i % r->n_devices], .index = i + 1, .threads = so.threads};
    }
    for (i = 0; i < r->n_devices; i++) w[i].session = r->device[i].session;
    for (; i < n && !st; i++) st = lp_session_share(w[i].device->session, &w[i].session, err);
    return st;
}

static void announce(const lp_running *r, const lp_session *s)
{
    const lp_run_options *o = r->o;
    char text[700], at_once[64] = "", devices[64] = "", size[96] = "diameter estimated";

    if (r->n_devices > 1) snprintf(devices, sizeof devices, " and %d more", r->n_devices - 1);
    if (r->workers > 1) snprintf(at_once, sizeof at_once, "; %d images at a time", r->workers);
    if (o->auto_diameters)
        snprintf(size, sizeof size, "diameters chosen for each image");
    else if (o->n_diameters)
        snprintf(size, sizeof size, "%d diameters %g to %g px", o->n_diameters, o->diameters[0],
                 o->diameters[o->n_diameters - 1]);
    else if (o->segment.diameter > 0)
        snprintf(size, sizeof size, "diameter %g px", o->segment.diameter);
    snprintf(text, sizeof text, "lipopose %s: model %.300s, %s, %s%s%s", lp_version(),
             o->model_name, size, lp_session_describe(s), devices, at_once);
    lp_progress_message(r->progress, text);
}

/* All tasks, by all workers: the first is this thread. */
static void work_all(lp_running *r, lp_run_worker *w, pthread_t *thread)
{
    pthread_t guard_thread;
    int guarded = !pthread_create(&guard_thread, NULL, guard, r), n, i;

    r->at_work = r->workers;
    for (n = 1; n < r->workers; n++)
        if (pthread_create(&thread[n], NULL, work, &w[n])) break;
    lp_run_at_work(r, n - r->workers);
    work(&w[0]);
    for (i = 1; i < n; i++) pthread_join(thread[i], NULL);
    lp_run_unwatch(r);
    pthread_mutex_lock(&r->end_lock);
    r->finished = 1;
    pthread_cond_signal(&r->end);
    pthread_mutex_unlock(&r->end_lock);
    if (guarded) pthread_join(guard_thread, NULL);
}

/* How much of the CPUs and devices was used. */
static void measure(lp_running *r)
{
    int threads = r->o->session.threads, i;

    if (threads < 1) threads = lp_machine_threads();
    r->tally.cpu = (cpu_time() - r->cpu_before) / (omp_get_wtime() - r->started) / threads;
    for (i = 0; i < r->n_devices; i++) {
        lp_net_batch_state b;
        int k = r->tally.n_devices;
        double busy;

        if (r->device[i].lost || !lp_session_work(r->device[i].session, &b, &busy)) continue;
        r->tally.device[k].gpu = r->device[i].gpu;
        r->tally.device[k].network = b.busy;
        r->tally.device[k].busy = busy;
        r->tally.device[k].batches = b.batches;
        r->tally.device[k].tiles = b.tiles;
        r->tally.n_devices++;
    }
}

/* After the last image: what is told, and the exit code. */
static int finish(lp_running *r)
{
    int code = r->tally.failed ? 1 : 0;

    lp_signals_leave();
    lp_progress_free(&r->progress);
    measure(r);
    sum_up(r);
    if (r->stdout_error) {
        fprintf(stderr, "lipopose: JSON records are missing: cannot write to standard output: %s\n",
                strerror(r->stdout_error));
        code = 1;
    }
    return lp_signals_stop() ? 128 + lp_signals_stop() : code;
}

int lp_segment_run(const lp_inputs *in, const lp_run_options *given)
{
    lp_run_options own = *given;
    const lp_run_options *o = &own;
    pthread_t *thread = NULL;
    lp_run_worker *w = NULL;
    int i, code = 0;
    lp_running r;
    lp_err err;
    lp_status st;

    begin(&r, in, o);
    lp_signals_catch();
    if ((st = hire(&r, &w, &err))) goto done;
    if (!(thread = calloc((size_t)r.workers, sizeof *thread))) {
        st = lp_fail_mem(&err, "workers", r.workers * 8.0);
        goto done;
    }
    if (o->mean_diameter && o->segment.diameter == 0 && !lp_run_many(o) &&
        !lp_session_has_size_model(w[0].session)) {
        own.segment.diameter = lp_session_diam_labels(w[0].session);
        if (!o->quiet)
            fprintf(stderr,
                    "lipopose: the model has no size model to estimate diameters: %g px, the mean "
                    "of its training, for all images\n",
                    own.segment.diameter);
    }
    if ((st = lp_run_options_try(w[0].session, &o->segment, lp_run_many(o), &err))) goto done;
    r.progress = lp_progress_new(stderr, o->quiet ? LP_PROGRESS_QUIET : LP_PROGRESS_AUTO);
    if (!o->quiet) announce(&r, w[0].session);
    if (!o->watch) lp_run_new_list(&r, w[0].session, in);
    if (o->settings) lp_leftovers_find(in, &r.leftovers);
    work_all(&r, w, thread);
    code = finish(&r);
done:
    if (st) {
        fprintf(stderr, "lipopose: %s\n", err.msg);
        code = st == LP_EMISSING ? 3 : st == LP_EARG ? 2 : st == LP_EIO || st == LP_EFORMAT ? 3 : 1;
    }
    for (i = 0; w && i < r.workers; i++) lp_session_close(&w[i].session);
    free(w);
    free(thread);
    end(&r);
    return code;
}
