#include "train_run.h"

#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../weights/sha256.h"
#include "inputs.h"
#include "machine.h"
#include "run_signals.h"
#include "selftest.h"
#include "train_crops.h"
#include "train_curve.h"
#include "train_init.h"
#include "train_load.h"
#include "train_size.h"

#define TEST_STREAM 0x7e57u  /* the same crops each time */
#define EPOCH_STREAM 0x10000 /* streams of epochs begin here */
#define SAVE_SECONDS 300     /* of work that kill -9 may cost */

typedef struct {
    const lp_train_options *o;
    const lp_train_backend *be;
    lp_trainer *trainer;
    lp_weights *w;
    lp_train_set train, test;
    lp_train_progress p;
    int per_epoch, per_test, nchan;
    float *x, *target; /* [batch] */
    double *each;      /* [batch] */
    int *order;        /* [max of per_epoch, per_test] */
    double *probs;     /* [train.n] sums of weights, or NULL */
    double began, saved, said;
    int64_t done; /* images in this session */
    char *state, *csv, *png;
} run;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void __attribute__((format(printf, 2, 3))) say(const run *r, const char *fmt, ...)
{
    va_list ap;

    if (r->o->quiet) return;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}

/* path of the model with another ending instead of .h5, or behind it */
static char *beside(const char *out, const char *ending, int keep)
{
    size_t n = strlen(out);
    char *s = malloc(n + strlen(ending) + 1);

    if (!keep && n > 3 && !strcmp(out + n - 3, ".h5")) n -= 3;
    if (s) sprintf(s, "%.*s%s", (int)n, out, ending);
    return s;
}

static lp_crops crops_of(const run *r)
{
    const lp_train_options *o = r->o;

    return (lp_crops){o->seed, o->bsize, r->nchan, o->rescale ? r->w->diam_mean : 0,
                      o->scale_range};
}

static lp_status test_loss(run *r, double *loss, lp_err *err)
{
    const lp_crops c = crops_of(r);
    double sum = 0, mean = 0;
    int k, n;
    lp_status st;

    *loss = NAN;
    if (!r->test.n) return LP_OK;
    lp_train_order(r->order, r->o->seed, TEST_STREAM, r->test.n, r->per_test);
    for (k = 0; k < r->per_test; k += n) {
        n = r->per_test - k < r->o->batch_size ? r->per_test - k : r->o->batch_size;
        lp_train_crops(&r->test, &c, TEST_STREAM, r->order + k, k, n, r->x, r->target);
        if ((st = r->be->evaluate(r->trainer, r->x, r->target, n, r->each, &mean, err))) return st;
        sum += mean * n;
    }
    *loss = sum / r->per_test;
    return LP_OK;
}

/* The model, and the curves beside it. */
static lp_status save_model(run *r, const char *path, lp_err *err)
{
    lp_status st = r->be->get(r->trainer, err);

    if (!st) st = lp_weights_save(r->w, path, 0, err);
    if (!st && r->p.n_epochs) st = lp_train_curve_csv(r->csv, &r->p, r->o->learning_rate, err);
    if (!st && r->p.n_epochs) st = lp_train_curve_png(r->png, &r->p, err);
    return st;
}

static lp_status save_state(run *r, lp_err *err)
{
    lp_status st = r->be->get(r->trainer, err);

    if (!st) st = lp_train_state_write(r->state, &r->p, r->w, r->be->optimizer(r->trainer), err);
    r->saved = now();
    return st;
}

static lp_status refuse_nan(const run *r, int from, int n, lp_err *err)
{
    int i;

    for (i = 0; i < n - 1 && isfinite(r->each[i]); i++) continue;
    return lp_fail(
        err, LP_EFORMAT,
        "%s: the loss is no number in epoch %d, step %d: give a lower --learning_rate, or "
        "look at this image; %s keeps the last good state%s",
        r->train.image[r->order[from + i]].name, r->p.epoch + 1, from / r->o->batch_size + 1,
        r->o->out, access(r->o->out, F_OK) ? ", once one has been saved" : "");
}

