#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../weights/sha256.h"
#include "crossval.h"
#include "label_index.h"
#include "merge_text.h"
#include "number.h"
#include "read.h"
#include "sort.h"
#include "train_crops.h"

#define PI 3.14159265358979323846
#define DEAL_STREAM 0xf01d0000u /* of lp_train_order, one for each row dealt */

static lp_status measure(lp_crossval_image *im, const lp_labels *lb, lp_err *err)
{
    lp_label_index ix = {0};
    size_t all = (size_t)lb->Ly * lb->Lx, i;
    lp_status st = lp_label_index_new(lb, &ix, err);

    if (st) return st;
    im->n_particles = (int)ix.n;
    if (!(im->diameter = calloc((size_t)ix.n + 1, sizeof *im->diameter))) {
        st = lp_fail_mem(err, im->labels, (double)ix.n * 8);
        goto done;
    }
    for (i = 0; i < all; i++)
        if (lb->data[i]) im->diameter[lp_label_index_find(&ix, lb->data[i])]++;
    for (i = 0; i < (size_t)ix.n; i++) im->diameter[i] = 2 * sqrt(im->diameter[i] / PI);
    qsort(im->diameter, (size_t)ix.n, sizeof *im->diameter, lp_by_double);
done:
    lp_label_index_free(&ix);
    return st;
}

/* dir/sub/x.tif -> sub_x */
static char *name_of(const char *path, const char *dir)
{
    size_t n = strlen(dir), i;
    char *s, *dot;

    if (!strncmp(path, dir, n)) {
        for (path += n; *path == '/';) path++;
    } else if (strrchr(path, '/')) {
        path = strrchr(path, '/') + 1;
    }
    if (!(s = strdup(path))) return NULL;
    dot = strrchr(s, '.');
    if (dot && (!strcmp(dot, ".gz") || !strcmp(dot, ".bz2"))) {
        *dot = 0;
        dot = strrchr(s, '.');
    }
    if (dot && dot > s) *dot = 0;
    for (i = 0; s[i]; i++)
        if (s[i] == '/') s[i] = '_';
    return s;
}

static lp_status take(lp_crossval_image *im, const lp_train_pair *pair, const char *dir,
                      lp_err *err)
{
    lp_labels lb = {0};
    lp_status st;

    im->name = name_of(pair->image, dir);
    im->image = strdup(pair->image);
    im->labels = strdup(pair->labels);
    if (!im->name || !im->image || !im->labels) return lp_fail_mem(err, "list of images", 1);
    if ((st = lp_read_size(im->image, 0, &im->npages, &im->Ly, &im->Lx, err)) ||
        (st = lp_train_labels_read(pair, im->Ly, im->Lx, &lb, err)))
        return st;
    st = measure(im, &lb, err);
    lp_labels_free(&lb);
    if (st || (st = lp_sha256_file(im->image, im->image_sha256, err))) return st;
    return lp_sha256_file(im->labels, im->labels_sha256, err);
}

typedef struct {
    int particles, image;
} count;

static int by_particles(const void *a, const void *b)
{
    const count *x = a, *y = b;

    if (x->particles != y->particles) return x->particles < y->particles ? 1 : -1;
    return x->image < y->image ? -1 : x->image > y->image;
}

lp_status lp_crossval_deal(const int *particles, int n, int n_folds, uint64_t seed, int *fold,
                           lp_err *err)
{
    count *c = malloc(((size_t)n + 1) * sizeof *c);
    int order[LP_CROSSVAL_MAX_FOLDS], i;

    if (!c) return lp_fail_mem(err, "folds", n * 8.0);
    for (i = 0; i < n; i++) c[i] = (count){particles[i], i};
    qsort(c, (size_t)n, sizeof *c, by_particles);
    for (i = 0; i < n; i++) {
        if (i % n_folds == 0)
            lp_train_order(order, seed, DEAL_STREAM + (uint32_t)(i / n_folds), n_folds, n_folds);
        fold[c[i].image] = order[i % n_folds];
    }
    free(c);
    return LP_OK;
}

static lp_status deal(lp_crossval_plan *p, uint64_t seed, lp_err *err)
{
    int *particles = malloc(2 * ((size_t)p->n + 1) * sizeof *particles), *fold, i;
    lp_status st;

    if (!particles) return lp_fail_mem(err, "folds", p->n * 8.0);
    fold = particles + p->n;
    for (i = 0; i < p->n; i++) particles[i] = p->image[i].n_particles;
    st = lp_crossval_deal(particles, p->n, p->n_folds, seed, fold, err);
    for (i = 0; !st && i < p->n; i++) p->image[i].fold = fold[i];
    free(particles);
    return st;
}

