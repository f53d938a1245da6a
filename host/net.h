/* net - a whole image through the network: rescale, tile, U-Net, average, rescale back
 * (Cellpose core.py run_net and models.py _run_net). Several at a time: net_queue.h. */
#ifndef LP_NET_H
#define LP_NET_H

#include "net_batch.h"

/* A network on a device, and how it is driven. */
typedef struct {
    const lp_backend *be;
    lp_device *dev;
    lp_net *net;
    int nchan, style_length; /* the network's */
    int batch_size;          /* tiles per call of the network, at most */
    lp_net_batch *batch;     /* shared with others, or NULL: one of its own */
    double *pixels;          /* counts those of tiles that ran in `batch`; may be NULL */
    /* Before each batch and after the last; nonzero before a batch stops. May be NULL. */
    int (*on_tiles)(void *user, int done, int total);
    void *user;
} lp_net_context;

typedef struct {
    double rescale;  /* network pixels per image pixel: diam_mean / diameter */
    double diameter; /* px, for messages of failures; 0 where there is only one */
    int bsize, augment, resample;
    double tile_overlap;
} lp_net_options;

typedef struct {
    lp_buf *yf;    /* [3][Ly][Lx]: flows y, x, cellprob; on the device */
    lp_buf *style; /* [style_length] double, sum over the tiles; on the device (lp_net_style) */
    int Ly, Lx;    /* the image's with resample, else the network's */
    int ntiles;
} lp_net_output;

/* How many tiles an image of Ly x Lx makes. LP_EARG where the rescaled image would have no pixels
 * or too many. */
lp_status lp_net_tiles(int Ly, int Lx, const lp_net_options *o, int *n, lp_err *err);

/* img [nchan][Ly][Lx], normalised, on the device. The caller frees *out with lp_net_output_free.
 * LP_EARG as lp_net_tiles, LP_ESIGNAL where on_tiles said stop. */
lp_status lp_net_run(const lp_net_context *c, const lp_buf *img, int Ly, int Lx,
                     const lp_net_options *o, lp_net_output *out, lp_err *err);
void lp_net_output_free(const lp_backend *be, lp_device *dev, lp_net_output *out);

/* style [c->style_length], of unit length, from the sum in *out. */
lp_status lp_net_style(const lp_net_context *c, const lp_net_output *out, float *style,
                       lp_err *err);

/* Puts "at diameter D: " before the message in *err; for D 0, nothing. */
void lp_net_at_diameter(double diameter, lp_err *err);

#endif
