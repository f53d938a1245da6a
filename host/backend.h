/* backend - where the work between a normalised micrograph and its labels runs.
 *
 * A back end is one struct of function pointers, chosen once by name. Buffers are
 * opaque: host memory for `cpu`, device memory for `cuda`. Every function only
 * queues work (the CPU back end does it at once); get(), masks(), layer() and wait() wait. A buffer
 * may be used by devices that were opened with each other (but freed by the one that made it): its
 * uses come in the order of the calls, which must not be at the same time. Arrays are
 * float32 and planar unless said otherwise; flows [2][Ly][Lx] are y then x, 5.0 is one pixel per
 * step, cellprob [Ly][Lx] is a logit. A batch holds tiles of one or several sizes, end to end:
 * tiles are [nchan][ly][lx] each, and where those of a call begin is said in pixels, so that it
 * holds for any number of channels. */
#ifndef LP_BACKEND_H
#define LP_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "layers.h"
#include "masks.h"
#include "measure.h"
#include "merge_stages.h"
#include "status.h"
#include "tiling.h"
#include "../weights/weights.h"

/* An opened back end: one thread at a time, but masks, layer, get and buf_free may run in other
 * threads beside it, on buffers that nothing else uses. */
typedef struct lp_device lp_device;
typedef struct lp_buf lp_buf; /* memory of a device */
typedef struct lp_net lp_net; /* a network ready to run on a device */

typedef struct {
    int threads;       /* of the CPU; 0: all that this process may use */
    int gpu_device;    /* which, from 0 */
    size_t gpu_memory; /* bytes that buffers and networks may take at most; 0: no cap */
    int cudnn;         /* cuda: its convolutions instead of our own */
    lp_device *with;   /* of the same back end, or NULL: the GPU and the cap are that one's, and it
                        * is closed later */
} lp_backend_options;

typedef struct {
    char name[96];
    double memory;    /* bytes */
    int major, minor; /* compute capability; 0 for the CPU */
} lp_device_info;

/* What masks are made of: the network's output for one image, and how. */
typedef struct {
    const lp_buf *yf;   /* [3][Ly][Lx]: flows y, x, cellprob */
    int Ly, Lx;         /* of yf */
    int out_Ly, out_Lx; /* of the image and of the masks */
    double diameter;    /* px, for tables and layers */
    const lp_masks_options *o;
} lp_masks_input;

enum { LP_WORK_RESIZE, LP_WORK_NET, LP_WORK_N };

