/* merge_cpu - the stages of a merge on the CPU. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/votes.h"
#include "big_alloc.h"
#include "merge_stages.h"

struct lp_merge_work {
    const lp_layers *s;
    uint32_t *masks;
    uint16_t *v, *ax, *ay; /* [Ly][Lx]; ax and ay NULL for votes */
    uint32_t *first;       /* [Ly + 1] of the runs of a level */
    lp_run *seed;          /* [n] one run of each particle */
    uint32_t n;
};

static void close_cpu(lp_merge_work **pw)
{
    lp_merge_work *w = pw ? *pw : NULL;

    if (!w) return;
    free(w->v);
    free(w->ax);
    free(w->ay);
    free(w->first);
    free(w->seed);
    free(w);
    *pw = NULL;
}

static lp_status open_cpu(void *device, const lp_layers *s, uint32_t *masks, lp_merge_work **out,
                          lp_err *err)
{
    lp_merge_work *w = calloc(1, sizeof *w);
    size_t row = (size_t)s->Lx * sizeof *masks;
    int y;

    (void)device;
    if (!w) return lp_fail_mem(err, "merge", sizeof *w);
    w->s = s;
    w->masks = masks;
    /* Touched by all threads: the kernel's clearing of fresh pages takes as long as a merge. */
#pragma omp parallel for schedule(static)
    for (y = 0; y < s->Ly; y++) memset(masks + (size_t)y * s->Lx, 0, row);
    *out = w;
    return LP_OK;
}

static lp_status finish_cpu(lp_merge_work *w, lp_err *err)
{
    (void)w;
    (void)err;
    return LP_OK;
}

static lp_status group_cpu(lp_merge_work *w, const lp_group_mask *mask, uint32_t n, double iou,
                           uint32_t *group, uint32_t *n_groups, lp_err *err)
{
    size_t bytes = lp_group_assign_scratch(mask, n, w->s->Ly, w->s->Lx);
    void *scratch = malloc(bytes ? bytes : 1);

    if (!scratch) return lp_fail_mem(err, "merge", (double)bytes);
    *n_groups = lp_group_assign_ref(group, mask, n, iou, w->s->Ly, w->s->Lx, scratch);
    free(scratch);
    return LP_OK;
}

typedef struct {
    lp_run *run;
    uint64_t n;
} outline;

static int make_outline(const lp_group_mask *all, const lp_merge_groups *g, uint32_t i,
                        outline *made)
{
    const uint32_t *member = g->member + g->first[i];
    uint32_t n = g->count[i], k;
    const lp_group_mask **mask = malloc(n * sizeof *mask);
    int64_t *weight = malloc(n * sizeof *weight), *row = NULL;
    uint64_t *next = malloc(n * sizeof *next), room = 0;
    lp_run *out = NULL;
    lp_runs_box box = {0};
    int ok;

    for (k = 0; k < n && mask && weight; k++) {
        const lp_runs_box *b = &all[member[k]].box;

        mask[k] = &all[member[k]];
        weight[k] = g->weight[member[k]];
        room += mask[k]->n;
        if (!k) box = *b;
        if (b->y0 < box.y0) box.y0 = b->y0;
        if (b->y1 > box.y1) box.y1 = b->y1;
        if (b->x0 < box.x0) box.x0 = b->x0;
        if (b->x1 > box.x1) box.x1 = b->x1;
    }
    out = malloc(room * sizeof *out);
    row = malloc(((size_t)(box.x1 - box.x0) + 1) * sizeof *row);
    ok = mask && weight && next && out && row;
    if (ok) {
        made->n = lp_group_outline_ref(out, mask, weight, n, g->share, &box, row, next);
        made->run = realloc(out, (made->n ? made->n : 1) * sizeof *out);
        if (!made->run) made->run = out;
        out = NULL;
    }
    free(mask);
    free(weight);
    free(next);
    free(row);
    free(out);
    return ok;
}

static lp_status paint_cpu(lp_merge_work *w, const lp_group_mask *mask, const lp_merge_groups *g,
                           uint32_t *id, lp_err *err)
{
    outline *made = calloc((size_t)g->n + 1, sizeof *made);
    uint32_t n = 0;
    int64_t i;
    int good = made != NULL;

#pragma omp parallel for schedule(dynamic, 16) reduction(& : good)
    for (i = 0; i < (int64_t)g->n; i++)
        good &= made && make_outline(mask, g, (uint32_t)i, &made[i]);
    for (i = 0; i < (int64_t)g->n && good; i++) {
        id[i] = lp_group_accept_ref(w->masks, made[i].run, made[i].n, n + 1, w->s->Lx);
        n += id[i] != 0;
    }
    for (i = 0; i < (int64_t)g->n && made; i++) free(made[i].run);
    free(made);
    return good ? LP_OK : lp_fail_mem(err, "merge", (double)g->n * 1000);
}

