/* eval_sweep_sum - the images of a sweep added up: curve, diameters, references. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval_sweep.h"
#include "merge_support.h"
#include "sort.h"

#define STEPS 10 /* thresholds per unit of support: 1/10 is exactly what "0.1" reads as */

typedef struct {
    const lp_sweep_image *const *im;
    int n;
    lp_eval_scores *score; /* [n] scratch */
} images;

/* counts(i) of every image into *p. */
static void add_up(const images *x, lp_sweep_point *p,
                   lp_eval_counts (*counts)(const lp_sweep_image *, const void *), const void *user)
{
    int i;

    memset(&p->sum, 0, sizeof p->sum);
    for (i = 0; i < x->n; i++) {
        lp_eval_counts c = counts(x->im[i], user);

        lp_eval_add(&p->sum, &c);
        x->score[i] = lp_eval_score(&c);
    }
    p->pooled = lp_eval_score(&p->sum);
    p->mean = lp_eval_mean(x->score, x->n);
}

static lp_eval_counts at_threshold(const lp_sweep_image *im, const void *threshold)
{
    return lp_sweep_at(im, *(const double *)threshold);
}

static int find(const lp_sweep_image *im, double d)
{
    int k;

    for (k = 0; k < im->n_single && im->diameter[k] != d; k++) {
    }
    return k < im->n_single ? k : -1;
}

static lp_eval_counts at_diameter(const lp_sweep_image *im, const void *diameter)
{
    return im->single[find(im, *(const double *)diameter)];
}

/* By ratio; of two as near, the smaller. -1 where there are none. */
static int nearest(const double *d, int n, double to)
{
    int k, best = -1;

    if (!(to > 0)) return -1;
    for (k = 0; k < n; k++)
        if (best < 0 || fabs(log(d[k] / to)) < fabs(log(d[best] / to))) best = k;
    return best;
}

static lp_eval_counts at_nearest(const lp_sweep_image *im, const void *to)
{
    return im->single[nearest(im->diameter, im->n_single, *(const double *)to)];
}

/* Whether a shared diameter stands for a size in all images. */
static int near_enough(const images *x, double shared, double size)
{
    int i, k;

    if (fabs(log(shared / size)) <= log(LP_SWEEP_NEAR)) return 1;
    for (i = 0; i < x->n; i++) {
        k = nearest(x->im[i]->diameter, x->im[i]->n_single, size);
        if (x->im[i]->diameter[k] != shared) return 0;
    }
    return 1;
}

/* d: the diameters of s->single. All images have diameters. */
static void of_sizes(const images *x, const double *d, lp_sweep *s)
{
    int k;

    for (k = 0; k < LP_SWEEP_N_SIZES; k++) {
        int at = nearest(d, s->n_single, s->size[k]);

        if (!(s->size[k] > 0)) continue;
        if (at >= 0 && near_enough(x, d[at], s->size[k])) {
            s->nearest[k] = at;
            s->of_size[k] = s->single[at];
        } else {
            add_up(x, &s->of_size[k], at_nearest, &s->size[k]);
        }
    }
}

static lp_eval_counts at_own_median(const lp_sweep_image *im, const void *of_all)
{
    double d = im->nt ? lp_quantile(im->diameter_true, im->nt, 0.5) : *(const double *)of_all;
    int k = nearest(im->diameter, im->n_single, d);

    return im->single[k < 0 ? 0 : k];
}

static lp_eval_counts at_best(const lp_sweep_image *im, const void *unused)
{
    double best[2] = {-1, -1};
    int k, at = 0;

    (void)unused;
    for (k = 0; k < im->n_single; k++) {
        lp_eval_scores s = lp_eval_score(&im->single[k]);
        double ap = s.ap[LP_EVAL_50], mean = s.ap_mean; /* NaN: no particle on either side */

        if (isnan(ap)) ap = mean = 1;
        if (ap > best[0] || (ap == best[0] && mean > best[1])) {
            best[0] = ap;
            best[1] = mean;
            at = k;
        }
    }
    return im->single[at];
}

