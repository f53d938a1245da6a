#include "eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval_boundary.h"
#include "label_index.h"

/* Counts by pair of labels: open addressing, a power of two of slots, at most half of them full. */
typedef struct {
    lp_eval_pair *slot; /* inter 0: empty */
    size_t size, used;
} table;

static lp_eval_pair *slot_of(table *h, int32_t t, int32_t p)
{
    uint64_t key = ((uint64_t)(uint32_t)t << 32 | (uint32_t)p) * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(key >> 32) & (h->size - 1);

    while (h->slot[i].inter && (h->slot[i].t != t || h->slot[i].p != p))
        i = (i + 1) & (h->size - 1);
    return &h->slot[i];
}

static int grow(table *h)
{
    table bigger = {calloc(2 * h->size, sizeof *h->slot), 2 * h->size, h->used};
    size_t i;

    if (!bigger.slot) return 0;
    for (i = 0; i < h->size; i++)
        if (h->slot[i].inter) *slot_of(&bigger, h->slot[i].t, h->slot[i].p) = h->slot[i];
    free(h->slot);
    *h = bigger;
    return 1;
}

static int add_shared(table *h, int32_t t, int32_t p, int64_t px)
{
    lp_eval_pair *s = slot_of(h, t, p);

    if (!s->inter) {
        if (2 * ++h->used > h->size) {
            if (!grow(h)) return 0;
            s = slot_of(h, t, p);
        }
        s->t = t;
        s->p = p;
    }
    s->inter += px;
    return 1;
}

static int by_pair(const void *a, const void *b)
{
    const lp_eval_pair *x = a, *y = b;

    return x->t != y->t ? (x->t > y->t) - (x->t < y->t) : (x->p > y->p) - (x->p < y->p);
}

static int64_t position(const lp_label_index *ix, uint32_t label)
{
    return label ? lp_label_index_find(ix, label) : -1;
}

/* Runs of equal pairs keep the table out of the inner loop. */
static int collect(const lp_labels *truth, const lp_labels *pred, const lp_label_index *ti,
                   const lp_label_index *pi, lp_eval_overlap *o, table *h)
{
    size_t n = (size_t)truth->Ly * truth->Lx, a, b;

    for (a = 0; a < n; a = b) {
        uint32_t t = truth->data[a], p = pred->data[a];
        int64_t it, ip, px;

        for (b = a + 1; b < n && truth->data[b] == t && pred->data[b] == p;) b++;
        if (!t && !p) continue;
        px = (int64_t)(b - a);
        it = position(ti, t);
        ip = position(pi, p);
        o->union_px += px;
        if (t) o->true_area[it] += px;
        if (p) o->pred_area[ip] += px;
        if (t && p && !add_shared(h, (int32_t)it, (int32_t)ip, px)) return 0;
    }
    return 1;
}

lp_status lp_eval_overlap_new(const lp_labels *truth, const lp_labels *pred, lp_eval_overlap *out,
                              lp_err *err)
{
    lp_label_index ti = {0}, pi = {0};
    lp_eval_overlap o = {0};
    table h = {NULL, 1024, 0};
    lp_status st;
    size_t i, k = 0;

    if (truth->Ly != pred->Ly || truth->Lx != pred->Lx)
        return lp_fail(
            err, LP_EFORMAT,
            "the truth is %d x %d (height x width) and the prediction %d x %d: they must "
            "be labels of the same image",
            truth->Ly, truth->Lx, pred->Ly, pred->Lx);
    if ((st = lp_label_index_new(truth, &ti, err))) goto done;
    if ((st = lp_label_index_new(pred, &pi, err))) goto done;
    if (ti.n >= INT32_MAX || pi.n >= INT32_MAX) {
        st = lp_fail(err, LP_ENOMEM, "more than %d labels", INT32_MAX - 1);
        goto done;
    }
    o.nt = (int32_t)ti.n;
    o.np = (int32_t)pi.n;
    o.true_area = calloc((size_t)ti.n + 1, sizeof *o.true_area);
    o.pred_area = calloc((size_t)pi.n + 1, sizeof *o.pred_area);
    h.slot = calloc(h.size, sizeof *h.slot);
    if (!o.true_area || !o.pred_area || !h.slot || !collect(truth, pred, &ti, &pi, &o, &h)) {
        st = lp_fail_mem(err, "overlaps of labels", (double)h.size * sizeof *h.slot);
        goto done;
    }
    for (i = 0; i < h.size; i++)
        if (h.slot[i].inter) h.slot[k++] = h.slot[i];
    qsort(h.slot, k, sizeof *h.slot, by_pair);
    for (i = 0; i < k; i++) {
        lp_eval_pair *q = &h.slot[i];

        q->iou = (double)q->inter / (double)(o.true_area[q->t] + o.pred_area[q->p] - q->inter);
    }
    o.pair = h.slot;
    o.n = (int64_t)k;
    o.true_id = ti.ids;
    o.pred_id = pi.ids;
    ti.ids = pi.ids = NULL;
    h.slot = NULL;
    *out = o;
    memset(&o, 0, sizeof o);
done:
    lp_label_index_free(&ti);
    lp_label_index_free(&pi);
    lp_eval_overlap_free(&o);
    free(h.slot);
    return st;
}

