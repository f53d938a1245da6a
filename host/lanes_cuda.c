/* lanes_cuda - masks, merges and copies to the host: each call has a lane, a stream of its own that
 * waits for nothing but its own input, so that they run beside the network and each other. */
#include <stdlib.h>
#include <string.h>

#include "../kernels/resize.h"
#include "card_mem_cuda.h"
#include "device_cuda.h"
#include "layers_cuda.h"
#include "masks_cuda.h"
#include "merge.h"
#include "merge_cuda.h"

void lp_lane_free(lp_lane *l)
{
    int i;

    cudaSetDevice(l->card->device);
    lp_stage_free(&l->stage);
    for (i = 0; i < LP_DEVICE_MARKS; i++)
        if (l->mark[i]) cudaEventDestroy(l->mark[i]);
    if (l->stream) cudaStreamDestroy(l->stream);
    free(l);
}

static lp_status lane_new(lp_card *c, lp_lane **out, lp_err *err)
{
    lp_lane *l = calloc(1, sizeof *l);
    lp_status st;
    int i, e;

    if (!l) return lp_fail_mem(err, "masks", sizeof *l);
    l->card = c;
    e = cudaStreamCreateWithFlags(&l->stream, cudaStreamNonBlocking);
    for (i = 0; i < LP_DEVICE_MARKS && !e; i++)
        e = cudaEventCreateWithFlags(&l->mark[i], cudaEventDefault);
    if ((st = lp_card_check(c, e, "masks", err)) ||
        (st = lp_stage_new(c, l->stream, &l->stage, err))) {
        lp_lane_free(l);
        return st;
    }
    *out = l;
    return LP_OK;
}

/* A lane whose work comes after what writes `in`, which may be NULL. */
static lp_status lane_take(lp_device *d, const lp_buf *in, lp_lane **out, lp_err *err)
{
    lp_status st = lp_card_use(d->card, err);
    lp_lane *l;

    if (st) return st;
    pthread_mutex_lock(&d->lane_lock);
    if ((l = d->lanes)) d->lanes = l->next;
    pthread_mutex_unlock(&d->lane_lock);
    if (!l && (st = lane_new(d->card, &l, err))) return st;
    if (in &&
        (st = lp_card_check(d->card, cudaStreamWaitEvent(l->stream, in->ready, 0), "masks", err))) {
        lp_lane_free(l);
        return st;
    }
    *out = l;
    return LP_OK;
}

static void lane_give(lp_device *d, lp_lane *l)
{
    if (!l) return;
    pthread_mutex_lock(&d->lane_lock);
    l->next = d->lanes;
    d->lanes = l;
    pthread_mutex_unlock(&d->lane_lock);
}

lp_status lp_cuda_get(lp_device *d, void *dst, const lp_buf *src, size_t offset, size_t bytes,
                      lp_err *err)
{
    lp_lane *l = NULL;
    lp_status st = lane_take(d, src, &l, err);

    if (!st) st = lp_stage_get(l->stage, dst, (const char *)src->d_data + offset, bytes, err);
    lane_give(d, l);
    return st;
}

/* Cellpose's two defects are the CPU's affair. */
static lp_status masks_on_cpu(lp_device *d, const lp_buf *yf, int Ly, int Lx, int out_Ly,
                              int out_Lx, const lp_masks_options *o, lp_labels *masks,
                              float **flow_error, uint32_t *n, lp_err *err)
{
    size_t plane = (size_t)Ly * Lx, bytes = 3 * plane * sizeof(float);
    float *host = malloc(bytes);
    lp_status st;

    if (!host) return lp_fail_mem(err, "flows", (double)bytes);
    if (!(st = lp_cuda_get(d, host, yf, 0, bytes, err)))
        st = lp_masks_compute(host, host + 2 * plane, Ly, Lx, out_Ly, out_Lx, o, masks, flow_error,
                              n, err);
    free(host);
    return st;
}

