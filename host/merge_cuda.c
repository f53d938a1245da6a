#include "merge_cuda.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/scan.h"
#include "../kernels/votes.h"
#include "measure_cuda.h"
#include "merge_cuda_work.h"

lp_status lp_merge_cuda_check(lp_merge_work *w, int rc, lp_err *err)
{
    const lp_device_mem *m = w->held.mem;

    return rc ? m->failed(m->user, rc, "merge", err) : LP_OK;
}

lp_status lp_merge_cuda_get(lp_merge_work *w, void *dst, const void *d_src, size_t bytes,
                            lp_err *err)
{
    const lp_device_mem *m = w->held.mem;

    return bytes ? m->get(m->user, dst, d_src, bytes, err) : LP_OK;
}

static void close_cuda(lp_merge_work **pw)
{
    lp_merge_work *w = pw ? *pw : NULL;

    if (!w) return;
    w->held.mem->free(w->held.mem->user, w->d_seed, w->room * sizeof *w->d_seed);
    lp_device_drop(&w->held, 0);
    free(w);
    *pw = NULL;
}

static lp_status open_cuda(void *device, const lp_layers *s, uint32_t *masks, lp_merge_work **out,
                           lp_err *err)
{
    lp_merge_work *w = calloc(1, sizeof *w);
    int64_t n_px = (int64_t)s->Ly * s->Lx;
    lp_status st;

    if (!w) return lp_fail_mem(err, "merge", sizeof *w);
    w->held.mem = device;
    w->s = s;
    w->masks = masks;
    if ((st = lp_device_take(&w->held, (size_t)n_px * sizeof *masks, (void **)&w->d_masks, err)))
        goto done;
    if ((st = lp_merge_cuda_check(w, lp_scan_fill_cuda(w->d_masks, 0, n_px, w->held.mem->stream),
                                  err)))
        goto done;
    *out = w;
    w = NULL;
done:
    close_cuda(&w);
    return st;
}

static lp_status finish_cuda(lp_merge_work *w, lp_err *err)
{
    return lp_merge_cuda_get(w, w->masks, w->d_masks,
                             (size_t)w->s->Ly * w->s->Lx * sizeof *w->masks, err);
}

/* The labels are measured where they are; only the image goes there. */
static lp_status measure_cuda(lp_merge_work *w, uint32_t n, lp_particle_table *t, lp_err *err)
{
    int keep = w->held.n, Ly = w->s->Ly, Lx = w->s->Lx;
    float *d_image = NULL;
    lp_status st = LP_OK;

    if (t->image)
        st = lp_device_send(&w->held, t->image, (size_t)Ly * Lx * sizeof *d_image,
                            (void **)&d_image, err);
    if (!st)
        st = lp_measure_particles_cuda(w->held.mem, w->d_masks, n, Ly, Lx, d_image, NULL, NULL, 0,
                                       NAN, &t->particle, &t->n, err);
    lp_device_drop(&w->held, keep);
    return st;
}

/* All layers' masks, one after the other, on the device. */
static lp_status send_layers(lp_merge_work *w, lp_runs *d, lp_err *err)
{
    const lp_layers *s = w->s;
    const lp_device_mem *m = w->held.mem;
    uint64_t *first = NULL, runs = 0, n = 0;
    lp_status st;
    uint32_t l;
    int i;

    for (i = 0; i < s->n; i++) {
        n += s->layer[i].masks.n;
        runs += s->layer[i].masks.first[s->layer[i].masks.n];
    }
    if (n >= UINT32_MAX)
        return lp_fail(err, LP_EARG, "merge: too many masks (%llu)", (unsigned long long)n);
    if (!(first = malloc((n + 1) * sizeof *first)))
        return lp_fail_mem(err, "merge", (double)n * sizeof *first);
    if ((st = lp_device_take(&w->held, runs * sizeof *d->run, (void **)&d->run, err))) goto done;
    for (i = 0, runs = 0, n = 0; i < s->n; i++) {
        const lp_runs *y = &s->layer[i].masks;
        size_t bytes = y->first[y->n] * sizeof *d->run;

        for (l = 0; l < y->n; l++) first[n++] = runs + y->first[l];
        if (bytes && (st = m->put(m->user, d->run + runs, y->run, bytes, err))) goto done;
        runs += y->first[y->n];
    }
    first[n] = runs;
    if ((st = lp_device_send(&w->held, first, (n + 1) * sizeof *first, (void **)&d->first, err)))
        goto done;
    d->n = (uint32_t)n;
done:
    free(first);
    return st;
}

static lp_status votes_cuda(lp_merge_work *w, int pairs, lp_err *err)
{
    size_t bytes = ((size_t)w->s->Ly * w->s->Lx + 1) / 2 * 4;
    lp_runs d = {0};
    lp_status st;
    int keep;

    if ((st = lp_device_take(&w->held, bytes, (void **)&w->d_v, err))) return st;
    if (pairs) {
        if ((st = lp_device_take(&w->held, bytes, (void **)&w->d_ax, err))) return st;
        if ((st = lp_device_take(&w->held, bytes, (void **)&w->d_ay, err))) return st;
    }
    keep = w->held.n;
    if (!(st = send_layers(w, &d, err)))
        st = lp_merge_cuda_check(w,
                                 lp_votes_count_cuda(w->d_v, w->d_ax, w->d_ay, &d, w->s->Ly,
                                                     w->s->Lx, w->held.mem->stream),
                                 err);
    lp_device_drop(&w->held, keep);
    return st;
}