/* Small, median and large diameters of what each fold learns from. */
static lp_status sizes(lp_crossval_plan *p, int min_train_masks, lp_err *err)
{
    static const double at[LP_SWEEP_N_SIZES] = {0.05, 0.5, 0.95};
    double *v = malloc(((size_t)p->n_particles + 1) * sizeof *v);
    int i, k, f;

    if (!v) return lp_fail_mem(err, "diameters", (double)p->n_particles * 8);
    for (f = 0; f < p->n_folds; f++) {
        int64_t n = 0;

        for (i = 0; i < p->n; i++) {
            const lp_crossval_image *im = &p->image[i];

            if (im->fold == f || im->n_particles < min_train_masks) continue;
            memcpy(v + n, im->diameter, (size_t)im->n_particles * sizeof *v);
            n += im->n_particles;
        }
        if (n) qsort(v, (size_t)n, sizeof *v, lp_by_double);
        for (k = 0; k < LP_SWEEP_N_SIZES; k++)
            p->size[f][k] = n ? fmax(0.1, round(10 * lp_quantile(v, n, at[k])) / 10) : 0;
    }
    free(v);
    return LP_OK;
}

static lp_status check(const lp_crossval_plan *p, const lp_train_options *t, lp_err *err)
{
    int i, k, usable = 0;

    for (i = 0; i < p->n; i++) {
        usable += p->image[i].n_particles > 0 && p->image[i].n_particles >= t->data.min_train_masks;
        for (k = 0; k < i; k++)
            if (!strcmp(p->image[i].name, p->image[k].name))
                return lp_fail(err, LP_EARG,
                               "%s and %s: their results would have one name: rename one of them",
                               p->image[k].image, p->image[i].image);
    }
    if (p->n < p->n_folds)
        return lp_fail(err, LP_EARG,
                       "%s: %d image%s with labels for %d folds: give --folds %d or more images",
                       t->dir, p->n, p->n == 1 ? "" : "s", p->n_folds, p->n > 2 ? p->n : 2);
    if (usable < 2)
        return lp_fail(err, LP_EARG,
                       "%s: %d image%s with at least %d particle%s to learn from, two are needed "
                       "(--min_train_masks)",
                       t->dir, usable, usable == 1 ? "" : "s",
                       t->data.min_train_masks > 1 ? t->data.min_train_masks : 1,
                       t->data.min_train_masks > 1 ? "s" : "");
    return LP_OK;
}

lp_status lp_crossval_plan_new(const lp_train_options *t, int n_folds, lp_crossval_plan *out,
                               lp_err *err)
{
    lp_crossval_plan p = {.n_folds = n_folds};
    lp_train_files f = {0};
    lp_status st = lp_train_files_find(t->dir, &t->files, &f, err);
    int i;

    if (st) return st;
    if (!(p.image = calloc((size_t)f.n, sizeof *p.image))) {
        st = lp_fail_mem(err, "list of images", f.n * sizeof *p.image);
        goto done;
    }
    for (i = 0; i < f.n; i++) {
        lp_crossval_image *im = &p.image[p.n++];

        if ((st = take(im, &f.pair[i], t->dir, err))) goto done;
        p.n_particles += im->n_particles;
        p.n_few += im->n_particles < t->data.min_train_masks;
    }
    if ((st = check(&p, t, err)) || (st = deal(&p, t->seed, err)) ||
        (st = sizes(&p, t->data.min_train_masks, err)))
        goto done;
    p.n_alone = f.n_alone;
    p.n_orphans = f.n_orphans;
    p.alone = f.alone;
    p.orphan = f.orphan;
    f.alone = f.orphan = NULL;
    *out = p;
    memset(&p, 0, sizeof p);
done:
    lp_crossval_plan_free(&p);
    lp_train_files_free(&f);
    return st;
}

void lp_crossval_plan_free(lp_crossval_plan *p)
{
    int i;

    if (!p) return;
    for (i = 0; i < p->n; i++) {
        free(p->image[i].name);
        free(p->image[i].image);
        free(p->image[i].labels);
        free(p->image[i].diameter);
    }
    free(p->image);
    free(p->alone);
    free(p->orphan);
    memset(p, 0, sizeof *p);
}

