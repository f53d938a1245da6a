/* merge_votes - particles from the number of diameters that agree on a pixel or on a pair. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../kernels/votes.h"
#include "big_alloc.h"
#include "merge.h"

#define SIDE 4 /* diameters that are gone through side by side, at most */

typedef struct {
    const lp_layers *s;
    uint16_t *v, *ax, *ay; /* [Ly][Lx]; ax and ay NULL for votes */
    uint32_t *first;       /* [Ly + 1] of the runs of a level, then of the particles */
    int side;
} work;

/* The runs of one level (votes.h) and, of the components' first runs, how many pixels; of all
 * runs, the particle. */
typedef struct {
    lp_run *run;
    uint32_t *root, *id;
    int64_t *area;
} level_runs;

static void level_free(level_runs *r)
{
    free(r->run);
    free(r->root);
    free(r->id);
    free(r->area);
}

static lp_status level_new(work *w, int t, level_runs *r, lp_err *err)
{
    int Ly = w->s->Ly, Lx = w->s->Lx;
    size_t n, i;

    *r = (level_runs){0};
    lp_votes_runs_count_cpu(w->first, w->v, w->ax, t, Ly, Lx);
    n = w->first[Ly];
    r->run = malloc((n + 1) * sizeof *r->run);
    r->root = malloc((n + 1) * sizeof *r->root);
    r->id = calloc(n + 1, sizeof *r->id);
    r->area = calloc(n + 1, sizeof *r->area);
    if (!r->run || !r->root || !r->id || !r->area) return lp_fail_mem(err, "merge", (double)n * 28);
    lp_votes_runs_cpu(r->run, w->first, w->v, w->ax, t, Ly, Lx);
    lp_votes_roots_cpu(r->root, r->run, w->first, w->ay, t, Ly, Lx);
    for (i = 0; i < n; i++) r->area[r->root[i]] += r->run[i].x1 - r->run[i].x0;
    return LP_OK;
}

