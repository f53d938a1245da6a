/* merge_votes - particles from the number of diameters that agree on a pixel or on a pair. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../kernels/votes.h"
#include "merge.h"

#define BAND 64 /* rows that one thread adds votes in */
#define SIDE 4  /* levels whose components are found side by side, at most */

typedef struct {
    const lp_layers *s;
    uint16_t *v, *ax, *ay; /* [Ly][Lx]; ax and ay NULL for votes */
    uint32_t *part[SIDE];  /* [Ly][Lx] components of one level */
    uint32_t n[SIDE];      /* how many */
    int side;
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

/* Accepts components 1 .. n of v > t that are free of accepted particles. */
static lp_status accept(const work *w, const uint32_t *part, uint32_t n, double t, int min_size,
                        lp_merged *out, lp_err *err)
{
    int64_t n_px = (int64_t)w->s->Ly * w->s->Lx, i;
    uint32_t l, before = out->n;
    lp_merged_particle *more;
    part_info *p;

    if (!(p = calloc((size_t)n + 1, sizeof *p)))
        return lp_fail_mem(err, "merge", (double)n * sizeof *p);
    for (i = 0; i < n_px; i++) {
        if (!part[i]) continue;
        p[part[i]].area++;
        if (w->v[i] > p[part[i]].top) p[part[i]].top = w->v[i];
        if (out->masks[i]) p[part[i]].taken = 1;
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
    if (out->n > before) {
#pragma omp parallel for schedule(static)
        for (i = 0; i < n_px; i++)
            if (part[i] && p[part[i]].id) out->masks[i] = p[part[i]].id;
    }
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

/* Adds what one diameter saw, and clears it. */
static void take_tally(lp_merged *m, tally *all, tally *one, double diameter)
{
    uint32_t l;

    for (l = 0; l < m->n; l++) {
        lp_merged_particle *p = &m->particle[l];

        all[l].error += one[l].error;
        all[l].error_n += one[l].error_n;
        all[l].prob += one[l].prob;
        all[l].prob_n += one[l].prob_n;
        if (2 * one[l].covered >= all[l].area) {
            if (!p->n_diameters++) p->diameter_min = diameter;
            p->diameter_max = diameter;
        }
        one[l] = (tally){0};
    }
}

/* Several diameters side by side, added in their order. */
static lp_status describe(const work *w, lp_merged *m, lp_err *err)
{
    int64_t n_px = (int64_t)m->Ly * m->Lx, i;
    size_t n = (size_t)m->n + 1;
    tally *all = calloc(n * (1 + w->side), sizeof *all);
    uint32_t l;
    int first, k;

    if (!all) return lp_fail_mem(err, "merge", (double)n * (1 + w->side) * sizeof *all);
    for (i = 0; i < n_px; i++)
        if (m->masks[i]) all[m->masks[i] - 1].area++;
    for (first = 0; first < w->s->n; first += w->side) {
        int side = w->s->n - first < w->side ? w->s->n - first : w->side;

#pragma omp parallel for schedule(dynamic) num_threads(side)
        for (k = 0; k < side; k++) tally_layer(&w->s->layer[first + k], m, all + (1 + k) * n);
        for (k = 0; k < side; k++)
            take_tally(m, all, all + (1 + k) * n, w->s->layer[first + k].diameter);
    }
    for (l = 0; l < m->n; l++) {
        m->particle[l].flow_error = all[l].error_n ? all[l].error / (double)all[l].error_n : NAN;
        m->particle[l].cellprob = all[l].prob_n ? all[l].prob / (double)all[l].prob_n : NAN;
    }
    free(all);
    return LP_OK;
}

static void add_votes(work *w)
{
    int b, bands = (w->s->Ly + BAND - 1) / BAND;

#pragma omp parallel for schedule(dynamic)
    for (b = 0; b < bands; b++) {
        int y;

        for (y = 0; y < w->s->n; y++) {
            const lp_runs *m = &w->s->layer[y].masks;

            lp_votes_add_ref(w->v, m, w->s->Lx, b * BAND, (b + 1) * BAND);
            if (w->ax) lp_votes_add_pairs_ref(w->ax, w->ay, m, w->s->Lx, b * BAND, (b + 1) * BAND);
        }
    }
}

/* Down the levels, several at a time. */
static lp_status go_down(work *w, const double *level, int n_levels, int min_size, lp_merged *out,
                         lp_err *err)
{
    int first, k;
    lp_status st = LP_OK;

    for (first = 0; first < n_levels && !st; first += w->side) {
        int m = n_levels - first < w->side ? n_levels - first : w->side;

#pragma omp parallel for schedule(dynamic) num_threads(m)
        for (k = 0; k < m; k++)
            w->n[k] = lp_votes_components_ref(w->part[k], w->v, w->ax, w->ay,
                                              (int)floor(level[first + k]), w->s->Ly, w->s->Lx);
        for (k = 0; k < m && !st; k++)
            st = accept(w, w->part[k], w->n[k], level[first + k], min_size, out, err);
    }
    return st;
}

lp_status lp_merge_by_votes(const lp_layers *s, const lp_merge_options *o, const double *level,
                            int n_levels, lp_merged *out, lp_err *err)
{
    size_t n_px = (size_t)s->Ly * s->Lx;
    work w = {.s = s, .side = omp_get_max_threads() < SIDE ? omp_get_max_threads() : SIDE};
    int k, pairs = o->method == LP_MERGE_AFFINITY, good = 1;
    lp_status st = LP_OK;

    for (; n_levels > 0 && level[0] >= s->n; level++) n_levels--; /* nothing can lie above */
    w.v = calloc(n_px, sizeof *w.v);
    if (pairs) {
        w.ax = calloc(n_px, sizeof *w.ax);
        w.ay = calloc(n_px, sizeof *w.ay);
    }
    for (k = 0; k < w.side; k++) good &= !!(w.part[k] = malloc(n_px * sizeof *w.part[k]));
    out->particle = malloc(sizeof *out->particle);
    if (!w.v || !good || (pairs && (!w.ax || !w.ay)) || !out->particle) {
        st = lp_fail_mem(err, "merge", (6.0 + 4 * w.side) * (double)n_px);
        goto done;
    }
    add_votes(&w);
    if ((st = go_down(&w, level, n_levels, o->min_size, out, err))) goto done;
    st = describe(&w, out, err);
done:
    free(w.v);
    free(w.ax);
    free(w.ay);
    for (k = 0; k < w.side; k++) free(w.part[k]);
    return st;
}
