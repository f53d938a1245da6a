#include "eval_run.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "eval_labels.h"

static lp_status evaluate(const lp_eval_item *f, const lp_eval_options *opt, lp_eval_result *r,
                          lp_err *note)
{
    lp_labels t = {0}, p = {0};
    lp_err *err = &r->failed, why;
    lp_status st = lp_eval_read_pair(f, &opt->merge, &t, &p, err);

    if (st) goto done;
    r->Ly = t.Ly;
    r->Lx = t.Lx;
    if ((st = lp_eval_overlap_new(&t, &p, &r->o, &why))) {
        st = lp_fail(err, st, "%.300s against %.300s: %.300s", f->pred ? f->pred : "nothing",
                     f->truth, why.msg);
        goto done;
    }
    r->pred_of = malloc(((size_t)r->o.nt + 1) * sizeof *r->pred_of);
    if (!r->pred_of) {
        st = lp_fail_mem(err, f->truth, r->o.nt * 4.0);
        goto done;
    }
    if ((st = lp_eval_count(&r->o, &t, &p, opt->boundary_scale, &r->c, r->pred_of, err))) goto done;
    r->s = lp_eval_score(&r->c);
    if (!f->table && r->o.np) goto done;
    r->support = malloc(((size_t)r->o.np + 1) * sizeof *r->support);
    if (!r->support) {
        st = lp_fail_mem(err, f->truth, r->o.np * 8.0);
    } else if (f->table &&
               lp_eval_support_read(f->table, r->o.pred_id, r->o.np, r->support, note)) {
        free(r->support);
        r->support = NULL;
    }
done:
    lp_labels_free(&t);
    lp_labels_free(&p);
    return st;
}

/* Scores of an image's points, and the best in each particle. */
static lp_status score_points(const lp_picks *picks, int image, const int32_t *hit,
                              lp_eval_result *r)
{
    int64_t i, n = 0;
    int32_t k;

    r->support = malloc(((size_t)r->c.n_pred + 1) * sizeof *r->support);
    r->best = malloc(((size_t)r->o.nt + 1) * sizeof *r->best);
    if (!r->support || !r->best)
        return lp_fail_mem(&r->failed, r->file->truth, 8.0 * (double)r->c.n_pred);
    for (k = 0; k < r->o.nt; k++) r->best[k] = NAN;
    for (i = 0; i < picks->n; i++) {
        double v = picks->pick[i].score;

        if (picks->pick[i].image != image) continue;
        if (isnan(v)) { /* no score, no curve */
            free(r->support);
            r->support = NULL;
            break;
        }
        if (hit[n] >= 0 && !(r->best[hit[n]] >= v)) r->best[hit[n]] = v;
        r->support[n++] = v;
    }
    return LP_OK;
}

/* Of several points in a particle, the first is right. */
static lp_status right_points(const int32_t *hit, lp_eval_result *r)
{
    uint8_t *seen = calloc((size_t)r->o.nt + 1, 1);
    int64_t i;

    if (!seen || !(r->right = calloc((size_t)r->c.n_pred + 1, 1))) {
        free(seen);
        return lp_fail_mem(&r->failed, r->file->truth, (double)r->c.n_pred);
    }
    for (i = 0; i < r->c.n_pred; i++) {
        if (hit[i] < 0 || seen[hit[i]]) continue;
        seen[hit[i]] = r->right[i] = 1;
    }
    free(seen);
    return LP_OK;
}

