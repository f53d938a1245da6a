/* merge_group_cuda - groups and their outlines on the device (kernels/group.h). */
#include <stdlib.h>
#include <string.h>

#include "../kernels/scan.h"
#include "merge_cuda_work.h"

/* The candidates' runs, end to end, and boxes, on the device. */
static lp_status send_masks(lp_merge_work *w, const lp_group_mask *mask, uint32_t n,
                            lp_runs_box **d_box, lp_err *err)
{
    uint64_t *first = malloc(((size_t)n + 1) * sizeof *first), runs = 0;
    lp_runs_box *box = malloc(((size_t)n + 1) * sizeof *box);
    lp_runs *d = &w->d_mask;
    lp_run *run = NULL;
    lp_status st;
    uint32_t i;

    for (i = 0; i < n; i++) runs += mask[i].n;
    if (runs >= UINT32_MAX) {
        st = lp_fail(err, LP_EARG, "merge: masks of %.0f rows are too many", (double)runs);
        goto done;
    }
    if (!first || !box || !(run = malloc((runs + 1) * sizeof *run))) {
        st = lp_fail_mem(err, "merge", 12.0 * (double)runs + 40.0 * n);
        goto done;
    }
    for (i = 0, runs = 0; i < n; i++) {
        first[i] = runs;
        box[i] = mask[i].box;
        memcpy(run + runs, mask[i].run, mask[i].n * sizeof *run);
        runs += mask[i].n;
    }
    first[n] = runs;
    d->n = n;
    if ((st = lp_device_send(&w->held, run, runs * sizeof *run, (void **)&d->run, err))) goto done;
    if ((st = lp_device_send(&w->held, first, (n + (size_t)1) * sizeof *first, (void **)&d->first,
                             err)))
        goto done;
    st = lp_device_send(&w->held, box, n * sizeof *box, (void **)d_box, err);
done:
    free(first);
    free(box);
    free(run);
    return st;
}

/* Of the grouping, in device memory. */
typedef struct {
    lp_runs_box *box;
    lp_group_node *node;
    lp_group_pair *pair;
    uint64_t *offset;
    uint32_t *state, *hit, *left, *group, *number;
    void *nodes, *scratch;
} group_work;

static lp_status find_seeds(lp_merge_work *w, uint64_t n_pairs, group_work *v, lp_err *err)
{
    uint32_t n = w->d_mask.n, left = n;
    lp_status st = LP_OK;
    int begin, rc;

    for (begin = 1; left; begin = 0) {
        rc = lp_group_rounds_cuda(v->state, v->hit, v->left, LP_MERGE_ROUNDS, begin, v->pair,
                                  n_pairs, n, w->held.mem->stream);
        if ((st = lp_merge_cuda_check(w, rc, err))) return st;
        if ((st = lp_merge_cuda_get(w, &left, v->left + LP_MERGE_ROUNDS, sizeof left, err)))
            return st;
    }
    return st;
}

