/* backend_cuda - the back end of one GPU: kernels/ queued on a stream per opened device.
 *
 * Kernels, copies and buffers of a device are in the order of its stream; masks, which several
 * threads may compute at a time, have streams of their own. Where a buffer is used by several
 * devices, its event keeps the order. A network is used by several devices too: its activations are
 * one thing, so that an event keeps their work apart. */
#include <stdlib.h>
#include <string.h>

#include "../kernels/resize.h"
#include "../kernels/style_sum.h"
#include "card_mem_cuda.h"
#include "device_cuda.h"
#include "unet_cuda.h"

struct lp_net {
    lp_card *card;
    lp_card_queue queue;
    lp_cudnn *cudnn; /* NULL: our own convolutions */
    lp_card_spare spare;
    lp_unet_cuda *unet;
    pthread_mutex_t lock;
    cudaEvent_t last; /* after what was queued last */
};

static void cuda_close(lp_device **pd)
{
    lp_device *d = pd ? *pd : NULL;
    lp_lane *l;

    if (!d) return;
    while ((l = d->lanes)) {
        d->lanes = l->next;
        lp_lane_free(l);
    }
    pthread_mutex_destroy(&d->lane_lock);
    if (d->stream) {
        cudaSetDevice(d->card->device);
        cudaStreamSynchronize(d->stream);
        lp_spans_free(&d->spans);
        lp_plans_free(&d->plans, d->card, d->stream);
        lp_stage_free(&d->stage);
        cudaStreamDestroy(d->stream);
    }
    lp_card_close(&d->card);
    free(d);
    *pd = NULL;
}

static lp_status cuda_open(const lp_backend_options *o, lp_device **out, lp_err *err)
{
    static const lp_backend_options none;
    lp_device *d = calloc(1, sizeof *d);
    lp_status st = LP_OK;

    if (!d) return lp_fail_mem(err, "device", sizeof *d);
    if (!o) o = &none;
    d->cudnn = o->cudnn;
    pthread_mutex_init(&d->lane_lock, NULL);
    if (o->with) {
        d->card = o->with->card;
        lp_card_share(d->card);
    } else if ((st = lp_card_open(o->gpu_device, o->gpu_memory, &d->card, err))) {
        goto done;
    }
    d->spans.card = d->card;
    if ((st = lp_card_use(d->card, err))) goto done;
    if ((st = lp_card_check(d->card, cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking),
                            "stream", err)))
        goto done;
    if ((st = lp_stage_new(d->card, d->stream, &d->stage, err))) goto done;
    *out = d;
    d = NULL;
done:
    cuda_close(&d);
    return st;
}

static int cuda_batch(const lp_device *d)
{
    /* About 1 MB of input and output per tile; the activations are the network's affair. */
    size_t left = lp_card_left(d->card);

    return left >= (size_t)2 << 30 ? 64 : 16;
}

static size_t cuda_peak(const lp_device *d)
{
    size_t peak;

    pthread_mutex_lock(&d->card->lock);
    peak = d->card->peak;
    pthread_mutex_unlock(&d->card->lock);
    return peak;
}

static lp_status cuda_seconds(lp_device *d, int wait, double *s, lp_err *err)
{
    lp_status st = lp_card_use(d->card, err);
    int e;

    if (st) return st;
    e = wait ? cudaStreamSynchronize(d->stream) : 0; /* tells of a lost device in any case */
    if (!e) e = lp_spans_read(&d->spans, wait);
    if ((st = lp_card_check(d->card, e, "times", err))) return st;
    memcpy(s, d->spans.seconds, LP_WORK_N * sizeof *s);
    return LP_OK;
}

static double cuda_busy(lp_device *d)
{
    double s;

    pthread_mutex_lock(&d->card->lock);
    s = lp_busy_total(&d->card->busy);
    pthread_mutex_unlock(&d->card->lock);
    return s;
}

static const char *cuda_describe(const lp_device *d)
{
    return d->card->text;
}