/* The thresholds to judge at, ascending: t [LP_SWEEP_MAX_POINTS]. */
static int thresholds(const images *x, lp_merge_method method, double *t)
{
    double top = LP_SUPPORT_MAX, step = 1;
    int i, k, n = 0, m = 0;

    if (method == LP_MERGE_SCALE) {
        for (i = 0; i < x->n; i++)
            if (x->im[i]->np && x->im[i]->key[0] > top) top = x->im[i]->key[0];
        while (ceil(top * STEPS / step) > LP_SWEEP_MAX_POINTS - 1) step *= 2;
        for (n = 0; n <= (int)ceil(top * STEPS / step); n++) t[n] = n * step / STEPS;
        return n;
    }
    /* Few: the levels of runs with the same diameters are the same. */
    for (i = 0; i < x->n; i++)
        for (k = 0; k < x->im[i]->n_levels; k++) {
            double v = x->im[i]->level[k];

            for (m = 0; m < n && t[m] != v; m++) {
            }
            if (m == n && n < LP_SWEEP_MAX_POINTS) t[n++] = v;
        }
    qsort(t, (size_t)n, sizeof *t, lp_by_double);
    return n;
}

static lp_status make_curve(const images *x, lp_sweep *s, lp_err *err)
{
    double t[LP_SWEEP_MAX_POINTS];
    int i;

    s->n_points = thresholds(x, s->method, t);
    s->point = calloc((size_t)s->n_points + 1, sizeof *s->point);
    if (!s->point) return lp_fail_mem(err, "thresholds", (double)s->n_points * sizeof *s->point);
    for (i = 0; i < s->n_points; i++) {
        s->point[i].at = t[i];
        add_up(x, &s->point[i], at_threshold, &t[i]);
    }
    return LP_OK;
}

static int all_have(const images *x, double d)
{
    int i;

    for (i = 0; i < x->n && find(x->im[i], d) >= 0; i++) {
    }
    return i == x->n;
}

/* True particles that are smaller or larger than all diameters of their image. */
static void beyond(const images *x, lp_sweep *s)
{
    int k, seen = 0;
    int32_t i;

    s->smallest = s->largest = NAN;
    for (k = 0; k < x->n; k++) {
        const lp_sweep_image *im = x->im[k];
        double lo, hi;

        if (!im->n_single) continue;
        lo = im->diameter[0];
        hi = im->diameter[im->n_single - 1];
        s->smallest = !seen || s->smallest == lo ? lo : NAN;
        s->largest = !seen || s->largest == hi ? hi : NAN;
        seen = 1;
        for (i = 0; i < im->nt; i++) {
            s->n_smaller += im->diameter_true[i] < lo;
            s->n_larger += im->diameter_true[i] > hi;
        }
    }
}

static lp_status make_singles(const images *x, lp_sweep *s, lp_err *err)
{
    const lp_sweep_image *first = x->im[0];
    double *d = malloc(((size_t)first->n_single + 1) * sizeof *d);
    int k, with_single = 1;

    s->single = calloc((size_t)first->n_single + 1, sizeof *s->single);
    if (!s->single || !d) {
        free(d);
        return lp_fail_mem(err, "diameters", (double)first->n_single * sizeof *s->single);
    }
    for (k = 0; k < first->n_single; k++) {
        if (!all_have(x, first->diameter[k])) continue;
        if (s->n_single && d[s->n_single - 1] == first->diameter[k]) continue;
        d[s->n_single] = s->single[s->n_single].at = first->diameter[k];
        add_up(x, &s->single[s->n_single], at_diameter, &first->diameter[k]);
        s->n_single++;
    }
    for (k = 0; k < LP_SWEEP_N_SIZES; k++) {
        s->nearest[k] = -1;
        s->of_size[k].at = NAN;
    }
    for (k = 0; k < x->n; k++) with_single &= x->im[k]->n_single > 0;
    s->own_median.at = s->best.at = NAN;
    if (with_single) of_sizes(x, d, s);
    free(d);
    if (!with_single) return LP_OK;
    add_up(x, &s->own_median, at_own_median, &s->size[LP_SWEEP_MEDIAN]);
    add_up(x, &s->best, at_best, NULL);
    return LP_OK;
}

