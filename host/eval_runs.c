#include "eval_runs.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "eval_labels.h"
#include "hdf5_lock.h"
#include "merge.h"
#include "read_run.h"

static lp_status read_run(const char *path, lp_saved_run *r, lp_err *err)
{
    lp_status st;

    lp_hdf5_lock();
    st = lp_read_run(path, r, err);
    lp_hdf5_unlock();
    return st;
}

/* Ly, Lx: of outlines, 0 where only the micrograph tells. */
static lp_status read_pred(const lp_eval_item *f, const lp_merge_options *options, int Ly, int Lx,
                           lp_labels *out, lp_err *err)
{
    lp_merge_options o = *options;
    lp_saved_run r = {0};
    lp_merged m = {0};
    lp_status st;

    if (!lp_eval_is_run(f->pred)) return lp_eval_labels_read(f, f->pred, Ly, Lx, out, err);
    if ((st = read_run(f->pred, &r, err))) return st;
    o.min_size = r.min_size;
    if (!(st = lp_merge(r.layers, &o, &m, err))) {
        *out = (lp_labels){m.masks, m.Ly, m.Lx};
        m.masks = NULL;
    }
    lp_merged_free(&m);
    lp_saved_run_free(&r);
    return st;
}

lp_status lp_eval_read_pair(const lp_eval_item *f, const lp_merge_options *options, lp_labels *t,
                            lp_labels *p, lp_err *err)
{
    lp_labels truth = {0}, pred = {0};
    lp_status st;

    /* What tells the size of the other comes first. */
    if (p && f->pred && lp_eval_is_drawn(f->truth) && !lp_eval_is_drawn(f->pred) &&
        (st = read_pred(f, options, 0, 0, &pred, err)))
        goto done;
    if ((st = lp_eval_labels_read(f, f->truth, pred.Ly, pred.Lx, &truth, err))) goto done;
    if (p && !pred.data) {
        st = f->pred ? read_pred(f, options, truth.Ly, truth.Lx, &pred, err)
                     : lp_labels_new(&pred, truth.Ly, truth.Lx, err);
        if (st) goto done;
    }
    *t = truth;
    memset(&truth, 0, sizeof truth);
    if (p) {
        *p = pred;
        memset(&pred, 0, sizeof pred);
    }
done:
    lp_labels_free(&truth);
    lp_labels_free(&pred);
    return st;
}

/* From which threshold to below which the first n particles are there and no others. */
typedef struct {
    double lo, hi;
    int32_t n; /* -1: the prediction is not what merging gives at any threshold */
} range;

static range compare(const lp_labels *p, const lp_sweep_image *im)
{
    size_t n_px = (size_t)p->Ly * p->Lx, i;
    range r = {0, INFINITY, -1};
    uint32_t n = 0;

    for (i = 0; i < n_px; i++)
        if (p->data[i] > n) n = p->data[i];
    if (n > (uint32_t)im->np) return r;
    for (i = 0; i < n_px; i++)
        if (p->data[i] != (im->masks[i] <= n ? im->masks[i] : 0)) return r;
    r.n = (int32_t)n;
    if (r.n < im->np) r.lo = im->key[r.n];
    if (n) r.hi = im->key[n - 1];
    return r;
}

typedef struct {
    const lp_eval_item *file;
    lp_sweep_image im;
    double flow_threshold, cellprob_threshold;
    range masks;
    int missing; /* no prediction */
    int no_run;  /* a prediction, but no run */
    lp_err why;
} one_image;

