#include "run_workers.h"

#include <math.h>
#include <string.h>

#include "backend.h"
#include "image.h"
#include "machine.h"
#include "pilot.h"
#include "read.h"

#define LOOK_AT 20    /* damaged files may come first */
#define BATCHES 128.0 /* tiles of two */

/* What an image is like for the network: px of its smallest diameter, tiles of all. */
typedef struct {
    double px, scale, tiles;
} work;

static double tiles_of(const lp_image *im, const lp_segment_options *s, double scale)
{
    double step = (s->bsize ? s->bsize : 224) * (1 - s->tile_overlap); /* 0: lp_tiling_plan */

    if (!(step >= 1)) return 1;
    return ceil(im->Ly * scale / step) * ceil(im->Lx * scale / step);
}

static work look(const lp_image *im, const lp_run_options *o, double diam_mean)
{
    double d = o->segment.diameter > 0 ? o->segment.diameter : diam_mean;
    static const double unknown[2];
    work w = {.px = (double)im->Ly * im->Lx};
    int i;

    for (i = 0; i < o->n_diameters; i++) {
        if (i == 0 || o->diameters[i] < d) d = o->diameters[i];
        w.tiles += tiles_of(im, &o->segment, diam_mean / o->diameters[i]);
    }
    if (o->auto_diameters) d = lp_pilot_limit(diam_mean, unknown, im->Ly, im->Lx).min;
    w.scale = diam_mean / d;
    if (!o->n_diameters) w.tiles = tiles_of(im, &o->segment, w.scale);
    return w;
}

/* Workers on all GPUs. */
static int on_gpus(const lp_backend *be, const work *w, const lp_run_device *device, int n_devices,
                   int threads)
{
    double need = w->px * (80 + 28 * w->scale * w->scale), each = ceil(BATCHES / w->tiles);
    int n = 0, i;

    if (each < threads / n_devices) each = threads / n_devices;
    if (each < 2) each = 2;
    if (each > be->workers) each = be->workers;
    for (i = 0; i < n_devices; i++) {
        double fit = device[i].memory / 2 / need;

        n += fit < 1 ? 1 : fit < each ? (int)fit : (int)each;
    }
    if (n > 4 * threads) n = 4 * threads;
    return n < n_devices ? n_devices : n;
}

int lp_run_workers(const lp_inputs *in, const lp_run_options *o, const lp_run_device *device,
                   int n_devices, int threads, double diam_mean)
{
    double memory = lp_machine_memory() / 4, need;
    int n = threads, pages = 1, i;
    const lp_backend *be = NULL;
    lp_image im = {0};
    lp_err err;
    work w;

    for (i = 0; i < in->n && i < LOOK_AT && !im.data; i++)
        if (lp_read_count(in->item[i].path, &pages, &err) ||
            lp_read_image(in->item[i].path, 0, &im, &err))
            memset(&im, 0, sizeof im);
    if (!im.data) {
        pages = 1;
        im.Ly = im.Lx = 4096;
    }
    if (o->page_channels) pages = 1;
    w = look(&im, o, diam_mean);
    lp_image_free(&im);
    need = w.px * (60 + 28 * w.scale * w.scale) + 100e6;
    if (!lp_backend_find(o->session.backend, &be, &err) && be->workers)
        n = on_gpus(be, &w, device, n_devices, threads);
    if (!o->watch && in->n == 1 && (o->page || pages < n)) n = o->page ? 1 : pages;
    if (!o->watch && in->n > 1 && in->n < n) n = in->n;
    if (memory / need < n) n = memory / need < 1 ? 1 : (int)(memory / need);
    return n;
}