static lp_status true_sizes(const images *x, lp_sweep *s, lp_err *err)
{
    static const double q[LP_SWEEP_N_SIZES] = {0.05, 0.5, 0.95};
    int64_t n = 0, at = 0;
    double *d;
    int i;

    for (i = 0; i < x->n; i++) n += x->im[i]->nt;
    if (!(d = malloc(((size_t)n + 1) * sizeof *d)))
        return lp_fail_mem(err, "diameters", 8.0 * (double)n);
    for (i = 0; i < x->n; at += x->im[i++]->nt)
        memcpy(d + at, x->im[i]->diameter_true, (size_t)x->im[i]->nt * sizeof *d);
    qsort(d, (size_t)n, sizeof *d, lp_by_double);
    for (i = 0; i < LP_SWEEP_N_SIZES; i++) s->size[i] = lp_quantile(d, n, q[i]);
    free(d);
    return LP_OK;
}

typedef struct {
    double key;
    int hit;
} ranked;

static int by_falling_key(const void *a, const void *b)
{
    double x = ((const ranked *)a)->key, y = ((const ranked *)b)->key;

    return (x < y) - (x > y);
}

static lp_status area(const images *x, lp_sweep *s, lp_err *err)
{
    int64_t n = 0, nt = 0, i, j, tp = 0, gain;
    ranked *r;
    int k;

    for (k = 0; k < x->n; k++) {
        n += x->im[k]->np;
        nt += x->im[k]->nt;
    }
    if (!(r = malloc(((size_t)n + 1) * sizeof *r)))
        return lp_fail_mem(err, "particles", 16.0 * (double)n);
    for (k = 0, j = 0; k < x->n; k++)
        for (i = 0; i < x->im[k]->np; i++)
            r[j++] = (ranked){x->im[k]->key[i], x->im[k]->hit[i] & 1};
    qsort(r, (size_t)n, sizeof *r, by_falling_key);
    s->area = nt ? 0 : NAN;
    for (i = 0; i < n && nt; i = j) {
        for (j = i, gain = 0; j < n && r[j].key == r[i].key; j++) gain += r[j].hit;
        tp += gain;
        s->area += (double)tp / (double)j * (double)gain / (double)nt;
    }
    free(r);
    return LP_OK;
}

lp_status lp_sweep_new(const lp_sweep_image *const *im, int n, lp_merge_method method,
                       lp_sweep *out, lp_err *err)
{
    lp_sweep s = {.method = method, .n_images = n};
    images x = {im, n, NULL};
    lp_status st;

    if (n < 1) return lp_fail(err, LP_EARG, "a sweep needs at least one image");
    if (!(x.score = malloc((size_t)n * sizeof *x.score)))
        return lp_fail_mem(err, "scores", (double)n * sizeof *x.score);
    if ((st = true_sizes(&x, &s, err))) goto done;
    if ((st = make_curve(&x, &s, err))) goto done;
    if ((st = make_singles(&x, &s, err))) goto done;
    beyond(&x, &s);
    if ((st = area(&x, &s, err))) goto done;
    *out = s;
    memset(&s, 0, sizeof s);
done:
    free(x.score);
    lp_sweep_free(&s);
    return st;
}

void lp_sweep_free(lp_sweep *s)
{
    if (!s) return;
    free(s->point);
    free(s->single);
    memset(s, 0, sizeof *s);
}
