#include "train_load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "train_probs.h"

static void __attribute__((format(printf, 2, 3)))
say(const lp_train_options *o, const char *fmt, ...)
{
    va_list ap;

    if (o->quiet) return;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}

static int has_nan(const lp_train_image *im)
{
    return im->replaced > 0;
}

static int is_flat(const lp_train_image *im)
{
    return im->flat;
}

static int is_stack(const lp_train_image *im)
{
    return im->npages > 1;
}

/* What may not be meant so: one line for each kind. */
static void say_doubts(const lp_train_options *o, const lp_train_set *s)
{
    static const struct {
        int (*is)(const lp_train_image *);
        const char *what;
    } doubt[] = {{has_nan, "with NaN or infinite pixels, which became the mean"},
                 {is_flat, "whose grey values span less than 0.001, so that nothing is left"},
                 {is_stack, "of several pages, of which the first is used"}};
    size_t k;
    int i, n, first = 0;

    for (k = 0; k < sizeof doubt / sizeof *doubt; k++) {
        for (i = s->n - 1, n = 0; i >= 0; i--)
            if (doubt[k].is(&s->image[i])) {
                first = i;
                n++;
            }
        if (n)
            say(o, "%d image%s %s, e.g. %s\n", n, n == 1 ? "" : "s", doubt[k].what,
                s->image[first].name);
    }
}

/* given: what to load, NULL: what is in dir. */
static lp_status load_set(const lp_train_options *o, int nchan, const char *dir,
                          const lp_train_files_options *fo, const lp_train_files *given,
                          int min_train_masks, lp_train_set *out, lp_err *err)
{
    lp_train_data_options d = o->data;
    lp_train_files files = {0};
    lp_status st;

    d.nchan = nchan;
    d.min_train_masks = min_train_masks;
    if (!given && (st = lp_train_files_find(dir, fo, &files, err))) return st;
    if (files.n_alone)
        say(o, "%s: %d image%s without labels not used, e.g. %s\n", dir, files.n_alone,
            files.n_alone == 1 ? "" : "s", files.alone);
    if (files.n_predicted)
        say(o,
            "%s: %d image%s not used whose labels lipopose found itself, e.g. %s: correct them, or "
            "rename them\n",
            dir, files.n_predicted, files.n_predicted == 1 ? "" : "s", files.predicted);
    if (files.n_orphans)
        say(o, "%s: %d label file%s without image not used, e.g. %s\n", dir, files.n_orphans,
            files.n_orphans == 1 ? "" : "s", files.orphan);
    st = lp_train_set_load(given ? given : &files, &d, out, err);
    if (!st && out->n_few)
        say(o, "%s: %d image%s with fewer than %d particles not used (--min_train_masks)\n", dir,
            out->n_few, out->n_few == 1 ? "" : "s", min_train_masks);
    if (!st) say_doubts(o, out);
    lp_train_files_free(&files);
    return st;
}

static lp_status load_probs(const lp_train_options *o, const lp_train_set *set, double **out,
                            lp_err *err)
{
    const char **path = malloc((size_t)set->n * sizeof *path);
    double *sum = malloc((size_t)set->n * sizeof *sum);
    int i, extra = 0, line = 0;
    lp_status st;

    if (!path || !sum) {
        st = lp_fail_mem(err, "weights", set->n * 16.0);
        goto done;
    }
    for (i = 0; i < set->n; i++) path[i] = set->image[i].name;
    if ((st = lp_train_probs_read(o->probs, path, set->n, sum, &extra, &line, err))) goto done;
    if (extra)
        say(o, "%s: %d line%s of no image that is learnt from, e.g. line %d\n", o->probs, extra,
            extra == 1 ? "" : "s", line);
    *out = sum;
    sum = NULL;
done:
    free(path);
    free(sum);
    return st;
}

lp_status lp_train_load(const lp_train_options *o, int nchan, lp_train_set *train,
                        lp_train_set *test, double **probs, lp_err *err)
{
    lp_train_set learn = {0}, judge = {0};
    lp_train_files_options fo = o->files;
    double *sum = NULL;
    lp_status st =
        load_set(o, nchan, o->dir, &o->files, o->given, o->data.min_train_masks, &learn, err);

    if (st) return st;
    if (!learn.n_particles) {
        st = lp_fail(err, LP_EARG, "%s: no particle in any label: nothing to learn from",
                     learn.image[0].name);
        goto done;
    }
    fo.labels = o->test_labels;
    if ((o->test_dir || o->given_test) &&
        (st = load_set(o, nchan, o->test_dir, &fo, o->given_test, 0, &judge, err)))
        goto done;
    if (o->probs && (st = load_probs(o, &learn, &sum, err))) goto done;
    say(o,
        "%d images with %lld particles (diameter %.1f px; 5th to 95th percentile %.1f to %.1f)"
        ", %d test images\n",
        learn.n, (long long)learn.n_particles, learn.diam_labels, learn.diam_range[0],
        learn.diam_range[1], judge.n);
    *train = learn;
    *test = judge;
    *probs = sum;
    return LP_OK;
done:
    lp_train_set_free(&learn);
    lp_train_set_free(&judge);
    return st;
}
