/* lanes_cuda - masks, merges and copies to the host: each call has a lane, a stream of its own that
 * waits for nothing but its own input, so that they run beside the network and each other. */
#include <stdlib.h>
#include <string.h>

#include "../kernels/resize.h"
#include "card_mem_cuda.h"
#include "device_cuda.h"
#include "layers_cuda.h"
#include "masks_cuda.h"
#include "measure_cuda.h"
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

/* Labels of one image on the device, in a lane. */
typedef struct {
    lp_lane *l;
    lp_card_queue queue;
    lp_device_mem mem;
    lp_device_pieces held; /* of mem; the tables are in one of them */
    uint32_t *d_labels;    /* [out_Ly][out_Lx] */
    lp_masks_tables t;
} found_masks;

static void drop_found(lp_device *d, found_masks *f, int failed)
{
    if (!f->l) return;
    if (failed) cudaStreamSynchronize(f->l->stream); /* yf may be freed now */
    lp_device_drop(&f->held, 0);
    lane_give(d, f->l);
}

/* drop_found ends it, also after a failure. */
static lp_status find_masks(lp_device *d, const lp_masks_input *in, found_masks *f, lp_err *err)
{
    const size_t label_bytes = (size_t)in->out_Ly * in->out_Lx * sizeof(uint32_t);
    void *scratch;
    lp_status st;

    if ((st = lane_take(d, in->yf, &f->l, err))) return st;
    f->queue = (lp_card_queue){d->card, f->l->stream, f->l->stage, f->l->mark};
    f->mem = lp_card_mem(&f->queue);
    f->held.mem = &f->mem;
    if ((st = lp_device_take(
             &f->held,
             lp_masks_cuda_scratch(in->Ly, in->Lx, in->out_Ly, in->out_Lx, in->o->compat_cellpose3),
             &scratch, err)))
        return st;
    if ((st = lp_device_take(&f->held, label_bytes, (void **)&f->d_labels, err))) return st;
    return lp_masks_cuda(&f->mem, in->yf->d_data, in->Ly, in->Lx, in->out_Ly, in->out_Lx, in->o,
                         f->d_labels, &f->t, scratch, err);
}

/* cellprob [out_Ly][out_Lx]. */
static lp_status cellprob_of(found_masks *f, const lp_masks_input *in, const float **d_cellprob,
                             lp_err *err)
{
    const size_t bytes = (size_t)in->out_Ly * in->out_Lx * sizeof(float);
    const float *d_net = (const float *)in->yf->d_data + (size_t)2 * in->Ly * in->Lx;
    float *d_full;
    lp_status st;

    *d_cellprob = d_net;
    if (in->Ly == in->out_Ly && in->Lx == in->out_Lx) return LP_OK;
    if ((st = lp_device_take(&f->held, bytes, (void **)&d_full, err))) return st;
    *d_cellprob = d_full;
    return lp_card_check(
        f->queue.card,
        lp_resize_cuda(d_full, d_net, 1, in->Ly, in->Lx, in->out_Ly, in->out_Lx, f->l->stream),
        "resize", err);
}

/* The labels are measured where they are; only the image goes there. */
static lp_status measure(found_masks *f, const lp_masks_input *in, const float *errors,
                         lp_particle_table *t, lp_err *err)
{
    const float *d_cellprob;
    void *d_image = NULL;
    lp_status st = cellprob_of(f, in, &d_cellprob, err);

    if (!st && t->image)
        st = lp_device_send(&f->held, t->image, (size_t)in->out_Ly * in->out_Lx * sizeof *t->image,
                            &d_image, err);
    if (st) return st;
    return lp_measure_particles_cuda(&f->mem, f->d_labels, f->t.n, in->out_Ly, in->out_Lx, d_image,
                                     d_cellprob, errors, f->t.n, in->diameter, &t->particle, &t->n,
                                     err);
}

/* What the functions of the back end were called with. */
typedef struct {
    lp_device *d;
    const lp_masks_input *in;
    lp_labels *masks;
    float **flow_error;
    uint32_t *n;
    lp_particle_table *t;
    lp_layer *layer;
} call;

static lp_status get_errors(found_masks *f, float **errors, lp_err *err)
{
    const size_t bytes = f->t.n * sizeof **errors;

    if (!(*errors = malloc(bytes + 1))) return lp_fail_mem(err, "masks", (double)bytes);
    return bytes ? lp_stage_get(f->l->stage, *errors, f->t.d_flow_error + 1, bytes, err) : LP_OK;
}

static lp_status masks_job(void *args, lp_err *err)
{
    const call *k = args;
    const lp_masks_input *in = k->in;
    found_masks f = {0};
    lp_labels found = {0};
    float *errors = NULL;
    lp_status st;

    if ((st = find_masks(k->d, in, &f, err))) goto done;
    if (k->masks &&
        ((st = lp_labels_new(&found, in->out_Ly, in->out_Lx, err)) ||
         (st = lp_stage_get(f.l->stage, found.data, f.d_labels,
                            (size_t)in->out_Ly * in->out_Lx * sizeof *found.data, err))))
        goto done;
    if ((k->flow_error || k->t) && (st = get_errors(&f, &errors, err))) goto done;
    if (k->t && (st = measure(&f, in, errors, k->t, err))) goto done;
    if (k->masks) {
        *k->masks = found;
        memset(&found, 0, sizeof found);
    }
    if (k->flow_error) {
        *k->flow_error = errors;
        errors = NULL;
    }
    *k->n = f.t.n;
done:
    drop_found(k->d, &f, st != LP_OK);
    free(errors);
    lp_labels_free(&found);
    return st;
}

lp_status lp_cuda_masks(lp_device *d, const lp_masks_input *in, lp_labels *masks,
                        float **flow_error, uint32_t *n, lp_particle_table *t, lp_err *err)
{
    call k = {.d = d, .in = in, .masks = masks, .flow_error = flow_error, .n = n, .t = t};

    return lp_card_turn(d->card, masks_job, &k, err);
}

static lp_status layer_job(void *args, lp_err *err)
{
    const call *k = args;
    const lp_masks_input *in = k->in;
    const float *d_cellprob;
    found_masks f = {0};
    lp_status st;

    if ((st = find_masks(k->d, in, &f, err))) goto done;
    if ((st = cellprob_of(&f, in, &d_cellprob, err))) goto done;
    st = lp_layer_make_cuda(&f.mem, in->diameter, in->out_Ly, in->out_Lx, f.d_labels, f.t.n,
                            f.t.d_flow_error + 1, d_cellprob, k->layer, err);
done:
    drop_found(k->d, &f, st != LP_OK);
    return st;
}

lp_status lp_cuda_layer(lp_device *d, const lp_masks_input *in, lp_layer *layer, lp_err *err)
{
    call k = {.d = d, .in = in, .layer = layer};

    return lp_card_turn(d->card, layer_job, &k, err);
}

typedef struct {
    lp_device *d;
    const lp_layers *s;
    const lp_merge_options *o;
    lp_particle_table *t;
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
                        lp_particle_table *t, lp_merged *out, lp_err *err)
{
    merge_call k = {d, s, o, t, out};
    lp_status st = lp_card_turn(d->card, merge_job, &k, err);

    return st == LP_ENOMEM ? lp_merge_on(&lp_merge_stages_cpu, NULL, s, o, t, out, err) : st;
}
