/* merge_scale - masks that agree, weighted by how well the diameter fits their size. */
#include <math.h>
#include <stdlib.h>

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
} group;

typedef struct {
    const lp_layers *s;
    const lp_merge_stages *stages;
    lp_merge_work *pixels;
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
        const lp_runs_box *box = &k->mask[k->member[g->first]].box; /* of the best mask */
        double area = (double)box->area;

        e[i] = (lp_merge_evidence){
            .agreement = (double)(g->agreement > 1 ? g->agreement : 1) * UNIT,
            .flow_error = g->known ? (double)g->error / (double)g->known : NAN,
            .diameter = diameter_of(area),
            .area = area,
            .on_border = box->y0 == 0 || box->x0 == 0 || box->y1 == k->s->Ly || box->x1 == k->s->Lx,
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
    uint64_t at = 0;
    uint32_t i;
    lp_status st;

    if ((st = k->stages->group(k->pixels, k->mask, k->n, o->iou, k->of, &k->ng, err))) return st;
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

/* id [n_strong]: of the particle that a group has become, or 0. */
static lp_status paint(const work *k, double share, uint32_t *id, lp_err *err)
{
    uint64_t *first = malloc(((size_t)k->n_strong + 1) * sizeof *first);
    uint32_t *count = malloc(((size_t)k->n_strong + 1) * sizeof *count), i;
    lp_merge_groups g = {k->n_strong, first, count, k->member, k->weight, share};
    lp_status st;

    if (first && count) {
        for (i = 0; i < k->n_strong; i++) {
            first[i] = k->g[i].first;
            count[i] = k->g[i].n;
        }
        st = k->stages->paint(k->pixels, k->mask, &g, id, err);
    } else {
        st = lp_fail_mem(err, "merge", (double)k->n_strong * 12);
    }
    free(first);
    free(count);
    return st;
}

lp_status lp_merge_by_scale(const lp_layers *s, const lp_merge_options *o, const double *level,
                            int n_levels, const lp_merge_stages *stages, lp_merge_work *pixels,
                            lp_merged *out, lp_err *err)
{
    work k = {.s = s, .stages = stages, .pixels = pixels};
    uint32_t *id = NULL, i;
    lp_status st;

    if ((st = collect(&k, o, err))) goto done;
    if ((st = make_groups(&k, o, level[n_levels - 1], err))) goto done;
    out->particle = malloc(((size_t)k.n_strong + 1) * sizeof *out->particle);
    id = malloc(((size_t)k.n_strong + 1) * sizeof *id);
    if (!id || !out->particle) {
        st = lp_fail_mem(err, "merge", (double)k.n_strong * sizeof *out->particle);
        goto done;
    }
    if ((st = paint(&k, o->outline, id, err))) goto done;
    if ((st = stages->finish(pixels, err))) goto done;
    for (i = 0; i < k.n_strong; i++)
        if (id[i]) out->particle[out->n++] = describe(&k, &k.g[i], level, n_levels);
done:
    free(id);
    free(k.c);
    free(k.mask);
    free(k.weight);
    free(k.of);
    free(k.member);
    free(k.g);
    return st;
}
