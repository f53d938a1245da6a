#include "crossval_fold.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../weights/sha256.h"
#include "inputs.h"
#include "machine.h"
#include "run_files.h"
#include "write_eval.h"
#include "write_report.h"

typedef struct {
    const lp_crossval_options *o;
    const lp_crossval_plan *p;
    int fold;
    char dir[PATH_MAX], model[PATH_MAX + 16]; /* OUT/fold_K, OUT/fold_K/model.h5 */
    char name[32];                            /* "fold 1 of 5" */
    int *signal;
} fold_run;

static void __attribute__((format(printf, 2, 3))) say(const fold_run *r, const char *fmt, ...)
{
    va_list ap;

    if (r->o->train.quiet) return;
    fprintf(stderr, "%s: ", r->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}

/* The images of the fold, or of all others. pair [p->n]. */
static lp_train_files files_of(const fold_run *r, int own, lp_train_pair *pair)
{
    lp_train_files f = {.pair = pair};
    int i;

    for (i = 0; i < r->p->n; i++) {
        const lp_crossval_image *im = &r->p->image[i];

        if ((im->fold == r->fold) != own) continue;
        pair[f.n].image = im->image;
        pair[f.n++].labels = im->labels;
    }
    return f;
}

static lp_status train(const fold_run *r, lp_err *err)
{
    lp_train_options t = r->o->train;
    lp_train_pair *pair = malloc(2 * ((size_t)r->p->n + 1) * sizeof *pair);
    lp_train_files learn, judge;
    char state[PATH_MAX + 32];
    lp_status st = LP_OK;

    if (!pair) return lp_fail_mem(err, "list of images", r->p->n * 32.0);
    learn = files_of(r, 0, pair);
    judge = files_of(r, 1, pair + learn.n);
    snprintf(state, sizeof state, "%s.state", r->model);
    if (!access(r->model, F_OK) && access(state, F_OK)) {
        say(r, "%s is trained\n", r->model);
        goto done;
    }
    say(r, "training on %d images, %d to judge by\n", learn.n, judge.n);
    t.given = &learn;
    t.given_test = &judge;
    t.test_dir = NULL;
    t.out = r->model;
    t.resume = 1;
    t.overwrite = t.json = 0;
    st = lp_train_run(&t, r->signal, err);
done:
    free(pair);
    return st;
}

void lp_crossval_plain(lp_segment_options *s)
{
    const lp_segment_options d = lp_segment_defaults();

    s->flow_threshold = d.flow_threshold;
    s->cellprob_threshold = d.cellprob_threshold;
}

/* OUT/fold_K/sub/NAME, as segment names what it writes of the first page. path [PATH_MAX]. */
static lp_status base_of(const fold_run *r, const char *sub, const lp_crossval_image *im,
                         int with_page, char *path, lp_err *err)
{
    int n = snprintf(path, PATH_MAX, "%s/%s/%s%s", r->dir, sub, im->name,
                     with_page && im->npages > 1 ? "_p0001" : "");

    return n < PATH_MAX - 32
               ? LP_OK
               : lp_fail(err, LP_EARG, "%s/%s: the path is too long", r->dir, im->name);
}

/* Segments those images of the fold that have no saved run in sub. */
static lp_status segment(const fold_run *r, const char *sub, const lp_run_options *given,
                         lp_err *err)
{
    lp_run_options o = *given;
    lp_inputs in = {0};
    char path[PATH_MAX + 32], base[PATH_MAX], sha256[65], folder[PATH_MAX + 16], name[32];
    int i, code = 0, all = 0;
    lp_status st;

    snprintf(folder, sizeof folder, "%s/%s", r->dir, sub);
    if ((st = lp_inputs_make_folder(folder, err)) || (st = lp_sha256_file(r->model, sha256, err)))
        return st;
    if (!(in.item = calloc((size_t)r->p->n, sizeof *in.item)))
        return lp_fail_mem(err, "list of images", r->p->n * 32.0);
    for (i = 0; i < r->p->n; i++) {
        const lp_crossval_image *im = &r->p->image[i];

        if (im->fold != r->fold) continue;
        all++;
        if ((st = base_of(r, sub, im, 1, base, err))) goto done;
        snprintf(path, sizeof path, "%s%s", base, LP_RUN_ENDING);
        if (!access(path, F_OK)) continue;
        if ((st = base_of(r, sub, im, 0, base, err))) goto done;
        in.item[in.n].path = strdup(im->image);
        in.item[in.n].key = strdup(base);
        in.item[in.n].base = strdup(base);
        in.n++;
        if (!in.item[in.n - 1].path || !in.item[in.n - 1].key || !in.item[in.n - 1].base) {
            st = lp_fail_mem(err, "list of images", 1);
            goto done;
        }
    }
    if (in.n < all) say(r, "%d of %d images have a saved run in %s\n", all - in.n, all, folder);
    if (!in.n) goto done;
    snprintf(name, sizeof name, "fold_%d/model.h5", r->fold + 1);
    o.model = r->model;
    o.model_name = name;
    o.model_sha256 = sha256;
    o.savedir = folder;
    o.page = 1;
    o.no_summary = o.keep_older = 1;
    o.quiet = r->o->train.quiet;
    code = lp_segment_run(&in, &o);
    if (code > 128) {
        *r->signal = code - 128;
        st = lp_fail(err, LP_ESIGNAL, "stopped");
    } else if (code) {
        st = lp_fail(err,
                     code == 2   ? LP_EARG
                     : code == 3 ? LP_EMISSING
                                 : LP_EIO,
                     "%s: not all images could be segmented, see above; the same command goes on "
                     "from there",
                     r->name);
    }
done:
    lp_inputs_free(&in);
    return st;
}

static void free_items(lp_eval_files *f)
{
    int i;

    for (i = 0; f->item && i < f->n; i++) {
        free(f->item[i].pred);
        free(f->item[i].run);
    }
    free(f->item);
    free(f->extra);
}

/* The fold's images with their saved runs in sub; names, truth and image are the plan's. */
static lp_status items_of(const fold_run *r, const char *sub, lp_eval_files *f, lp_err *err)
{
    char base[PATH_MAX], path[PATH_MAX + 32];
    lp_status st;
    int i;

    if (!(f->item = calloc((size_t)r->p->n, sizeof *f->item)))
        return lp_fail_mem(err, "list of images", r->p->n * 48.0);
    for (i = 0; i < r->p->n; i++) {
        const lp_crossval_image *im = &r->p->image[i];
        lp_eval_item *x = &f->item[f->n];

        if (im->fold != r->fold) continue;
        if ((st = base_of(r, sub, im, 1, base, err))) return st;
        snprintf(path, sizeof path, "%s%s", base, LP_RUN_ENDING);
        f->n++;
        x->name = im->name;
        x->truth = im->labels;
        x->image = im->image;
        if (!(x->pred = strdup(path)) || !(x->run = strdup(path)))
            return lp_fail_mem(err, "list of images", 1);
    }
    return LP_OK;
}

static lp_status sweep(const fold_run *r, const lp_eval_files *f, const lp_merge_options *merge,
                       lp_eval_sweep *out, lp_err *err)
{
    const lp_eval_item **item = calloc((size_t)f->n + 1, sizeof *item);
    lp_err note = {0};
    lp_status st;
    int i;

    if (!item) return lp_fail_mem(err, "list of images", f->n * 8.0);
    for (i = 0; i < f->n; i++) item[i] = &f->item[i];
    st = lp_eval_sweep_runs(item, f->n, merge, r->o->run.session.threads, out, &note, err);
    free(item);
    if (!st && out->n_failed)
        st = lp_fail(err, out->failed->status,
                     "%.900s; remove it, and the same command makes it again", out->failed->msg);
    if (!st && note.status) st = lp_fail(err, note.status, "%s", note.msg);
    return st;
}

/* The fold's own page and numbers. */
static lp_status report(const fold_run *r, const lp_eval_files *f, const lp_eval_sweep *s,
                        lp_err *err)
{
    static const double edge[] = {20, 40, 80, 160};
    const lp_eval_options eo = {.boundary_scale = 0.1,
                                .n_edges = 4,
                                .edges = edge,
                                .threads = r->o->run.session.threads,
                                .merge = r->o->run.merge};
    lp_eval_set set = {0};
    char path[PATH_MAX + 32];
    lp_err note;
    lp_status st = lp_eval_run(f, NULL, &eo, &set, &note, err);

    if (st) return st;
    set.sweep = s;
    snprintf(path, sizeof path, "%s/results.json", r->dir);
    st = lp_write_eval_json(path, &set, f, &eo, err);
    snprintf(path, sizeof path, "%s/report.html", r->dir);
    if (!st) st = lp_write_report(path, &set, &eo, r->o->train.dir, r->name, 4, err);
    lp_eval_set_free(&set);
    return st;
}

static lp_status judge(const fold_run *r, lp_eval_sweep *merged, lp_eval_sweep *cellpose,
                       lp_err *err)
{
    lp_eval_files runs = {0}, plain = {0};
    const lp_merge_options any = lp_merge_defaults(); /* single diameters need none */
    lp_status st;

    if ((st = items_of(r, "runs", &runs, err)) || (st = items_of(r, "cellpose", &plain, err)) ||
        (st = sweep(r, &runs, &r->o->run.merge, merged, err)) ||
        (st = sweep(r, &plain, &any, cellpose, err)))
        goto done;
    st = report(r, &runs, merged, err);
done:
    free_items(&runs);
    free_items(&plain);
    return st;
}

lp_status lp_crossval_fold(const lp_crossval_options *o, const lp_crossval_plan *p, int fold,
                           lp_eval_sweep *merged, lp_eval_sweep *cellpose, int *signal_,
                           lp_err *err)
{
    fold_run r = {.o = o, .p = p, .fold = fold, .signal = signal_};
    lp_run_options many = o->run, plain = o->run;
    double size[LP_SWEEP_N_SIZES];
    int k;
    lp_status st;

    snprintf(r.dir, sizeof r.dir - 16, "%s/fold_%d", o->out, fold + 1);
    snprintf(r.model, sizeof r.model, "%s/model.h5", r.dir);
    snprintf(r.name, sizeof r.name, "fold %d of %d", fold + 1, p->n_folds);
    /* What is saved are the candidates; merging comes when they are judged. */
    many.merge = plain.merge = lp_merge_defaults();
    plain.diameters = size;
    plain.n_diameters = plain.auto_diameters = 0;
    for (k = 0; k < LP_SWEEP_N_SIZES; k++)
        if (!k || p->size[fold][k] > size[plain.n_diameters - 1])
            size[plain.n_diameters++] = p->size[fold][k];
    lp_crossval_plain(&plain.segment);

    if (!(st = lp_inputs_make_folder(r.dir, err)) && !(st = train(&r, err)) &&
        !(st = segment(&r, "runs", &many, err)) && !(st = segment(&r, "cellpose", &plain, err)))
        st = judge(&r, merged, cellpose, err);
    if (st == LP_ESIGNAL)
        lp_fail(err, st, "%s: stopped; the same command goes on from there", r.name);
    return st;
}
