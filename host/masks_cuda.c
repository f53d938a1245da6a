/* masks_cuda - the order of the launches, and what shares memory between them. */
#include "masks_cuda.h"

#include <math.h>

#include "kernels/diffuse.h"
#include "kernels/fill_holes.h"
#include "kernels/flow_error.h"
#include "kernels/follow.h"
#include "kernels/label.h"
#include "kernels/relabel_compat.h"
#include "kernels/seed_order.h"
#include "kernels/seeds.h"

/* What comes to the host. */
typedef struct {
    uint32_t n;
    uint32_t changed; /* lp_fill_holes_over_cuda */
    lp_diffuse_plan plan;
} counts;

/* Where everything is in the scratch. Parts of one step begin where those of the steps before did:
 *
 *     follow   pairs, list          qc     mu, heat
 *     seeds    h, m, seeds, rest    fill   lists, bits
 *     order    bits, running sums
 */
typedef struct {
    counts *counts;
    lp_label_info *info, *info2; /* [most + 1], as all tables */
    double *error, *error2;
    float *error_out;
    uint32_t *map;
    uint32_t *labels; /* [Ly][Lx] where the image has another size */
    unsigned char *step;
    uint32_t *h, *m;
    uint64_t *seeds;
    void *seeds_rest;
    float *mu;
    void *heat;
    size_t bytes;
} arena;

typedef struct {
    const lp_device_mem *mem;
    const lp_masks_options *o;
    const float *flows, *cellprob;
    int Ly, Lx, out_Ly, out_Lx;
    uint32_t *labels; /* those of the step, of Ly x Lx and then of out_Ly x out_Lx */
    uint32_t n;       /* no label is larger */
    arena a;
    lp_stream stream;
    int stage[LP_DEVICE_MARKS], n_stages; /* that ended at mark 1, 2, .. */
    lp_status st; /* of the first call that failed: nothing is queued after it */
    lp_err *err;
} work;

static unsigned char *carve(unsigned char **p, size_t bytes)
{
    unsigned char *r = *p;

    *p += (bytes + 255) / 256 * 256;
    return r;
}

static void most_of(size_t *most, size_t bytes)
{
    if (bytes > *most) *most = bytes;
}

static arena lay_out(void *scratch, int Ly, int Lx, int out_Ly, int out_Lx, int compat)
{
    const uint32_t most = lp_seeds_most_cuda(Ly, Lx);
    const size_t n = (size_t)most + 1, plane = (size_t)Ly * Lx * sizeof(uint32_t);
    unsigned char *p = scratch, *q;
    size_t step = 0;
    arena a;

    a.counts = (counts *)carve(&p, sizeof *a.counts);
    a.info = (lp_label_info *)carve(&p, n * sizeof *a.info);
    a.info2 = (lp_label_info *)carve(&p, n * sizeof *a.info2);
    a.error = (double *)carve(&p, n * sizeof *a.error);
    a.error2 = (double *)carve(&p, n * sizeof *a.error2);
    a.error_out = (float *)carve(&p, n * sizeof *a.error_out);
    a.map = (uint32_t *)carve(&p, n * sizeof *a.map);
    a.labels = (uint32_t *)carve(&p, Ly == out_Ly && Lx == out_Lx ? 0 : plane);

    a.step = q = p;
    most_of(&step, lp_follow_scratch_cuda(Ly, Lx));
    a.h = (uint32_t *)carve(&q, plane);
    a.m = (uint32_t *)carve(&q, plane);
    a.seeds = (uint64_t *)carve(&q, n * sizeof *a.seeds);
    a.seeds_rest = q;
    most_of(&step, (size_t)(q - p) + lp_seeds_scratch_cuda(Ly, Lx));
    most_of(&step, (size_t)(q - p) + lp_seed_order_scratch_cuda(most));
    most_of(&step, lp_relabel_scratch_cuda(Ly, Lx));
    most_of(&step, lp_relabel_scratch_cuda(out_Ly, out_Lx));
    q = p;
    a.mu = (float *)carve(&q, 2 * plane);
    a.heat = q;
    most_of(&step, (size_t)(q - p) + lp_diffuse_scratch_cuda(most, Ly, Lx));
    most_of(&step, (size_t)(q - p) + lp_flow_error_scratch_cuda(most));
    most_of(&step, lp_fill_holes_scratch_cuda(most, out_Ly, out_Lx));
    most_of(&step, lp_relabel_compat_scratch_cuda(most));
    if (compat) most_of(&step, lp_fill_holes_over_scratch_cuda(most, out_Ly, out_Lx));
    carve(&p, step);
    a.bytes = (size_t)(p - (unsigned char *)scratch);
    return a;
}

