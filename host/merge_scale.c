/* merge_scale - masks that agree, weighted by how well the diameter fits their size. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../kernels/group.h"
#include "detmath.h"
#include "merge.h"
#include "merge_support.h"

/* Weights are added as whole numbers of this size: the sum does not depend on the order. */
#define UNIT (1.0 / (1 << 24))
#define NEGLIGIBLE 1e-3 /* weight of a mask; see merge.h */

typedef struct {
    double w; /* the order of candidates */
    int layer;
    uint32_t label; /* 0-based */
} candidate;

typedef struct {
    double support, company;
    int64_t agreement;    /* S of merge_support.h, in UNITs */
    int64_t error, known; /* weighted by the members' weights; weight of those with an error */
    uint64_t first;       /* of its members in `member` */
    uint32_t n, number;   /* members; order of its seed */
    lp_run *run;          /* the outline, owned */
    uint64_t n_runs;
} group;

typedef struct {
    const lp_layers *s;
    uint32_t n, ng, n_strong; /* candidates, groups, those above the threshold */
    candidate *c;             /* [n] in order of falling weight */
    lp_group_mask *mask;      /* [n] of c */
    int64_t *weight;          /* [n] w_i g_i / g0 in UNITs */
    uint32_t *of, *member;    /* [n] group of a candidate; candidates by group */
    group *g;                 /* [ng], strong ones first, in order of falling support */
} work;

static int by_weight(const void *pa, const void *pb)
{
    const candidate *a = pa, *b = pb;

    if (a->w != b->w) return a->w > b->w ? -1 : 1;
    if (a->layer != b->layer) return a->layer - b->layer; /* layers ascend by diameter */
    return a->label < b->label ? -1 : 1;
}

