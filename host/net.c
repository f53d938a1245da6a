#include "net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net_queue.h"

lp_status lp_net_tiles(int Ly, int Lx, const lp_net_options *o, int *n, lp_err *err)
{
    double h = Ly * o->rescale, w = Lx * o->rescale;
    lp_tiling plan = {0};
    lp_status st;

    if (!(h < LP_MAX_SIDE && w < LP_MAX_SIDE && h * w < (double)LP_MAX_PIXELS))
        return lp_fail(
            err, LP_EARG,
            "diameter: the image would be enlarged %.3g times to %.0f x %.0f pixels; give "
            "a larger diameter",
            o->rescale, h, w);
    if ((int)h < 1 || (int)w < 1)
        return lp_fail(
            err, LP_EARG,
            "diameter: the image of %d x %d pixels would shrink to nothing (factor %.3g); "
            "give a smaller diameter",
            Ly, Lx, o->rescale);
    if ((st = lp_tiling_plan((int)h, (int)w, o->bsize, o->tile_overlap, o->augment, &plan, err)))
        return st;
    *n = plan.ntiles;
    lp_tiling_free(&plan);
    return LP_OK;
}

static lp_status take(void *user, int job, lp_net_output *out, lp_err *err)
{
    (void)job, (void)err;
    *(lp_net_output *)user = *out;
    memset(out, 0, sizeof *out);
    return LP_OK;
}

lp_status lp_net_run(const lp_net_context *c, const lp_buf *img, int Ly, int Lx,
                     const lp_net_options *o, lp_net_output *out, lp_err *err)
{
    lp_net_queue *q = NULL;
    lp_net_output r = {0};
    int tiles = 0;
    lp_status st;

    if ((st = lp_net_tiles(Ly, Lx, o, &tiles, err))) return st;
    if ((st = lp_net_queue_new(c, tiles, take, &r, &q, err))) goto done;
    if ((st = lp_net_queue_add(q, img, Ly, Lx, o, err))) goto done;
    if ((st = lp_net_queue_flush(q, err))) goto done;
    *out = r;
    memset(&r, 0, sizeof r);
done:
    lp_net_queue_free(&q);
    lp_net_output_free(c->be, c->dev, &r);
    return st;
}

void lp_net_output_free(const lp_backend *be, lp_device *dev, lp_net_output *out)
{
    be->buf_free(dev, &out->yf);
    be->buf_free(dev, &out->style);
    memset(out, 0, sizeof *out);
}

lp_status lp_net_style(const lp_net_context *c, const lp_net_output *out, float *style, lp_err *err)
{
    size_t bytes = (size_t)c->style_length * sizeof(double);
    double *sum = malloc(bytes), len = 0;
    lp_status st;
    int k;

    if (!sum) return lp_fail_mem(err, "style", (double)bytes);
    if (!(st = c->be->get(c->dev, sum, out->style, 0, bytes, err))) {
        for (k = 0; k < c->style_length; k++) len += sum[k] * sum[k];
        len = sqrt(len);
        for (k = 0; k < c->style_length; k++) style[k] = (float)(sum[k] / len);
    }
    free(sum);
    return st;
}

void lp_net_at_diameter(double diameter, lp_err *err)
{
    char text[sizeof err->msg];

    if (!err || !diameter) return;
    memcpy(text, err->msg, sizeof text);
    lp_fail(err, err->status, "at diameter %g: %s", diameter, text);
}