void lp_eval_overlap_free(lp_eval_overlap *o)
{
    if (!o) return;
    free(o->true_id);
    free(o->pred_id);
    free(o->true_area);
    free(o->pred_area);
    free(o->pair);
    memset(o, 0, sizeof *o);
}

double lp_eval_diameter(int64_t area)
{
    return 2 * sqrt((double)area / 3.14159265358979323846);
}

/* Matches over all pairs of which those >= th count most; pairs below min_iou are left out. */
static lp_status assign(const lp_eval_overlap *o, double th, double min_iou, const uint8_t *keep,
                        int32_t *pred_of, lp_err *err)
{
    lp_eval_edge *e = malloc(((size_t)o->n + 1) * sizeof *e);
    double bonus = 2.0 * (o->nt < o->np ? o->nt : o->np);
    int64_t i, n = 0;
    lp_status st;

    if (!e) return lp_fail_mem(err, "matching of particles", (double)o->n * sizeof *e);
    for (i = 0; i < o->n; i++) {
        const lp_eval_pair *q = &o->pair[i];

        if (q->iou < min_iou || (keep && !keep[q->p])) continue;
        e[n].t = q->t;
        e[n].p = q->p;
        e[n++].w = q->iou + (q->iou >= th ? bonus : 0);
    }
    st = lp_eval_assign(e, n, o->nt, o->np, pred_of, err);
    free(e);
    return st;
}

/* The pair of a match; both positions must overlap. */
static const lp_eval_pair *find_pair(const lp_eval_overlap *o, int32_t t, int32_t p)
{
    lp_eval_pair key = {.t = t, .p = p};

    return bsearch(&key, o->pair, (size_t)o->n, sizeof key, by_pair);
}

lp_status lp_eval_matches(const lp_eval_overlap *o, double th, const uint8_t *keep,
                          int32_t *pred_of, int64_t *tp, double *iou_sum, lp_err *err)
{
    double sum = 0;
    int64_t n = 0;
    int32_t t;
    /* From 0.5 upwards a pair below th cannot change which others are matched, but for exact ties
     * of IoU 0.5, which are worth the same: without them the graph falls apart. */
    lp_status st = assign(o, th, th >= 0.5 ? th : 0, keep, pred_of, err);

    if (st) return st;
    for (t = 0; t < o->nt; t++) {
        const lp_eval_pair *q;

        if (pred_of[t] < 0) continue;
        q = find_pair(o, t, pred_of[t]);
        if (q->iou < th) {
            pred_of[t] = -1;
            continue;
        }
        n++;
        sum += q->iou;
    }
    *tp = n;
    if (iou_sum) *iou_sum = sum;
    return LP_OK;
}