static lp_status group_on(lp_merge_work *w, const lp_group_grid *g, double iou, group_work *v,
                          uint32_t *group, uint32_t *n_groups, lp_err *err)
{
    lp_stream stream = w->held.mem->stream;
    uint32_t n = w->d_mask.n;
    uint64_t n_pairs;
    lp_status st;
    int rc;

    if ((st = lp_device_take(&w->held, (size_t)g->n_nodes * sizeof *v->node, (void **)&v->node,
                             err)) ||
        (st = lp_device_take(&w->held, ((size_t)g->n_nodes + 1) * 8, (void **)&v->offset, err)) ||
        (st = lp_device_take(&w->held, lp_group_nodes_scratch_cuda(g), &v->nodes, err)))
        return st;
    rc = lp_group_nodes_cuda(v->node, v->offset, v->box, n, iou, g, v->nodes, stream);
    if ((st = lp_merge_cuda_check(w, rc, err))) return st;
    if ((st = lp_merge_cuda_get(w, &n_pairs, v->offset + g->n_nodes, sizeof n_pairs, err)))
        return st;
    if ((st = lp_device_take(&w->held, n_pairs * sizeof *v->pair, (void **)&v->pair, err)) ||
        (st = lp_device_take(&w->held, (size_t)n * 4, (void **)&v->state, err)) ||
        (st = lp_device_take(&w->held, (size_t)n * 4, (void **)&v->hit, err)) ||
        (st = lp_device_take(&w->held, (LP_MERGE_ROUNDS + 1) * 4, (void **)&v->left, err)) ||
        (st = lp_device_take(&w->held, (size_t)n * 4, (void **)&v->group, err)) ||
        (st = lp_device_take(&w->held, (size_t)n * 4 + 4, (void **)&v->number, err)) ||
        (st = lp_device_take(&w->held, lp_group_join_scratch_cuda(n), &v->scratch, err)))
        return st;
    rc = lp_group_pairs_cuda(v->pair, n_pairs, v->node, v->offset, &w->d_mask, v->box, iou, g,
                             v->nodes, stream);
    if ((st = lp_merge_cuda_check(w, rc, err))) return st;
    if ((st = find_seeds(w, n_pairs, v, err))) return st;
    rc = lp_group_join_cuda(v->group, v->number, v->state, v->pair, n_pairs, n, v->box, v->scratch,
                            stream);
    if ((st = lp_merge_cuda_check(w, rc, err))) return st;
    if ((st = lp_merge_cuda_get(w, group, v->group, (size_t)n * 4, err))) return st;
    return lp_merge_cuda_get(w, n_groups, v->number + n, 4, err);
}

lp_status lp_merge_cuda_group(lp_merge_work *w, const lp_group_mask *mask, uint32_t n, double iou,
                              uint32_t *group, uint32_t *n_groups, lp_err *err)
{
    group_work v = {0};
    lp_group_grid g;
    lp_status st;
    int keep;

    if ((st = send_masks(w, mask, n, &v.box, err))) return st;
    keep = w->held.n;
    *n_groups = 0;
    if (!n) return LP_OK;
    g = lp_group_plan(mask, n, w->s->Ly, w->s->Lx);
    st = group_on(w, &g, iou, &v, group, n_groups, err);
    lp_device_drop(&w->held, keep);
    return st;
}

/* job [g->n + 1]; returns how many rows there are. */
static uint64_t make_jobs(lp_group_job *job, const lp_group_mask *mask, const lp_merge_groups *g)
{
    uint64_t rows = 0;
    uint32_t i, k;

    for (i = 0; i < g->n; i++) {
        const uint32_t *member = g->member + g->first[i];
        const lp_runs_box *b = &mask[member[0]].box;
        lp_group_job j = {.first = g->first[i],
                          .row = rows,
                          .count = g->count[i],
                          .y0 = b->y0,
                          .y1 = b->y1,
                          .x0 = b->x0,
                          .x1 = b->x1};

        for (k = 0; k < j.count; k++) {
            b = &mask[member[k]].box;
            if (b->y0 < j.y0) j.y0 = b->y0;
            if (b->y1 > j.y1) j.y1 = b->y1;
            if (b->x0 < j.x0) j.x0 = b->x0;
            if (b->x1 > j.x1) j.x1 = b->x1;
            j.all += g->weight[member[k]];
        }
        rows += (uint64_t)(j.y1 - j.y0);
        job[i] = j;
    }
    return rows;
}

/* Of outlines and acceptance, in device memory. */
typedef struct {
    lp_group_job *job;
    uint32_t *member, *count, *of, *claim, *left, *id;
    int64_t *weight;
    lp_run *run;
    lp_group_tally *tally;
    void *scratch;
    uint32_t n_runs;
} paint_work;