/* The run of row y that holds x. */
static uint32_t run_at(const work *w, const lp_run *run, int y, int x)
{
    uint32_t lo = w->first[y], hi = w->first[y + 1];

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (run[mid].x0 <= x)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Accepts the components of v > t that are free of accepted particles. A component of a higher
 * level lies within one of this level, so one pixel of each particle, seed, shows which are not.
 * seed [out->n], grows with the particles. */
static lp_status accept(work *w, double t, int min_size, lp_run **seed, lp_merged *out, lp_err *err)
{
    uint32_t before = out->n, n = 0, i, l;
    lp_merged_particle *more;
    level_runs r;
    lp_run *s;
    lp_status st;
    int y;

    if ((st = level_new(w, (int)floor(t), &r, err))) goto done;
    for (l = 0; l < before; l++) r.area[r.root[run_at(w, r.run, (*seed)[l].y, (*seed)[l].x0)]] = -1;
    for (i = 0; i < w->first[w->s->Ly]; i++)
        n += r.root[i] == i && r.area[i] >= 0 && r.area[i] >= min_size;
    more = realloc(out->particle, ((size_t)before + n + 1) * sizeof *more);
    if (more) out->particle = more;
    s = realloc(*seed, ((size_t)before + n + 1) * sizeof *s);
    if (s) *seed = s;
    if (!more || !s) {
        st = lp_fail_mem(err, "merge", ((double)before + n) * sizeof *more);
        goto done;
    }
    for (i = 0; i < w->first[w->s->Ly]; i++) {
        if (r.root[i] != i) {
            r.id[i] = r.id[r.root[i]];
        } else if (r.area[i] >= 0 && r.area[i] >= min_size) {
            s[out->n] = r.run[i];
            more[out->n] = (lp_merged_particle){.level = t, .agreement = NAN, .company = NAN};
            r.id[i] = ++out->n;
        }
    }
    if (!n) goto done;
#pragma omp parallel for schedule(dynamic, 16)
    for (y = 0; y < w->s->Ly; y++) {
        uint32_t *row = out->masks + (int64_t)y * w->s->Lx, k;
        int x;

        for (k = w->first[y]; k < w->first[y + 1]; k++)
            for (x = r.run[k].x0; x < r.run[k].x1 && r.id[k]; x++) row[x] = r.id[k];
    }
done:
    level_free(&r);
    return st;
}

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

/* Areas, and the most votes in each particle. */
static void measure_rows(const work *w, lp_merged *m, const particle_runs *r, tally *all)
{
    uint32_t k;
    int y;

    for (y = 0; y < m->Ly; y++)
        for (k = r->first[y]; k < r->first[y + 1]; k++) {
            const lp_run *u = &r->run[k];
            const uint16_t *v = w->v + (int64_t)y * m->Lx;
            lp_merged_particle *p = &m->particle[(uint32_t)u->y - 1];
            uint16_t top = 0;
            int x;

            for (x = u->x0; x < u->x1; x++) top = v[x] > top ? v[x] : top;
            if (top > p->support) p->support = top;
            all[(uint32_t)u->y - 1].area += u->x1 - u->x0;
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
    size_t n = (size_t)m->n + 1;
    tally *all = calloc(n * (1 + w->side), sizeof *all);
    particle_runs r = {0};
    lp_status st;
    uint32_t l;
    int first, k;

    if (!all) return lp_fail_mem(err, "merge", (double)n * (1 + w->side) * sizeof *all);
    if ((st = particle_runs_new(m, &r, err))) goto done;
    measure_rows(w, m, &r, all);
    for (first = 0; first < w->s->n; first += w->side) {
        int side = w->s->n - first < w->side ? w->s->n - first : w->side;

#pragma omp parallel for schedule(dynamic) num_threads(side)
        for (k = 0; k < side; k++) tally_layer(&w->s->layer[first + k], &r, all + (1 + k) * n);
        for (k = 0; k < side; k++)
            take_tally(m, all, all + (1 + k) * n, w->s->layer[first + k].diameter);
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

static lp_status add_votes(work *w, lp_err *err)
{
    const lp_runs **layer = malloc((size_t)(w->s->n + 1) * sizeof(lp_runs *));
    lp_status st = LP_OK;
    void *scratch = NULL;
    size_t bytes;
    int i;

    if (!layer) return lp_fail_mem(err, "merge", w->s->n * 8.0);
    for (i = 0; i < w->s->n; i++) layer[i] = &w->s->layer[i].masks;
    bytes = lp_votes_count_scratch(layer, w->s->n, w->s->Ly);
    if ((scratch = malloc(bytes)))
        lp_votes_count_cpu(w->v, w->ax, w->ay, layer, w->s->n, w->s->Ly, w->s->Lx, scratch);
    else
        st = lp_fail_mem(err, "merge", (double)bytes);
    free(scratch);
    free(layer);
    return st;
}

lp_status lp_merge_by_votes(const lp_layers *s, const lp_merge_options *o, const double *level,
                            int n_levels, lp_merged *out, lp_err *err)
{
    size_t n_px = (size_t)s->Ly * s->Lx;
    work w = {.s = s, .side = omp_get_max_threads() < SIDE ? omp_get_max_threads() : SIDE};
    int k, pairs = o->method == LP_MERGE_AFFINITY;
    lp_run *seed = NULL;
    lp_status st = LP_OK;

    for (; n_levels > 0 && level[0] >= s->n; level++) n_levels--; /* nothing can lie above */
    w.v = lp_big_alloc(n_px * sizeof *w.v);
    if (pairs) {
        w.ax = lp_big_alloc(n_px * sizeof *w.ax);
        w.ay = lp_big_alloc(n_px * sizeof *w.ay);
    }
    w.first = malloc(((size_t)s->Ly + 1) * sizeof *w.first);
    out->particle = malloc(sizeof *out->particle);
    if (!w.v || !w.first || (pairs && (!w.ax || !w.ay)) || !out->particle) {
        st = lp_fail_mem(err, "merge", 6.0 * (double)n_px);
        goto done;
    }
    if ((st = add_votes(&w, err))) goto done;
    for (k = 0; k < n_levels; k++)
        if ((st = accept(&w, level[k], o->min_size, &seed, out, err))) goto done;
    st = describe(&w, out, err);
done:
    free(seed);
    free(w.v);
    free(w.ax);
    free(w.ay);
    free(w.first);
    return st;
}