static lp_status votes_cpu(lp_merge_work *w, int pairs, lp_err *err)
{
    const lp_layers *s = w->s;
    const lp_runs **layer = malloc((size_t)(s->n + 1) * sizeof(lp_runs *));
    size_t n_px = (size_t)s->Ly * s->Lx, bytes = 0;
    void *scratch = NULL;
    lp_status st = LP_OK;
    int i;

    w->v = lp_big_alloc(n_px * sizeof *w->v);
    if (pairs) {
        w->ax = lp_big_alloc(n_px * sizeof *w->ax);
        w->ay = lp_big_alloc(n_px * sizeof *w->ay);
    }
    w->first = malloc(((size_t)s->Ly + 1) * sizeof *w->first);
    if (layer) {
        for (i = 0; i < s->n; i++) layer[i] = &s->layer[i].masks;
        bytes = lp_votes_count_scratch(layer, s->n, s->Ly);
        scratch = malloc(bytes);
    }
    if (layer && scratch && w->v && w->first && (!pairs || (w->ax && w->ay)))
        lp_votes_count_cpu(w->v, w->ax, w->ay, layer, s->n, s->Ly, s->Lx, scratch);
    else
        st = lp_fail_mem(err, "merge", 6.0 * (double)n_px + (double)bytes);
    free(scratch);
    free(layer);
    return st;
}

static lp_status level_cpu(lp_merge_work *w, int t, int min_size, uint32_t *n, lp_err *err)
{
    int Ly = w->s->Ly, Lx = w->s->Lx;
    uint32_t n_runs, *root, *number, *area;
    lp_status st = LP_OK;
    lp_run *run, *seed;

    lp_votes_runs_count_cpu(w->first, w->v, w->ax, t, Ly, Lx);
    n_runs = w->first[Ly];
    run = malloc(((size_t)n_runs + 1) * sizeof *run);
    root = malloc(((size_t)n_runs + 1) * sizeof *root);
    number = malloc(((size_t)n_runs + 1) * sizeof *number);
    area = malloc(((size_t)n_runs + 1) * sizeof *area);
    if (!run || !root || !number || !area) {
        st = lp_fail_mem(err, "merge", n_runs * 24.0);
        goto done;
    }
    lp_votes_runs_cpu(run, w->first, w->v, w->ax, t, Ly, Lx);
    lp_votes_roots_cpu(root, run, w->first, w->ay, t, Ly, Lx);
    lp_votes_keep_ref(number, area, run, root, w->first, n_runs, w->seed, w->n, min_size);
    seed = realloc(w->seed, ((size_t)w->n + number[n_runs] + 1) * sizeof *seed);
    if (!seed) {
        st = lp_fail_mem(err, "merge", ((double)w->n + number[n_runs]) * sizeof *seed);
        goto done;
    }
    w->seed = seed;
    lp_votes_paint_ref(w->masks, seed, number, run, root, n_runs, w->n, Lx);
    w->n += number[n_runs];
    *n = w->n;
done:
    free(run);
    free(root);
    free(number);
    free(area);
    return st;
}

static lp_status tops_cpu(lp_merge_work *w, uint32_t *top, lp_err *err)
{
    (void)err;
    lp_votes_top_ref(top, w->n, w->masks, w->v, w->s->Ly, w->s->Lx);
    return LP_OK;
}

static lp_status measure_cpu(lp_merge_work *w, uint32_t n, lp_particle_table *t, lp_err *err)
{
    lp_labels lb = {w->masks, w->s->Ly, w->s->Lx};

    (void)n;
    return lp_measure_particles(&lb, t->image, NULL, NULL, 0, NAN, &t->particle, &t->n, err);
}

const lp_merge_stages lp_merge_stages_cpu = {
    .open = open_cpu,
    .close = close_cpu,
    .finish = finish_cpu,
    .measure = measure_cpu,
    .group = group_cpu,
    .paint = paint_cpu,
    .votes = votes_cpu,
    .level = level_cpu,
    .tops = tops_cpu,
};