static void report(run *r, int last)
{
    double t = now(), each = (t - r->began) / (double)(r->done ? r->done : 1);
    double left = ((double)(r->p.n_epochs - r->p.epoch) * r->per_epoch - r->p.images) * each;
    int e = r->p.epoch - 1;
    char test[40] = "";

    if (r->o->json && e >= 0 && r->p.images == 0) {
        char text[40] = "null";

        if (isfinite(r->p.test_loss[e])) snprintf(text, sizeof text, "%.6g", r->p.test_loss[e]);
        printf("{\"epoch\": %d, \"rate\": %.6g, \"train_loss\": %.6g, \"test_loss\": %s}\n", e + 1,
               lp_train_rate(r->o->learning_rate, r->p.n_epochs, e), r->p.train_loss[e], text);
        fflush(stdout);
    }
    if (e < 0 || (t - r->said < 2 && !last)) return;
    r->said = t;
    for (; e > 0 && !isfinite(r->p.test_loss[e]); e--) continue;
    if (isfinite(r->p.test_loss[e])) snprintf(test, sizeof test, ", test %.4f", r->p.test_loss[e]);
    e = r->p.epoch - 1;
    say(r, "epoch %d/%d  loss %.4f%s  rate %.3g  %.1f images/s  ETA %02d:%02d:%02d\n", e + 1,
        r->p.n_epochs, r->p.train_loss[e], test,
        lp_train_rate(r->o->learning_rate, r->p.n_epochs, e), each > 0 ? 1 / each : 0,
        (int)(left / 3600), (int)fmod(left / 60, 60), (int)fmod(left, 60));
}

/* The crops of the step at image `at` of the epoch; returns how many. */
static int next_crops(run *r, uint32_t stream, int at)
{
    const lp_crops c = crops_of(r);
    int n = r->per_epoch - at < r->o->batch_size ? r->per_epoch - at : r->o->batch_size;

    if (n > 0) lp_train_crops(&r->train, &c, stream, r->order + at, at, n, r->x, r->target);
    return n;
}

static lp_status one_epoch(run *r, lp_err *err)
{
    uint32_t stream = EPOCH_STREAM + (uint32_t)r->p.epoch;
    double rate = lp_train_rate(r->o->learning_rate, r->p.n_epochs, r->p.epoch), loss = 0;
    int n, next;
    lp_status st;

    if (r->probs)
        lp_train_order_weighted(r->order, r->o->seed, stream, r->probs, r->train.n, r->per_epoch);
    else
        lp_train_order(r->order, r->o->seed, stream, r->train.n, r->per_epoch);
    for (n = next_crops(r, stream, r->p.images); r->p.images < r->per_epoch; n = next) {
        if ((st = r->be->gradients(r->trainer, r->x, r->target, n, err))) return st;
        /* Made while a GPU is at work. */
        next = next_crops(r, stream, r->p.images + n);
        if ((st = r->be->loss(r->trainer, r->each, &loss, err))) return st;
        if (!isfinite(loss)) return refuse_nan(r, r->p.images, n, err);
        if ((st = r->be->update(r->trainer, rate, err))) return st;
        r->p.images += n;
        r->p.loss_sum += loss * n;
        r->done += n;
        if (lp_signals_stop()) return LP_ESIGNAL;
        if (now() - r->saved > SAVE_SECONDS && (st = save_state(r, err))) return st;
    }
    r->p.train_loss[r->p.epoch] = r->p.loss_sum / r->per_epoch;
    if ((r->p.epoch == 5 || r->p.epoch % 10 == 0) &&
        (st = test_loss(r, &r->p.test_loss[r->p.epoch], err)))
        return st;
    r->p.epoch++;
    r->p.images = 0;
    r->p.loss_sum = 0;
    return LP_OK;
}

static lp_status checkpoint(run *r, lp_err *err)
{
    char *path = NULL;
    char ending[32];
    int e = r->p.epoch - 1;
    lp_status st;

    if (!e || e % r->o->save_every || r->p.epoch == r->p.n_epochs) return LP_OK;
    snprintf(ending, sizeof ending, "_epoch_%04d.h5", e);
    if (!(path = r->o->save_each ? beside(r->o->out, ending, 0) : strdup(r->o->out)))
        return lp_fail_mem(err, "name of a checkpoint", 1);
    /* The state first: a model without one is that of a finished run. */
    st = save_state(r, err);
    if (!st) st = save_model(r, path, err);
    free(path);
    return st;
}

