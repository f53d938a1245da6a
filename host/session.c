/* session - a model on a device, and the steps of one image through it. */
#include <math.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "channels.h"
#include "lipopose.h"
#include "machine.h"
#include "net.h"
#include "normalize.h"
#include "session.h"

const char *const lp_stage_names[LP_T_NSTAGES] = {"normalize", "resize",  "net", "follow", "seeds",
                                                  "label",     "diffuse", "qc",  "fill",   "size"};

/* What sessions on the same network share. */
typedef struct {
    atomic_int users;
    const lp_backend *be;
    lp_backend_options open;
    lp_device *dev; /* on which the network was made */
    lp_net *net;
    lp_net_batch *batch; /* of all of them; NULL: each has its own */
    int nchan, style_length, threads;
    double diam_mean, diam_labels, diam_range[2];
    lp_size_model *size; /* NULL where the model has none */
    char text[256];
} lp_session_shared;

struct lp_session {
    lp_session_shared *s;
    lp_device *dev; /* its own */
    double pixels;  /* of tiles in shared batches, not yet told by lp_session_times */
};

const char *lp_version(void)
{
    return LP_VERSION;
}

lp_segment_options lp_segment_defaults(void)
{
    return (lp_segment_options){.diameter = 30,
                                .normalize = 1,
                                .norm_percentile = {1, 99},
                                .bsize = 224,
                                .tile_overlap = 0.1,
                                .resample = 1,
                                .interp = 1,
                                .flow_threshold = 0.4,
                                .max_size_fraction = 0.4,
                                .min_size = 15};
}

static void release(lp_session_shared *s)
{
    if (!s || atomic_fetch_sub(&s->users, 1) > 1) return;
    lp_net_batch_free(&s->batch);
    if (s->be) {
        s->be->net_free(s->dev, &s->net);
        s->be->close(&s->dev);
    }
    lp_size_model_free(&s->size);
    free(s);
}

void lp_session_close(lp_session **ps)
{
    if (!ps || !*ps) return;
    if ((*ps)->dev) {
        (*ps)->s->be->close(&(*ps)->dev);
        if ((*ps)->s->batch) lp_net_batch_expect((*ps)->s->batch, -1);
    }
    release((*ps)->s);
    free(*ps);
    *ps = NULL;
}

lp_status lp_session_share(const lp_session *s, lp_session **out, lp_err *err)
{
    lp_session *n = calloc(1, sizeof *n);
    lp_backend_options o = s->s->open;
    lp_status st;

    if (!n) return lp_fail_mem(err, "session", sizeof *n);
    n->s = s->s;
    atomic_fetch_add(&n->s->users, 1);
    o.with = n->s->dev;
    if ((st = n->s->be->open(&o, &n->dev, err))) {
        lp_session_close(&n);
        return st;
    }
    if (n->s->batch) lp_net_batch_expect(n->s->batch, 1);
    *out = n;
    return LP_OK;
}

lp_status lp_session_open(const char *model, const lp_session_options *options, lp_session **out,
                          lp_err *err)
{
    lp_session_options o = {0};
    lp_precision used = LP_PRECISION_FP32;
    lp_session first = {0};
    lp_weights *w = NULL;
    lp_status st;
    int cudnn;

    if (options) o = *options;
    cudnn = o.conv && !strcmp(o.conv, "cudnn");
    if (o.conv && !cudnn && strcmp(o.conv, "own"))
        return lp_fail(err, LP_EARG, "--conv %s: choose own or cudnn", o.conv);
    if (!model || !*model) return lp_fail(err, LP_EARG, "model: no file name given");
    first.s = calloc(1, sizeof *first.s);
    if (!first.s) return lp_fail_mem(err, "session", sizeof *first.s);
    first.s->users = 1;
    first.s->threads = o.threads > 0 ? o.threads : lp_machine_threads();
    if ((st = lp_backend_find(o.backend, &first.s->be, err))) {
        first.s->be = NULL;
        goto done;
    }
    first.s->open = (lp_backend_options){.threads = first.s->threads,
                                         .gpu_device = o.gpu_device,
                                         .gpu_memory = o.gpu_memory,
                                         .cudnn = cudnn};
    if ((st = first.s->be->open(&first.s->open, &first.s->dev, err))) goto done;
    if ((st = lp_weights_open(model, &w, err))) goto done;
    if ((st = first.s->be->net_new(first.s->dev, w, o.precision, &first.s->net, &used, err)))
        goto done;
    first.s->nchan = w->nbase[0];
    first.s->style_length = w->nbase[w->n_nbase - 1];
    if (first.s->be->shares &&
        (st = lp_net_batch_new(first.s->be, first.s->dev, first.s->net, w->nbase[0],
                               first.s->style_length, 1, &first.s->batch, err)))
        goto done;
    first.s->diam_mean = w->diam_mean;
    first.s->diam_labels = w->diam_labels;
    memcpy(first.s->diam_range, w->diam_range, sizeof w->diam_range);
    first.s->size = w->size;
    w->size = NULL;
    snprintf(first.s->text, sizeof first.s->text, "%s, %s%s", first.s->be->describe(first.s->dev),
             used == LP_PRECISION_BF16 ? "bf16" : "fp32", cudnn ? ", cuDNN" : "");
    st = lp_session_share(&first, out, err);
done:
    lp_weights_free(&w);
    release(first.s);
    return st;
}