size_t lp_masks_cuda_scratch(int Ly, int Lx, int out_Ly, int out_Lx, int compat)
{
    return lay_out((void *)256, Ly, Lx, out_Ly, out_Lx, compat).bytes;
}

/* Queues the call unless an earlier one failed. */
#define DO(w, call)                                                                                \
    do {                                                                                           \
        int rc_ = (w)->st ? 0 : (call);                                                            \
        if (rc_) (w)->st = (w)->mem->failed((w)->mem->user, rc_, "masks", (w)->err);               \
    } while (0)

static void get_counts(work *w, counts *c)
{
    counts none = {0};

    *c = none;
    if (!w->st) w->st = w->mem->get(w->mem->user, c, w->a.counts, sizeof *c, w->err);
    if (w->st) *c = none;
}

/* Here a stage ends. */
static void lap(work *w, int stage)
{
    if (!w->o->seconds || w->st) return;
    w->stage[w->n_stages++] = stage;
    w->mem->mark(w->mem->user, w->n_stages);
}

static void add_times(const work *w)
{
    int i;

    for (i = w->n_stages - 1; i >= 0; i--)
        w->o->seconds[w->stage[i]] += w->mem->between(w->mem->user, i, i + 1);
}

/* labels and tables follow the map. */
static void apply_map(work *w, int Ly, int Lx)
{
    arena *a = &w->a;
    lp_label_info *info = a->info;
    double *error = a->error;

    DO(w, lp_relabel_move_cuda(a->info2, a->error2, a->info, a->error, a->map, w->n, w->stream));
    DO(w, lp_relabel_apply_cuda(w->labels, a->map, Ly, Lx, w->stream));
    a->info = a->info2;
    a->info2 = info;
    a->error = a->error2;
    a->error2 = error;
}

/* Those that the map keeps get 1, 2, ... in raster order. */
static void in_raster_order(work *w, int Ly, int Lx)
{
    arena *a = &w->a;

    DO(w, lp_relabel_order_cuda(a->map, &a->counts->n, w->n, a->info, Ly, Lx, a->step, w->stream));
    apply_map(w, Ly, Lx);
}

static void renumber(work *w, lp_relabel_rule rule, int Ly, int Lx)
{
    arena *a = &w->a;

    DO(w, lp_relabel_keep_cuda(a->map, a->info, a->error, w->n, rule, w->stream));
    in_raster_order(w, Ly, Lx);
}

static lp_relabel_rule keep_all(void)
{
    return (lp_relabel_rule){.max_count = INFINITY, .max_error = INFINITY};
}