static int stopped(void)
{
    return lp_signals_stop() != 0;
}

/* --train_size: what comes after the last epoch, which is saved first. */
static lp_status fit_size(run *r, lp_err *err)
{
    lp_train_size_options so = lp_train_size_defaults();
    double correlation = NAN;
    lp_status st;

    if (!r->o->train_size) return LP_OK;
    so.seed = r->o->seed;
    so.threads = omp_get_max_threads();
    so.stop = stopped;
    if ((st = save_state(r, err))) return st;
    st = lp_train_size(&r->train, &so, r->w, &correlation, err);
    if (st == LP_ESIGNAL)
        return lp_fail(err, st, "stopped after the last epoch: --resume fits the size model");
    if (!st)
        say(r, "size model: correlation %.3f with the logarithm of the diameter\n", correlation);
    return st;
}

static lp_status epochs(run *r, lp_err *err)
{
    lp_status st;

    lp_signals_catch();
    r->began = r->saved = now();
    while (r->p.epoch < r->p.n_epochs) {
        st = one_epoch(r, err);
        if (st == LP_ESIGNAL) {
            if ((st = save_state(r, err)) || (st = save_model(r, r->o->out, err))) return st;
            return lp_fail(err, LP_ESIGNAL,
                           "stopped in epoch %d of %d: --resume goes on from there", r->p.epoch + 1,
                           r->p.n_epochs);
        }
        if (st || (st = checkpoint(r, err))) return st;
        report(r, r->p.epoch == r->p.n_epochs);
    }
    if ((st = r->be->get(r->trainer, err)) || (st = lp_weights_check(r->w, r->o->out, err)) ||
        (st = fit_size(r, err)) || (st = lp_selftest_fill(r->w, err)) ||
        (st = save_model(r, r->o->out, err)))
        return st;
    unlink(r->state);
    return LP_OK;
}

