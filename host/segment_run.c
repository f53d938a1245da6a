#include "segment_run.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernels/resize.h"
#include "json_log.h"
#include "machine.h"
#include "measure.h"
#include "pilot.h"
#include "progress.h"
#include "read.h"
#include "results.h"
#include "run_options.h"
#include "run_signals.h"
#include "run_tiles.h"
#include "run_workers.h"
#include "session.h"
#include "turns.h"

typedef struct {
    const lp_inputs *in;
    const lp_run_options *o;
    lp_progress *progress;
    double started;

    int workers;
    lp_turns turns;                 /* of images, which share the memory */
    pthread_mutex_t lock;           /* of what follows, and of stdout */
    lp_run_tiles *tiles;            /* [in->n], or NULL: what the progress was told */
    int next, page, npages;         /* the next task: page `page` (0-based) of input `next` */
    int done, failed, stdout_error; /* the last an errno */
    int empty, doubtful;            /* done, but nothing found; lp_results_doubtful */
    int64_t particles;
    double *diameters; /* [n_diameters] equivalent diameters of all particles, px */
    int64_t n_diameters, room;
} run;

typedef struct {
    run *r;
    lp_session *session;
    int tiles, total; /* of the current image, told to the progress so far */
    int expected;     /* told before it began */
} worker;

/* Whether images are segmented at several diameters. */
static int many(const lp_run_options *o)
{
    return o->n_diameters || o->auto_diameters;
}

static int on_tiles(void *user, int done, int total)
{
    worker *w = user;

    if (done == 0) {
        w->tiles = 0;
        w->total = w->expected;
        w->expected = 0;
    }
    if (total != w->total) lp_progress_add_total(w->r->progress, 0, total - w->total);
    w->total = total;
    lp_progress_tiles_done(w->r->progress, done - w->tiles);
    w->tiles = done;
    return lp_signals_stop() != 0;
}

/* The name as it may be printed: one line, nothing that a terminal would obey. */
static void printable(char *out, size_t cap, const char *name)
{
    char *p;

    snprintf(out, cap, "%s", name);
    for (p = out; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127) *p = '?';
}

/* The same with the page, where there are several. */
static void show_name(char *out, size_t cap, const char *path, int page, int npages)
{
    size_t n;

    printable(out, cap, path);
    n = strlen(out);
    if (npages > 1) snprintf(out + n, cap - n, " page %d", page + 1);
}

/* Called with the lock held. */
static void print_json(run *r, const char *line)
{
    if (r->stdout_error) return;
    errno = 0;
    if (puts(line) < 0 || fflush(stdout)) r->stdout_error = errno ? errno : EIO;
}

/* Prints a record, and keeps count. found: of several diameters, else without layers; may be NULL.
 * error is NULL where all went well. */
static void record(run *r, const char *path, int page, int npages, const lp_results *res,
                   const lp_diameters_result *found, const char *error)
{
    char shown[PATH_MAX], name[PATH_MAX + 32], text[PATH_MAX + 1200];
    lp_json_record rec = {.file = path, .page = page + 1, .error = error, .particles = -1};
    lp_err err;
    char *line = NULL;
    int64_t i;

    printable(shown, sizeof shown, path);
    show_name(name, sizeof name, path, page, npages);
    if (res) {
        rec.particles = res->n;
        rec.diameter = res->diameter;
        rec.Ly = res->Ly;
        rec.Lx = res->Lx;
        rec.pixel_nm = res->pixel_nm;
        rec.stages = res->stage;
        rec.n_stages = res->n_stages;
        rec.outputs = (const char *const *)res->output;
        rec.n_outputs = res->n_outputs;
        rec.found = found->layers ? found : NULL;
        snprintf(text, sizeof text, "%lld particle%s", (long long)res->n, res->n == 1 ? "" : "s");
        if (r->o->segment.diameter == 0 && !many(r->o))
            snprintf(text + strlen(text), 64, " (diameter %.1f px, estimated)", res->diameter);
    } else {
        /* Most messages begin with the path; those that do not get it. */
        size_t n = strlen(shown);
        int named = !strncmp(error, shown, n) && (error[n] == ':' || error[n] == ' ');

        snprintf(text, sizeof text, "lipopose: %s%s%s", named ? "" : name, named ? "" : ": ",
                 error);
    }
    pthread_mutex_lock(&r->lock);
    if (res) {
        r->done++;
        r->empty += res->n == 0;
        r->doubtful += lp_results_doubtful(res);
        r->particles += res->n;
        if (r->n_diameters + res->n > r->room) {
            int64_t room = (r->n_diameters + res->n) * 2;
            double *d = realloc(r->diameters, (size_t)room * sizeof *d);

            if (d) {
                r->diameters = d;
                r->room = room;
            }
        }
        for (i = 0; i < res->n && r->n_diameters < r->room; i++)
            r->diameters[r->n_diameters++] = res->particle[i].diameter;
    } else {
        r->failed++;
    }
    if (r->o->json && lp_json_format(&rec, &line, &err) == LP_OK) print_json(r, line);
    pthread_mutex_unlock(&r->lock);
    free(line);
    if (res) {
        lp_progress_image_done(r->progress, name, text);
    } else {
        lp_progress_message(r->progress, text);
        lp_progress_image_done(r->progress, name, NULL);
    }
}