static int by_area(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* As Cellpose's utils.diameters: the median of sqrt(area), so with an even number of particles
 * the mean of two diameters. 0 without particles. */
static lp_status median_diameter(const lp_eval_overlap *o, double *d, lp_err *err)
{
    size_t n = (size_t)o->nt;
    int64_t *a;

    *d = 0;
    if (!n) return LP_OK;
    a = malloc(n * sizeof *a);
    if (!a) return lp_fail_mem(err, "diameters", (double)n * sizeof *a);
    memcpy(a, o->true_area, n * sizeof *a);
    qsort(a, n, sizeof *a, by_area);
    *d = (lp_eval_diameter(a[n / 2]) + lp_eval_diameter(a[(n - 1) / 2])) / 2;
    free(a);
    return LP_OK;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void lp_eval_count_points(const lp_eval_overlap *o, const lp_labels *truth, double (*yx)[2],
                          int64_t n, lp_eval_counts *out, uint8_t *found, int32_t *hit)
{
    lp_eval_counts c = {.n_true = o->nt, .n_pred = n, .points = 1};
    int64_t i;

    memset(found, 0, (size_t)o->nt);
    for (i = 0; i < n; i++) {
        double y = floor(yx[i][0] + 0.5), x = floor(yx[i][1] + 0.5);
        const uint32_t *at;
        uint32_t id;

        if (hit) hit[i] = -1;
        if (!(y >= 0 && x >= 0 && y < truth->Ly && x < truth->Lx)) continue;
        id = truth->data[(size_t)y * truth->Lx + (size_t)x];
        at = id ? bsearch(&id, o->true_id, (size_t)o->nt, sizeof id, by_id) : NULL;
        if (!at) continue;
        if (hit) hit[i] = (int32_t)(at - o->true_id);
        if (found[at - o->true_id]) continue;
        found[at - o->true_id] = 1;
        c.tp_centre++;
    }
    *out = c;
}

/* The same for label images, from the centroids of the predicted particles. */
static lp_status count_centres(const lp_eval_overlap *o, const lp_labels *truth,
                               const lp_labels *pred, int64_t *tp, lp_err *err)
{
    double(*yx)[2] = calloc((size_t)o->np + 1, sizeof *yx);
    uint8_t *found = malloc((size_t)o->nt + 1);
    lp_eval_counts c;
    lp_status st = LP_OK;
    int y, xa, xb;
    int32_t i;

    if (!yx || !found) {
        st = lp_fail_mem(err, "centres", 16.0 * o->np);
        goto done;
    }
    for (y = 0; y < pred->Ly; y++) {
        const uint32_t *d = pred->data + (size_t)y * pred->Lx;

        for (xa = 0; xa < pred->Lx; xa = xb) {
            const uint32_t *at;

            for (xb = xa + 1; xb < pred->Lx && d[xb] == d[xa];) xb++;
            if (!d[xa]) continue;
            at = bsearch(&d[xa], o->pred_id, (size_t)o->np, sizeof *at, by_id);
            yx[at - o->pred_id][0] += (double)(xb - xa) * y;
            yx[at - o->pred_id][1] += (double)(xb - xa) * (xa + xb - 1) / 2;
        }
    }
    for (i = 0; i < o->np; i++) {
        yx[i][0] /= (double)o->pred_area[i];
        yx[i][1] /= (double)o->pred_area[i];
    }
    lp_eval_count_points(o, truth, yx, o->np, &c, found, NULL);
    *tp = c.tp_centre;
done:
    free(yx);
    free(found);
    return st;
}

lp_status lp_eval_count(const lp_eval_overlap *o, const lp_labels *truth, const lp_labels *pred,
                        double boundary_scale, lp_eval_counts *out, int32_t *pred_of, lp_err *err)
{
    lp_eval_counts c = {.n_true = o->nt, .n_pred = o->np, .aji_union = o->union_px};
    double d;
    int32_t t;
    int k;
    lp_status st;

    if ((st = assign(o, 0.5, 0, NULL, pred_of, err))) return st;
    for (t = 0; t < o->nt; t++)
        if (pred_of[t] >= 0) c.aji_inter += find_pair(o, t, pred_of[t])->inter;
    for (k = LP_EVAL_NTH - 1; k >= 0; k--) /* 0.5 last: its matches stay */
        if ((st = lp_eval_matches(o, LP_EVAL_TH(k), NULL, pred_of, &c.tp[k], &c.iou_sum, err)))
            return st;
    if ((st = median_diameter(o, &d, err))) return st;
    if ((st = lp_eval_boundary(truth, pred, fmax(1, boundary_scale * d), c.boundary, err)))
        return st;
    if ((st = count_centres(o, truth, pred, &c.tp_centre, err))) return st;
    *out = c;
    return LP_OK;
}

void lp_eval_add(lp_eval_counts *s, const lp_eval_counts *c)
{
    int k;

    s->n_true += c->n_true;
    s->n_pred += c->n_pred;
    for (k = 0; k < LP_EVAL_NTH; k++) s->tp[k] += c->tp[k];
    s->iou_sum += c->iou_sum;
    s->aji_inter += c->aji_inter;
    s->aji_union += c->aji_union;
    for (k = 0; k < 3; k++) s->boundary[k] += c->boundary[k];
    s->tp_centre += c->tp_centre;
    s->points |= c->points;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

lp_eval_scores lp_eval_score(const lp_eval_counts *c)
{
    double all = (double)(c->n_true + c->n_pred), *v;
    const int64_t *b = c->boundary;
    lp_eval_scores s;
    size_t i;
    int k;

    for (i = 0, v = (double *)&s; i < sizeof s / sizeof *v; i++) v[i] = NAN;
    if (!(all > 0)) return s;
    s.centre_precision = ratio((double)c->tp_centre, (double)c->n_pred);
    s.centre_recall = ratio((double)c->tp_centre, (double)c->n_true);
    s.centre_f1 = 2 * (double)c->tp_centre / all;
    s.centre_ap = (double)c->tp_centre / (all - (double)c->tp_centre);
    if (c->points) return s;
    s.ap_mean = 0;
    for (k = 0; k < LP_EVAL_NTH; k++) {
        double tp = (double)c->tp[k];

        s.precision[k] = ratio(tp, (double)c->n_pred);
        s.recall[k] = ratio(tp, (double)c->n_true);
        s.f1[k] = 2 * tp / all;
        s.ap[k] = tp / (all - tp);
        s.ap_mean += s.ap[k] / LP_EVAL_NTH;
    }
    s.mean_iou = ratio(c->iou_sum, (double)c->tp[0]);
    s.pq = 2 * c->iou_sum / all;
    s.aji = ratio((double)c->aji_inter, (double)c->aji_union);
    s.boundary_precision = ratio((double)b[0], (double)(b[0] + b[1]));
    s.boundary_recall = ratio((double)b[0], (double)(b[0] + b[2]));
    s.boundary_f = ratio(2.0 * (double)b[0], (double)(2 * b[0] + b[1] + b[2]));
    return s;
}

lp_eval_scores lp_eval_mean(const lp_eval_scores *s, int64_t n)
{
    lp_eval_scores mean;
    double *out = (double *)&mean;
    size_t i;
    int64_t k;

    for (i = 0; i < sizeof mean / sizeof *out; i++) {
        double sum = 0, used = 0;

        for (k = 0; k < n; k++) {
            double v = ((const double *)&s[k])[i];

            if (isnan(v)) continue;
            sum += v;
            used++;
        }
        out[i] = used > 0 ? sum / used : NAN;
    }
    return mean;
}

static lp_eval_class *class_of(int64_t area, lp_eval_class *cls, int n)
{
    double d = lp_eval_diameter(area);

    while (n > 1 && d < cls[n - 1].min) n--;
    return &cls[n - 1];
}

void lp_eval_classify(const lp_eval_overlap *o, const int32_t *pred_of, const uint8_t *found,
                      lp_eval_class *cls, int n)
{
    int32_t i;

    for (i = 0; i < o->nt; i++) {
        lp_eval_class *c = class_of(o->true_area[i], cls, n);

        c->n_true++;
        if (pred_of ? pred_of[i] < 0 : !found[i]) continue;
        c->n_found++;
        if (!pred_of) continue;
        class_of(o->pred_area[pred_of[i]], cls, n)->n_right++;
    }
    for (i = 0; i < o->np; i++) class_of(o->pred_area[i], cls, n)->n_pred++;
}
