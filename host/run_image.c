/* run_image - one image of a run, from its claim to its record. */
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "claim.h"
#include "measure.h"
#include "pilot.h"
#include "read.h"
#include "run_signals.h"
#include "run_tasks.h"

/* Comes more than once with the same `done`, where batches are shared. */
static int on_tiles(void *user, int done, int total)
{
    lp_run_worker *w = user;

    if (total != w->total) lp_progress_add_total(w->r->progress, 0, total - w->total);
    w->total = total;
    lp_progress_tiles_done(w->r->progress, done - w->tiles);
    w->tiles = done;
    return lp_signals_stop() != 0;
}

/* A stack's own record is from when it could not be read. */
static void forget_failure(const lp_run_task *t)
{
    lp_done d;

    if (t->npages < 2) return;
    lp_done_read(t->x->base, &d);
    if (d.error) lp_done_forget(t->x->base, NULL);
    lp_done_free(&d);
}

static void warn(lp_running *r, const char *name, const lp_image *im, const lp_result *res)
{
    char path[PATH_MAX], text[PATH_MAX + 200];

    lp_run_printable(path, sizeof path, name);

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

static void say_choice(lp_running *r, const char *path, int page, int npages,
                       const lp_diameters_result *f)
{
    char name[PATH_MAX + 32], what[200], text[PATH_MAX + 300];

    if (r->o->quiet) return;
    lp_run_name(name, sizeof name, path, page, npages);
    lp_pilot_tell(what, sizeof what, f);
    snprintf(text, sizeof text, "%s: %s", name, what);
    lp_progress_message(r->progress, text);
}

/* The image at all diameters, merged and measured: *seg has masks and times. */
static lp_status segment_all(lp_run_worker *w, const lp_image *im, const lp_segment_options *so,
                             lp_result *seg, lp_diameters_result *found, lp_particle_table *table,
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

/* The same at its one diameter. */
static lp_status segment_one(lp_run_worker *w, const lp_image *im, lp_segment_options *so,
                             lp_result *seg, lp_particle_table *table, lp_err *err)
{
    float *own = NULL;
    lp_status st = lp_results_plane(im, so, &own, &table->image, err);

    so->flows = lp_results_need_flows(w->r->o);
    if (!st)
        st = lp_session_segment(w->session, im->data, im->nchan, im->Ly, im->Lx, so, seg, table,
                                err);
    free(own);
    return st;
}

/* What is left to do of an image. */
typedef enum {
    NOTHING,
    AGAIN,    /* memory was short while others may have had some: alone */
    ELSEWHERE /* the device is lost */
} rest;

/* 1 where the worker's device is lost and another one is not. */
static int must_leave(lp_run_worker *w, const lp_err *why)
{
    lp_running *r = w->r;
    int others = 0, before, i;

    if (r->n_devices < 2 || !lp_session_lost(w->session)) return 0;
    pthread_mutex_lock(&r->lock);
    before = w->device->lost;
    w->device->lost = 1;
    for (i = 0; i < r->n_devices; i++) others += !r->device[i].lost;
    pthread_mutex_unlock(&r->lock);
    if (!before && others) {
        char text[sizeof why->msg + 100];

        snprintf(text, sizeof text, "lipopose: %s; its images go to the other %s", why->msg,
                 others == 1 ? "device" : "devices");
        lp_progress_message(r->progress, text);
    }
    return others > 0;
}

static rest try_image(lp_run_worker *w, const lp_run_task *t, const char *base, int alone)
{
    lp_running *r = w->r;
    const lp_input *x = t->x;
    lp_segment_options so = r->o->segment;
    lp_image im = {0};
    lp_result seg = {0};
    lp_results res = {0};
    lp_diameters_result found = {0};
    lp_merged merged = {0};
    lp_particle_table table = {0};
    lp_results_merged merge;
    lp_done_input input = lp_done_look(x->path); /* what changes after this is done again */
    double start = omp_get_wtime(), read;
    char *line = NULL;
    lp_err err;
    lp_status st;
    rest left = NOTHING;

    w->tiles = 0;
    w->total = alone ? 0 : t->expected;
    lp_progress_image_start(r->progress, x->path);
    so.on_tiles = on_tiles;
    so.user = w;
    st = r->o->page_channels ? lp_read_channels(x->path, &im, &err)
                             : lp_read_image(x->path, t->page, &im, &err);
    if (st) goto done;
    read = omp_get_wtime() - start;
    if (r->o->pixel_nm > 0) im.pixel_nm = r->o->pixel_nm;
    st = lp_run_many(r->o) ? segment_all(w, &im, &so, &seg, &found, &table, &merged, &err)
                           : segment_one(w, &im, &so, &seg, &table, &err);
    if (st == LP_EIO && must_leave(w, &err)) left = ELSEWHERE;
    if (st) goto done;
    warn(r, x->path, &im, &seg);
    if (r->o->auto_diameters) say_choice(r, x->path, t->page, t->npages, &found);
    merge = (lp_results_merged){.layers = found.layers, .merged = &merged};
    if ((st = lp_results_write(base, x->path, t->page, &im, &seg, &table,
                               lp_run_many(r->o) ? &merge : NULL, read, r->o, &res, &err)))
        goto done;
    if (!(line = lp_run_record(r, t, &input, start, &res, &found, NULL))) {
        st = lp_fail_mem(&err, "record", 1000);
        goto done;
    }
    if (r->o->settings) {
        if ((st = lp_done_write(base, line, &err))) goto done;
        forget_failure(t);
    }
    if (*res.older && !r->o->quiet) {
        char name[PATH_MAX], text[PATH_MAX + 800];

        lp_run_printable(name, sizeof name, base);
        snprintf(text, sizeof text, "lipopose: %s: %s", name, res.older);
        lp_progress_message(r->progress, text);
    }
    if (r->o->on_done) {
        pthread_mutex_lock(&r->lock);
        r->o->on_done(r->o->user, base);
        pthread_mutex_unlock(&r->lock);
    }
done:
    if (st == LP_ENOMEM && !alone && r->workers > 1) left = AGAIN;
    if (st && st != LP_ESIGNAL) /* what will not be done */
        lp_progress_add_total(r->progress, 0, w->tiles - w->total);
    if (st && st != LP_ESIGNAL && !left) /* stopped: dropped, neither done nor failed */
        lp_run_fail(r, t, base, &input, start, err.msg);
    else if (!st)
        lp_run_count(r, t, base, &res, NULL, line);
    free(line);
    lp_results_free(&res);
    lp_result_free(&seg);
    lp_layers_free(&found.layers);
    lp_merged_free(&merged);
    free(table.particle);
    lp_image_free(&im);
    return left;
}

static rest one_image(lp_run_worker *w, const lp_run_task *t, const char *base)
{
    rest left = AGAIN;
    int alone;

    for (alone = 0; left == AGAIN; alone = 1) {
        lp_turns_begin(&w->r->turns, alone);
        left = try_image(w, t, base, alone);
        lp_turns_end(&w->r->turns, alone);
    }
    return left;
}

/* LP_EARG where the results at base are those of another file that is still there: two folders with
 * names in common must not share one for results. */
static lp_status check_owner(const lp_run_task *t, const char *base, lp_err *err)
{
    struct stat one, two;
    lp_status st = LP_OK;
    lp_done d;

    lp_done_read(base, &d);
    if (d.json && !d.error && *d.file && !stat(d.file, &one) && !stat(t->x->path, &two) &&
        (one.st_dev != two.st_dev || one.st_ino != two.st_ino))
        st = lp_fail(err, LP_EARG,
                     "%s: its results would replace those of %s: give another --savedir, or "
                     "--overwrite",
                     t->x->path, d.file);
    lp_done_free(&d);
    return st;
}

/* 1 where an earlier run has done it, which is then counted and told. */
static int done_before(lp_running *r, const lp_run_task *t, const char *base)
{
    lp_done_input input = lp_done_look(t->x->path);
    lp_done d;
    int yes;

    if (r->o->overwrite) return 0;
    lp_done_read(base, &d);
    yes = lp_done_holds(&d, base, r->o->settings, &input);
    if (yes) {
        char *line = r->o->json ? lp_json_skipped(d.json) : NULL;

        forget_failure(t);
        pthread_mutex_lock(&r->lock);
        r->tally.skipped++;
        lp_tally_mend(&r->tally, base);
        lp_tally_mend(&r->tally, t->x->base);
        if (line) lp_run_print(r, line);
        pthread_mutex_unlock(&r->lock);
        free(line);
        lp_progress_add_total(r->progress, -1, -t->expected);
    }
    lp_done_free(&d);
    return yes;
}

lp_status lp_run_list_add(lp_run_list *l, const lp_run_task *t, lp_err *err)
{
    if (l->n == l->room) {
        int room = l->room ? 2 * l->room : 16;
        lp_run_task *p = realloc(l->task, (size_t)room * sizeof *p);

        if (!p) return lp_fail_mem(err, "list of images", room * (double)sizeof *p);
        l->task = p;
        l->room = room;
    }
    l->task[l->n++] = *t;
    return LP_OK;
}

int lp_run_list_take(lp_run_list *l, lp_run_task *t)
{
    if (!l->n) return 0;
    *t = l->task[0];
    memmove(l->task, l->task + 1, (size_t)--l->n * sizeof *l->task);
    return 1;
}

static lp_status put(lp_running *r, lp_run_list *l, const lp_run_task *t, lp_err *err)
{
    lp_status st;

    pthread_mutex_lock(&r->lock);
    st = lp_run_list_add(l, t, err);
    pthread_mutex_unlock(&r->lock);
    return st;
}

/* After what is left of it was said. */
static lp_status put_back(lp_running *r, const lp_run_task *t, lp_err *err)
{
    lp_run_task again = *t;

    again.expected = 0;
    return put(r, &r->back, &again, err);
}

int lp_run_do(lp_run_worker *w, const lp_run_task *t)
{
    lp_running *r = w->r;
    lp_claim claim;
    char base[PATH_MAX];
    rest left = NOTHING;
    lp_err err;
    lp_status st = LP_OK;

    if (t->npages > 1)
        snprintf(base, sizeof base, "%s_p%04d", t->x->base, t->page + 1);
    else
        snprintf(base, sizeof base, "%s", t->x->base);
    if (!r->o->settings) {
        left = one_image(w, t, base);
        goto done;
    }
    if ((st = lp_claim_take(base, &claim, &err))) goto done;
    if (claim.state == LP_CLAIM_BUSY) {
        st = put(r, &r->later, t, &err);
        goto done;
    }
    if (claim.state == LP_CLAIM_NO_LOCKS)
        lp_run_tell_once(
            r, LP_TOLD_LOCKS,
            "lipopose: this file system has no locks: do not start two tasks with the same "
            "images");
    else
        lp_leftovers_remove(&r->leftovers, base);
    if (!r->o->overwrite) st = check_owner(t, base, &err);
    if (!st && !done_before(r, t, base)) left = one_image(w, t, base);
    lp_claim_release(&claim);
done:
    if (left == ELSEWHERE) st = put_back(r, t, &err);
    if (st) {
        lp_progress_add_total(r->progress, 0, -t->expected);
        lp_run_fail(r, t, base, NULL, NAN, err.msg);
    }
    return left == ELSEWHERE;
}