const char *lp_session_describe(const lp_session *s)
{
    return s->s->text;
}

double lp_session_diam_mean(const lp_session *s)
{
    return s->s->diam_mean;
}

double lp_session_diam_labels(const lp_session *s)
{
    return s->s->diam_labels;
}

const double *lp_session_diam_range(const lp_session *s)
{
    return s->s->diam_range;
}

int lp_session_has_size_model(const lp_session *s)
{
    return s->s->size != NULL;
}

const lp_size_model *lp_session_size_model(const lp_session *s)
{
    return s->s->size;
}

static lp_status check(const lp_session *s, const float *image, int nchan, int Ly, int Lx,
                       const lp_segment_options *o, lp_err *err)
{
    if (!image || nchan < 1 || nchan > LP_MAX_CHANNELS || Ly < 1 || Lx < 1 || Ly > LP_MAX_SIDE ||
        Lx > LP_MAX_SIDE || (int64_t)Ly * Lx > LP_MAX_PIXELS)
        return lp_fail(err, LP_EARG, "image of %d channels, %d x %d pixels is not supported", nchan,
                       Ly, Lx);
    if (!(o->diameter >= 0 && o->diameter <= 1e6))
        return lp_fail(err, LP_EARG, "diameter %g: must be positive, or 0 to estimate it",
                       o->diameter);
    if (o->diameter == 0 && !s->s->size)
        return lp_fail(err, LP_EARG,
                       "diameter 0: this model has no size model to estimate it; give --diameter "
                       "(it was trained on %.1f px)",
                       s->s->diam_labels);
    if (o->niter < 0 || o->niter > 1000000)
        return lp_fail(err, LP_EARG, "niter %d: must be 0 (automatic) to 1000000", o->niter);
    if (o->batch_size < 0 || o->batch_size > 65536)
        return lp_fail(err, LP_EARG, "batch_size %d: must be 0 (automatic) to 65536",
                       o->batch_size);
    if (!isfinite(o->flow_threshold) || !isfinite(o->cellprob_threshold) ||
        !(o->max_size_fraction >= 0))
        return lp_fail(err, LP_EARG,
                       "flow_threshold %g, cellprob_threshold %g, max_size_fraction %g: must be "
                       "numbers, the last one not negative",
                       o->flow_threshold, o->cellprob_threshold, o->max_size_fraction);
    return LP_OK;
}

lp_status lp_session_prepare(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                             const lp_segment_options *o, lp_buf **img, lp_result *r, lp_err *err)
{
    lp_image in = {.data = (float *)(size_t)image, .nchan = nchan, .Ly = Ly, .Lx = Lx}, sel = {0};
    lp_normalize_options n = lp_normalize_defaults();
    double t = omp_get_wtime();
    size_t bytes;
    uint32_t notes = 0;
    int c;
    lp_status st;

    if ((st = check(s, image, nchan, Ly, Lx, o, err))) return st;
    if ((st = lp_channels_select(&in, o->chan, o->chan2, s->s->nchan, &sel, err))) return st;
    n.normalize = o->normalize;
    n.percentile[0] = o->norm_percentile[0];
    n.percentile[1] = o->norm_percentile[1];
    n.use_lowhigh = o->use_lowhigh;
    for (c = 0; c < LP_MAX_CHANNELS; c++) {
        n.lowhigh[c][0] = o->lowhigh[0];
        n.lowhigh[c][1] = o->lowhigh[1];
    }
    n.invert = o->invert;
    n.tile_norm_blocksize = o->tile_norm_blocksize;
    n.sharpen_radius = o->sharpen_radius;
    n.smooth_radius = o->smooth_radius;
    if ((st = lp_normalize(sel.data, sel.nchan, Ly, Lx, &n, &notes, err))) goto done;
    r->flat_channels = notes & 0xffffu;
    bytes = (size_t)sel.nchan * Ly * Lx * sizeof(float);
    if ((st = s->s->be->buf_new(s->dev, bytes, img, err))) goto done;
    st = s->s->be->put(s->dev, *img, sel.data, bytes, err);
done:
    lp_image_free(&sel);
    r->seconds[LP_T_NORMALIZE] += omp_get_wtime() - t;
    return st;
}

lp_net_context lp_session_net(lp_session *s, const lp_segment_options *o)
{
    return (lp_net_context){
        .be = s->s->be,
        .dev = s->dev,
        .net = s->s->net,
        .nchan = s->s->nchan,
        .style_length = s->s->style_length,
        .batch_size = o->batch_size ? o->batch_size : s->s->be->batch(s->dev),
        .batch = s->s->batch,
        .pixels = &s->pixels,
        .on_tiles = o->on_tiles,
        .user = o->user,
    };
}

