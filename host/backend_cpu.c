/* backend_cpu - the back end of plain memory and threads. */
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "../kernels/resize.h"
#include "../kernels/style_sum.h"
#include "machine.h"
#include "planes.h"
#include "merge.h"
#include "onednn.h"
#include "unet_cpu.h"

struct lp_device {
    int threads;
    size_t memory;
    atomic_size_t used, peak; /* buffers are freed by several threads */
    char text[160];
    double seconds[LP_WORK_N];
    lp_unet_work *work;
};

struct lp_buf {
    size_t bytes;
    float *data; /* 64-byte aligned */
};

struct lp_net {
    lp_unet *unet;
};

static void cpu_close(lp_device **pd)
{
    if (!pd || !*pd) return;
    lp_unet_work_free(&(*pd)->work);
    free(*pd);
    *pd = NULL;
}

/* Linux gives more memory than there is and then kills somebody; half leaves room for
 * what is not in buffers. */
static size_t machine_memory(void)
{
    double bytes = lp_machine_memory();

    return bytes > 0 ? (size_t)(bytes / 2) : 0;
}

static const char *instructions(void)
{
    return lp_onednn_has_amx() ? ", AMX" : lp_onednn_has_avx512() ? ", AVX-512" : "";
}

static lp_status cpu_list(int i, lp_device_info *info, lp_err *err)
{
    int n = lp_machine_threads();

    if (i) return lp_fail(err, LP_EMISSING, "backend cpu: only one device");
    memset(info, 0, sizeof *info);
    snprintf(info->name, sizeof info->name, "%d thread%s%s", n, n == 1 ? "" : "s", instructions());
    info->memory = lp_machine_memory();
    return LP_OK;
}

static lp_status cpu_open(const lp_backend_options *o, lp_device **out, lp_err *err)
{
    lp_device *d;
    lp_status st;

    if (o && o->cudnn)
        return lp_fail(err, LP_EMISSING, "--conv cudnn: only with --backend cuda, and this is cpu");
    d = calloc(1, sizeof *d);
    if (!d) return lp_fail_mem(err, "device", sizeof *d);
    d->threads = o && o->threads > 0 ? o->threads : lp_machine_threads();
    d->memory = machine_memory();
    snprintf(d->text, sizeof d->text, "cpu, %d thread%s%s", d->threads, d->threads == 1 ? "" : "s",
             instructions());
    if ((st = lp_unet_work_new(d->threads, &d->work, err))) {
        cpu_close(&d);
        return st;
    }
    *out = d;
    return LP_OK;
}

static int cpu_batch(const lp_device *d)
{
    return d->threads > 4 ? 4 * d->threads : 16;
}

static size_t cpu_peak(const lp_device *d)
{
    return atomic_load(&d->peak);
}

static lp_status cpu_seconds(lp_device *d, int wait, double *s, lp_err *err)
{
    (void)wait, (void)err;
    memcpy(s, d->seconds, sizeof d->seconds);
    return LP_OK;
}

static double cpu_busy(lp_device *d)
{
    (void)d;
    return 0;
}

static const char *cpu_describe(const lp_device *d)
{
    return d->text;
}

static lp_status cpu_buf_new(lp_device *d, size_t bytes, lp_buf **out, lp_err *err)
{
    size_t used = atomic_load(&d->used), peak;
    lp_buf *b;

    if (d->memory && bytes > d->memory - used)
        return lp_fail(err, LP_ENOMEM,
                       "working memory: %.1f MiB needed, more than the %.1f MiB that may be used; "
                       "give a larger diameter or smaller images",
                       ((double)used + (double)bytes) / 1048576.0, (double)d->memory / 1048576.0);
    b = malloc(sizeof *b);
    if (b) b->data = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!b || !b->data) {
        free(b);
        return lp_fail_mem(err, "working memory", (double)bytes);
    }
    b->bytes = bytes;
    used = atomic_fetch_add(&d->used, bytes) + bytes;
    peak = atomic_load(&d->peak);
    while (used > peak && !atomic_compare_exchange_weak(&d->peak, &peak, used)) {
    }
    *out = b;
    return LP_OK;
}

static void cpu_buf_free(lp_device *d, lp_buf **b)
{
    if (!b || !*b) return;
    atomic_fetch_sub(&d->used, (*b)->bytes);
    free((*b)->data);
    free(*b);
    *b = NULL;
}

static lp_status cpu_put(lp_device *d, lp_buf *dst, const void *src, size_t bytes, lp_err *err)
{
    (void)d, (void)err;
    memcpy(dst->data, src, bytes);
    return LP_OK;
}

static lp_status cpu_get(lp_device *d, void *dst, const lp_buf *src, size_t offset, size_t bytes,
                         lp_err *err)
{
    (void)d, (void)err;
    memcpy(dst, (const char *)src->data + offset, bytes);
    return LP_OK;
}

static lp_status cpu_wait(lp_device *d, const lp_buf *buf, lp_err *err)
{
    (void)d, (void)buf, (void)err;
    return LP_OK;
}

static void cpu_net_free(lp_device *d, lp_net **net)
{
    (void)d;
    if (!net || !*net) return;
    lp_unet_free(&(*net)->unet);
    free(*net);
    *net = NULL;
}

static lp_status cpu_net_new(lp_device *d, const lp_weights *w, lp_precision precision,
                             lp_net **out, lp_precision *used, lp_err *err)
{
    lp_net *n = calloc(1, sizeof *n);
    lp_status st;

    if (!n) return lp_fail_mem(err, "network", sizeof *n);
    if (precision == LP_PRECISION_AUTO)
        precision = lp_unet_bf16_pays() ? LP_PRECISION_BF16 : LP_PRECISION_FP32;
    st = lp_unet_new(w, precision == LP_PRECISION_BF16, d->threads, &n->unet, err);
    if (st) {
        free(n);
        return st;
    }
    *used = precision;
    *out = n;
    return LP_OK;
}

