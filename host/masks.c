/* masks - the order of the steps, and who owns what between them. */
#include "masks.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/diffuse.h"
#include "kernels/fill_holes.h"
#include "kernels/flow_error.h"
#include "kernels/follow.h"
#include "kernels/label.h"
#include "kernels/relabel.h"
#include "kernels/relabel_compat.h"
#include "kernels/seed_order.h"
#include "kernels/seeds.h"

/* Labels and what is known of each. Arrays have n + 1 elements; n only falls. */
typedef struct {
    lp_labels img;
    uint32_t n;
    lp_label_info *info, *info2; /* info2, error2: for reordering */
    double *error, *error2;      /* flow error, NaN where there was no QC */
    uint32_t *map;
    uint64_t *order;
} work;

lp_masks_options lp_masks_defaults(void)
{
    return (lp_masks_options){
        .flow_threshold = 0.4,
        .max_size_fraction = 0.4,
        .niter = 200,
        .interp = 1,
        .min_size = 15,
    };
}

int lp_masks_niter(double rescale, int resample)
{
    double n = resample ? 1 / rescale * 200 : 200;

    if (!(n > 0)) return 0;
    return n < 1e9 ? (int)n : 1000000000;
}

static void *get(size_t n, size_t size, const char *what, lp_status *st, lp_err *err)
{
    void *p;

    if (*st) return NULL;
    p = calloc(n ? n : 1, size);
    if (!p) *st = lp_fail_mem(err, what, (double)n * (double)size);
    return p;
}

static void work_free(work *w)
{
    lp_labels_free(&w->img);
    free(w->info);
    free(w->info2);
    free(w->error);
    free(w->error2);
    free(w->map);
    free(w->order);
}

/* Adds the time since *t0 to a stage and restarts the clock. */
static void lap(const lp_masks_options *o, int stage, double *t0)
{
    double now = omp_get_wtime();

    if (o->seconds) o->seconds[stage] += now - *t0;
    *t0 = now;
}

static void keep_all(work *w)
{
    uint32_t l;

    for (l = 0; l <= w->n; l++) w->map[l] = l;
}

static void refresh_info(work *w)
{
    lp_relabel_info_ref(w->info, w->n, w->img.data, w->img.Ly, w->img.Lx);
}

/* Applies map (0 removes) to the pixels and to what is known of the labels. */
static void apply_map(work *w, uint32_t new_n)
{
    uint32_t l, same = 1;

    for (l = 0; l <= w->n; l++) {
        w->info2[l] = (lp_label_info){.first = UINT32_MAX};
        w->error2[l] = NAN;
    }
    for (l = 1; l <= w->n; l++) {
        if (w->map[l] != l && w->info[l].count) same = 0;
        if (!w->map[l]) continue;
        w->info2[w->map[l]] = w->info[l];
        w->error2[w->map[l]] = w->error[l];
    }
    w->info2[0] = w->info[0];
    memcpy(w->info, w->info2, (w->n + (size_t)1) * sizeof *w->info);
    memcpy(w->error, w->error2, (w->n + (size_t)1) * sizeof *w->error);
    if (!same) lp_relabel_apply_ref(w->img.data, w->map, w->img.Ly, w->img.Lx);
    w->n = new_n;
}

/* Those with map != 0 get 1, 2, ... in raster order. */
static void renumber(work *w)
{
    apply_map(w, lp_relabel_order_ref(w->map, w->n, w->info, w->order));
}