/* The next task; 0 where there is none. Files are opened here only to count their pages. */
static int take(run *r, const lp_input **input, int *page, int *npages, int *expected)
{
    lp_err err;
    int got = 0;

    while (!got) {
        const lp_input *x;
        int bad = 0;

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
                bad = 1;
            } else {
                r->page = r->o->page ? r->o->page - 1 : 0;
                int told = r->tiles ? r->tiles[r->next].pages : 1;

                if (!r->o->page) lp_progress_add_total(r->progress, r->npages - told, 0);
            }
        }
        if (!bad) {
            *input = x;
            *page = r->page++;
            *npages = r->npages;
            *expected = r->tiles && *page < r->tiles[r->next].pages ? r->tiles[r->next].tiles : 0;
            if (r->o->page && r->tiles) *expected = r->tiles[r->next].tiles;
            got = 1;
        }
        if (bad && r->tiles) {
            lp_run_tiles t = r->tiles[r->next];

            lp_progress_add_total(r->progress, 1 - t.pages, -(int64_t)t.pages * t.tiles);
        }
        if (bad || r->o->page || r->page >= r->npages) {
            r->next++;
            r->page = r->npages = 0;
        }
        pthread_mutex_unlock(&r->lock);
        if (bad) record(r, x->path, 0, 1, NULL, NULL, err.msg);
    }
    return 1;
}

static void warn(run *r, const char *name, const lp_image *im, const lp_result *res)
{
    char path[PATH_MAX], text[PATH_MAX + 200];

    printable(path, sizeof path, name);

    if (im->replaced) {
        snprintf(text, sizeof text,
                 "lipopose: %s: %lld NaN or infinite pixels were replaced by the mean", path,
                 (long long)im->replaced);
        lp_progress_message(r->progress, text);
    }
    if (res->flat_channels) {
        snprintf(text, sizeof text,
                 "lipopose: %s: grey values span less than 0.001, which Cellpose's normalisation "
                 "takes for an empty image; scale them or give --lowhigh",
                 path);
        lp_progress_message(r->progress, text);
    }
}

static void say_choice(run *r, const char *path, int page, int npages, const lp_diameters_result *f)
{
    char name[PATH_MAX + 32], what[200], text[PATH_MAX + 300];

    if (r->o->quiet) return;
    show_name(name, sizeof name, path, page, npages);
    lp_pilot_tell(what, sizeof what, f);
    snprintf(text, sizeof text, "%s: %s", name, what);
    lp_progress_message(r->progress, text);
}

/* The image at all diameters, merged and measured: *seg has masks and times. */
static lp_status segment_all(worker *w, const lp_image *im, const lp_segment_options *so,
                             lp_result *seg, lp_diameters_result *found, lp_merge_table *table,
                             lp_merged *merged, lp_err *err)
{
    const lp_run_options *o = w->r->o;
    float *own = NULL;
    lp_status st =
        o->auto_diameters
            ? lp_segment_auto(w->session, im->data, im->nchan, im->Ly, im->Lx, so, found, err)
            : lp_segment_diameters(w->session, im->data, im->nchan, im->Ly, im->Lx, so,
                                   o->diameters, o->n_diameters, found, err);

    if (st || (st = lp_results_plane(im, so, &own, &table->image, err))) return st;
    st = lp_session_merge(w->session, found->layers, &o->merge, table, merged, err);
    free(own);
    if (st) return st;
    seg->Ly = merged->Ly;
    seg->Lx = merged->Lx;
    seg->n = merged->n;
    seg->diameter = NAN;
    seg->ntiles = found->ntiles;
    seg->flat_channels = found->flat_channels;
    memcpy(seg->seconds, found->seconds, sizeof seg->seconds);
    seg->masks = merged->masks;
    merged->masks = NULL;
    return LP_OK;
}