static lp_status cpu_resize(lp_device *d, lp_buf *out, const lp_buf *in, int nchan, int Ly, int Lx,
                            int Ly2, int Lx2, lp_err *err)
{
    size_t bytes = (lp_resize_scratch(Lx2, d->threads) + 63) / 64 * 64;
    void *scratch = aligned_alloc(64, bytes);
    double t = omp_get_wtime();

    if (!scratch) return lp_fail_mem(err, "resize", (double)bytes);
    lp_resize_cpu(out->data, in->data, nchan, Ly, Lx, Ly2, Lx2, d->threads, scratch);
    free(scratch);
    d->seconds[LP_WORK_RESIZE] += omp_get_wtime() - t;
    return LP_OK;
}

static lp_status cpu_tile_cut(lp_device *d, lp_buf *tiles, size_t at, const lp_buf *img, int nchan,
                              const lp_tiling *plan, int first, int n, lp_err *err)
{
    double t = omp_get_wtime();

    (void)err;
    lp_tile_cut_ref(tiles->data + at * nchan, img->data, nchan, &plan->grid, first, n);
    d->seconds[LP_WORK_NET] += omp_get_wtime() - t;
    return LP_OK;
}

static lp_status cpu_unet(lp_device *d, lp_net *net, const lp_buf *tiles,
                          const lp_tile_group *group, int n_groups, lp_buf *y, lp_buf *styles,
                          lp_err *err)
{
    double t = omp_get_wtime();
    lp_status st = lp_unet_run_groups(net->unet, d->work, tiles->data, group, n_groups, y->data,
                                      styles->data, err);

    d->seconds[LP_WORK_NET] += omp_get_wtime() - t;
    return st;
}

static lp_status cpu_tile_average(lp_device *d, lp_buf *yf, const lp_buf *y, size_t at,
                                  const lp_tiling *plan, int first, int n, lp_err *err)
{
    const lp_tile_grid *g = &plan->grid;
    double t = omp_get_wtime();

    (void)err;
    if (first == 0) memset(yf->data, 0, (size_t)3 * g->Ly * g->Lx * sizeof(float));
    lp_tile_average_ref(yf->data, y->data + at * 3, 3, g, first, n);
    if (first + n == plan->ntiles) lp_tile_average_end_ref(yf->data, 3, g);
    d->seconds[LP_WORK_NET] += omp_get_wtime() - t;
    return LP_OK;
}

static lp_status cpu_style_add(lp_device *d, lp_buf *sum, const lp_buf *styles, int at, int n,
                               int length, int begin, lp_err *err)
{
    (void)d, (void)err;
    lp_style_sum_ref((double *)(void *)sum->data, styles->data + (size_t)at * length, n, length,
                     begin);
    return LP_OK;
}

static lp_status cpu_masks(lp_device *d, const lp_masks_input *in, lp_labels *masks,
                           float **flow_error, uint32_t *n, lp_particle_table *t, lp_err *err)
{
    const float *cellprob = in->yf->data + (size_t)2 * in->Ly * in->Lx;
    float *errors = NULL, *full = NULL;
    lp_labels found = {0};
    uint32_t n_found;
    lp_status st;

    (void)d;
    if ((st = lp_masks_compute(in->yf->data, cellprob, in->Ly, in->Lx, in->out_Ly, in->out_Lx,
                               in->o, &found, &errors, &n_found, err)))
        return st;
    if (t) {
        if ((st = lp_planes_at_size(cellprob, 1, in->Ly, in->Lx, in->out_Ly, in->out_Lx, &full,
                                    &cellprob, err)))
            goto done;
        if ((st = lp_measure_particles(&found, t->image, cellprob, errors, n_found, in->diameter,
                                       &t->particle, &t->n, err)))
            goto done;
    }
    *n = n_found;
    if (masks) {
        *masks = found;
        memset(&found, 0, sizeof found);
    }
    if (flow_error) {
        *flow_error = errors;
        errors = NULL;
    }
done:
    lp_labels_free(&found);
    free(errors);
    free(full);
    return st;
}

static lp_status cpu_layer(lp_device *d, const lp_masks_input *in, lp_layer *layer, lp_err *err)
{
    (void)d;
    return lp_layer_compute(in->yf->data, in->Ly, in->Lx, in->out_Ly, in->out_Lx, in->o,
                            in->diameter, layer, err);
}

static lp_status cpu_merge(lp_device *d, const lp_layers *s, const lp_merge_options *o,
                           lp_particle_table *t, lp_merged *out, lp_err *err)
{
    (void)d;
    return lp_merge_on(&lp_merge_stages_cpu, NULL, s, o, t, out, err);
}

const lp_backend lp_backend_cpu = {
    .name = "cpu",
    .list = cpu_list,
    .open = cpu_open,
    .close = cpu_close,
    .batch = cpu_batch,
    .peak = cpu_peak,
    .seconds = cpu_seconds,
    .busy = cpu_busy,
    .describe = cpu_describe,
    .buf_new = cpu_buf_new,
    .buf_free = cpu_buf_free,
    .put = cpu_put,
    .get = cpu_get,
    .wait = cpu_wait,
    .net_new = cpu_net_new,
    .net_free = cpu_net_free,
    .resize = cpu_resize,
    .tile_cut = cpu_tile_cut,
    .unet = cpu_unet,
    .tile_average = cpu_tile_average,
    .style_add = cpu_style_add,
    .masks = cpu_masks,
    .layer = cpu_layer,
    .merge = cpu_merge,
};