typedef struct {
    const char *name;

    /* What there is to open: device i, from 0. LP_EMISSING after the last one, or with the reason
     * where there is none at all. */
    lp_status (*list)(int i, lp_device_info *info, lp_err *err);
    /* o may be NULL: all defaults. LP_EMISSING where the machine has no such device. */
    lp_status (*open)(const lp_backend_options *o, lp_device **dev, lp_err *err);
    void (*close)(lp_device **dev);
    /* Tiles of 224 x 224 in a batch that keeps the device busy. */
    int (*batch)(const lp_device *dev);
    /* The most bytes that buffers and networks have taken at a time. */
    size_t (*peak)(const lp_device *dev);
    /* s [LP_WORK_N]: seconds that the device has worked for this lp_device; with wait 1, waits for
     * what it still does. The network's are with its tiles. */
    lp_status (*seconds)(lp_device *dev, int wait, double *s, lp_err *err);
    /* Seconds in which the device worked for this lp_device or others opened with it, whatever was
     * done at the same time: of what seconds() and masks have measured so far. 0: not known. */
    double (*busy)(lp_device *dev);
    /* One line: what the device is. Valid until close. */
    const char *(*describe)(const lp_device *dev);

    /* The caller frees. free accepts NULL and clears the pointer. */
    lp_status (*buf_new)(lp_device *dev, size_t bytes, lp_buf **buf, lp_err *err);
    void (*buf_free)(lp_device *dev, lp_buf **buf);
    lp_status (*put)(lp_device *dev, lp_buf *dst, const void *src, size_t bytes, lp_err *err);
    lp_status (*get)(lp_device *dev, void *dst, const lp_buf *src, size_t offset, size_t bytes,
                     lp_err *err);
    /* Until nothing that was queued uses buf. */
    lp_status (*wait)(lp_device *dev, const lp_buf *buf, lp_err *err);

    /* Prepares the network; w may be freed afterwards. LP_PRECISION_AUTO takes the
     * fastest precision that holds the accuracy bounds; *used says which. */
    lp_status (*net_new)(lp_device *dev, const lp_weights *w, lp_precision precision, lp_net **net,
                         lp_precision *used, lp_err *err);
    void (*net_free)(lp_device *dev, lp_net **net);

    /* out [nchan][Ly2][Lx2], in [nchan][Ly][Lx]: cv2.INTER_LINEAR (kernels/resize.h). */
    lp_status (*resize)(lp_device *dev, lp_buf *out, const lp_buf *in, int nchan, int Ly, int Lx,
                        int Ly2, int Lx2, lp_err *err);
    /* Tiles first..first+n-1 of img into the batch, `at` pixels from its start (kernels/tile.h). */
    lp_status (*tile_cut)(lp_device *dev, lp_buf *tiles, size_t at, const lp_buf *img, int nchan,
                          const lp_tiling *plan, int first, int n, lp_err *err);
    /* tiles (nchan each) -> y (3 channels each), styles [all tiles][style length]. The result of a
     * tile does not depend on the others, on its place in the batch or on the number of threads. */
    lp_status (*unet)(lp_device *dev, lp_net *net, const lp_buf *tiles, const lp_tile_group *group,
                      int n_groups, lp_buf *y, lp_buf *styles, lp_err *err);
    /* Adds y of tiles first..first+n-1, tapered, to yf [3][Lyr][Lxr]; calls come in order of
     * tiles, and yf is zeroed with the first and divided by the weights with the last. */
    lp_status (*tile_average)(lp_device *dev, lp_buf *yf, const lp_buf *y, size_t at,
                              const lp_tiling *plan, int first, int n, lp_err *err);
    /* Adds styles [..][length] at, .. at+n-1 to sum [length] double, one after the other; begin 1:
     * sum is zeroed before. */
    lp_status (*style_add)(lp_device *dev, lp_buf *sum, const lp_buf *styles, int at, int n,
                           int length, int begin, lp_err *err);
    /* Labels in host memory (host/masks.h), measured where they are made: what comes back is what
     * is asked for. masks, flow_error and t may be NULL; n is always told. */
    lp_status (*masks)(lp_device *dev, const lp_masks_input *in, lp_labels *masks,
                       float **flow_error, uint32_t *n, lp_particle_table *t, lp_err *err);
    /* The same masks as runs with their flow errors and mean cellprobs, for merging: nothing else
     * comes back from the device. The caller frees *layer with lp_layer_clear. */
    lp_status (*layer)(lp_device *dev, const lp_masks_input *in, lp_layer *layer, lp_err *err);
    /* lp_merge (lipopose.h), the same bytes, measured where it is made: t may be NULL. */
    lp_status (*merge)(lp_device *dev, const lp_layers *s, const lp_merge_options *o,
                       lp_particle_table *t, lp_merged *out, lp_err *err);
    /* At most, where memory of the device decides; 0: as many as threads. */
    int mask_threads; /* calls of masks and layer side by side, of one image */
    int workers;      /* images at a time, on each device */
    int shares;       /* 1: images at a time share batches (net_batch.h) */
} lp_backend;

/* The back end of that name ("auto": the fastest that this machine has), or LP_EMISSING /
 * LP_EARG with a message that lists what there is. */
lp_status lp_backend_find(const char *name, const lp_backend **be, lp_err *err);

extern const lp_backend lp_backend_cpu;
extern const lp_backend lp_backend_cuda; /* in builds with CUDA */

#endif