/* Returns 1 where memory was short while others may have had some: to be done again, alone. */
static int one_image(worker *w, const lp_input *x, int page, int npages, int alone)
{
    run *r = w->r;
    lp_segment_options so = r->o->segment;
    lp_image im = {0};
    lp_result seg = {0};
    lp_results res = {0};
    lp_diameters_result found = {0};
    lp_merged merged = {0};
    lp_merge_table table = {0};
    lp_results_merged merge;
    char base[PATH_MAX];
    double t = omp_get_wtime(), read;
    lp_err err;
    lp_status st;
    int again;

    w->tiles = w->total = 0;
    lp_progress_image_start(r->progress, x->path);
    so.on_tiles = on_tiles;
    so.user = w;
    if ((st = lp_read_image(x->path, page, &im, &err))) goto done;
    read = omp_get_wtime() - t;
    if (r->o->pixel_nm > 0) im.pixel_nm = r->o->pixel_nm;
    st = many(r->o) ? segment_all(w, &im, &so, &seg, &found, &table, &merged, &err)
                    : lp_segment(w->session, im.data, im.nchan, im.Ly, im.Lx, &so, &seg, &err);
    if (st) goto done;
    warn(r, x->path, &im, &seg);
    if (r->o->auto_diameters) say_choice(r, x->path, page, npages, &found);
    if (npages > 1)
        snprintf(base, sizeof base, "%s_p%04d", x->base, page + 1);
    else
        snprintf(base, sizeof base, "%s", x->base);
    merge = (lp_results_merged){.layers = found.layers, .merged = &merged, .table = &table};
    st = lp_results_write(base, x->path, page, &im, &seg, many(r->o) ? &merge : NULL, read, r->o,
                          &res, &err);
    if (!st && *res.older && !r->o->quiet) {
        char name[PATH_MAX], text[PATH_MAX + 800];

        printable(name, sizeof name, base);
        snprintf(text, sizeof text, "lipopose: %s: %s", name, res.older);
        lp_progress_message(r->progress, text);
    }
    if (!st && r->o->on_done) {
        pthread_mutex_lock(&r->lock);
        r->o->on_done(r->o->user, base);
        pthread_mutex_unlock(&r->lock);
    }
done:
    again = st == LP_ENOMEM && !alone && r->workers > 1;
    if (st && st != LP_ESIGNAL) /* what will not be done */
        lp_progress_add_total(r->progress, 0, w->tiles - w->total - w->expected);
    if (again) w->expected = 0;
    if (!again && st != LP_ESIGNAL) /* dropped, neither done nor failed */
        record(r, x->path, page, npages, st ? NULL : &res, &found, st ? err.msg : NULL);
    lp_results_free(&res);
    lp_result_free(&seg);
    lp_layers_free(&found.layers);
    lp_merged_free(&merged);
    free(table.particle);
    lp_image_free(&im);
    return again;
}

