#include "net.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Sum of the tiles' styles, scaled to unit length. */
static void add_styles(double *sum, const float *styles, int n, int S)
{
    int i, k;

    for (i = 0; i < n; i++)
        for (k = 0; k < S; k++) sum[k] += styles[(size_t)i * S + k];
}

static void unit_length(float *style, const double *sum, int S)
{
    double len = 0;
    int k;

    for (k = 0; k < S; k++) len += sum[k] * sum[k];
    len = sqrt(len);
    for (k = 0; k < S; k++) style[k] = (float)(sum[k] / len);
}

lp_status lp_net_run(const lp_backend *be, lp_device *dev, lp_net *net, const lp_buf *img,
                     int nchan, int S, int Ly, int Lx, const lp_net_options *o, lp_net_output *out,
                     lp_err *err)
{
    double h = Ly * o->rescale, w = Lx * o->rescale, t;
    lp_buf *small = NULL, *tiles = NULL, *y = NULL, *styles = NULL, *yf = NULL, *full = NULL;
    lp_net_output r = {0};
    lp_tiling plan = {0};
    float *host_styles = NULL;
    double *sum = NULL;
    int Lyr, Lxr, first, n, batch;
    size_t tile;
    lp_status st;

    if (!(h < LP_MAX_SIDE && w < LP_MAX_SIDE && h * w < (double)LP_MAX_PIXELS))
        return lp_fail(
            err, LP_EARG,
            "diameter: the image would be enlarged %.3g times to %.0f x %.0f pixels; give "
            "a larger diameter",
            o->rescale, h, w);
    Lyr = (int)h; /* as int() in Cellpose */
    Lxr = (int)w;
    if (Lyr < 1 || Lxr < 1)
        return lp_fail(
            err, LP_EARG,
            "diameter: the image of %d x %d pixels would shrink to nothing (factor %.3g); "
            "give a smaller diameter",
            Ly, Lx, o->rescale);
    if ((st = lp_tiling_plan(Lyr, Lxr, o->bsize, o->tile_overlap, o->augment, &plan, err)))
        return st;
    r.ntiles = plan.ntiles;
    t = omp_get_wtime();
    if (o->rescale != 1.0) {
        if ((st = be->buf_new(dev, (size_t)nchan * Lyr * Lxr * sizeof(float), &small, err)))
            goto done;
        if ((st = be->resize(dev, small, img, nchan, Ly, Lx, Lyr, Lxr, err))) goto done;
    }
    r.seconds_resize = omp_get_wtime() - t;

    batch = o->batch_size < plan.ntiles ? o->batch_size : plan.ntiles;
    tile = (size_t)plan.grid.ly * plan.grid.lx * sizeof(float);
    if ((st = be->buf_new(dev, batch * tile * nchan, &tiles, err))) goto done;
    if ((st = be->buf_new(dev, batch * tile * 3, &y, err))) goto done;
    if ((st = be->buf_new(dev, (size_t)batch * S * sizeof(float), &styles, err))) goto done;
    if ((st = be->buf_new(dev, (size_t)3 * Lyr * Lxr * sizeof(float), &yf, err))) goto done;
    host_styles = malloc((size_t)batch * S * sizeof(float));
    sum = calloc((size_t)S, sizeof *sum);
    r.style = malloc((size_t)S * sizeof(float));
    if (!host_styles || !sum || !r.style) {
        st = lp_fail_mem(err, "styles", (double)batch * S * sizeof(float));
        goto done;
    }
    t = omp_get_wtime();
    for (first = 0; first < plan.ntiles; first += n) {
        if (o->on_tiles && o->on_tiles(o->user, first, plan.ntiles)) {
            st = lp_fail(err, LP_ESIGNAL, "stopped after %d of %d tiles", first, plan.ntiles);
            goto done;
        }
        n = plan.ntiles - first < batch ? plan.ntiles - first : batch;
        if ((st = be->tile_cut(dev, tiles, small ? small : img, nchan, &plan, first, n, err)))
            goto done;
        if ((st = be->unet(dev, net, tiles, n, plan.grid.ly, plan.grid.lx, y, styles, err)))
            goto done;
        if ((st = be->tile_average(dev, yf, y, &plan, first, n, err))) goto done;
        if ((st = be->get(dev, host_styles, styles, 0, (size_t)n * S * sizeof(float), err)))
            goto done;
        add_styles(sum, host_styles, n, S);
    }
    unit_length(r.style, sum, S);
    if (o->on_tiles) (void)o->on_tiles(o->user, plan.ntiles, plan.ntiles);
    r.seconds_net = omp_get_wtime() - t;

    be->buf_free(dev, &small);
    be->buf_free(dev, &tiles);
    be->buf_free(dev, &y);
    t = omp_get_wtime();
    if (o->resample && o->rescale != 1.0) {
        if ((st = be->buf_new(dev, (size_t)3 * Ly * Lx * sizeof(float), &full, err))) goto done;
        if ((st = be->resize(dev, full, yf, 3, Lyr, Lxr, Ly, Lx, err))) goto done;
        r.yf = full;
        full = NULL;
    } else {
        r.yf = yf;
        yf = NULL;
    }
    r.Ly = o->resample ? Ly : Lyr;
    r.Lx = o->resample ? Lx : Lxr;
    r.seconds_resize += omp_get_wtime() - t;
    *out = r;
    memset(&r, 0, sizeof r);
done:
    free(r.style);
    free(host_styles);
    free(sum);
    be->buf_free(dev, &small);
    be->buf_free(dev, &tiles);
    be->buf_free(dev, &y);
    be->buf_free(dev, &styles);
    be->buf_free(dev, &yf);
    be->buf_free(dev, &full);
    lp_tiling_free(&plan);
    return st;
}

void lp_net_output_free(const lp_backend *be, lp_device *dev, lp_net_output *out)
{
    be->buf_free(dev, &out->yf);
    free(out->style);
    memset(out, 0, sizeof *out);
}
