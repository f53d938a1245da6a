#include "layers_cuda.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static lp_status check(const lp_device_mem *m, int rc, lp_err *err)
{
    return rc ? m->failed(m->user, rc, "runs of masks", err) : LP_OK;
}

lp_status lp_runs_make_cuda(lp_device_pieces *p, const uint32_t *d_labels, uint32_t n, int Ly,
                            int Lx, lp_runs *out, uint32_t *n_runs, lp_err *err)
{
    const lp_device_mem *m = p->mem;
    lp_runs r = {.n = n};
    void *d_counted, *d_scratch;
    uint32_t *d_n, runs;
    lp_status st;
    int keep;

    if ((st = lp_device_take(p, ((size_t)n + 1) * sizeof *r.first, (void **)&r.first, err)))
        return st;
    keep = p->n;
    if ((st = lp_device_take(p, sizeof *d_n, (void **)&d_n, err)) ||
        (st = lp_device_take(p, lp_runs_count_scratch_cuda(Ly, Lx), &d_counted, err)))
        goto done;
    if ((st = check(m, lp_runs_count_cuda(d_n, d_labels, Ly, Lx, d_counted, m->stream), err)))
        goto done;
    if ((st = m->get(m->user, &runs, d_n, sizeof runs, err))) goto done;
    if ((st = lp_device_take(p, lp_runs_fill_scratch_cuda(n, runs), &d_scratch, err)) ||
        (st = lp_device_take(p, runs * sizeof *r.run, (void **)&r.run, err)))
        goto done;
    st = check(m,
               lp_runs_fill_cuda(r.run, r.first, d_labels, n, runs, Ly, Lx, d_counted, d_scratch,
                                 m->stream),
               err);
    if (st) goto done;
    lp_device_keep(p, keep, r.run);
    *out = r;
    *n_runs = runs;
    return LP_OK;
done:
    lp_device_drop(p, keep);
    return st;
}

/* d_cellprob's means into mean [r->n]. */
static lp_status means(lp_device_pieces *p, const lp_runs *r, uint32_t n_runs,
                       const float *d_cellprob, int Lx, float *mean, lp_err *err)
{
    const lp_device_mem *m = p->mem;
    double *d_sum;
    float *d_mean;
    lp_status st;

    if ((st = lp_device_take(p, r->n * sizeof *d_mean, (void **)&d_mean, err))) return st;
    if ((st = lp_device_take(p, n_runs * sizeof *d_sum, (void **)&d_sum, err))) return st;
    st = check(m, lp_runs_mean_cuda(d_mean, r, n_runs, d_cellprob, Lx, d_sum, m->stream), err);
    if (st || !r->n) return st;
    return m->get(m->user, mean, d_mean, r->n * sizeof *mean, err);
}

lp_status lp_layer_make_cuda(const lp_device_mem *mem, double diameter, int Ly, int Lx,
                             const uint32_t *d_labels, uint32_t n, const float *d_flow_error,
                             const float *d_cellprob, lp_layer *out, lp_err *err)
{
    lp_device_pieces p = {.mem = mem};
    lp_layer y = {.diameter = diameter, .masks = {.n = n}};
    lp_runs r;
    uint32_t n_runs, l;
    lp_status st;

    if (!(diameter > 0 && diameter <= 1e6))
        return lp_fail(err, LP_EARG, "merge: diameter %g: must be positive", diameter);
    if ((st = lp_runs_make_cuda(&p, d_labels, n, Ly, Lx, &r, &n_runs, err))) goto done;
    y.masks.first = malloc((n + (size_t)1) * sizeof *y.masks.first);
    y.masks.run = malloc((n_runs ? n_runs : 1) * sizeof *y.masks.run);
    y.flow_error = malloc((n + (size_t)1) * sizeof *y.flow_error);
    y.cellprob = malloc((n + (size_t)1) * sizeof *y.cellprob);
    if (!y.masks.first || !y.masks.run || !y.flow_error || !y.cellprob) {
        st = lp_fail_mem(err, "merge", 16.0 * n + 12.0 * n_runs);
        goto done;
    }
    if ((st = mem->get(mem->user, y.masks.first, r.first, (n + (size_t)1) * sizeof *r.first, err)))
        goto done;
    if (n_runs && (st = mem->get(mem->user, y.masks.run, r.run, n_runs * sizeof *r.run, err)))
        goto done;
    for (l = 0; l < n; l++) y.flow_error[l] = y.cellprob[l] = NAN;
    if (d_flow_error && n &&
        (st = mem->get(mem->user, y.flow_error, d_flow_error, n * sizeof *d_flow_error, err)))
        goto done;
    if (d_cellprob && (st = means(&p, &r, n_runs, d_cellprob, Lx, y.cellprob, err))) goto done;
    *out = y;
    memset(&y, 0, sizeof y);
done:
    lp_device_drop(&p, 0);
    lp_layer_clear(&y);
    return st;
}