/* Predictions are points; o has no predicted particles then. */
static lp_status evaluate_points(const lp_eval_item *f, const lp_picks *picks,
                                 const lp_eval_options *opt, lp_eval_result *r)
{
    lp_labels t = {0}, none = {0};
    double(*yx)[2] = malloc(((size_t)picks->n + 1) * sizeof *yx);
    int32_t *hit = malloc(((size_t)picks->n + 1) * sizeof *hit);
    int image = lp_picks_find(picks, f->name);
    lp_err *err = &r->failed;
    int64_t i, n = 0;
    lp_status st;

    if (!yx || !hit) {
        st = lp_fail_mem(err, f->truth, 20.0 * (double)picks->n);
        goto done;
    }
    for (i = 0; i < picks->n; i++) {
        if (picks->pick[i].image != image) continue;
        yx[n][0] = picks->pick[i].y;
        yx[n++][1] = picks->pick[i].x;
    }
    if ((st = lp_eval_labels_read(f, f->truth, 0, 0, &t, err))) goto done;
    for (i = 0; i < n && opt->flip_y; i++) yx[i][0] = t.Ly - 1 - yx[i][0];
    r->Ly = t.Ly;
    r->Lx = t.Lx;
    if ((st = lp_labels_new(&none, t.Ly, t.Lx, err))) goto done;
    if ((st = lp_eval_overlap_new(&t, &none, &r->o, err))) goto done;
    if (!(r->found = malloc((size_t)r->o.nt + 1))) {
        st = lp_fail_mem(err, f->truth, r->o.nt);
        goto done;
    }
    lp_eval_count_points(&r->o, &t, yx, n, &r->c, r->found, hit);
    if ((st = score_points(picks, image, hit, r))) goto done;
    if ((st = right_points(hit, r))) goto done;
    r->yx = yx;
    yx = NULL;
    r->s = lp_eval_score(&r->c);
done:
    free(yx);
    free(hit);
    lp_labels_free(&t);
    lp_labels_free(&none);
    return st;
}

/* With a table for every image that has predictions and more than one value. */
static lp_status make_curve(lp_eval_set *s, lp_err *err)
{
    const lp_eval_overlap **o = malloc((size_t)s->n * sizeof *o);
    const double **v = malloc((size_t)s->n * sizeof *v);
    lp_status st = LP_OK;
    int i, n = 0, complete = 1;

    if (!o || !v) {
        st = lp_fail_mem(err, "thresholds", s->n * 16.0);
        goto done;
    }
    for (i = 0; i < s->n; i++) {
        if (s->item[i].failed.status) continue;
        complete &= s->item[i].support != NULL;
        o[n] = &s->item[i].o;
        v[n++] = s->item[i].support;
    }
    if (complete && n) st = lp_eval_curve(o, v, n, &s->curve, &s->n_curve, err);
    if (!st && s->n_curve < 2) s->n_curve = 0;
done:
    free(o);
    free(v);
    return st;
}

/* With a score for every point and more than one value. */
static lp_status make_point_curve(lp_eval_set *s, lp_err *err)
{
    double *score = malloc(((size_t)s->sum.n_pred + 1) * sizeof *score);
    double *best = malloc(((size_t)s->sum.n_true + 1) * sizeof *best);
    int64_t n = 0, nt = 0;
    lp_status st = LP_OK;
    int i, complete = 1;

    if (!score || !best) {
        st = lp_fail_mem(err, "thresholds", 8.0 * (double)(s->sum.n_pred + s->sum.n_true));
        goto done;
    }
    for (i = 0; i < s->n && complete; i++) {
        const lp_eval_result *r = &s->item[i];

        if (r->failed.status) continue;
        complete = r->support != NULL;
        if (!complete) break;
        if (r->c.n_pred) memcpy(score + n, r->support, (size_t)r->c.n_pred * sizeof *score);
        if (r->o.nt) memcpy(best + nt, r->best, (size_t)r->o.nt * sizeof *best);
        n += r->c.n_pred;
        nt += r->o.nt;
    }
    if (complete) st = lp_eval_curve_points(score, n, best, nt, &s->curve, &s->n_curve, err);
    if (!st && s->n_curve < 2) s->n_curve = 0;
done:
    free(score);
    free(best);
    return st;
}