/* Follows the flows and labels by where they lead; big masks removed. */
static lp_status find_masks(work *w, const float *flows, const float *cellprob,
                            const lp_masks_options *o, uint32_t *grid, lp_err *err)
{
    int Ly = w->img.Ly, Lx = w->img.Lx;
    uint32_t *end = w->img.data, *h = grid, *m = grid + (size_t)Ly * Lx, l;
    double t0 = omp_get_wtime(), big = (double)Ly * Lx * o->max_size_fraction;
    uint64_t *seeds = NULL;
    size_t n;
    lp_status st = LP_OK;

    lp_follow_cpu(end, NULL, flows, cellprob, Ly, Lx, o->cellprob_threshold, o->niter, o->interp,
                  grid);
    lap(o, LP_MASKS_FOLLOW, &t0);
    lp_seeds_histogram_cpu(h, end, Ly, Lx);
    w->n = lp_seeds_find_cpu(NULL, 0, h, Ly, Lx);
    n = w->n + (size_t)1;
    seeds = get(n, sizeof *seeds, "seeds", &st, err);
    w->info = get(n, sizeof *w->info, "masks", &st, err);
    w->info2 = get(n, sizeof *w->info2, "masks", &st, err);
    w->error = get(n, sizeof *w->error, "masks", &st, err);
    w->error2 = get(n, sizeof *w->error2, "masks", &st, err);
    w->map = get(n, sizeof *w->map, "masks", &st, err);
    w->order = get(n, sizeof *w->order, "masks", &st, err);
    if (st) goto done;
    lp_seeds_find_cpu(seeds, w->n, h, Ly, Lx);
    if (o->compat_cellpose3) lp_seed_order_ref(seeds, w->n);
    lp_seeds_grow_cpu(m, h, seeds, w->n, Ly, Lx);
    lap(o, LP_MASKS_SEEDS, &t0);

    lp_label_ref(end, end, m, Ly, Lx);
    refresh_info(w);
    for (l = 0; l <= w->n; l++) {
        w->error[l] = NAN;
        w->map[l] = !(w->info[l].count > big);
    }
    renumber(w);
    lap(o, LP_MASKS_LABEL, &t0);
done:
    free(seeds);
    return st;
}

/* Removes masks whose flows disagree with the network's; leaves gaps. */
static lp_status flow_qc(work *w, const float *flows, const lp_masks_options *o, float *mu,
                         lp_err *err)
{
    int nthreads = omp_get_max_threads(), Ly = w->img.Ly, Lx = w->img.Lx;
    double t0 = omp_get_wtime();
    lp_status st = LP_OK;
    void *scratch;
    uint32_t l;

    scratch = get(1, lp_diffuse_scratch(w->info, w->n, nthreads), "the flow check", &st, err);
    if (st) return st;
    lp_diffuse_cpu(mu, w->img.data, w->info, w->n, Ly, Lx, nthreads, scratch);
    free(scratch);
    lap(o, LP_MASKS_DIFFUSE, &t0);
    lp_flow_error_ref(w->error, mu, flows, w->img.data, w->info, w->n, Ly, Lx);
    keep_all(w);
    for (l = 1; l <= w->n; l++)
        if (w->error[l] > o->flow_threshold) w->map[l] = 0;
    apply_map(w, w->n);
    lap(o, LP_MASKS_QC, &t0);
    return LP_OK;
}

static lp_status resize(work *w, int Ly, int Lx, lp_err *err)
{
    lp_labels out;
    lp_status st;

    if (Ly == w->img.Ly && Lx == w->img.Lx) return LP_OK;
    if ((st = lp_labels_new(&out, Ly, Lx, err))) return st;
    lp_label_resize_ref(out.data, w->img.data, w->img.Ly, w->img.Lx, Ly, Lx);
    lp_labels_free(&w->img);
    w->img = out;
    return LP_OK;
}

/* Needs fresh info. */
static void remove_small(work *w, int min_size, int compat)
{
    uint32_t l;

    if (min_size > 0 && compat) {
        lp_relabel_miscount_ref(w->map, w->info, w->n, (uint32_t)min_size);
    } else {
        keep_all(w);
        for (l = 0; l <= w->n && min_size > 0; l++)
            if (w->info[l].count < (uint32_t)min_size) w->map[l] = 0;
    }
    if (min_size > 0 || !compat) renumber(w);
}