/* Room for the seeds of n particles. */
static lp_status grow_seeds(lp_merge_work *w, uint32_t n, lp_err *err)
{
    const lp_device_mem *m = w->held.mem;
    size_t room = n > 2 * (size_t)w->room ? n : 2 * (size_t)w->room, bytes = w->n * sizeof(lp_run);
    lp_run *old = NULL;
    lp_status st = LP_OK;
    void *d = NULL;

    if (n <= w->room) return LP_OK;
    if (!(old = malloc(bytes + 1))) return lp_fail_mem(err, "merge", (double)bytes);
    if ((st = lp_merge_cuda_get(w, old, w->d_seed, bytes, err))) goto done;
    if ((st = m->alloc(m->user, room * sizeof *old, &d, err))) goto done;
    if (bytes && (st = m->put(m->user, d, old, bytes, err))) goto done;
    m->free(m->user, w->d_seed, w->room * sizeof *old);
    w->d_seed = d;
    w->room = (uint32_t)room;
    d = NULL;
done:
    m->free(m->user, d, room * sizeof *old);
    free(old);
    return st;
}

/* Of one level, in device memory. */
typedef struct {
    lp_run *run;
    uint32_t *first, *root, *number, *area;
    void *counted, *scratch;
} level_work;

static lp_status level_on(lp_merge_work *w, int t, int min_size, level_work *v, lp_err *err)
{
    lp_stream stream = w->held.mem->stream;
    int Ly = w->s->Ly, Lx = w->s->Lx, rc;
    uint32_t n_runs, n_new;
    lp_status st;

    if ((st = lp_device_take(&w->held, ((size_t)Ly + 1) * 4, (void **)&v->first, err))) return st;
    if ((st = lp_device_take(&w->held, lp_votes_runs_scratch_cuda(Ly, Lx), &v->counted, err)))
        return st;
    rc = lp_votes_runs_count_cuda(v->first, w->d_v, w->d_ax, t, Ly, Lx, v->counted, stream);
    if ((st = lp_merge_cuda_check(w, rc, err))) return st;
    if ((st = lp_merge_cuda_get(w, &n_runs, v->first + Ly, sizeof n_runs, err))) return st;
    if (!n_runs) return LP_OK;
    if ((st = lp_device_take(&w->held, n_runs * sizeof *v->run, (void **)&v->run, err)) ||
        (st = lp_device_take(&w->held, (size_t)n_runs * 4, (void **)&v->root, err)) ||
        (st = lp_device_take(&w->held, (size_t)n_runs * 4 + 4, (void **)&v->number, err)) ||
        (st = lp_device_take(&w->held, (size_t)n_runs * 4, (void **)&v->area, err)) ||
        (st = lp_device_take(&w->held, lp_scan_scratch_cuda(n_runs), &v->scratch, err)))
        return st;
    if ((rc = lp_votes_runs_cuda(v->run, w->d_v, w->d_ax, t, Ly, Lx, v->counted, stream)) ||
        (rc = lp_votes_roots_cuda(v->root, v->run, v->first, w->d_ay, t, n_runs, Lx, stream)) ||
        (rc = lp_votes_keep_cuda(v->number, v->area, v->run, v->root, v->first, n_runs, w->d_seed,
                                 w->n, min_size, v->scratch, stream)))
        return lp_merge_cuda_check(w, rc, err);
    if ((st = lp_merge_cuda_get(w, &n_new, v->number + n_runs, sizeof n_new, err))) return st;
    if (!n_new) return LP_OK;
    if ((st = grow_seeds(w, w->n + n_new, err))) return st;
    rc = lp_votes_paint_cuda(w->d_masks, w->d_seed, v->number, v->run, v->root, n_runs, w->n, Lx,
                             stream);
    w->n += n_new;
    return lp_merge_cuda_check(w, rc, err);
}

static lp_status level_cuda(lp_merge_work *w, int t, int min_size, uint32_t *n, lp_err *err)
{
    int keep = w->held.n;
    level_work v = {0};
    lp_status st = level_on(w, t, min_size, &v, err);

    lp_device_drop(&w->held, keep);
    *n = w->n;
    return st;
}

static lp_status tops_cuda(lp_merge_work *w, uint32_t *top, lp_err *err)
{
    int keep = w->held.n;
    uint32_t *d_top;
    lp_status st;

    if ((st = lp_device_take(&w->held, (size_t)w->n * 4, (void **)&d_top, err))) return st;
    st = lp_merge_cuda_check(
        w,
        lp_votes_top_cuda(d_top, w->n, w->d_masks, w->d_v, w->s->Ly, w->s->Lx, w->held.mem->stream),
        err);
    if (!st) st = lp_merge_cuda_get(w, top, d_top, (size_t)w->n * 4, err);
    lp_device_drop(&w->held, keep);
    return st;
}

const lp_merge_stages lp_merge_stages_cuda = {
    .open = open_cuda,
    .close = close_cuda,
    .finish = finish_cuda,
    .measure = measure_cuda,
    .group = lp_merge_cuda_group,
    .paint = lp_merge_cuda_paint,
    .votes = votes_cuda,
    .level = level_cuda,
    .tops = tops_cuda,
};