static lp_status outlines(lp_merge_work *w, const lp_merge_groups *g, const lp_group_job *job,
                          uint64_t rows, paint_work *v, lp_err *err)
{
    size_t n = w->d_mask.n;
    lp_stream stream = w->held.mem->stream;
    lp_status st;
    int rc;

    if ((st = lp_device_send(&w->held, job, g->n * sizeof *job, (void **)&v->job, err)) ||
        (st = lp_device_send(&w->held, g->member, n * 4, (void **)&v->member, err)) ||
        (st = lp_device_send(&w->held, g->weight, n * 8, (void **)&v->weight, err)) ||
        (st = lp_device_take(&w->held, (rows + 1) * 4, (void **)&v->count, err)) ||
        (st = lp_device_take(&w->held, lp_scan_scratch_cuda((int64_t)rows), &v->scratch, err)))
        return st;
    rc = lp_group_outline_count_cuda(v->count, v->job, g->n, rows, v->member, v->weight, &w->d_mask,
                                     g->share, v->scratch, stream);
    if ((st = lp_merge_cuda_check(w, rc, err))) return st;
    if ((st = lp_merge_cuda_get(w, &v->n_runs, v->count + rows, 4, err))) return st;
    if ((st = lp_device_take(&w->held, v->n_runs * sizeof *v->run, (void **)&v->run, err)) ||
        (st = lp_device_take(&w->held, (size_t)v->n_runs * 4, (void **)&v->of, err)))
        return st;
    rc = lp_group_outline_cuda(v->run, v->of, v->count, v->job, g->n, rows, v->member, v->weight,
                               &w->d_mask, g->share, stream);
    return lp_merge_cuda_check(w, rc, err);
}

static lp_status accept(lp_merge_work *w, uint32_t n, paint_work *v, uint32_t *id, lp_err *err)
{
    int Ly = w->s->Ly, Lx = w->s->Lx, begin, rc;
    lp_stream stream = w->held.mem->stream;
    uint32_t left = n;
    lp_status st;

    if ((st = lp_device_take(&w->held, (size_t)Ly * Lx * 4, (void **)&v->claim, err)) ||
        (st = lp_device_take(&w->held, n * sizeof *v->tally, (void **)&v->tally, err)) ||
        (st = lp_device_take(&w->held, (LP_MERGE_ROUNDS + 1) * 4, (void **)&v->left, err)) ||
        (st = lp_device_take(&w->held, (size_t)n * 4 + 4, (void **)&v->id, err)) ||
        (st = lp_device_take(&w->held, lp_scan_scratch_cuda(n), &v->scratch, err)))
        return st;
    for (begin = 1; left; begin = 0) {
        rc = lp_group_accept_cuda(w->d_masks, v->claim, v->tally, v->left, LP_MERGE_ROUNDS, begin,
                                  v->run, v->of, v->n_runs, n, Lx, stream);
        if ((st = lp_merge_cuda_check(w, rc, err))) return st;
        if ((st = lp_merge_cuda_get(w, &left, v->left + LP_MERGE_ROUNDS, sizeof left, err)))
            return st;
    }
    rc = lp_group_number_cuda(w->d_masks, v->id, v->tally, n, Ly, Lx, v->scratch, stream);
    if ((st = lp_merge_cuda_check(w, rc, err))) return st;
    return lp_merge_cuda_get(w, id, v->id, (size_t)n * 4, err);
}

lp_status lp_merge_cuda_paint(lp_merge_work *w, const lp_group_mask *mask, const lp_merge_groups *g,
                              uint32_t *id, lp_err *err)
{
    lp_group_job *job = malloc(((size_t)g->n + 1) * sizeof *job);
    int keep = w->held.n;
    paint_work v = {0};
    lp_status st = LP_OK;

    if (!job) return lp_fail_mem(err, "merge", (double)g->n * sizeof *job);
    if (g->n) st = outlines(w, g, job, make_jobs(job, mask, g), &v, err);
    if (g->n && !st) st = accept(w, g->n, &v, id, err);
    lp_device_drop(&w->held, keep);
    free(job);
    return st;
}