/* Follows the flows and labels by where they lead; big masks removed. */
static void find_masks(work *w)
{
    const lp_masks_options *o = w->o;
    const int Ly = w->Ly, Lx = w->Lx;
    lp_relabel_rule rule = keep_all();
    uint32_t *end = w->labels;
    arena *a = &w->a;
    counts c;

    DO(w, lp_follow_cuda(end, NULL, w->flows, w->cellprob, Ly, Lx, o->cellprob_threshold, o->niter,
                         o->interp, a->step, w->stream));
    lap(w, LP_MASKS_FOLLOW);
    DO(w, lp_seeds_histogram_cuda(a->h, end, Ly, Lx, w->stream));
    DO(w, lp_seeds_list_cuda(a->seeds, &a->counts->n, a->h, Ly, Lx, a->seeds_rest, w->stream));
    get_counts(w, &c);
    w->n = c.n;
    if (o->compat_cellpose3 && w->n < LP_SEED_ORDER_STABLE)
        DO(w, lp_seed_order_cuda(a->seeds, w->n, a->seeds_rest, w->stream));
    else
        DO(w, lp_seeds_sort_cuda(a->seeds, w->n, Ly, Lx, a->seeds_rest, w->stream));
    DO(w, lp_seeds_grow_cuda(a->m, a->h, a->seeds, w->n, Ly, Lx, w->stream));
    lap(w, LP_MASKS_SEEDS);

    DO(w, lp_label_cuda(end, end, a->m, Ly, Lx, w->stream));
    DO(w, lp_relabel_info_cuda(a->info, w->n, w->labels, Ly, Lx, w->stream));
    DO(w, lp_flow_error_none_cuda(a->error, w->n, w->stream));
    rule.max_count = (double)Ly * Lx * o->max_size_fraction;
    renumber(w, rule, Ly, Lx);
    lap(w, LP_MASKS_LABEL);
}

/* Removes masks whose flows disagree with the network's; leaves gaps. */
static void flow_qc(work *w)
{
    lp_relabel_rule rule = keep_all();
    arena *a = &w->a;
    counts c;

    DO(w, lp_diffuse_plan_cuda(&a->counts->plan, a->mu, w->labels, a->info, w->n, w->Ly, w->Lx,
                               a->heat, w->stream));
    get_counts(w, &c);
    DO(w,
       lp_diffuse_cuda(a->mu, w->labels, a->info, w->n, w->Ly, w->Lx, &c.plan, a->heat, w->stream));
    lap(w, LP_MASKS_DIFFUSE);
    DO(w, lp_flow_error_cuda(a->error, a->mu, w->flows, w->labels, a->info, w->n, w->Ly, w->Lx,
                             a->heat, w->stream));
    rule.max_error = w->o->flow_threshold;
    DO(w, lp_relabel_keep_cuda(a->map, a->info, a->error, w->n, rule, w->stream));
    DO(w, lp_relabel_apply_cuda(w->labels, a->map, w->Ly, w->Lx, w->stream));
    lap(w, LP_MASKS_QC);
}

/* Removes small masks, fills holes. Filling keeps the order of first pixels and only adds to
 * masks, so nothing is to be removed or renumbered after it. */
static void fill(work *w)
{
    const int Ly = w->out_Ly, Lx = w->out_Lx;
    lp_relabel_rule rule = keep_all();
    arena *a = &w->a;

    DO(w, lp_relabel_info_cuda(a->info, w->n, w->labels, Ly, Lx, w->stream));
    if (w->o->min_size > 0) rule.min_count = (uint32_t)w->o->min_size;
    renumber(w, rule, Ly, Lx);
    DO(w, lp_fill_holes_cuda(w->labels, a->info, w->n, Ly, Lx, a->step, w->stream));
    DO(w, lp_relabel_info_cuda(a->info, w->n, w->labels, Ly, Lx, w->stream));
    if (!w->o->exclude_on_edges) return;
    rule = keep_all();
    rule.no_edges = 1;
    rule.Ly = Ly;
    rule.Lx = Lx;
    renumber(w, rule, Ly, Lx);
}

/* The two steps of compat_cellpose3 that fill has in another form. */
static void remove_miscounted(work *w)
{
    arena *a = &w->a;

    if (w->o->min_size <= 0) return;
    DO(w, lp_relabel_miscount_cuda(a->map, a->info, w->n, (uint32_t)w->o->min_size, a->step,
                                   w->stream));
    in_raster_order(w, w->out_Ly, w->out_Lx);
}

