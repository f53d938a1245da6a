/* backend_cpu - the back end of plain memory and threads. */
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "../kernels/resize.h"
#include "machine.h"
#include "onednn.h"
#include "unet_cpu.h"

struct lp_device {
    int threads;
    size_t memory;
    atomic_size_t used; /* buffers are freed by several threads */
    char text[160];
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

static lp_status cpu_open(int threads, size_t memory, lp_device **out, lp_err *err)
{
    lp_device *d = calloc(1, sizeof *d);
    lp_status st;

    if (!d) return lp_fail_mem(err, "device", sizeof *d);
    d->threads = threads > 0 ? threads : lp_machine_threads();
    d->memory = memory ? memory : machine_memory();
    snprintf(d->text, sizeof d->text, "cpu, %d thread%s%s", d->threads, d->threads == 1 ? "" : "s",
             lp_onednn_has_amx()      ? ", AMX"
             : lp_onednn_has_avx512() ? ", AVX-512"
                                      : "");
    if ((st = lp_unet_work_new(d->threads, &d->work, err))) {
        cpu_close(&d);
        return st;
    }
    *out = d;
    return LP_OK;
}

static const char *cpu_describe(const lp_device *d)
{
    return d->text;
}

static lp_status cpu_buf_new(lp_device *d, size_t bytes, lp_buf **out, lp_err *err)
{
    size_t used = atomic_load(&d->used);
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
    atomic_fetch_add(&d->used, bytes);
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

    if (!scratch) return lp_fail_mem(err, "resize", (double)bytes);
    lp_resize_cpu(out->data, in->data, nchan, Ly, Lx, Ly2, Lx2, d->threads, scratch);
    free(scratch);
    return LP_OK;
}

static lp_status cpu_tile_cut(lp_device *d, lp_buf *tiles, size_t at, const lp_buf *img, int nchan,
                              const lp_tiling *plan, int first, int n, lp_err *err)
{
    (void)d, (void)err;
    lp_tile_cut_ref(tiles->data + at * nchan, img->data, nchan, &plan->grid, first, n);
    return LP_OK;
}

static lp_status cpu_unet(lp_device *d, lp_net *net, const lp_buf *tiles,
                          const lp_tile_group *group, int n_groups, lp_buf *y, lp_buf *styles,
                          lp_err *err)
{
    return lp_unet_run_groups(net->unet, d->work, tiles->data, group, n_groups, y->data,
                              styles->data, err);
}

static lp_status cpu_tile_average(lp_device *d, lp_buf *yf, const lp_buf *y, size_t at,
                                  const lp_tiling *plan, int first, int n, lp_err *err)
{
    const lp_tile_grid *g = &plan->grid;

    (void)d, (void)err;
    if (first == 0) memset(yf->data, 0, (size_t)3 * g->Ly * g->Lx * sizeof(float));
    lp_tile_average_ref(yf->data, y->data + at * 3, 3, g, first, n);
    if (first + n == plan->ntiles) lp_tile_average_end_ref(yf->data, 3, g);
    return LP_OK;
}

static lp_status cpu_style_add(lp_device *d, lp_buf *sum, const lp_buf *styles, int at, int n,
                               int length, int begin, lp_err *err)
{
    double *s = (double *)(void *)sum->data;
    int i, k;

    (void)d, (void)err;
    for (k = 0; k < length && begin; k++) s[k] = 0;
    for (i = at; i < at + n; i++)
        for (k = 0; k < length; k++) s[k] += styles->data[(size_t)i * length + k];
    return LP_OK;
}

static lp_status cpu_masks(lp_device *d, const lp_buf *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                           const lp_masks_options *o, lp_labels *masks, float **flow_error,
                           uint32_t *n, lp_err *err)
{
    (void)d;
    return lp_masks_compute(yf->data, yf->data + (size_t)2 * Ly * Lx, Ly, Lx, out_Ly, out_Lx, o,
                            masks, flow_error, n, err);
}

/* Mean cellprob needs the plane at the image's size. */
static lp_status cpu_layer(lp_device *d, const lp_buf *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                           const lp_masks_options *o, double diameter, lp_layer *layer, lp_err *err)
{
    const float *cellprob = yf->data + (size_t)2 * Ly * Lx;
    float *flow_error = NULL, *full = NULL;
    lp_labels masks = {0};
    uint32_t n;
    lp_status st = cpu_masks(d, yf, Ly, Lx, out_Ly, out_Lx, o, &masks, &flow_error, &n, err);

    if (st) return st;
    if (Ly != out_Ly || Lx != out_Lx) {
        if (!(full = malloc((size_t)out_Ly * out_Lx * sizeof *full))) {
            st = lp_fail_mem(err, "cellprob", 4.0 * out_Ly * out_Lx);
            goto done;
        }
        lp_resize_ref(full, cellprob, 1, Ly, Lx, out_Ly, out_Lx);
        cellprob = full;
    }
    st = lp_layer_make(diameter, out_Ly, out_Lx, masks.data, n, flow_error, cellprob, layer, err);
done:
    lp_labels_free(&masks);
    free(flow_error);
    free(full);
    return st;
}

const lp_backend lp_backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .buf_new = cpu_buf_new,
    .buf_free = cpu_buf_free,
    .put = cpu_put,
    .get = cpu_get,
    .net_new = cpu_net_new,
    .net_free = cpu_net_free,
    .resize = cpu_resize,
    .tile_cut = cpu_tile_cut,
    .unet = cpu_unet,
    .tile_average = cpu_tile_average,
    .style_add = cpu_style_add,
    .masks = cpu_masks,
    .layer = cpu_layer,
};