static lp_status sweep_one(const lp_merge_options *options, one_image *x)
{
    const lp_eval_item *f = x->file;
    lp_merge_options o = *options;
    lp_labels t = {0}, p = {0};
    lp_saved_run r = {0};
    lp_err *err = &x->why, why;
    lp_status st;

    x->missing = !f->pred;
    x->no_run = !f->run && f->pred;
    if (x->no_run) {
        st = lp_fail(err, LP_EIO, "%s has no saved run of segment --diameters", f->name);
        goto done;
    }
    if (!x->missing && (st = read_run(f->run, &r, err))) goto done;
    st = lp_eval_labels_read(f, f->truth, r.layers ? r.layers->Ly : 0, r.layers ? r.layers->Lx : 0,
                             &t, err);
    if (st) goto done;
    if (x->missing) { /* nothing was found, at no diameter */
        lp_layers *none = NULL;

        if (!(st = lp_layers_new(t.Ly, t.Lx, &none, err)))
            st = lp_sweep_image_new(none, &t, &o, &x->im, err);
        lp_layers_free(&none);
        x->masks = (range){0, INFINITY, 0};
        goto done;
    }
    o.min_size = r.min_size;
    if ((st = lp_sweep_image_new(r.layers, &t, &o, &x->im, &why))) {
        st = lp_fail(err, st, "%.300s against %.300s: %.300s", f->run, f->truth, why.msg);
        goto done;
    }
    x->flow_threshold = r.flow_threshold;
    x->cellprob_threshold = r.cellprob_threshold;
    x->masks.n = -1;
    if (!f->pred || lp_eval_is_run(f->pred)) goto done;
    if ((st = lp_eval_labels_read(f, f->pred, t.Ly, t.Lx, &p, err))) goto done;
    if (p.Ly == t.Ly && p.Lx == t.Lx) x->masks = compare(&p, &x->im);
done:
    free(x->im.masks);
    x->im.masks = NULL;
    lp_labels_free(&t);
    lp_labels_free(&p);
    lp_saved_run_free(&r);
    return st;
}

/* A threshold of masks_at. */
static double masks_at(const lp_eval_sweep *s, const one_image *x)
{
    static const double step[] = {1, 0.5, 0.1, 0.05, 0.01, 0.001};
    const double usual = LP_MERGE_SCALE_THRESHOLD;
    double lo = 0, hi = INFINITY, t;
    size_t k;
    int i, j;

    for (i = 0; i < s->n; i++) {
        if (x[i].masks.n < 0) return NAN;
        lo = fmax(lo, x[i].masks.lo);
        hi = fmin(hi, x[i].masks.hi);
    }
    for (j = 0; s->all.method != LP_MERGE_SCALE && j < s->all.n_points; j++) {
        t = s->all.point[j].at;
        for (i = 0; i < s->n && lp_sweep_n_at(&s->im[i], t) == x[i].masks.n; i++) {
        }
        if (i == s->n) return t;
    }
    if (s->all.method != LP_MERGE_SCALE || !(lo < hi)) return NAN;
    if (usual >= lo && usual < hi) return usual;
    for (k = 0; k < sizeof step / sizeof *step; k++) {
        double many = round(1 / step[k]);

        t = ceil(lo * many) / many;
        if (t >= lo && t < hi) return t;
    }
    return lo;
}

/* A missing image has the diameters of the others, with nothing found. */
static lp_status fill_missing(one_image *x, int n, lp_err *err)
{
    const lp_sweep_image *like = NULL;
    int i, k;

    for (i = 0; i < n && !like; i++)
        if (!x[i].missing) like = &x[i].im;
    if (!like) return lp_fail(err, LP_EIO, "no image has a prediction");
    for (i = 0; i < n; i++) {
        lp_sweep_image *im = &x[i].im;

        if (!x[i].missing) continue;
        free(im->diameter);
        free(im->single);
        im->diameter = malloc(((size_t)like->n_single + 1) * sizeof *im->diameter);
        im->single = calloc((size_t)like->n_single + 1, sizeof *im->single);
        if (!im->diameter || !im->single) return lp_fail_mem(err, "diameters", like->n_single);
        im->n_single = like->n_single;
        im->n_levels = 0;
        for (k = 0; k < like->n_single; k++) {
            im->diameter[k] = like->diameter[k];
            im->single[k].n_true = im->nt;
        }
    }
    return LP_OK;
}

/* Takes the images whose runs are of no use out of x [*n] and keeps why. *note is set where an
 * image has no run, or none is left. */