static int by_support(const void *pa, const void *pb)
{
    const group *a = pa, *b = pb;

    if (a->support != b->support) return a->support > b->support ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static double diameter_of(double area)
{
    return 2 * sqrt(area / 3.14159265358979323846);
}

/* What cannot be a flow error must not become the evidence of a whole group: a saved run may hold
 * any number. NaN stays unknown. */
static double sane_error(float e)
{
    return isnan(e) ? NAN : e < 0 ? 0 : e > 1000 ? 1000 : e;
}

/* w of merge.h. */
static double trust(double area, double diameter, float flow_error, const lp_merge_options *o)
{
    double r = lp_det_log(diameter_of(area) / diameter) / o->sigma;
    double e = sane_error(flow_error);

    return lp_det_exp(-0.5 * r * r - (isnan(e) ? 0 : o->flow_weight * e));
}

/* All masks, in order of falling weight. */
static lp_status collect(work *k, const lp_merge_options *o, lp_err *err)
{
    const lp_layers *s = k->s;
    lp_runs_box *box = NULL;
    uint64_t n = 0, *start = malloc((size_t)(s->n + 1) * sizeof *start);
    double *gap = malloc((size_t)(s->n + 1) * sizeof *gap);
    lp_status st = LP_OK;
    uint32_t l, i;
    int y;

    for (y = 0; y < s->n && start; y++) {
        start[y] = n;
        n += s->layer[y].masks.n;
    }
    if (n >= UINT32_MAX) {
        st = lp_fail(err, LP_EARG, "merge: too many masks (%llu)", (unsigned long long)n);
        goto done;
    }
    k->c = malloc((n + 1) * sizeof *k->c);
    k->mask = malloc((n + 1) * sizeof *k->mask);
    k->weight = malloc((n + 1) * sizeof *k->weight);
    k->of = malloc((n + 1) * sizeof *k->of);
    k->member = malloc((n + 1) * sizeof *k->member);
    box = malloc((n + 1) * sizeof *box);
    if (!gap || !start || !k->c || !k->mask || !k->weight || !k->of || !k->member || !box) {
        st = lp_fail_mem(err, "merge", 112.0 * (double)n);
        goto done;
    }
    lp_merge_gaps(s, gap);
#pragma omp parallel for schedule(dynamic)
    for (y = 0; y < s->n; y++) lp_runs_box_ref(box + start[y], &s->layer[y].masks);
    for (y = 0; y < s->n; y++)
        for (l = 0; l < s->layer[y].masks.n; l++) {
            double area = (double)box[start[y] + l].area, w;

            if (area <= 0) continue;
            w = trust(area, s->layer[y].diameter, s->layer[y].flow_error[l], o);
            if (w > NEGLIGIBLE) k->c[k->n++] = (candidate){w, y, l};
        }
    qsort(k->c, k->n, sizeof *k->c, by_weight);
    for (i = 0; i < k->n; i++) {
        const candidate *c = &k->c[i];
        const lp_runs *r = &s->layer[c->layer].masks;

        k->mask[i].run = r->run + r->first[c->label];
        k->mask[i].n = r->first[c->label + 1] - r->first[c->label];
        k->mask[i].box = box[start[c->layer] + c->label];
        k->weight[i] = (int64_t)floor(c->w * gap[c->layer] / UNIT + 0.5);
    }
done:
    free(gap);
    free(start);
    free(box);
    return st;
}

/* What lp_merge_support asks of the groups. */
static lp_status find_support(work *k, lp_err *err)
{
    lp_merge_evidence *e = malloc(((size_t)k->ng + 1) * sizeof *e);
    double *support = malloc(((size_t)k->ng + 1) * sizeof *support);
    double *company = malloc(((size_t)k->ng + 1) * sizeof *company);
    lp_status st;
    uint32_t i;

    if (!e || !support || !company) {
        st = lp_fail_mem(err, "merge", (double)k->ng * (sizeof *e + 2 * sizeof *support));
        goto done;
    }
    for (i = 0; i < k->ng; i++) {
        const group *g = &k->g[i];
        double area = (double)k->mask[k->member[g->first]].box.area;

        e[i] = (lp_merge_evidence){
            .agreement = (double)(g->agreement > 1 ? g->agreement : 1) * UNIT,
            .flow_error = g->known ? (double)g->error / (double)g->known : NAN,
            .diameter = diameter_of(area),
            .area = area,
        };
    }
    if ((st = lp_merge_support(support, company, e, k->ng, err))) goto done;
    for (i = 0; i < k->ng; i++) {
        k->g[i].support = support[i];
        k->g[i].company = company[i];
    }
done:
    free(e);
    free(support);
    free(company);
    return st;
}

/* Groups with their members and supports, sorted. */
static lp_status make_groups(work *k, const lp_merge_options *o, double threshold, lp_err *err)
{
    size_t bytes = lp_group_assign_scratch(k->mask, k->n, k->s->Ly, k->s->Lx);
    void *scratch = malloc(bytes ? bytes : 1);
    uint64_t at = 0;
    uint32_t i;
    lp_status st;

    if (!scratch) return lp_fail_mem(err, "merge", (double)bytes);
    k->ng = lp_group_assign_ref(k->of, k->mask, k->n, o->iou, k->s->Ly, k->s->Lx, scratch);
    free(scratch);
    if (!(k->g = calloc((size_t)k->ng + 1, sizeof *k->g)))
        return lp_fail_mem(err, "merge", (double)k->ng * sizeof *k->g);
    for (i = 0; i < k->n; i++) {
        const candidate *c = &k->c[i];
        double e = sane_error(k->s->layer[c->layer].flow_error[c->label]);
        group *g = &k->g[k->of[i]];

        g->agreement += k->weight[i];
        g->n++;
        if (isnan(e)) continue;
        g->known += k->weight[i];
        g->error += (int64_t)floor((double)k->weight[i] * e + 0.5);
    }
    for (i = 0; i < k->ng; i++) {
        k->g[i].number = i;
        k->g[i].first = at;
        at += k->g[i].n;
        k->g[i].n = 0;
    }
    for (i = 0; i < k->n; i++) {
        group *g = &k->g[k->of[i]];

        k->member[g->first + g->n++] = i;
    }
    if ((st = find_support(k, err))) return st;
    qsort(k->g, k->ng, sizeof *k->g, by_support);
    while (k->n_strong < k->ng && k->g[k->n_strong].support > threshold) k->n_strong++;
    return LP_OK;
}

static int outline(const work *k, double share, group *g)
{
    const uint32_t *member = k->member + g->first;
    const lp_group_mask **mask = malloc(g->n * sizeof *mask);
    int64_t *weight = malloc(g->n * sizeof *weight), *row = NULL;
    uint64_t *next = malloc(g->n * sizeof *next), room = 0;
    lp_run *out = NULL;
    lp_runs_box box = {0};
    uint32_t i;
    int ok;

    for (i = 0; i < g->n && mask && weight; i++) {
        const lp_runs_box *b = &k->mask[member[i]].box;

        mask[i] = &k->mask[member[i]];
        weight[i] = k->weight[member[i]];
        room += mask[i]->n;
        if (!i) box = *b;
        if (b->y0 < box.y0) box.y0 = b->y0;
        if (b->y1 > box.y1) box.y1 = b->y1;
        if (b->x0 < box.x0) box.x0 = b->x0;
        if (b->x1 > box.x1) box.x1 = b->x1;
    }
    out = malloc(room * sizeof *out);
    row = malloc(((size_t)(box.x1 - box.x0) + 1) * sizeof *row);
    ok = mask && weight && next && out && row;
    if (ok) {
        g->n_runs = lp_group_outline_ref(out, mask, weight, g->n, share, &box, row, next);
        g->run = realloc(out, (g->n_runs ? g->n_runs : 1) * sizeof *out);
        if (!g->run) g->run = out;
        out = NULL;
    }
    free(mask);
    free(weight);
    free(next);
    free(row);
    free(out);
    return ok;
}

static lp_merged_particle describe(const work *k, const group *g, const double *level, int n_levels)
{
    lp_merged_particle p = {
        .support = g->support, .agreement = (double)g->agreement * UNIT, .company = g->company};
    double prob = 0, prob_w = 0;
    char seen[LP_MAX_LAYERS] = {0};
    uint32_t i;
    int y, j;

    for (i = 0; i < g->n; i++) {
        const candidate *c = &k->c[k->member[g->first + i]];
        double w = (double)k->weight[k->member[g->first + i]];
        const lp_layer *layer = &k->s->layer[c->layer];

        seen[c->layer] = 1;
        if (!isnan(layer->cellprob[c->label])) {
            prob += w * layer->cellprob[c->label];
            prob_w += w;
        }
    }
    for (y = 0; y < k->s->n; y++) {
        if (!seen[y]) continue;
        if (!p.n_diameters++) p.diameter_min = k->s->layer[y].diameter;
        p.diameter_max = k->s->layer[y].diameter;
    }
    for (j = 0; j < n_levels && !(p.support > level[j]); j++) {
    }
    p.level = level[j < n_levels ? j : n_levels - 1];
    p.flow_error = g->known ? (double)g->error / (double)g->known : NAN;
    p.cellprob = prob_w > 0 ? prob / prob_w : NAN;
    return p;
}

/* Paints the free part of the outline as id, if it is at least half; 1 where it did. */
static int accept(const group *g, uint32_t *masks, int Lx, uint32_t id)
{
    int64_t all = 0, free_px = 0;
    uint64_t k;
    int x;

    for (k = 0; k < g->n_runs; k++) {
        const uint32_t *row = masks + (int64_t)g->run[k].y * Lx;

        for (x = g->run[k].x0; x < g->run[k].x1; x++) free_px += !row[x];
        all += g->run[k].x1 - g->run[k].x0;
    }
    if (!all || 2 * free_px < all) return 0;
    for (k = 0; k < g->n_runs; k++) {
        uint32_t *row = masks + (int64_t)g->run[k].y * Lx;

        for (x = g->run[k].x0; x < g->run[k].x1; x++)
            if (!row[x]) row[x] = id;
    }
    return 1;
}

lp_status lp_merge_by_scale(const lp_layers *s, const lp_merge_options *o, const double *level,
                            int n_levels, lp_merged *out, lp_err *err)
{
    work k = {.s = s};
    int64_t i;
    int good = 1;
    lp_status st;

    if ((st = collect(&k, o, err))) goto done;
    if ((st = make_groups(&k, o, level[n_levels - 1], err))) goto done;
#pragma omp parallel for schedule(dynamic, 16) reduction(& : good)
    for (i = 0; i < (int64_t)k.n_strong; i++) good &= outline(&k, o->outline, &k.g[i]);
    out->particle = malloc(((size_t)k.n_strong + 1) * sizeof *out->particle);
    if (!good || !out->particle) {
        st = lp_fail_mem(err, "merge", (double)k.n_strong * 1000);
        goto done;
    }
    for (i = 0; i < (int64_t)k.n_strong; i++)
        if (accept(&k.g[i], out->masks, s->Lx, out->n + 1))
            out->particle[out->n++] = describe(&k, &k.g[i], level, n_levels);
done:
    for (i = 0; k.g && i < (int64_t)k.ng; i++) free(k.g[i].run);
    free(k.c);
    free(k.mask);
    free(k.weight);
    free(k.of);
    free(k.member);
    free(k.g);
    return st;
}
