/* segment_diameters - one image through the network at each of several diameters. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernels/resize.h"
#include "diameters.h"
#include "layers.h"
#include "session.h"
#include "tiling.h"

/* Tiles of one diameter among those of all. */
typedef struct {
    const lp_segment_options *o;
    int64_t before, total;
} tile_count;

static int on_tiles(void *user, int done, int total)
{
    tile_count *c = user;

    (void)total;
    if (!c->o->on_tiles) return 0;
    return c->o->on_tiles(c->o->user, (int)(c->before + done), (int)c->total);
}

static lp_status count_tiles(const lp_segment_options *o, double rescale, int Ly, int Lx,
                             int64_t *n, lp_err *err)
{
    lp_tiling plan = {0};
    int Lyr = (int)(Ly * rescale), Lxr = (int)(Lx * rescale);
    lp_status st;

    if (Lyr < 1 || Lxr < 1)
        return lp_fail(err, LP_EARG, "the image of %d x %d pixels would shrink to nothing", Lx, Ly);
    if ((st = lp_tiling_plan(Lyr, Lxr, o->bsize, o->tile_overlap, o->augment, &plan, err)))
        return st;
    *n += plan.ntiles;
    lp_tiling_free(&plan);
    return LP_OK;
}

/* Says at which diameter it happened. */
static lp_status at_diameter(double d, lp_err *err)
{
    char text[sizeof err->msg];

    if (!err) return LP_OK;
    memcpy(text, err->msg, sizeof text);
    return lp_fail(err, err->status, "at diameter %g: %s", d, text);
}

/* One diameter, reduced to runs. */
static lp_status add_layer(lp_session *s, lp_buf *img, int Ly, int Lx, const lp_segment_options *o,
                           double diameter, lp_layers *layers, double *seconds, lp_err *err)
{
    lp_result r = {.diameter = diameter};
    float *prob = NULL;
    lp_status st;
    int i;

    if ((st = lp_session_at(s, &img, 1, Ly, Lx, o, &r, err))) goto done;
    if (r.net_Ly != Ly || r.net_Lx != Lx) {
        if (!(prob = malloc((size_t)Ly * Lx * sizeof *prob))) {
            st = lp_fail_mem(err, "cellprob", 4.0 * Ly * Lx);
            goto done;
        }
        lp_resize_ref(prob, r.cellprob, 1, r.net_Ly, r.net_Lx, Ly, Lx);
    }
    st = lp_layers_add(layers, diameter, r.masks, r.n, r.flow_error, prob ? prob : r.cellprob, err);
    for (i = 0; i < LP_T_NSTAGES; i++) seconds[i] += r.seconds[i];
done:
    free(prob);
    lp_result_free(&r);
    return st;
}

lp_status lp_segment_diameters(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                               const lp_segment_options *options, const double *diameters, int n,
                               lp_diameters_result *out, lp_err *err)
{
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 2;
    double mean = lp_session_diam_mean(s);
    lp_segment_options o = *options;
    tile_count count = {.o = options};
    lp_diameters_result r = {0};
    lp_result first = {0};
    lp_buf *img = NULL;
    int before = lp_session_enter(s), i;
    lp_status st;

    if (n < 1 || n > LP_MAX_DIAMETERS) {
        st = lp_fail(err, LP_EARG, "%d diameters: must be 1 to %d", n, LP_MAX_DIAMETERS);
        goto done;
    }
    for (i = 0; i < n; i++)
        if (!(diameters[i] > 0 && diameters[i] <= 1e6)) {
            st = lp_fail(err, LP_EARG, "diameter %g: must be positive (px)", diameters[i]);
            goto done;
        }
    o.diameter = diameters[0];
    o.on_tiles = on_tiles;
    o.user = &count;
    if ((st = lp_diameters_check(diameters, n, mean, Ly, Lx, memory, err))) goto done;
    for (i = 0; i < n; i++)
        if ((st = count_tiles(&o, mean / diameters[i], Ly, Lx, &count.total, err))) {
            (void)at_diameter(diameters[i], err);
            goto done;
        }
    if (count.total > 1 << 30) {
        st = lp_fail(err, LP_EARG, "%.0f tiles in all are too many; take larger diameters",
                     (double)count.total);
        goto done;
    }
    if ((st = lp_layers_new(Ly, Lx, &r.layers, err))) goto done;
    if ((st = lp_session_prepare(s, image, nchan, Ly, Lx, &o, &img, &first, err))) goto done;
    for (i = 0; i < LP_T_NSTAGES; i++) r.seconds[i] = first.seconds[i];
    r.flat_channels = first.flat_channels;
    for (i = 0; i < n; i++) {
        int64_t tiles = 0;

        if ((st = add_layer(s, img, Ly, Lx, &o, diameters[i], r.layers, r.seconds, err))) {
            if (st != LP_ESIGNAL) (void)at_diameter(diameters[i], err);
            goto done;
        }
        if ((st = count_tiles(&o, mean / diameters[i], Ly, Lx, &tiles, err))) goto done;
        count.before += tiles;
    }
    r.ntiles = (int)count.total;
    *out = r;
    memset(&r, 0, sizeof r);
done:
    lp_session_release(s, &img);
    lp_layers_free(&r.layers);
    lp_result_free(&first);
    omp_set_num_threads(before);
    return st;
}