/* Labels of one image on the device, in a lane. */
typedef struct {
    lp_lane *l;
    lp_card_queue queue;
    lp_device_mem mem;
    uint32_t *d_labels; /* [out_Ly][out_Lx] */
    void *d_scratch;    /* holds the tables */
    size_t label_bytes, scratch_bytes;
    lp_masks_tables t;
} found_masks;

static void drop_found(lp_device *d, found_masks *f, int failed)
{
    if (!f->l) return;
    if (failed) cudaStreamSynchronize(f->l->stream); /* yf may be freed now */
    lp_card_free(d->card, f->d_labels, f->label_bytes, f->l->stream);
    lp_card_free(d->card, f->d_scratch, f->scratch_bytes, f->l->stream);
    lane_give(d, f->l);
}

/* drop_found ends it, also after a failure. */
static lp_status find_masks(lp_device *d, const lp_buf *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                            const lp_masks_options *o, found_masks *f, lp_err *err)
{
    void *labels = NULL;
    lp_status st;

    f->scratch_bytes = lp_masks_cuda_scratch(Ly, Lx, out_Ly, out_Lx, o->compat_cellpose3);
    f->label_bytes = (size_t)out_Ly * out_Lx * sizeof(uint32_t);
    if ((st = lane_take(d, yf, &f->l, err))) return st;
    f->queue = (lp_card_queue){d->card, f->l->stream, f->l->stage, f->l->mark};
    f->mem = lp_card_mem(&f->queue);
    if ((st = lp_card_alloc(d->card, f->scratch_bytes, f->l->stream, &f->d_scratch, err)))
        return st;
    if ((st = lp_card_alloc(d->card, f->label_bytes, f->l->stream, &labels, err))) return st;
    f->d_labels = labels;
    return lp_masks_cuda(&f->mem, yf->d_data, Ly, Lx, out_Ly, out_Lx, o, f->d_labels, &f->t,
                         f->d_scratch, err);
}

/* What the functions of the back end were called with. */
typedef struct {
    lp_device *d;
    const lp_buf *yf;
    int Ly, Lx, out_Ly, out_Lx;
    const lp_masks_options *o;
    double diameter;
    lp_labels *masks;
    float **flow_error;
    uint32_t *n;
    lp_layer *layer;
} call;

static lp_status masks_job(void *args, lp_err *err)
{
    const call *k = args;
    found_masks f = {0};
    lp_labels found = {0};
    float *errors = NULL;
    lp_status st;

    if ((st = find_masks(k->d, k->yf, k->Ly, k->Lx, k->out_Ly, k->out_Lx, k->o, &f, err)))
        goto done;
    if ((st = lp_labels_new(&found, k->out_Ly, k->out_Lx, err))) goto done;
    if ((st = lp_stage_get(f.l->stage, found.data, f.d_labels, f.label_bytes, err))) goto done;
    if (k->flow_error) {
        if (!(errors = malloc(((size_t)f.t.n + 1) * sizeof *errors))) {
            st = lp_fail_mem(err, "masks", 4.0 * f.t.n);
            goto done;
        }
        if ((st = lp_stage_get(f.l->stage, errors, f.t.d_flow_error + 1, f.t.n * sizeof *errors,
                               err)))
            goto done;
        *k->flow_error = errors;
        errors = NULL;
    }
    *k->masks = found;
    memset(&found, 0, sizeof found);
    if (k->n) *k->n = f.t.n;
done:
    drop_found(k->d, &f, st != LP_OK);
    free(errors);
    lp_labels_free(&found);
    return st;
}

lp_status lp_cuda_masks(lp_device *d, const lp_buf *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                        const lp_masks_options *o, lp_labels *masks, float **flow_error,
                        uint32_t *n, lp_err *err)
{
    call k = {.d = d,
              .yf = yf,
              .Ly = Ly,
              .Lx = Lx,
              .out_Ly = out_Ly,
              .out_Lx = out_Lx,
              .o = o,
              .masks = masks,
              .flow_error = flow_error,
              .n = n};

    if (o->compat_cellpose3)
        return masks_on_cpu(d, yf, Ly, Lx, out_Ly, out_Lx, o, masks, flow_error, n, err);
    return lp_card_turn(d->card, masks_job, &k, err);
}

