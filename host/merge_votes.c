/* merge_votes - particles from the number of diameters that agree on a pixel or on a pair. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "merge.h"

#define SIDE 4 /* diameters that are gone through side by side, at most */

/* Per particle, while the diameters are gone through. */
typedef struct {
    int64_t area, covered, error_n, prob_n;
    double error, prob;
} tally;

/* Particles as runs of their rows; id of each. */
typedef struct {
    uint32_t *first; /* [Ly + 1] */
    lp_run *run;     /* y is the id */
} particle_runs;

static lp_status particle_runs_new(const lp_merged *m, particle_runs *r, lp_err *err)
{
    size_t bytes;
    int y;

    r->run = NULL;
    if (!(r->first = malloc(((size_t)m->Ly + 1) * sizeof *r->first)))
        return lp_fail_mem(err, "merge", 4.0 * m->Ly);
    r->first[0] = 0;
#pragma omp parallel for schedule(dynamic, 16)
    for (y = 0; y < m->Ly; y++) {
        const uint32_t *row = m->masks + (int64_t)y * m->Lx;
        uint32_t n = row[0] != 0;
        int x;

        for (x = 1; x < m->Lx; x++) n += (row[x] != 0) & (row[x] != row[x - 1]);
        r->first[y + 1] = n;
    }
    for (y = 0; y < m->Ly; y++) r->first[y + 1] += r->first[y];
    bytes = ((size_t)r->first[m->Ly] + 1) * sizeof *r->run;
    if (!(r->run = malloc(bytes))) return lp_fail_mem(err, "merge", (double)bytes);
#pragma omp parallel for schedule(dynamic, 16)
    for (y = 0; y < m->Ly; y++) {
        const uint32_t *row = m->masks + (int64_t)y * m->Lx;
        lp_run *out = r->run + r->first[y];
        int x, x0;

        for (x = 0; out < r->run + r->first[y + 1];) {
            while (!row[x]) x++;
            x0 = x++;
            while (x < m->Lx && row[x] == row[x0]) x++;
            *out++ = (lp_run){(int32_t)row[x0], x0, x};
        }
    }
    return LP_OK;
}

static void particle_runs_free(particle_runs *r)
{
    free(r->first);
    free(r->run);
}

/* The first run of row y that ends beyond x. */
static const lp_run *run_beyond(const particle_runs *r, int y, int x)
{
    uint32_t lo = r->first[y], hi = r->first[y + 1];

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (r->run[mid].x1 > x)
            hi = mid;
        else
            lo = mid + 1;
    }
    return r->run + lo;
}

/* Goes through the masks of one diameter where they lie on particles. */
static void tally_layer(const lp_layer *y, const particle_runs *r, tally *t)
{
    uint32_t l;

    for (l = 0; l < y->masks.n; l++) {
        float e = y->flow_error[l], c = y->cellprob[l];
        uint64_t k;

        for (k = y->masks.first[l]; k < y->masks.first[l + 1]; k++) {
            const lp_run *u = &y->masks.run[k], *p = run_beyond(r, u->y, u->x0);

            for (; p < r->run + r->first[u->y + 1] && p->x0 < u->x1; p++) {
                tally *q = &t[(uint32_t)p->y - 1];
                int n = (p->x1 < u->x1 ? p->x1 : u->x1) - (p->x0 > u->x0 ? p->x0 : u->x0);

                q->covered += n;
                if (!isnan(e)) {
                    q->error += (double)e * n;
                    q->error_n += n;
                }
                if (!isnan(c)) {
                    q->prob += (double)c * n;
                    q->prob_n += n;
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
static lp_status describe(const lp_layers *s, lp_merged *m, lp_err *err)
{
    int threads = omp_get_max_threads(), n_side = threads < SIDE ? threads : SIDE, first, k;
    size_t n = (size_t)m->n + 1;
    tally *all = calloc(n * (1 + n_side), sizeof *all);
    particle_runs r = {0};
    lp_status st;
    uint32_t l, i;

    if (!all) return lp_fail_mem(err, "merge", (double)n * (1 + n_side) * sizeof *all);
    if ((st = particle_runs_new(m, &r, err))) goto done;
    for (i = 0; i < r.first[m->Ly]; i++)
        all[(uint32_t)r.run[i].y - 1].area += r.run[i].x1 - r.run[i].x0;
    for (first = 0; first < s->n; first += n_side) {
        int side = s->n - first < n_side ? s->n - first : n_side;

#pragma omp parallel for schedule(dynamic) num_threads(side)
        for (k = 0; k < side; k++) tally_layer(&s->layer[first + k], &r, all + (1 + k) * n);
        for (k = 0; k < side; k++)
            take_tally(m, all, all + (1 + k) * n, s->layer[first + k].diameter);
    }
    for (l = 0; l < m->n; l++) {
        m->particle[l].flow_error = all[l].error_n ? all[l].error / (double)all[l].error_n : NAN;
        m->particle[l].cellprob = all[l].prob_n ? all[l].prob / (double)all[l].prob_n : NAN;
    }
done:
    particle_runs_free(&r);
    free(all);
    return st;
}

/* Particles with their levels and supports. */
static lp_status collect(const double *level, int n_levels, int min_size,
                         const lp_merge_stages *stages, lp_merge_work *w, lp_merged *out,
                         lp_err *err)
{
    uint32_t end[LP_MERGE_MAX_LEVELS + 1], *top = NULL, i;
    lp_status st;
    int k;

    for (k = 0; k < n_levels; k++) {
        end[k] = out->n;
        if ((st = stages->level(w, (int)floor(level[k]), min_size, &end[k], err))) return st;
        out->n = end[k];
    }
    out->particle = malloc(((size_t)out->n + 1) * sizeof *out->particle);
    top = malloc(((size_t)out->n + 1) * sizeof *top);
    if (!top || !out->particle) {
        st = lp_fail_mem(err, "merge", (double)out->n * sizeof *out->particle);
        goto done;
    }
    if ((st = stages->tops(w, top, err))) goto done;
    for (k = 0, i = 0; k < n_levels; k++)
        for (; i < end[k]; i++)
            out->particle[i] = (lp_merged_particle){
                .support = top[i], .level = level[k], .agreement = NAN, .company = NAN};
done:
    free(top);
    return st;
}

lp_status lp_merge_by_votes(const lp_layers *s, const lp_merge_options *o, const double *level,
                            int n_levels, const lp_merge_stages *stages, lp_merge_work *w,
                            lp_merged *out, lp_err *err)
{
    lp_status st;

    for (; n_levels > 0 && level[0] >= s->n; level++) n_levels--; /* nothing can lie above */
    if ((st = stages->votes(w, o->method == LP_MERGE_AFFINITY, err))) return st;
    if ((st = collect(level, n_levels, o->min_size, stages, w, out, err))) return st;
    if ((st = stages->finish(w, err))) return st;
    return describe(s, out, err);
}
