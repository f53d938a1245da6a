#include "run_workers.h"

#include <string.h>

#include "backend.h"
#include "image.h"
#include "machine.h"
#include "pilot.h"
#include "read.h"

#define LOOK_AT 20 /* damaged files may come first */

int lp_run_workers(const lp_inputs *in, const lp_run_options *o, int threads, double diam_mean)
{
    double memory = lp_machine_memory() / 4;
    double d = o->segment.diameter > 0 ? o->segment.diameter : diam_mean, need, scale;
    int n = threads, pages = 1, i;
    static const double unknown[2];
    const lp_backend *be = NULL;
    lp_image im = {0};
    lp_err err;

    for (i = 0; i < in->n && i < LOOK_AT && !im.data; i++)
        if (lp_read_count(in->item[i].path, &pages, &err) ||
            lp_read_image(in->item[i].path, 0, &im, &err))
            memset(&im, 0, sizeof im);
    if (!im.data) {
        pages = 1;
        im.Ly = im.Lx = 4096;
    }
    if (o->page_channels) pages = 1;
    for (i = 0; i < o->n_diameters; i++)
        if (i == 0 || o->diameters[i] < d) d = o->diameters[i];
    if (o->auto_diameters) d = lp_pilot_limit(diam_mean, unknown, im.Ly, im.Lx).min;
    scale = diam_mean / d;
    need = (double)im.Ly * im.Lx * (60 + 28 * scale * scale) + 100e6;
    lp_image_free(&im);
    if (!o->watch && in->n == 1 && (o->page || pages < n)) n = o->page ? 1 : pages;
    if (!o->watch && in->n > 1 && in->n < n) n = in->n;
    if (!lp_backend_find(o->session.backend, &be, &err) && be->workers && be->workers < n)
        n = be->workers;
    if (memory / need < n) n = memory / need < 1 ? 1 : (int)(memory / need);
    return n;
}