/* Options, model and data as text, whose SHA-256 names the run. */
static lp_status fingerprint(run *r, const char *model_sha, lp_err *err)
{
    const lp_train_options *o = r->o;
    const lp_normalize_options *m = &o->data.normalize;
    char text[1200];
    int i, n;

    n = snprintf(
        text, sizeof text,
        "1 %s %s|%.17g %.17g %.17g %d %.17g|%d %d %d %d %d %d %d|%d %d %d|%d %.17g %.17g %d "
        "%d %.17g %.17g|%llu %.17g|%016llx %016llx|",
        model_sha, r->be->name, o->learning_rate, o->optim.weight_decay, o->optim.momentum,
        o->optim.sgd, o->scale_range, o->n_epochs, o->batch_size, o->bsize, r->per_epoch,
        r->per_test, o->rescale, o->data.min_train_masks, o->data.chan, o->data.chan2, r->nchan,
        m->normalize, m->percentile[0], m->percentile[1], m->invert, m->tile_norm_blocksize,
        m->sharpen_radius, m->smooth_radius, (unsigned long long)o->seed, r->w->diam_mean,
        (unsigned long long)r->train.digest, (unsigned long long)r->test.digest);
    for (i = 0; i < r->w->n_nbase && n < (int)sizeof text - 16; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%d,", r->w->nbase[i]);
    if (o->train_size) n += snprintf(text + n, sizeof text - (size_t)n, "|size");
    if (r->probs && n < (int)sizeof text - 80) {
        n += snprintf(text + n, sizeof text - (size_t)n, "|probs ");
        lp_sha256(r->probs, (size_t)r->train.n * sizeof *r->probs, text + n);
        n += 64;
    }
    if (n >= (int)sizeof text - 80) return lp_fail(err, LP_EARG, "too many options");
    if (o->bf16) n += snprintf(text + n, sizeof text - (size_t)n, "|bf16");
    lp_sha256(text, (size_t)n, r->p.fingerprint);
    return LP_OK;
}

/* What the model file says of itself. */
static lp_status describe(run *r, const char *from, const char *sha, lp_err *err)
{
    const char *slash = strrchr(from, '/');
    lp_weights *w = r->w;
    char text[1200];
    int i;

    if (!r->o->n_epochs) /* only a size model: the network stays what it was */
        snprintf(text, sizeof text,
                 "%.900s; size model of lipopose train " LP_VERSION ": %d images", w->source,
                 r->train.n);
    else
        snprintf(
            text, sizeof text,
            "lipopose train " LP_VERSION
            ": from %.200s, %d images, %lld particles, %d epochs of %d crops, %s, learning rate "
            "%g%s, seed %llu",
            slash ? slash + 1 : from, r->train.n, (long long)r->train.n_particles, r->o->n_epochs,
            r->per_epoch, r->o->optim.sgd ? "SGD" : "AdamW", r->o->learning_rate,
            r->o->bf16 ? ", bf16" : "", (unsigned long long)r->o->seed);
    free(w->source);
    free(w->source_sha256);
    w->source = strdup(text);
    w->source_sha256 = strdup(sha);
    if (r->o->licence) {
        free(w->licence);
        w->licence = strdup(r->o->licence);
    }
    if (!w->source || !w->source_sha256 || !w->licence) return lp_fail_mem(err, "weights", 600);
    if (!r->o->n_epochs) return LP_OK;
    w->diam_labels = (float)r->train.diam_labels;
    memcpy(w->diam_range, r->train.diam_range, sizeof w->diam_range);
    for (i = 0; i < w->n_tensors; i++)
        if (!strcmp(w->tensors[i].name, "diam_labels"))
            w->tensors[i].data[0] = (float)w->diam_labels;
    return LP_OK;
}

/* r->w; from and sha [65]: the file it was in, "none" and "" from scratch. */
static lp_status open_model(run *r, char **from, char *sha, lp_err *err)
{
    lp_weights *w = NULL;
    lp_status st;

    *sha = 0;
    if (r->o->model && !strcmp(r->o->model, "none")) {
        if (!(*from = strdup("none"))) return lp_fail_mem(err, "name of the model", 5);
        return lp_train_init(r->o->nbase, r->o->n_nbase, r->o->diam_mean, r->o->seed, &r->w, err);
    }
    if ((st = lp_inputs_find_model(r->o->model, from, err))) return st;
    if ((st = lp_sha256_file(*from, sha, err))) return st;
    if ((st = lp_weights_open(*from, &w, err))) return st;
    st = lp_train_copy(w, &r->w, err);
    lp_weights_free(&w);
    return st;
}

static lp_status load_data(run *r, lp_err *err)
{
    const lp_train_options *o = r->o;
    lp_status st = lp_train_load(o, r->nchan, &r->train, &r->test, &r->probs, err);

    if (st) return st;
    r->per_epoch = o->nimg_per_epoch ? o->nimg_per_epoch : r->train.n;
    r->per_test = o->nimg_test_per_epoch ? o->nimg_test_per_epoch : r->test.n;
    return LP_OK;
}

static lp_status allocate(run *r, lp_err *err)
{
    const lp_train_options *o = r->o;
    size_t plane = (size_t)o->bsize * o->bsize, most;
    int i;

    most = (size_t)(r->per_epoch > r->per_test ? r->per_epoch : r->per_test);
    r->x = malloc((size_t)o->batch_size * r->nchan * plane * sizeof *r->x);
    r->target = malloc((size_t)o->batch_size * 3 * plane * sizeof *r->target);
    r->each = malloc((size_t)o->batch_size * sizeof *r->each);
    r->order = malloc(most * sizeof *r->order);
    r->p.n_epochs = o->n_epochs;
    r->p.train_loss = malloc(((size_t)o->n_epochs + 1) * sizeof(double));
    r->p.test_loss = malloc(((size_t)o->n_epochs + 1) * sizeof(double));
    if (!r->x || !r->target || !r->each || !r->order || !r->p.train_loss || !r->p.test_loss)
        return lp_fail_mem(err, "training", 8.0 * (double)plane * o->batch_size);
    for (i = 0; i < o->n_epochs; i++) r->p.train_loss[i] = r->p.test_loss[i] = NAN;
    return LP_OK;
}

/* Names of the files, and what is there already. */
static lp_status check_output(run *r, int *resume, lp_err *err)
{
    struct stat sb;
    int model, state;

    r->state = beside(r->o->out, ".state", 1);
    r->csv = beside(r->o->out, "_loss.csv", 0);
    r->png = beside(r->o->out, "_loss.png", 0);
    if (!r->state || !r->csv || !r->png) return lp_fail_mem(err, "names of files", 1);
    if (!stat(r->o->out, &sb) && !S_ISREG(sb.st_mode))
        return lp_fail(err, LP_EIO, "%s: is there and no file: give another name", r->o->out);
    model = !access(r->o->out, F_OK);
    state = !access(r->state, F_OK);
    *resume = r->o->resume && state;
    if (*resume || r->o->overwrite) return LP_OK;
    if (state)
        return lp_fail(err, LP_EIO,
                       "%s: a run was stopped here; --resume goes on, --overwrite begins anew",
                       r->state);
    if (model && r->o->resume)
        return lp_fail(err, LP_EIO, "%s: this run is finished; --overwrite trains anew", r->o->out);
    if (model)
        return lp_fail(err, LP_EIO, "%s: is there already; --overwrite replaces it", r->o->out);
    return LP_OK;
}

static void clear(run *r)
{
    if (r->be) r->be->close(&r->trainer);
    lp_weights_free(&r->w);
    lp_train_set_free(&r->train);
    lp_train_set_free(&r->test);
    free(r->p.train_loss);
    free(r->p.test_loss);
    free(r->x);
    free(r->target);
    free(r->each);
    free(r->order);
    free(r->probs);
    free(r->state);
    free(r->csv);
    free(r->png);
}

static lp_status prepare(run *r, int threads, lp_err *err)
{
    const lp_train_options *o = r->o;
    lp_trainer_options to = {
        o->batch_size, o->bsize, o->bsize,      threads,      0.8 * lp_machine_memory(),
        o->optim,      o->bf16,  o->gpu_device, o->gpu_memory};
    char *from = NULL, *folder = NULL, sha[65];
    int resume = 0;
    lp_status st;

    if ((st = check_output(r, &resume, err)) || (st = open_model(r, &from, sha, err))) goto done;
    r->nchan = r->w->nbase[0];
    if ((st = load_data(r, err)) || (st = allocate(r, err))) goto done;
    if (!(folder = strdup(o->out))) {
        st = lp_fail_mem(err, "names of files", 1);
        goto done;
    }
    if (strrchr(folder, '/')) {
        *strrchr(folder, '/') = 0;
        if (*folder && (st = lp_inputs_make_folder(folder, err))) goto done;
    }
    if ((st = fingerprint(r, sha, err)) || (st = describe(r, from, sha, err))) goto done;
    if ((st = r->be->open(r->w, &to, &r->trainer, err))) goto done;
    say(r, "training in %s (%s)\n", o->bf16 ? "bf16" : "fp32", r->be->describe(r->trainer));
    if (resume) {
        st = lp_train_state_read(r->state, &r->p, r->w, r->be->optimizer(r->trainer), err);
        if (!st) say(r, "going on after epoch %d of %d\n", r->p.epoch, r->p.n_epochs);
    }
    if (!st) st = r->be->put(r->trainer, err);
done:
    free(from);
    free(folder);
    return st;
}

lp_status lp_train_run(const lp_train_options *o, int *signal_, lp_err *err)
{
    run r = {.o = o, .be = o->be ? o->be : &lp_train_cpu};
    int threads = o->threads ? o->threads : lp_machine_threads(), before = omp_get_max_threads();
    lp_status st;

    omp_set_num_threads(threads);
    st = prepare(&r, threads, err);
    if (!st) st = epochs(&r, err);
    if (!st) say(&r, "%s: trained in %.0f s\n", o->out, now() - r.began);
    if (st == LP_ESIGNAL) *signal_ = lp_signals_stop();
    clear(&r);
    omp_set_num_threads(before);
    return st;
}
