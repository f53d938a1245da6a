#include "calibrate.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval_labels.h"
#include "eval_runs.h"
#include "machine.h"
#include "read.h"
#include "remerge.h"
#include "run_files.h"

typedef struct {
    char **run; /* [n] NAME_lipopose.h5 */
    int n, failed;
} run_list;

static void add(run_list *l, const char *base)
{
    char **more = realloc(l->run, (size_t)(l->n + 1) * sizeof *more);
    size_t n = strlen(base) + sizeof LP_RUN_ENDING;

    if (more) l->run = more;
    if (!more || !(l->run[l->n] = malloc(n))) {
        l->failed = 1;
        return;
    }
    snprintf(l->run[l->n++], n, "%s%s", base, LP_RUN_ENDING);
}

static void free_list(run_list *l)
{
    int i;

    for (i = 0; i < l->n; i++) free(l->run[i]);
    free(l->run);
    memset(l, 0, sizeof *l);
}

static void on_done(void *user, const char *base)
{
    add(user, base);
}

/* The label images of files are as large as their images, as the headers say. from [l->n]: the
 * input that each run is of, page [l->n]. Images that cannot be read are the run's to tell. */
static lp_status check_sizes(const lp_inputs *in, const run_list *l, const int *from,
                             const int *page, const lp_eval_files *files, lp_err *err)
{
    int i, k, n, Ly, Lx, ty, tx, bad = 0;
    char first[600] = "";
    lp_err ignored;
    lp_status st;

    for (i = 0; i < files->n; i++) {
        const lp_eval_item *x = &files->item[i];

        if (lp_eval_is_drawn(x->truth)) continue; /* of any size */
        for (k = 0; k < l->n && strcmp(l->run[k], x->pred); k++) {
        }
        if (k == l->n || lp_read_size(in->item[from[k]].path, page[k] - 1, &n, &Ly, &Lx, &ignored))
            continue;
        if ((st = lp_read_size(x->truth, 0, &n, &ty, &tx, err))) return st;
        if ((ty == Ly && tx == Lx) || bad++) continue;
        snprintf(
            first, sizeof first,
            "%.180s: labels of %d x %d pixels (height x width) for an image of %d x %d: %.180s",
            x->truth, ty, tx, Ly, Lx, in->item[from[k]].path);
    }
    if (!bad) return LP_OK;
    if (bad == 1) return lp_fail(err, LP_EFORMAT, "%s", first);
    return lp_fail(err, LP_EFORMAT, "%s; and %d more of other sizes", first, bad - 1);
}

/* Before anything is computed: the labels are there, some belong to the images, and fit them. */
static lp_status check_labels(const lp_inputs *in, const lp_run_options *o, const char *labels,
                              lp_err *err)
{
    int i, k, room = 0, *from = NULL, *page = NULL;
    lp_eval_files files = {0};
    run_list l = {0};
    lp_err ignored;
    lp_status st;

    for (i = 0; i < in->n; i++) {
        int pages = 1;

        if (lp_read_count(in->item[i].path, &pages, &ignored)) pages = 1;
        for (k = 1; k <= pages; k++) {
            char base[PATH_MAX];

            if (o->page && k != o->page) continue;
            if (l.n == room) {
                int *f = realloc(from, (size_t)(room = 2 * room + 64) * sizeof *f), *p;

                if (f) from = f;
                if ((p = realloc(page, (size_t)room * sizeof *p))) page = p;
                if (!f || !p) {
                    st = lp_fail_mem(err, "list of files", room * 8.0);
                    goto done;
                }
            }
            from[l.n] = i;
            page[l.n] = k;
            snprintf(base, sizeof base, pages > 1 ? "%s_p%04d" : "%s", in->item[i].base, k);
            add(&l, base);
        }
    }
    st = l.failed ? lp_fail_mem(err, "list of files", l.n * 100.0)
                  : lp_eval_files_runs(labels, l.run, l.n, &files, err);
    if (!st) st = check_sizes(in, &l, from, page, &files, err);
done:
    lp_eval_files_free(&files);
    free_list(&l);
    free(from);
    free(page);
    return st;
}

static lp_status sweep(const lp_calibrate *c, const lp_run_options *o, const run_list *l,
                       lp_eval_sweep *out, lp_err *err)
{
    lp_eval_files files = {0};
    const lp_eval_item **item = NULL;
    lp_err note = {0};
    lp_status st = lp_eval_files_runs(c->labels, l->run, l->n, &files, err);
    int i;

    if (st) return st;
    if (!(item = calloc((size_t)files.n, sizeof *item))) {
        st = lp_fail_mem(err, "list of files", files.n * 8.0);
        goto done;
    }
    for (i = 0; i < files.n; i++) item[i] = &files.item[i];
    st = lp_eval_sweep_runs(item, files.n, &o->merge, o->session.threads, out, &note, err);
    if (!st && out->n_failed) st = lp_fail(err, out->failed->status, "%s", out->failed->msg);
    if (!st && note.status) st = lp_fail(err, note.status, "%s", note.msg);
done:
    free(item);
    lp_eval_files_free(&files);
    return st;
}