static void keep_order(work *w, lp_relabel_rule rule)
{
    arena *a = &w->a;

    DO(w, lp_relabel_keep_cuda(a->map, a->info, a->error, w->n, rule, w->stream));
    DO(w, lp_relabel_rank_cuda(a->map, &a->counts->n, w->n, a->info, a->step, w->stream));
    apply_map(w, w->out_Ly, w->out_Lx);
}

/* fill with Cellpose's defects: masks take pixels of others, so that their numbers and sizes change
 * once more. */
static void fill_compat(work *w)
{
    const int Ly = w->out_Ly, Lx = w->out_Lx;
    lp_relabel_rule rule = keep_all();
    arena *a = &w->a;
    counts c;

    DO(w, lp_relabel_info_cuda(a->info, w->n, w->labels, Ly, Lx, w->stream));
    remove_miscounted(w);
    do {
        DO(w, lp_fill_holes_over_cuda(w->labels, &a->counts->changed, a->info, w->n, Ly, Lx,
                                      a->step, w->stream));
        get_counts(w, &c);
    } while (c.changed);
    DO(w, lp_fill_holes_over_end_cuda(w->labels, w->n, Ly, Lx, a->step, w->stream));
    keep_order(w, rule);
    DO(w, lp_relabel_info_cuda(a->info, w->n, w->labels, Ly, Lx, w->stream));
    remove_miscounted(w);
    if (!w->o->exclude_on_edges) return;
    rule.no_edges = 1;
    rule.Ly = Ly;
    rule.Lx = Lx;
    keep_order(w, rule);
}

lp_status lp_masks_cuda(const lp_device_mem *mem, const float *d_yf, int Ly, int Lx, int out_Ly,
                        int out_Lx, const lp_masks_options *o, uint32_t *d_labels,
                        lp_masks_tables *tables, void *d_scratch, lp_err *err)
{
    const size_t plane = (size_t)Ly * (size_t)Lx;
    work w = {.mem = mem,
              .o = o,
              .flows = d_yf,
              .cellprob = d_yf + 2 * plane,
              .Ly = Ly,
              .Lx = Lx,
              .out_Ly = out_Ly,
              .out_Lx = out_Lx,
              .stream = mem->stream,
              .err = err};
    lp_status st;
    counts c;

    if ((st = lp_masks_check(Ly, Lx, o, err))) return st;
    if (out_Ly < 1 || out_Lx < 1 || out_Ly > LP_MAX_SIDE || out_Lx > LP_MAX_SIDE ||
        (int64_t)out_Ly * out_Lx > LP_MAX_PIXELS)
        return lp_fail(err, LP_EARG, "masks: image of %d x %d pixels", out_Ly, out_Lx);
    if (o->seconds) mem->mark(mem->user, 0);
    w.a = lay_out(d_scratch, Ly, Lx, out_Ly, out_Lx, o->compat_cellpose3);
    w.labels = Ly == out_Ly && Lx == out_Lx ? d_labels : w.a.labels;

    find_masks(&w);
    if (o->flow_threshold > 0 && w.n > 0) flow_qc(&w);
    if (w.labels != d_labels)
        DO(&w, lp_label_resize_cuda(d_labels, w.labels, Ly, Lx, out_Ly, out_Lx, w.stream));
    w.labels = d_labels;
    lap(&w, LP_MASKS_RESIZE);
    if (o->compat_cellpose3)
        fill_compat(&w);
    else
        fill(&w);
    get_counts(&w, &c);
    w.n = c.n;
    DO(&w, lp_flow_error_float_cuda(w.a.error_out, w.a.error, w.n, w.stream));
    lap(&w, LP_MASKS_FILL);
    if (w.st) return w.st;
    if (o->seconds) add_times(&w);
    *tables = (lp_masks_tables){w.n, w.a.info, w.a.error_out};
    return LP_OK;
}
