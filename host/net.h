/* net - a whole image through the network: rescale, tile, U-Net, average, rescale back
 * (Cellpose core.py run_net and models.py _run_net). */
#ifndef LP_NET_H
#define LP_NET_H

#include "backend.h"

typedef struct {
    double rescale; /* network pixels per image pixel: diam_mean / diameter */
    int bsize, augment, resample, batch_size;
    double tile_overlap;
    int (*on_tiles)(void *user, int done, int total); /* may be NULL */
    void *user;
} lp_net_options;

typedef struct {
    lp_buf *yf;   /* [3][Ly][Lx]: flows y, x, cellprob; on the device */
    int Ly, Lx;   /* the image's with resample, else the network's */
    float *style; /* [style_length], unit length, host */
    int ntiles;
    double seconds_net, seconds_resize;
} lp_net_output;

/* img [nchan][Ly][Lx], normalised, on the device; nchan = the network's. style_length: the
 * network's. The caller frees *out with lp_net_output_free. LP_EARG where the rescaled image
 * would have no pixels or too many, LP_ESIGNAL where on_tiles said stop. */
lp_status lp_net_run(const lp_backend *be, lp_device *dev, lp_net *net, const lp_buf *img,
                     int nchan, int style_length, int Ly, int Lx, const lp_net_options *o,
                     lp_net_output *out, lp_err *err);
void lp_net_output_free(const lp_backend *be, lp_device *dev, lp_net_output *out);

#endif