/* Chooses; *out the calibration. */
static lp_status choose(const lp_eval_sweep *s, lp_target target, double *threshold,
                        lp_calibration *out, int *reached, lp_err *err)
{
    lp_calibration c = {.left_out_precision = NAN,
                        .left_out_recall = NAN,
                        .left_out_f1 = NAN,
                        .lowest_threshold = NAN,
                        .highest_threshold = NAN};
    const lp_sweep_point *p = &s->all.point[lp_target_pick_sweep(&s->all, target, reached)];
    lp_target_point one = lp_target_point_of(&p->sum, p->at);
    lp_status st;

    if (!one.n_true)
        return lp_fail(err, LP_EARG, "the labels have no particles: nothing to calibrate on");
    if (one.tp == 0) *reached = 0; /* an F1 of 0 is the best of nothing */
    lp_target_text(c.target, target);
    c.images = s->n;
    c.n_true = (double)one.n_true;
    c.n_pred = (double)one.n_pred;
    c.precision = lp_target_precision(&one);
    c.recall = lp_target_recall(&one);
    c.f1 = lp_target_f1(&one);
    *threshold = p->at;
    if (s->n > 1) {
        if ((st = lp_target_leave_one_out(s->ptr, s->n, &s->all, target, &one, &c.lowest_threshold,
                                          &c.highest_threshold, err)))
            return st;
        c.left_out_precision = lp_target_precision(&one);
        c.left_out_recall = lp_target_recall(&one);
        c.left_out_f1 = lp_target_f1(&one);
    }
    *out = c;
    return LP_OK;
}

/* All results at the threshold of o. Returns how many failed, each said. */
static int write_results(const run_list *l, const lp_run_options *o, int64_t *particles)
{
    int i, failed = 0, threads = o->session.threads > 0 ? o->session.threads : lp_machine_threads();
    int64_t n = 0;

    if (threads > l->n) threads = l->n;
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(+ : n, failed)
    for (i = 0; i < l->n; i++) {
        size_t end = strlen(l->run[i]) - strlen(LP_RUN_ENDING);
        char *base = strndup(l->run[i], end);
        lp_results res = {0};
        lp_err err = {LP_ENOMEM, "no memory"}, no_image = {0};

        if (!base || lp_remerge(l->run[i], base, o, &(lp_remerge_options){.keep_run = 1}, &res,
                                &no_image, &err)) {
            fprintf(stderr, "lipopose: %s\n", err.msg);
            failed++;
        } else if (no_image.status && !o->quiet) {
            fprintf(stderr, "lipopose: %s: no picture and no intensities\n", no_image.msg);
        }
        if (*res.older && !o->quiet) fprintf(stderr, "lipopose: %s: %s\n", base, res.older);
        n += res.n;
        lp_results_free(&res);
        free(base);
    }
    *particles = n;
    return failed;
}

static void say(const lp_calibrate *c, const lp_calibration *k, double threshold, int reached,
                int n_images)
{
    printf("calibrated on %.0f of %d image%s, %.0f true particles: target %s\n", k->images,
           n_images, n_images == 1 ? "" : "s", k->n_true, k->target);
    printf("threshold %g: precision %.3f, recall %.3f, F1 %.3f (IoU 0.5, all particles together)\n",
           threshold, k->precision, k->recall, k->f1);
    if (isnan(k->left_out_f1))
        printf("with one labelled image, nothing is known about other images\n");
    else
        printf("chosen without each image in turn, and applied to it: precision %.3f, recall %.3f, "
               "F1 %.3f, thresholds %g to %g\n",
               k->left_out_precision, k->left_out_recall, k->left_out_f1, k->lowest_threshold,
               k->highest_threshold);
    if (reached)
        printf("settings: %s; for other images: --settings %s\n", c->settings_out, c->settings_out);
}

int lp_calibrate_run(const lp_inputs *in, const lp_run_options *options, const lp_calibrate *c)
{
    lp_run_options o = *options, first = *options;
    lp_settings settings = c->settings;
    lp_eval_sweep s = {0};
    run_list l = {0};
    lp_err err;
    double threshold = 0;
    int code = 0, reached = 0;
    int64_t particles = 0;
    lp_status st;

    if ((st = check_labels(in, &o, c->labels, &err))) goto done;
    first.save_tif = first.save_png = first.save_csv = first.save_overlay = 0;
    first.save_outlines = first.save_txt = first.save_rois = first.save_geojson = 0;
    first.save_npy = 0;
    first.save_star = first.save_box = first.save_cbox = first.save_topaz = 0;
    first.no_summary = 1;
    first.keep_older = 1; /* the labels may be among it */
    first.on_done = on_done;
    first.user = &l;
    first.merge.threshold = NAN;
    code = lp_segment_run(in, &first);
    if (code > 1 || l.n == 0) goto done;
    if (l.failed) {
        st = lp_fail_mem(&err, "list of files", l.n * 100.0);
        goto done;
    }
    if ((st = sweep(c, &o, &l, &s, &err))) goto done;
    if ((st = choose(&s, c->target, &threshold, &settings.calibration, &reached, &err))) goto done;
    o.merge.threshold = settings.merge.threshold = threshold;
    if (write_results(&l, &o, &particles)) code = 1;
    if (reached && (st = lp_settings_write(c->settings_out, &settings, &err))) goto done;
    if (!o.quiet) {
        printf("%d image%s: %lld particles\n", l.n, l.n == 1 ? "" : "s", (long long)particles);
        say(c, &settings.calibration, threshold, reached, l.n);
        if (fflush(stdout)) st = lp_fail(&err, LP_EIO, "standard output: %s", strerror(errno));
    }
    if (!st && !reached)
        st =
            lp_fail(&err, LP_EFORMAT,
                    "no threshold reaches %s; the nearest, %g, has precision %.3f and recall %.3f: "
                    "the results are those, no settings were written",
                    settings.calibration.target, threshold, settings.calibration.precision,
                    settings.calibration.recall);
done:
    if (st) {
        fprintf(stderr, "lipopose: %s\n", err.msg);
        if (code == 0) code = st == LP_EARG ? 2 : 1;
        if (l.n && !o.quiet && !reached)
            fprintf(stderr,
                    "lipopose: the saved runs are kept: eval judges them at every threshold, "
                    "merge applies one, without inference\n");
    }
    lp_eval_sweep_free(&s);
    free_list(&l);
    return code;
}