static lp_status fill(work *w, const lp_masks_options *o, lp_err *err)
{
    int compat = o->compat_cellpose3;
    lp_status st = LP_OK;
    void *scratch;

    refresh_info(w);
    remove_small(w, o->min_size, compat);
    scratch = get(1, lp_fill_holes_scratch(w->info, w->n), "filling holes", &st, err);
    if (st) return st;
    lp_fill_holes_ref(w->img.data, w->info, w->n, w->img.Lx, compat, scratch);
    free(scratch);
    keep_all(w);
    apply_map(w, lp_relabel_rank_ref(w->map, w->n, w->info));
    refresh_info(w);
    remove_small(w, o->min_size, compat);
    return LP_OK;
}

static void drop_edges(work *w)
{
    int Ly = w->img.Ly, Lx = w->img.Lx;
    uint32_t l;

    refresh_info(w);
    for (l = 1; l <= w->n; l++) {
        const lp_label_info *f = w->info + l;

        w->map[l] = !(f->y0 == 0 || f->x0 == 0 || f->y1 == Ly || f->x1 == Lx);
    }
    apply_map(w, lp_relabel_rank_ref(w->map, w->n, w->info));
}

lp_status lp_masks_check(int Ly, int Lx, const lp_masks_options *o, lp_err *err)
{
    if (Ly < 1 || Lx < 1 || Ly > LP_MAX_SIDE || Lx > LP_MAX_SIDE ||
        (int64_t)Ly * Lx > LP_MAX_PIXELS)
        return lp_fail(err, LP_EARG, "masks: network output of %d x %d pixels", Ly, Lx);
    if (isnan(o->flow_threshold) || isnan(o->cellprob_threshold) || isnan(o->max_size_fraction))
        return lp_fail(err, LP_EARG, "masks: a threshold is not a number");
    if (o->niter < 0) return lp_fail(err, LP_EARG, "masks: niter is %d, need 0 or more", o->niter);
    return LP_OK;
}

lp_status lp_masks_compute(const float *flows, const float *cellprob, int Ly, int Lx, int out_Ly,
                           int out_Lx, const lp_masks_options *o, lp_labels *masks,
                           float **flow_error, uint32_t *n_masks, lp_err *err)
{
    work w = {0};
    uint32_t *grid = NULL, l;
    float *errors = NULL;
    size_t bytes;
    double t0;
    lp_status st;

    if ((st = lp_masks_check(Ly, Lx, o, err))) goto done;
    if ((st = lp_labels_new(&w.img, Ly, Lx, err))) goto done;
    bytes = 2 * (size_t)Ly * Lx * sizeof *grid; /* histogram and basins; then mu */
    if (lp_follow_scratch(Ly, Lx) > bytes) bytes = lp_follow_scratch(Ly, Lx);
    if (!(grid = malloc(bytes))) {
        st = lp_fail_mem(err, "following flows", (double)bytes);
        goto done;
    }
    if ((st = find_masks(&w, flows, cellprob, o, grid, err))) goto done;
    if (o->flow_threshold > 0 && w.n > 0)
        if ((st = flow_qc(&w, flows, o, (float *)grid, err))) goto done;
    free(grid);
    grid = NULL;

    t0 = omp_get_wtime();
    if ((st = resize(&w, out_Ly, out_Lx, err))) goto done;
    lap(o, LP_MASKS_RESIZE, &t0);
    if ((st = fill(&w, o, err))) goto done;
    if (o->exclude_on_edges) drop_edges(&w);
    lap(o, LP_MASKS_FILL, &t0);

    if (flow_error) {
        errors = get(w.n, sizeof *errors, "flow errors", &st, err);
        if (st) goto done;
        for (l = 1; l <= w.n; l++) errors[l - 1] = (float)w.error[l];
        *flow_error = errors;
    }
    if (n_masks) *n_masks = w.n;
    *masks = w.img;
    w.img = (lp_labels){0};
done:
    free(grid);
    work_free(&w);
    return st;
}