/* What is queued now comes after other streams' use of b. */
static int after(lp_device *d, const lp_buf *b)
{
    return b->last == d->stream ? 0 : (int)cudaStreamWaitEvent(d->stream, b->ready, 0);
}

/* What was queued last uses b. */
static int used(lp_device *d, const lp_buf *b)
{
    ((lp_buf *)(size_t)b)->last = d->stream; /* the buffer is const to the caller: its bytes are */
    return cudaEventRecord(b->ready, d->stream);
}

static void cuda_buf_free(lp_device *d, lp_buf **b)
{
    if (!b || !*b) return;
    if ((*b)->last) after(d, *b);
    lp_card_free(d->card, (*b)->d_data, (*b)->bytes, d->stream);
    if ((*b)->ready) cudaEventDestroy((*b)->ready);
    free(*b);
    *b = NULL;
}

typedef struct {
    lp_device *d;
    lp_buf *b;
} buf_call;

static lp_status buf_job(void *args, lp_err *err)
{
    const buf_call *k = args;

    return lp_card_alloc(k->d->card, k->b->bytes, k->d->stream, &k->b->d_data, err);
}

static lp_status cuda_buf_new(lp_device *d, size_t bytes, lp_buf **out, lp_err *err)
{
    lp_buf *b = calloc(1, sizeof *b);
    buf_call k = {d, b};
    lp_status st;

    if (!b) return lp_fail_mem(err, "buffer", sizeof *b);
    b->bytes = bytes;
    if ((st = lp_card_use(d->card, err))) goto done;
    if ((st = lp_card_check(d->card, cudaEventCreateWithFlags(&b->ready, cudaEventDisableTiming),
                            "event", err)))
        goto done;
    if ((st = lp_card_turn(d->card, buf_job, &k, err))) goto done;
    if ((st = lp_card_check(d->card, used(d, b), "event", err))) goto done;
    *out = b;
    b = NULL;
done:
    cuda_buf_free(d, &b);
    return st;
}

static lp_status cuda_put(lp_device *d, lp_buf *dst, const void *src, size_t bytes, lp_err *err)
{
    lp_status st = lp_card_use(d->card, err);

    if (!st) st = lp_card_check(d->card, after(d, dst), "copy to the device", err);
    if (!st) st = lp_stage_put(d->stage, dst->d_data, src, bytes, err);
    return st ? st : lp_card_check(d->card, used(d, dst), "copy to the device", err);
}

static lp_status cuda_wait(lp_device *d, const lp_buf *b, lp_err *err)
{
    lp_status st = lp_card_use(d->card, err);

    return st ? st : lp_card_check(d->card, cudaEventSynchronize(b->ready), "network", err);
}

static void cuda_net_free(lp_device *d, lp_net **pn)
{
    lp_net *n = pn ? *pn : NULL;

    (void)d;
    if (!n) return;
    if (n->spare.user) lp_card_take_back(n->card, &n->spare);
    lp_unet_cuda_free(&n->unet);
    lp_cudnn_close(&n->cudnn);
    if (n->last) cudaEventDestroy(n->last);
    pthread_mutex_destroy(&n->lock);
    lp_card_close(&n->card);
    free(n);
    *pn = NULL;
}

/* Nobody is at work on the card, but what was queued may still run. */
static int give_activations(void *user)
{
    lp_net *n = user;
    int gave;

    pthread_mutex_lock(&n->lock);
    gave = !cudaEventSynchronize(n->last) && lp_unet_cuda_shrink(n->unet);
    pthread_mutex_unlock(&n->lock);
    return gave;
}

