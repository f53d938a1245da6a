/* merge_votes - particles from the number of diameters that agree on a pixel or on a pair. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/votes.h"
#include "merge.h"

typedef struct {
    const lp_layers *s;
    uint16_t *v, *ax, *ay; /* [Ly][Lx]; ax and ay NULL for votes */
    uint32_t *part;        /* [Ly][Lx] components of one level */
} work;

/* Of one component: its pixels, the largest v in it, whether it meets an accepted particle; then
 * its number. */
typedef struct {
    int64_t area;
    uint32_t id;
    uint16_t top;
    char taken;
} part_info;

/* Per particle, while the diameters are gone through. */
typedef struct {
    int64_t area, covered, error_n, prob_n;
    double error, prob;
} tally;

/* Accepts components of v > t that are free of accepted particles. */
static lp_status go_down(work *w, double t, int min_size, lp_merged *out, lp_err *err)
{
    int64_t n_px = (int64_t)w->s->Ly * w->s->Lx, i;
    uint32_t n, l, before = out->n;
    lp_merged_particle *more;
    part_info *p;

    n = lp_votes_components_ref(w->part, w->v, w->ax, w->ay, (int)floor(t), w->s->Ly, w->s->Lx);
    if (!(p = calloc((size_t)n + 1, sizeof *p)))
        return lp_fail_mem(err, "merge", (double)n * sizeof *p);
    for (i = 0; i < n_px; i++) {
        if (!w->part[i]) continue;
        p[w->part[i]].area++;
        if (w->v[i] > p[w->part[i]].top) p[w->part[i]].top = w->v[i];
        if (out->masks[i]) p[w->part[i]].taken = 1;
    }
    for (l = 1; l <= n; l++)
        if (!p[l].taken && p[l].area >= min_size) p[l].id = ++out->n;
    if (!(more = realloc(out->particle, ((size_t)out->n + 1) * sizeof *more))) {
        free(p);
        return lp_fail_mem(err, "merge", (double)out->n * sizeof *more);
    }
    out->particle = more;
    for (l = 1; l <= n; l++)
        if (p[l].id) more[p[l].id - 1] = (lp_merged_particle){.support = p[l].top, .level = t};
    for (i = 0; i < n_px && out->n > before; i++)
        if (w->part[i] && p[w->part[i]].id) out->masks[i] = p[w->part[i]].id;
    free(p);
    return LP_OK;
}

/* Goes through the masks of one diameter where they lie on particles. */
static void tally_layer(const lp_layer *y, const lp_merged *m, tally *t)
{
    uint32_t l;

    for (l = 0; l < y->masks.n; l++) {
        float e = y->flow_error[l], c = y->cellprob[l];
        uint64_t k;

        for (k = y->masks.first[l]; k < y->masks.first[l + 1]; k++) {
            const lp_run *u = &y->masks.run[k];
            const uint32_t *row = m->masks + (int64_t)u->y * m->Lx;
            int xa, xb;

            for (xa = u->x0; xa < u->x1; xa = xb) {
                tally *q;

                for (xb = xa + 1; xb < u->x1 && row[xb] == row[xa]; xb++) {
                }
                if (!row[xa]) continue;
                q = &t[row[xa] - 1];
                q->covered += xb - xa;
                if (!isnan(e)) {
                    q->error += (double)e * (xb - xa);
                    q->error_n += xb - xa;
                }
                if (!isnan(c)) {
                    q->prob += (double)c * (xb - xa);
                    q->prob_n += xb - xa;
                }
            }
        }
    }
}

static lp_status describe(const lp_layers *s, lp_merged *m, lp_err *err)
{
    int64_t n_px = (int64_t)m->Ly * m->Lx, i;
    tally *t = calloc((size_t)m->n + 1, sizeof *t);
    uint32_t l;
    int y;

    if (!t) return lp_fail_mem(err, "merge", (double)m->n * sizeof *t);
    for (i = 0; i < n_px; i++)
        if (m->masks[i]) t[m->masks[i] - 1].area++;
    for (y = 0; y < s->n; y++) {
        for (l = 0; l < m->n; l++) t[l].covered = 0;
        tally_layer(&s->layer[y], m, t);
        for (l = 0; l < m->n; l++) {
            lp_merged_particle *p = &m->particle[l];

            if (2 * t[l].covered < t[l].area) continue;
            if (!p->n_diameters++) p->diameter_min = s->layer[y].diameter;
            p->diameter_max = s->layer[y].diameter;
        }
    }
    for (l = 0; l < m->n; l++) {
        m->particle[l].flow_error = t[l].error_n ? t[l].error / (double)t[l].error_n : NAN;
        m->particle[l].cellprob = t[l].prob_n ? t[l].prob / (double)t[l].prob_n : NAN;
    }
    free(t);
    return LP_OK;
}

lp_status lp_merge_by_votes(const lp_layers *s, const lp_merge_options *o, const double *level,
                            int n_levels, lp_merged *out, lp_err *err)
{
    size_t n_px = (size_t)s->Ly * s->Lx;
    work w = {.s = s};
    int k, y, pairs = o->method == LP_MERGE_AFFINITY;
    lp_status st = LP_OK;

    w.v = calloc(n_px, sizeof *w.v);
    w.part = malloc(n_px * sizeof *w.part);
    if (pairs) {
        w.ax = calloc(n_px, sizeof *w.ax);
        w.ay = calloc(n_px, sizeof *w.ay);
    }
    if (!w.v || !w.part || (pairs && (!w.ax || !w.ay))) {
        st = lp_fail_mem(err, "merge", 10.0 * (double)n_px);
        goto done;
    }
    out->particle = malloc(sizeof *out->particle);
    if (!out->particle) {
        st = lp_fail_mem(err, "merge", sizeof *out->particle);
        goto done;
    }
    for (y = 0; y < s->n; y++) {
        lp_votes_add_ref(w.v, &s->layer[y].masks, s->Lx);
        if (pairs) lp_votes_add_pairs_ref(w.ax, w.ay, &s->layer[y].masks, s->Lx);
    }
    for (k = 0; k < n_levels && !st; k++)
        if (level[k] < s->n) st = go_down(&w, level[k], o->min_size, out, err);
    if (!st) st = describe(s, out, err);
done:
    free(w.v);
    free(w.ax);
    free(w.ay);
    free(w.part);
    return st;
}