static lp_status layer_on_cpu(lp_device *d, const lp_buf *yf, int Ly, int Lx, int out_Ly,
                              int out_Lx, const lp_masks_options *o, double diameter,
                              lp_layer *layer, lp_err *err)
{
    size_t bytes = (size_t)3 * Ly * Lx * sizeof(float);
    float *host = malloc(bytes);
    lp_status st;

    if (!host) return lp_fail_mem(err, "flows", (double)bytes);
    if (!(st = lp_cuda_get(d, host, yf, 0, bytes, err)))
        st = lp_layer_compute(host, Ly, Lx, out_Ly, out_Lx, o, diameter, layer, err);
    free(host);
    return st;
}

static lp_status layer_job(void *args, lp_err *err)
{
    const call *k = args;
    lp_card *c = k->d->card;
    const float *d_cellprob = (const float *)k->yf->d_data + (size_t)2 * k->Ly * k->Lx;
    size_t bytes = (size_t)k->out_Ly * k->out_Lx * sizeof(float);
    void *d_full = NULL;
    found_masks f = {0};
    lp_status st;

    if ((st = find_masks(k->d, k->yf, k->Ly, k->Lx, k->out_Ly, k->out_Lx, k->o, &f, err)))
        goto done;
    if (k->Ly != k->out_Ly || k->Lx != k->out_Lx) {
        if ((st = lp_card_alloc(c, bytes, f.l->stream, &d_full, err))) goto done;
        if ((st = lp_card_check(c,
                                lp_resize_cuda(d_full, d_cellprob, 1, k->Ly, k->Lx, k->out_Ly,
                                               k->out_Lx, f.l->stream),
                                "resize", err)))
            goto done;
        d_cellprob = d_full;
    }
    st = lp_layer_make_cuda(&f.mem, k->diameter, k->out_Ly, k->out_Lx, f.d_labels, f.t.n,
                            f.t.d_flow_error + 1, d_cellprob, k->layer, err);
done:
    if (d_full) lp_card_free(c, d_full, bytes, f.l->stream);
    drop_found(k->d, &f, st != LP_OK);
    return st;
}

lp_status lp_cuda_layer(lp_device *d, const lp_buf *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                        const lp_masks_options *o, double diameter, lp_layer *layer, lp_err *err)
{
    call k = {.d = d,
              .yf = yf,
              .Ly = Ly,
              .Lx = Lx,
              .out_Ly = out_Ly,
              .out_Lx = out_Lx,
              .o = o,
              .diameter = diameter,
              .layer = layer};

    if (o->compat_cellpose3)
        return layer_on_cpu(d, yf, Ly, Lx, out_Ly, out_Lx, o, diameter, layer, err);
    return lp_card_turn(d->card, layer_job, &k, err);
}

typedef struct {
    lp_device *d;
    const lp_layers *s;
    const lp_merge_options *o;
    lp_merge_table *t;
    lp_merged *out;
} merge_call;

static lp_status merge_job(void *args, lp_err *err)
{
    const merge_call *k = args;
    lp_card_queue q = {.card = k->d->card};
    lp_lane *l = NULL;
    lp_device_mem mem;
    lp_status st;

    if ((st = lane_take(k->d, NULL, &l, err))) return st;
    q.stream = l->stream;
    q.stage = l->stage;
    mem = lp_card_mem(&q);
    st = lp_merge_on(&lp_merge_stages_cuda, &mem, k->s, k->o, k->t, k->out, err);
    lane_give(k->d, l);
    return st;
}

/* Where the device alone has no room, the CPU merges: the bytes are the same. */
lp_status lp_cuda_merge(lp_device *d, const lp_layers *s, const lp_merge_options *o,
                        lp_merge_table *t, lp_merged *out, lp_err *err)
{
    merge_call k = {d, s, o, t, out};
    lp_status st = lp_card_turn(d->card, merge_job, &k, err);

    return st == LP_ENOMEM ? lp_merge_on(&lp_merge_stages_cpu, NULL, s, o, t, out, err) : st;
}