static lp_status cuda_net_new(lp_device *d, const lp_weights *w, lp_precision precision,
                              lp_net **out, lp_precision *used, lp_err *err)
{
    lp_net *n = calloc(1, sizeof *n);
    lp_device_mem mem;
    lp_status st;

    if (!n) return lp_fail_mem(err, "network", sizeof *n);
    if (precision == LP_PRECISION_AUTO) precision = LP_PRECISION_BF16;
    n->card = d->card;
    lp_card_share(n->card);
    n->queue.card = n->card;
    mem = lp_card_mem(&n->queue);
    pthread_mutex_init(&n->lock, NULL);
    if ((st = lp_card_use(n->card, err))) goto done;
    if ((st = lp_card_check(n->card, cudaEventCreateWithFlags(&n->last, cudaEventDisableTiming),
                            "event", err)))
        goto done;
    if (d->cudnn && (st = lp_cudnn_open(LP_CUDNN_LIBRARY, &n->cudnn, err))) goto done;
    /* Half of what is left is for images, flows and masks. */
    if ((st = lp_unet_cuda_new(w, precision == LP_PRECISION_BF16, n->cudnn,
                               lp_card_left(n->card) / 2, &mem, &n->unet, err)))
        goto done;
    /* Blocks of 7 rows want 53 KB of shared memory each, and two of them per multiprocessor. */
    if (n->card->shared < 128 * 1024) lp_unet_cuda_set_rows(n->unet, 4);
    n->spare.give = give_activations;
    n->spare.user = n;
    lp_card_offer(n->card, &n->spare);
    *used = precision;
    *out = n;
    n = NULL;
done:
    cuda_net_free(d, &n);
    return st;
}

typedef struct {
    lp_device *d;
    lp_net *net;
    const lp_buf *tiles;
    const lp_tile_group *group;
    int n_groups;
    lp_buf *y, *styles;
} unet_call;

static lp_status unet_job(void *args, lp_err *err)
{
    const unet_call *k = args;
    lp_device *d = k->d;
    lp_net *net = k->net;
    lp_status st = lp_card_use(d->card, err);
    const lp_buf *const uses[3] = {k->tiles, k->y, k->styles};
    int e, i;

    if (st) return st;
    pthread_mutex_lock(&net->lock);
    e = cudaStreamWaitEvent(d->stream, net->last, 0);
    for (i = 0; i < 3 && !e; i++) e = after(d, uses[i]);
    if (!e) e = lp_spans_begin(&d->spans, d->stream);
    if (!(st = lp_card_check(d->card, e, "network", err)))
        st = lp_unet_cuda_run(net->unet, k->tiles->d_data, k->group, k->n_groups, k->y->d_data,
                              k->styles->d_data, d->stream, err);
    e = cudaEventRecord(net->last, d->stream); /* also after a failure: some may be queued */
    for (i = 0; i < 3; i++) {
        int k_e = used(d, uses[i]);

        if (!e) e = k_e;
    }
    if (!st && !e) e = lp_spans_end(&d->spans, LP_WORK_NET, d->stream);
    if (!st) st = lp_card_check(d->card, e, "network", err);
    pthread_mutex_unlock(&net->lock);
    return st;
}

static lp_status cuda_unet(lp_device *d, lp_net *net, const lp_buf *tiles,
                           const lp_tile_group *group, int n_groups, lp_buf *y, lp_buf *styles,
                           lp_err *err)
{
    unet_call k = {d, net, tiles, group, n_groups, y, styles};

    return lp_card_turn(d->card, unet_job, &k, err);
}

/* What is queued between the two uses a and b; e of it: 0 or a cudaError_t. */
static int begin(lp_device *d, const lp_buf *a, const lp_buf *b)
{
    int e = after(d, a);

    if (!e) e = after(d, b);
    return e ? e : lp_spans_begin(&d->spans, d->stream);
}

static lp_status end(lp_device *d, int e, int kind, const lp_buf *a, const lp_buf *b,
                     const char *what, lp_err *err)
{
    int of_a = used(d, a), of_b = used(d, b); /* also after a failure: some may be queued */

    if (!e) e = of_a ? of_a : of_b;
    if (!e) e = lp_spans_end(&d->spans, kind, d->stream);
    return lp_card_check(d->card, e, what, err);
}

