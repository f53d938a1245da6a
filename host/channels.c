#include "channels.h"

#include <string.h>

/* Summed in float32 in channel order, like numpy's mean over a short last axis. */
static void mean_plane(float *out, const lp_image *in)
{
    int64_t n = (int64_t)in->Ly * in->Lx, i;
    int c;

#pragma omp parallel for schedule(static) private(c)
    for (i = 0; i < n; i++) {
        float sum = in->data[i];

        for (c = 1; c < in->nchan; c++) sum += in->data[c * n + i];
        out[i] = sum / (float)in->nchan;
    }
}

lp_status lp_channels_select(const lp_image *in, int chan, int chan2, int nchan_net, lp_image *out,
                             lp_err *err)
{
    int all = chan == LP_CHAN_ALL || nchan_net > 2, c;
    size_t n = (size_t)in->Ly * (size_t)in->Lx;
    lp_image im;
    lp_status st;

    if (chan < LP_CHAN_ALL || chan2 < 0)
        return lp_fail(err, LP_EARG, "channels: chan %d, chan2 %d: must not be negative", chan,
                       chan2);
    if (!all && in->nchan > 1 && (chan > in->nchan || chan2 > in->nchan))
        return lp_fail(err, LP_EARG, "channels: %s %d, but the image has %d channels",
                       chan > in->nchan ? "chan" : "chan2", chan > in->nchan ? chan : chan2,
                       in->nchan);
    if ((st = lp_image_new(&im, nchan_net, in->Ly, in->Lx, err))) return st;
    im.pixel_nm = in->pixel_nm;
    im.replaced = in->replaced;
    im.page = in->page;
    im.npages = in->npages;

    for (c = 0; c < nchan_net; c++) {
        /* 1-based source plane; 0 = zeros */
        int from = all || in->nchan == 1 ? c + 1 : c == 0 ? chan : chan ? chan2 : 0;

        if (c == 0 && from == 0)
            mean_plane(im.data, in);
        else if (from > 0 && from <= in->nchan)
            memcpy(im.data + (size_t)c * n, in->data + (size_t)(from - 1) * n, n * sizeof(float));
        else
            memset(im.data + (size_t)c * n, 0, n * sizeof(float));
    }
    *out = im;
    return LP_OK;
}