static lp_status add_up(lp_eval_set *s, lp_err *err)
{
    lp_eval_scores *all = malloc((size_t)s->n * sizeof *all);
    int i, n = 0;

    if (!all) return lp_fail_mem(err, "scores", (double)s->n * sizeof *all);
    for (i = 0; i < s->n; i++) {
        const lp_eval_result *r = &s->item[i];

        if (r->failed.status) {
            s->n_failed++;
            continue;
        }
        s->n_missing += r->missing;
        lp_eval_add(&s->sum, &r->c);
        lp_eval_classify(&r->o, r->pred_of, r->found, s->cls, s->n_cls);
        all[n++] = r->s;
    }
    s->pooled = lp_eval_score(&s->sum);
    s->mean = lp_eval_mean(all, n);
    free(all);
    return s->sum.points ? make_point_curve(s, err) : make_curve(s, err);
}

static lp_status check_missing(const lp_eval_files *f, lp_err *err)
{
    const char *first = NULL;
    int i, n = 0;

    for (i = 0; i < f->n; i++)
        if (!f->item[i].pred && !n++) first = f->item[i].truth;
    return n ? lp_fail(err, LP_EARG,
                       "%s%s has no prediction; --missing zero counts all its particles as missed",
                       first, n > 1 ? " (and others)" : "")
             : LP_OK;
}

lp_status lp_eval_run(const lp_eval_files *files, const lp_picks *picks, const lp_eval_options *opt,
                      lp_eval_set *out, lp_err *note, lp_err *err)
{
    lp_eval_set s = {.n = files->n, .n_cls = opt->n_edges + 1};
    lp_err *notes = NULL;
    int i, threads = opt->threads > 0 ? opt->threads : omp_get_max_threads();
    lp_status st;

    if (!opt->missing_zero && (st = check_missing(files, err))) return st;
    s.item = calloc((size_t)s.n, sizeof *s.item);
    notes = calloc((size_t)s.n, sizeof *notes);
    if (!s.item || !notes) {
        st = lp_fail_mem(err, "results", (double)s.n * sizeof *s.item);
        goto done;
    }
    for (i = 0; i < s.n_cls; i++) {
        s.cls[i].min = i ? opt->edges[i - 1] : 0;
        s.cls[i].max = i < opt->n_edges ? opt->edges[i] : INFINITY;
    }
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (i = 0; i < s.n; i++) {
        s.item[i].file = &files->item[i];
        s.item[i].missing = !files->item[i].pred;
        if (!(picks ? evaluate_points(&files->item[i], picks, opt, &s.item[i])
                    : evaluate(&files->item[i], opt, &s.item[i], &notes[i])))
            s.item[i].failed.status = LP_OK;
    }
    memset(note, 0, sizeof *note);
    for (i = s.n - 1; i >= 0; i--)
        if (notes[i].status) *note = notes[i];
    if ((st = add_up(&s, err))) goto done;
    *out = s;
    memset(&s, 0, sizeof s);
done:
    free(notes);
    lp_eval_set_free(&s);
    return st;
}

void lp_eval_set_free(lp_eval_set *s)
{
    int i;

    if (!s) return;
    for (i = 0; i < s->n && s->item; i++) {
        lp_eval_overlap_free(&s->item[i].o);
        free(s->item[i].pred_of);
        free(s->item[i].found);
        free(s->item[i].best);
        free(s->item[i].yx);
        free(s->item[i].right);
        free(s->item[i].support);
    }
    free(s->item);
    free(s->curve);
    memset(s, 0, sizeof *s);
}

static double ap_of(const lp_eval_result *r)
{
    return r->c.points ? r->s.centre_ap : r->s.ap[LP_EVAL_50];
}

int lp_eval_worst(const lp_eval_set *s, int *rank, int max)
{
    int i, n = 0, k;

    for (i = 0; i < s->n; i++) {
        double ap = ap_of(&s->item[i]);

        if (s->item[i].failed.status || isnan(ap)) continue;
        for (k = n; k > 0 && ap_of(&s->item[rank[k - 1]]) > ap; k--)
            if (k < max) rank[k] = rank[k - 1];
        if (k < max) rank[k] = i;
        if (n < max) n++;
    }
    return n;
}