lp_net_options lp_session_net_options(const lp_session *s, const lp_segment_options *o,
                                      double diameter)
{
    return (lp_net_options){
        .rescale = s->s->diam_mean / diameter,
        .bsize = o->bsize,
        .augment = o->augment,
        .resample = o->resample,
        .tile_overlap = o->tile_overlap,
    };
}

lp_status lp_session_times(lp_session *s, int sign, double *seconds, lp_err *err)
{
    double work[LP_WORK_N];
    lp_net_batch_state all = {0};
    lp_status st = s->s->be->seconds(s->dev, 1, work, err);

    if (!st && s->s->batch && sign > 0) st = lp_net_batch_look(s->s->batch, 0, &all, err);
    if (st) return st;
    seconds[LP_T_NET] += sign * work[LP_WORK_NET] + all.s_per_pixel * s->pixels;
    seconds[LP_T_RESIZE] += sign * work[LP_WORK_RESIZE];
    s->pixels = 0;
    return LP_OK;
}

int lp_session_work(lp_session *s, lp_net_batch_state *out, double *busy)
{
    lp_err err;

    if (!s->s->batch || lp_net_batch_look(s->s->batch, 1, out, &err)) return 0;
    *busy = s->s->be->busy(s->dev);
    return 1;
}

int lp_session_lost(lp_session *s)
{
    double work[LP_WORK_N];
    lp_err err;

    return s->s->be->seconds(s->dev, 1, work, &err) != LP_OK;
}

/* Times of making masks, t. */
static void add_times(double *seconds, const double *t)
{
    seconds[LP_T_FOLLOW] += t[LP_MASKS_FOLLOW];
    seconds[LP_T_SEEDS] += t[LP_MASKS_SEEDS];
    seconds[LP_T_LABEL] += t[LP_MASKS_LABEL];
    seconds[LP_T_DIFFUSE] += t[LP_MASKS_DIFFUSE];
    seconds[LP_T_QC] += t[LP_MASKS_QC];
    seconds[LP_T_FILL] += t[LP_MASKS_RESIZE] + t[LP_MASKS_FILL];
}

static lp_masks_options masks_options(const lp_session *s, const lp_segment_options *o,
                                      double diameter, double *seconds)
{
    return (lp_masks_options){
        .flow_threshold = o->flow_threshold,
        .cellprob_threshold = o->cellprob_threshold,
        .max_size_fraction = o->max_size_fraction,
        .niter = o->niter ? o->niter : lp_masks_niter(s->s->diam_mean / diameter, o->resample),
        .interp = o->interp,
        .min_size = o->min_size,
        .exclude_on_edges = o->exclude_on_edges,
        .compat_cellpose3 = o->compat_cellpose3,
        .seconds = seconds,
    };
}

lp_status lp_session_masks(lp_session *s, const lp_net_output *net, int Ly, int Lx,
                           const lp_segment_options *o, lp_result *r, lp_particle_table *t,
                           lp_err *err)
{
    double seconds[LP_MASKS_NSTAGES] = {0};
    lp_masks_options m = masks_options(s, o, r->diameter, seconds);
    lp_masks_input in = {net->yf, net->Ly, net->Lx, Ly, Lx, r->diameter, &m};
    lp_labels masks = {0};
    lp_status st = s->s->be->masks(s->dev, &in, &masks, &r->flow_error, &r->n, t, err);

    if (st) return st;
    add_times(r->seconds, seconds);
    r->ntiles = net->ntiles;
    r->masks = masks.data;
    r->Ly = Ly;
    r->Lx = Lx;
    return LP_OK;
}

lp_status lp_session_layer(lp_session *s, const lp_net_output *net, int Ly, int Lx,
                           const lp_segment_options *o, double diameter, lp_layer *layer,
                           double *seconds, lp_err *err)
{
    double t[LP_MASKS_NSTAGES] = {0};
    lp_masks_options m = masks_options(s, o, diameter, t);
    lp_masks_input in = {net->yf, net->Ly, net->Lx, Ly, Lx, diameter, &m};
    lp_status st = s->s->be->layer(s->dev, &in, layer, err);

    if (!st) add_times(seconds, t);
    return st;
}

lp_status lp_session_merge(const lp_session *s, const lp_layers *layers, const lp_merge_options *o,
                           lp_particle_table *t, lp_merged *out, lp_err *err)
{
    return s->s->be->merge(s->dev, layers, o, t, out, err);
}

int lp_session_mask_threads(const lp_session *s)
{
    int most = s->s->be->mask_threads;

    return most && most < s->s->threads ? most : s->s->threads;
}

int lp_session_threads(const lp_session *s)
{
    return s->s->threads;
}

int lp_session_enter(const lp_session *s)
{
    int before = omp_get_max_threads();

    omp_set_num_threads(s->s->threads);
    return before;
}

void lp_session_release(lp_session *s, lp_buf **img)
{
    s->s->be->buf_free(s->dev, img);
}