static lp_status leave_out(one_image *x, int *n, lp_eval_sweep *s, lp_err *note, lp_err *err)
{
    int i, k = 0, runs = 0;

    if (!(s->failed = calloc((size_t)*n + 1, sizeof *s->failed)))
        return lp_fail_mem(err, "sweep", (double)*n * sizeof *s->failed);
    for (i = 0; i < *n; i++) {
        one_image *y = &x[i];

        if (y->why.status == LP_EARG || y->why.status == LP_ENOMEM)
            return lp_fail(err, y->why.status, "%s", y->why.msg);
        if (y->no_run) {
            *note = y->why;
        } else if (y->why.status) {
            s->failed[s->n_failed++] = y->why;
        } else {
            one_image keep = *y;

            memset(y, 0, sizeof *y);
            runs += !keep.missing;
            x[k++] = keep;
        }
    }
    *n = k;
    if (runs == 0 && !note->status) lp_fail(note, LP_EIO, "no saved run is left");
    return LP_OK;
}

/* NaN where they differ. */
static double common(double a, double b)
{
    return a == b ? a : NAN;
}

/* The threshold that saved runs are merged at where no prediction says otherwise. */
static double given_threshold(const lp_eval_sweep *s, const lp_merge_options *o)
{
    if (!isnan(o->threshold)) return o->threshold;
    return o->method == LP_MERGE_SCALE ? LP_MERGE_SCALE_THRESHOLD
           : s->all.n_points           ? s->all.point[0].at
                                       : 0;
}

lp_status lp_eval_sweep_runs(const lp_eval_item *const *item, int n, const lp_merge_options *o,
                             int threads, lp_eval_sweep *out, lp_err *note, lp_err *err)
{
    lp_eval_sweep s = {.merge = *o, .flow_threshold = NAN, .cellprob_threshold = NAN};
    one_image *x = calloc((size_t)n + 1, sizeof *x);
    int i, runs_only = 1, seen = 0, left = 0;
    lp_status st = LP_OK;

    memset(note, 0, sizeof *note);
    s.im = calloc((size_t)n + 1, sizeof *s.im);
    s.ptr = calloc((size_t)n + 1, sizeof *s.ptr);
    if (!x || !s.im || !s.ptr) {
        st = lp_fail_mem(err, "sweep", (double)n * sizeof *x);
        goto done;
    }
    if (threads <= 0) threads = omp_get_max_threads();
    if (threads > n) threads = n > 0 ? n : 1; /* one image has them all inside */
    for (i = 0; i < n; i++) x[i].file = item[i];
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (i = 0; i < n; i++)
        if (!sweep_one(o, &x[i])) x[i].why.status = LP_OK;
    left = n;
    if (n == 0 || (st = leave_out(x, &left, &s, note, err))) goto done;
    if (note->status) {
        out->failed = s.failed;
        out->n_failed = s.n_failed;
        s.failed = NULL;
        goto done;
    }
    if ((st = fill_missing(x, left, err))) goto done;
    s.n = left;
    for (i = 0; i < left; i++) {
        s.im[i] = x[i].im;
        memset(&x[i].im, 0, sizeof x[i].im);
        s.ptr[i] = &s.im[i];
        if (x[i].missing) continue;
        runs_only &= lp_eval_is_run(x[i].file->pred);
        s.flow_threshold =
            seen ? common(s.flow_threshold, x[i].flow_threshold) : x[i].flow_threshold;
        s.cellprob_threshold = seen++ ? common(s.cellprob_threshold, x[i].cellprob_threshold)
                                      : x[i].cellprob_threshold;
    }
    s.is_cellpose = lp_sweep_is_cellpose(s.flow_threshold, s.cellprob_threshold);
    if ((st = lp_sweep_new(s.ptr, left, o->method, &s.all, err))) goto done;
    s.masks_at = s.n_failed ? NAN : runs_only ? given_threshold(&s, o) : masks_at(&s, x);
    *out = s;
    memset(&s, 0, sizeof s);
done:
    for (i = 0; x && i < n; i++) lp_sweep_image_free(&x[i].im);
    free(x);
    lp_eval_sweep_free(&s);
    return st;
}

void lp_eval_sweep_free(lp_eval_sweep *s)
{
    int i;

    if (!s) return;
    for (i = 0; s->im && i < s->n; i++) lp_sweep_image_free(&s->im[i]);
    free(s->im);
    free(s->ptr);
    free(s->failed);
    lp_sweep_free(&s->all);
    memset(s, 0, sizeof *s);
}
