#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../weights/sha256.h"
#include "atomic.h"
#include "crossval.h"
#include "crossval_fold.h"
#include "diameters.h"
#include "inputs.h"
#include "machine.h"
#include "read_text.h"
#include "run_options.h"

typedef struct {
    const lp_crossval_options *o;
    lp_crossval_plan plan;
    char *model, sha256[65]; /* where every fold begins; NULL and "": from scratch */
    cJSON *json;
    lp_eval_sweep *merged, *cellpose; /* [folds] */
    char plan_path[PATH_MAX], json_path[PATH_MAX], page_path[PATH_MAX];
} job;

static void __attribute__((format(printf, 2, 3))) say(const job *j, const char *fmt, ...)
{
    va_list ap;

    if (j->o->train.quiet) return;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}

/* Crops are halved at every level but the last. */
static lp_status check_crops(const job *j, lp_err *err)
{
    const lp_train_options *t = &j->o->train;
    lp_weights *w = NULL;
    int n = t->n_nbase, unit;
    lp_status st;

    if (j->model) {
        if ((st = lp_weights_open(j->model, &w, err))) return st;
        n = w->n_nbase;
        lp_weights_free(&w);
    }
    unit = 1 << (n - 2);
    return t->bsize % unit
               ? lp_fail(err, LP_EARG, "--bsize %d: must be a multiple of %d", t->bsize, unit)
               : LP_OK;
}

/* Everything that would fail for any fold, before the first one. */
static lp_status check_options(const job *j, lp_err *err)
{
    const lp_crossval_options *o = j->o;
    const int scratch = !j->model;
    lp_segment_options plain = o->run.segment;
    lp_session *s = NULL;
    char *model = NULL;
    double diam_mean = o->train.diam_mean, least;
    lp_err why;
    lp_status st;
    int i, f;

    /* The back end is tried with a model there is. */
    if (scratch && lp_inputs_find_model(NULL, &model, &why)) return LP_OK;
    lp_crossval_plain(&plain);
    if ((st = lp_session_open(scratch ? model : j->model, &o->run.session, &s, err))) goto done;
    if (!scratch) diam_mean = lp_session_diam_mean(s);
    if ((st = lp_run_options_try(s, &o->run.segment, 1, err)) ||
        (st = lp_run_options_try(s, &plain, 1, err)))
        goto done;
    for (i = 0; i < j->plan.n; i++) {
        const lp_crossval_image *im = &j->plan.image[i];

        least = o->run.auto_diameters ? j->plan.size[im->fold][0] : o->run.diameters[0];
        for (f = 0; f < LP_SWEEP_N_SIZES; f++) least = fmin(least, j->plan.size[im->fold][f]);
        st = lp_diameters_check(&least, 1, diam_mean, im->Ly, im->Lx, 0.5 * lp_machine_memory(),
                                &why);
        if (st) {
            st = lp_fail(err, st, "%.300s: %.600s", im->image, why.msg);
            goto done;
        }
    }
done:
    lp_session_close(&s);
    free(model);
    return st;
}

/* A line of a plan, without indentation, tabs and comma. */
static void print_line(char *buf, size_t cap, const char *line)
{
    size_t n = 0;

    for (; *line && *line != '\n' && n + 1 < cap; line++)
        if (*line != '\t') buf[n++] = *line;
    if (n && buf[n - 1] == ',') n--;
    buf[n] = 0;
}

/* The first line in which the texts differ. */
static void first_difference(const char *a, const char *b, char *buf, size_t cap)
{
    char there[120], now[120];
    size_t line = 0, i;

    for (i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '\n') line = i + 1;
    print_line(there, sizeof there, a + line);
    print_line(now, sizeof now, b + line);
    snprintf(buf, cap, "%s there, %s now", there, now);
}

/* Writes the plan, or finds that it is the one that lies there. */
static lp_status keep_plan(job *j, lp_err *err)
{
    char *text = cJSON_Print(j->json), *old = NULL, *ended, differ[600];
    size_t n_old = 0;
    int there = !access(j->plan_path, F_OK);
    lp_status st = text ? LP_OK : lp_fail_mem(err, j->plan_path, 1e4);

    if (!st && there && j->o->overwrite) {
        if ((st = lp_crossval_clear(j->o->out, err))) goto done;
        there = 0;
    }
    if (st || !there) {
        if (!st && !j->o->overwrite) st = lp_crossval_check_empty(j->o->out, err);
        if (!st) st = lp_atomic_write_file(j->plan_path, text, strlen(text), err);
        goto done;
    }
    if ((st = lp_read_text(j->plan_path, 1 << 26, &old, &n_old, err))) goto done;
    if (!(ended = realloc(old, n_old + 1))) {
        st = lp_fail_mem(err, j->plan_path, (double)n_old);
        goto done;
    }
    (old = ended)[n_old] = 0;
    if (strcmp(old, text)) {
        first_difference(old, text, differ, sizeof differ);
        st = lp_fail(err, LP_EARG,
                     "%s: a cross-validation with other options or images: %s; repeat them, give "
                     "another --savedir, or begin anew with --overwrite",
                     j->plan_path, differ);
    }
done:
    free(old);
    free(text);
    return st;
}