static void put(cJSON *j, const char *key, double v)
{
    char buf[LP_NUMBER_MAX];

    cJSON_AddRawToObject(j, key, lp_number_exact(buf, v));
}

static void put_list(cJSON *j, const char *key, const double *v, int n)
{
    cJSON *a = cJSON_AddArrayToObject(j, key);
    char buf[LP_NUMBER_MAX];
    int i;

    for (i = 0; i < n; i++) cJSON_AddItemToArray(a, cJSON_CreateRaw(lp_number_exact(buf, v[i])));
}

static void put_training(cJSON *j, const lp_train_options *t)
{
    const lp_normalize_options *m = &t->data.normalize;
    double nbase[LP_MAX_NBASE];
    int i;

    if (t->model && !strcmp(t->model, "none")) {
        for (i = 0; i < t->n_nbase; i++) nbase[i] = t->nbase[i];
        put_list(j, "nbase", nbase, t->n_nbase);
        put(j, "diam_mean", t->diam_mean);
    }
    put(j, "n_epochs", t->n_epochs);
    put(j, "learning_rate", t->learning_rate);
    put(j, "weight_decay", t->optim.weight_decay);
    put(j, "SGD", t->optim.sgd);
    put(j, "batch_size", t->batch_size);
    put(j, "bsize", t->bsize);
    put(j, "nimg_per_epoch", t->nimg_per_epoch);
    put(j, "scale_range", t->scale_range);
    put(j, "rescale", t->rescale);
    put(j, "bf16", t->bf16);
    if (t->be && t->be != &lp_train_cpu) cJSON_AddStringToObject(j, "backend", t->be->name);
    put(j, "min_train_masks", t->data.min_train_masks);
    put(j, "chan", t->data.chan);
    put(j, "chan2", t->data.chan2);
    put(j, "normalize", m->normalize);
    put_list(j, "norm_percentile", m->percentile, 2);
    put(j, "invert", m->invert);
}

static void put_segmenting(cJSON *j, const lp_run_options *r)
{
    static const char *const precision[] = {"auto", "fp32", "bf16"};

    if (r->auto_diameters)
        cJSON_AddStringToObject(j, "diameters", "auto");
    else
        put_list(j, "diameters", r->diameters, r->n_diameters);
    put(j, "flow_threshold", r->segment.flow_threshold);
    put(j, "cellprob_threshold", r->segment.cellprob_threshold);
    put(j, "min_size", r->segment.min_size);
    put(j, "niter", r->segment.niter);
    cJSON_AddStringToObject(j, "backend", r->session.backend);
    cJSON_AddStringToObject(j, "precision", precision[r->session.precision]);
}

cJSON *lp_crossval_plan_json(const lp_crossval_plan *p, const lp_crossval_options *o,
                             const char *model_name, const char *model_sha256)
{
    cJSON *j = cJSON_CreateObject(), *in, *a;
    int i;

    cJSON_AddStringToObject(j, "format", "lipopose-crossval");
    put(j, "version", 1);
    in = cJSON_AddObjectToObject(j, "options");
    put(in, "folds", p->n_folds);
    put(in, "seed", (double)o->train.seed);
    cJSON_AddStringToObject(in, "pretrained_model", model_name);
    cJSON_AddStringToObject(in, "pretrained_sha256", model_sha256);
    put_training(cJSON_AddObjectToObject(in, "train"), &o->train);
    put_segmenting(cJSON_AddObjectToObject(in, "segment"), &o->run);
    a = cJSON_AddArrayToObject(j, "images");
    for (i = 0; i < p->n; i++) {
        const lp_crossval_image *im = &p->image[i];

        cJSON_AddItemToArray(a, in = cJSON_CreateObject());
        cJSON_AddStringToObject(in, "name", im->name);
        put(in, "fold", im->fold + 1);
        put(in, "particles", im->n_particles);
        cJSON_AddStringToObject(in, "image_sha256", im->image_sha256);
        cJSON_AddStringToObject(in, "labels_sha256", im->labels_sha256);
    }
    a = cJSON_AddArrayToObject(j, "folds");
    for (i = 0; i < p->n_folds; i++) {
        cJSON_AddItemToArray(a, in = cJSON_CreateObject());
        put(in, "fold", i + 1);
        put_list(in, "cellpose_diameters", p->size[i], LP_SWEEP_N_SIZES);
    }
    return j;
}