static lp_status cuda_resize(lp_device *d, lp_buf *out, const lp_buf *in, int nchan, int Ly, int Lx,
                             int Ly2, int Lx2, lp_err *err)
{
    lp_status st = lp_card_use(d->card, err);
    int e;

    if (st) return st;
    if (!(e = begin(d, out, in)))
        e = lp_resize_cuda(out->d_data, in->d_data, nchan, Ly, Lx, Ly2, Lx2, d->stream);
    return end(d, e, LP_WORK_RESIZE, out, in, "resize", err);
}

typedef struct {
    lp_device *d;
    const lp_tiling *plan;
    const lp_tile_grid **g;
} plan_call;

static lp_status plan_job(void *args, lp_err *err)
{
    const plan_call *k = args;
    lp_device *d = k->d;
    lp_status st;

    st = lp_plans_get(&d->plans, d->card, d->stage, d->stream, &k->plan->grid, k->g, err);
    return st;
}

static lp_status on_device(lp_device *d, const lp_tiling *plan, const lp_tile_grid **g, lp_err *err)
{
    plan_call k = {d, plan, g};
    lp_status st = lp_card_use(d->card, err);

    return st ? st : lp_card_turn(d->card, plan_job, &k, err);
}

static lp_status cuda_tile_cut(lp_device *d, lp_buf *tiles, size_t at, const lp_buf *img, int nchan,
                               const lp_tiling *plan, int first, int n, lp_err *err)
{
    const lp_tile_grid *g;
    lp_status st = on_device(d, plan, &g, err);
    int e;

    if (st) return st;
    if (!(e = begin(d, tiles, img)))
        e = lp_tile_cut_cuda((float *)tiles->d_data + at * (size_t)nchan, img->d_data, nchan, g,
                             first, n, d->stream);
    return end(d, e, LP_WORK_NET, tiles, img, "tiles", err);
}

static lp_status cuda_tile_average(lp_device *d, lp_buf *yf, const lp_buf *y, size_t at,
                                   const lp_tiling *plan, int first, int n, lp_err *err)
{
    const lp_tile_grid *g;
    lp_status st = on_device(d, plan, &g, err);
    int e;

    if (st) return st;
    e = begin(d, yf, y);
    if (!e && first == 0)
        e = cudaMemsetAsync(yf->d_data, 0, (size_t)3 * g->Ly * g->Lx * sizeof(float), d->stream);
    if (!e)
        e = lp_tile_average_cuda(yf->d_data, (const float *)y->d_data + at * 3, 3, g, first, n,
                                 d->stream);
    if (!e && first + n == plan->ntiles) e = lp_tile_average_end_cuda(yf->d_data, 3, g, d->stream);
    return end(d, e, LP_WORK_NET, yf, y, "average of tiles", err);
}

static lp_status cuda_style_add(lp_device *d, lp_buf *sum, const lp_buf *styles, int at, int n,
                                int length, int first, lp_err *err)
{
    lp_status st = lp_card_use(d->card, err);
    int e;

    if (st) return st;
    if (!(e = begin(d, sum, styles)))
        e = lp_style_sum_cuda(sum->d_data, (const float *)styles->d_data + (size_t)at * length, n,
                              length, first, d->stream);
    return end(d, e, LP_WORK_NET, sum, styles, "style", err);
}

const lp_backend lp_backend_cuda = {
    .name = "cuda",
    .list = lp_card_list,
    .open = cuda_open,
    .close = cuda_close,
    .batch = cuda_batch,
    .peak = cuda_peak,
    .seconds = cuda_seconds,
    .busy = cuda_busy,
    .describe = cuda_describe,
    .buf_new = cuda_buf_new,
    .buf_free = cuda_buf_free,
    .put = cuda_put,
    .get = lp_cuda_get,
    .wait = cuda_wait,
    .net_new = cuda_net_new,
    .net_free = cuda_net_free,
    .resize = cuda_resize,
    .tile_cut = cuda_tile_cut,
    .unet = cuda_unet,
    .tile_average = cuda_tile_average,
    .style_add = cuda_style_add,
    .masks = lp_cuda_masks,
    .layer = lp_cuda_layer,
    .merge = lp_cuda_merge,
    .mask_threads = 2,
    .workers = 16,
    .shares = 1,
};