static lp_status prepare(job *j, lp_err *err)
{
    const lp_crossval_options *o = j->o;
    const lp_crossval_plan *p = &j->plan;
    int scratch = o->train.model && !strcmp(o->train.model, "none");
    const char *slash;
    lp_status st;

    if (strlen(o->out) > PATH_MAX - 300)
        return lp_fail(err, LP_EARG, "%s: the path is too long", o->out);
    snprintf(j->plan_path, sizeof j->plan_path, "%s/plan.json", o->out);
    snprintf(j->json_path, sizeof j->json_path, "%s/crossval.json", o->out);
    snprintf(j->page_path, sizeof j->page_path, "%s/crossval.html", o->out);
    if (!scratch && ((st = lp_inputs_find_model(o->train.model, &j->model, err)) ||
                     (st = lp_sha256_file(j->model, j->sha256, err))))
        return st;
    if ((st = lp_crossval_plan_new(&o->train, o->folds, &j->plan, err))) return st;
    if ((st = check_crops(j, err)) || (st = check_options(j, err))) return st;
    slash = j->model ? strrchr(j->model, '/') : NULL;
    j->json = lp_crossval_plan_json(p, o,
                                    scratch ? "none"
                                    : slash ? slash + 1
                                            : j->model,
                                    j->sha256);
    if (!j->json) return lp_fail_mem(err, "plan", 1e4);
    j->merged = calloc((size_t)o->folds, sizeof *j->merged);
    j->cellpose = calloc((size_t)o->folds, sizeof *j->cellpose);
    if (!j->merged || !j->cellpose) return lp_fail_mem(err, "folds", o->folds * 1e3);
    if ((st = lp_inputs_make_folder(o->out, err)) || (st = keep_plan(j, err))) return st;
    say(j, "%d images with %lld particles in %d folds\n", p->n, (long long)p->n_particles,
        p->n_folds);
    if (p->n_alone)
        say(j, "%d image%s without labels not used, e.g. %s\n", p->n_alone,
            p->n_alone == 1 ? "" : "s", p->alone);
    if (p->n_orphans)
        say(j, "%d label file%s without image not used, e.g. %s\n", p->n_orphans,
            p->n_orphans == 1 ? "" : "s", p->orphan);
    if (p->n_few)
        say(j,
            "%d image%s with fewer than %d particles: judged, but not learnt from "
            "(--min_train_masks)\n",
            p->n_few, p->n_few == 1 ? "" : "s", o->train.data.min_train_masks);
    return LP_OK;
}

static lp_status write_all(job *j, lp_err *err)
{
    lp_crossval_scores s = {0};
    const lp_crossval_report r = {&j->plan, &s, j->o->train.dir, j->model};
    char *text = NULL, *line;
    lp_status st = lp_crossval_score(&j->plan, j->merged, j->cellpose, &s, err);

    if (st) return st;
    if (!lp_crossval_add_results(j->json, &r) || !(text = cJSON_Print(j->json)) ||
        !(line = realloc(text, strlen(text) + 2))) {
        st = lp_fail_mem(err, j->json_path, 1e5);
        goto done;
    }
    strcat(text = line, "\n");
    if ((st = lp_crossval_page(j->page_path, &r, err)) ||
        (st = lp_atomic_write_file(j->json_path, text, strlen(text), err)))
        goto done;
    if (j->o->json) {
        fputs(text, stdout);
    } else if (!j->o->train.quiet) {
        lp_crossval_table(stdout, &r);
        printf("\npage: %s; numbers: %s\n", j->page_path, j->json_path);
    }
    if (fflush(stdout)) st = lp_fail(err, LP_EIO, "standard output: %s", strerror(errno));
done:
    free(text);
    lp_crossval_scores_free(&s);
    return st;
}

lp_status lp_crossval_run(const lp_crossval_options *o, int *signal_, lp_err *err)
{
    job j = {.o = o};
    lp_status st = prepare(&j, err);
    int f;

    for (f = 0; !st && f < o->folds; f++)
        st = lp_crossval_fold(o, &j.plan, f, &j.merged[f], &j.cellpose[f], signal_, err);
    if (!st) st = write_all(&j, err);
    for (f = 0; f < o->folds; f++) {
        if (j.merged) lp_eval_sweep_free(&j.merged[f]);
        if (j.cellpose) lp_eval_sweep_free(&j.cellpose[f]);
    }
    free(j.merged);
    free(j.cellpose);
    free(j.model);
    cJSON_Delete(j.json);
    lp_crossval_plan_free(&j.plan);
    return st;
}
