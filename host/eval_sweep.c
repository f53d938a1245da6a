#include "eval_sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "label_index.h"
#include "merge.h"
#include "sort.h"

/* The truth while masks are matched to it. */
typedef struct {
    const lp_labels *lb;
    lp_label_index ix;
    int64_t *area;    /* [n] */
    int64_t *inter;   /* [n] with the mask at hand, else 0 */
    int32_t *touched; /* [n] those with inter > 0 */
    uint16_t *taken;  /* [n] bit k: matched at LP_EVAL_TH(k) */
} truth_index;

static void truth_free(truth_index *t)
{
    lp_label_index_free(&t->ix);
    free(t->area);
    free(t->inter);
    free(t->touched);
    free(t->taken);
}

static lp_status truth_new(const lp_labels *lb, truth_index *t, lp_err *err)
{
    size_t n_px = (size_t)lb->Ly * lb->Lx, n, a, b;
    lp_status st = lp_label_index_new(lb, &t->ix, err);

    if (st) return st;
    t->lb = lb;
    n = (size_t)t->ix.n + 1;
    t->area = calloc(n, sizeof *t->area);
    t->inter = calloc(n, sizeof *t->inter);
    t->touched = malloc(n * sizeof *t->touched);
    t->taken = malloc(n * sizeof *t->taken);
    if (n > INT32_MAX || !t->area || !t->inter || !t->touched || !t->taken)
        return lp_fail_mem(err, "true particles", (double)n * 22);
    for (a = 0; a < n_px; a = b) {
        for (b = a + 1; b < n_px && lb->data[b] == lb->data[a];) b++;
        if (lb->data[a]) t->area[lp_label_index_find(&t->ix, lb->data[a])] += (int64_t)(b - a);
    }
    return LP_OK;
}

/* Matches one mask, best first. Taking what is free is a largest matching: above 0.5 a mask has
 * one partner at most and a partner one mask; where two true particles have IoU 0.5 with one mask
 * they are its halves and overlap no other mask, and the other way round. */
static uint16_t match(truth_index *t, const lp_run *run, uint64_t n)
{
    int64_t area = 0;
    int32_t n_touched = 0, i;
    uint16_t hit = 0;
    uint64_t k;
    int th;

    for (k = 0; k < n; k++) {
        const uint32_t *row = t->lb->data + (size_t)run[k].y * t->lb->Lx;
        int xa, xb;

        area += run[k].x1 - run[k].x0;
        for (xa = run[k].x0; xa < run[k].x1; xa = xb) {
            int32_t at;

            for (xb = xa + 1; xb < run[k].x1 && row[xb] == row[xa];) xb++;
            if (!row[xa]) continue;
            at = (int32_t)lp_label_index_find(&t->ix, row[xa]);
            if (!t->inter[at]) t->touched[n_touched++] = at;
            t->inter[at] += xb - xa;
        }
    }
    for (i = 0; i < n_touched; i++) {
        int32_t at = t->touched[i];
        double iou = (double)t->inter[at] / (double)(t->area[at] + area - t->inter[at]);

        t->inter[at] = 0;
        for (th = 0; th < LP_EVAL_NTH && iou >= LP_EVAL_TH(th); th++) {
            if ((hit | t->taken[at]) >> th & 1) continue;
            hit = (uint16_t)(hit | 1u << th);
            t->taken[at] = (uint16_t)(t->taken[at] | 1u << th);
        }
    }
    return hit;
}

static void add_hit(lp_eval_counts *c, uint16_t hit)
{
    int k;

    c->n_pred++;
    for (k = 0; k < LP_EVAL_NTH; k++) c->tp[k] += hit >> k & 1;
}

static lp_eval_counts judge_layer(truth_index *t, const lp_layer *y)
{
    lp_eval_counts c = {.n_true = t->ix.n};
    uint32_t l;

    memset(t->taken, 0, (size_t)t->ix.n * sizeof *t->taken);
    for (l = 0; l < y->masks.n; l++) {
        uint64_t first = y->masks.first[l], n = y->masks.first[l + 1] - first;

        if (n && !(y->flow_error[l] > (float)LP_SWEEP_FLOW_THRESHOLD))
            add_hit(&c, match(t, y->masks.run + first, n));
    }
    return c;
}

/* hit [m->n] of the merged particles, which all have pixels. */
static lp_status judge_merged(truth_index *t, const lp_merged *m, uint16_t *hit, lp_err *err)
{
    uint64_t *first = malloc(((size_t)m->n + 1) * sizeof *first);
    uint64_t *next = malloc(((size_t)m->n + 1) * sizeof *next);
    lp_run *run = NULL;
    uint32_t l;

    if (first) {
        lp_runs_count_ref(first, m->masks, m->n, m->Ly, m->Lx);
        run = malloc((first[m->n] + 1) * sizeof *run);
    }
    if (!first || !next || !run) {
        free(first);
        free(next);
        free(run);
        return lp_fail_mem(err, "merged particles", 16.0 * m->n);
    }
    lp_runs_fill_ref(run, first, m->masks, m->n, m->Ly, m->Lx, next);
    memset(t->taken, 0, (size_t)t->ix.n * sizeof *t->taken);
    for (l = 0; l < m->n; l++) hit[l] = match(t, run + first[l], first[l + 1] - first[l]);
    free(first);
    free(next);
    free(run);
    return LP_OK;
}