static void *work(void *arg)
{
    worker *w = arg;
    const lp_input *x;
    int page, npages, alone, again;

    while (take(w->r, &x, &page, &npages, &w->expected))
        for (alone = 0, again = 1; again; alone = 1) {
            lp_turns_begin(&w->r->turns, alone);
            again = one_image(w, x, page, npages, alone);
            lp_turns_end(&w->r->turns, alone);
        }
    return NULL;
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void closing_line(run *r)
{
    FILE *to = r->o->json ? stderr : stdout;
    double s = omp_get_wtime() - r->started;

    if (r->o->quiet) return;
    fprintf(to, "%d image%s: %lld particle%s", r->done, r->done == 1 ? "" : "s",
            (long long)r->particles, r->particles == 1 ? "" : "s");
    if (r->n_diameters) {
        qsort(r->diameters, (size_t)r->n_diameters, sizeof *r->diameters, compare_double);
        fprintf(to, ", median diameter %.1f px", r->diameters[r->n_diameters / 2]);
    }
    fprintf(to, ", %.1f s", s);
    if (r->failed) fprintf(to, "; %d failed", r->failed);
    if (r->done)
        fprintf(to, "; results: %s%s*_cp_masks.tif, *_particles.csv%s",
                r->o->savedir ? r->o->savedir : "beside the images: ", r->o->savedir ? "/" : "",
                r->o->save_overlay ? ", *_overlay.png" : "");
    fputc('\n', to);
    if (r->empty) {
        fprintf(to, "nothing found in %d of %d: ", r->empty, r->done);
        if (!many(r->o) && r->o->segment.diameter > 0)
            fprintf(to, "is --diameter %g right? Try --diameters auto, ", r->o->segment.diameter);
        fprintf(to, "--cellprob_threshold -2, or a model for this kind of image\n");
    }
    if (r->doubtful)
        fprintf(
            to,
            "%d of %d may hold noise instead of particles (median flow error above %g): look at "
            "the overlay; a higher threshold or a model for this kind of image may help\n",
            r->doubtful, r->done, LP_RESULTS_NOISE);
    fflush(to);
}

/* All that is to be done, as far as it is known. */
static void tell_total(run *r, const lp_session *s)
{
    int64_t pages = 0, tiles = 0;
    int i;

    if (!r->o->quiet && (r->tiles = calloc((size_t)r->in->n, sizeof *r->tiles)))
        lp_run_tiles_count(s, r->in, r->o, r->tiles);
    for (i = 0; i < r->in->n; i++) {
        pages += r->tiles ? r->tiles[i].pages : 1;
        tiles += r->tiles ? (int64_t)r->tiles[i].pages * r->tiles[i].tiles : 0;
    }
    lp_progress_add_total(r->progress, pages, tiles);
}

int lp_segment_run(const lp_inputs *in, const lp_run_options *o)
{
    run r = {.in = in, .o = o, .started = omp_get_wtime()};
    lp_session_options so = o->session;
    int threads = so.threads > 0 ? so.threads : lp_machine_threads(), n, i, nw = 0, code = 0;
    pthread_t *thread = NULL;
    worker *w = NULL;
    lp_err err;
    lp_status st;

    pthread_mutex_init(&r.lock, NULL);
    lp_turns_init(&r.turns);
    lp_signals_catch();
    n = lp_run_workers(in, o, threads, 30);
    so.threads = threads / n > 0 ? threads / n : 1;
    w = calloc((size_t)n, sizeof *w);
    thread = calloc((size_t)n, sizeof *thread);
    if (!w || !thread) {
        st = lp_fail_mem(&err, "workers", n * 64.0);
        goto done;
    }
    nw = n;
    if ((st = lp_session_open(o->model, &so, &w[0].session, &err))) goto done;
    if ((st = lp_run_options_try(w[0].session, &o->segment, many(o), &err))) goto done;
    for (i = 1; i < n && !st; i++) st = lp_session_share(w[0].session, &w[i].session, &err);
    if (st) goto done;
    r.progress = lp_progress_new(stderr, o->quiet ? LP_PROGRESS_QUIET : LP_PROGRESS_AUTO);
    if (!o->quiet) {
        char text[600], at_once[64] = "", size[96] = "diameter estimated";

        if (n > 1) snprintf(at_once, sizeof at_once, "; %d images at a time", n);
        if (o->auto_diameters)
            snprintf(size, sizeof size, "diameters chosen for each image");
        else if (o->n_diameters)
            snprintf(size, sizeof size, "%d diameters %g to %g px", o->n_diameters, o->diameters[0],
                     o->diameters[o->n_diameters - 1]);
        else if (o->segment.diameter > 0)
            snprintf(size, sizeof size, "diameter %g px", o->segment.diameter);
        snprintf(text, sizeof text, "lipopose %s: model %.300s, %s, %s%s", lp_version(),
                 o->model_name, size, lp_session_describe(w[0].session), at_once);
        lp_progress_message(r.progress, text);
    }
    tell_total(&r, w[0].session);
    r.workers = n;
    for (i = 0; i < n; i++) w[i].r = &r;
    for (i = 1; i < n; i++)
        if (pthread_create(&thread[i], NULL, work, &w[i])) break;
    n = i;
    work(&w[0]);
    for (i = 1; i < n; i++) pthread_join(thread[i], NULL);
    lp_signals_leave();
    lp_progress_free(&r.progress);
    if (!o->no_summary) closing_line(&r);
    if (r.failed) code = 1;
    if (r.stdout_error) {
        fprintf(stderr, "lipopose: JSON records are missing: cannot write to standard output: %s\n",
                strerror(r.stdout_error));
        code = 1;
    }
    if (lp_signals_stop()) {
        fprintf(stderr, "lipopose: stopped by signal %d with %d images done; a rerun starts over\n",
                lp_signals_stop(), r.done);
        code = 128 + lp_signals_stop();
    }
done:
    if (st) {
        fprintf(stderr, "lipopose: %s\n", err.msg);
        code = st == LP_EMISSING ? 3 : st == LP_EARG ? 2 : st == LP_EIO || st == LP_EFORMAT ? 3 : 1;
    }
    for (i = 0; w && i < nw; i++) lp_session_close(&w[i].session);
    free(w);
    free(thread);
    free(r.tiles);
    free(r.diameters);
    lp_turns_destroy(&r.turns);
    pthread_mutex_destroy(&r.lock);
    return code;
}