static lp_status take_truth(const truth_index *t, lp_sweep_image *im, lp_err *err)
{
    int32_t i;

    im->nt = (int32_t)t->ix.n;
    if (!(im->diameter_true = malloc(((size_t)im->nt + 1) * sizeof(double))))
        return lp_fail_mem(err, "diameters", 8.0 * im->nt);
    for (i = 0; i < im->nt; i++) im->diameter_true[i] = lp_eval_diameter(t->area[i]);
    if (im->nt) qsort(im->diameter_true, (size_t)im->nt, sizeof(double), lp_by_double);
    return LP_OK;
}

static lp_status take_merged(truth_index *t, const lp_merged *m, lp_sweep_image *im, lp_err *err)
{
    uint32_t i;

    im->key = malloc(((size_t)m->n + 1) * sizeof *im->key);
    im->hit = malloc(((size_t)m->n + 1) * sizeof *im->hit);
    if (!im->key || !im->hit || m->n >= INT32_MAX)
        return lp_fail_mem(err, "merged particles", 10.0 * m->n);
    im->np = (int32_t)m->n;
    for (i = 0; i < m->n; i++)
        im->key[i] = im->n_levels ? m->particle[i].level : m->particle[i].support;
    return judge_merged(t, m, im->hit, err);
}

lp_status lp_sweep_image_new(const lp_layers *s, const lp_labels *truth,
                             const lp_merge_options *options, lp_sweep_image *out, lp_err *err)
{
    lp_merge_options o = *options;
    truth_index t = {0};
    lp_sweep_image im = {0};
    lp_merged m = {0};
    lp_status st;
    int i;

    if (truth->Ly != s->Ly || truth->Lx != s->Lx)
        return lp_fail(err, LP_EFORMAT,
                       "the truth is %d x %d (height x width) and the saved run %d x %d: they must "
                       "be of the same image",
                       truth->Ly, truth->Lx, s->Ly, s->Lx);
    o.threshold = NAN; /* the last level */
    if (o.method == LP_MERGE_SCALE) {
        o.n_levels = 0; /* they only sort */
        o.threshold = 0;
    } else if ((st = lp_merge_levels(s, &o, im.level, &im.n_levels, err))) {
        return st;
    }
    if ((st = truth_new(truth, &t, err))) goto done;
    if ((st = take_truth(&t, &im, err))) goto done;
    if ((st = lp_merge(s, &o, &m, err))) goto done;
    if ((st = take_merged(&t, &m, &im, err))) goto done;
    im.diameter = malloc(((size_t)s->n + 1) * sizeof *im.diameter);
    im.single = malloc(((size_t)s->n + 1) * sizeof *im.single);
    if (!im.diameter || !im.single) {
        st = lp_fail_mem(err, "diameters", (double)s->n * sizeof *im.single);
        goto done;
    }
    for (i = 0; i < s->n; i++) {
        im.diameter[i] = s->layer[i].diameter;
        im.single[i] = judge_layer(&t, &s->layer[i]);
    }
    im.n_single = s->n;
    im.masks = m.masks;
    m.masks = NULL;
    *out = im;
    memset(&im, 0, sizeof im);
done:
    truth_free(&t);
    lp_merged_free(&m);
    lp_sweep_image_free(&im);
    return st;
}

void lp_sweep_image_free(lp_sweep_image *im)
{
    if (!im) return;
    free(im->diameter_true);
    free(im->key);
    free(im->hit);
    free(im->diameter);
    free(im->single);
    free(im->masks);
    memset(im, 0, sizeof *im);
}

int32_t lp_sweep_n_at(const lp_sweep_image *im, double threshold)
{
    int32_t n = 0;

    while (n < im->np && (im->n_levels ? im->key[n] >= threshold : im->key[n] > threshold)) n++;
    return n;
}

lp_eval_counts lp_sweep_at(const lp_sweep_image *im, double threshold)
{
    lp_eval_counts c = {.n_true = im->nt};
    int32_t i, n = lp_sweep_n_at(im, threshold);

    for (i = 0; i < n; i++) add_hit(&c, im->hit[i]);
    return c;
}

int lp_sweep_is_cellpose(double flow_threshold, double cellprob_threshold)
{
    return flow_threshold >= LP_SWEEP_FLOW_THRESHOLD && cellprob_threshold == 0;
}
