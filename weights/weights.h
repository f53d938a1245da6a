/* weights - a Cellpose 1-3 residual U-Net (CPnet) in memory, and its HDF5 file.
 *
 * Tensors are kept under the names, shapes and order of PyTorch's state_dict
 * (convolutions OIHW), as float32. A lp_weights that exists is complete: every
 * tensor of the architecture given by nbase, nout and sz is there with its exact
 * shape, and nothing else. File schema: weights/README.md. */
#ifndef LP_WEIGHTS_H
#define LP_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "../host/status.h"

#define LP_MAX_NBASE 8    /* input channels and up to 7 levels */
#define LP_MAX_WIDTH 4096 /* channels of a level */
#define LP_SELFTEST_MAX_SIDE 1024

typedef struct {
    char *name; /* as in the state_dict, e.g. downsample.down.res_down_0.conv.conv_0.2.weight */
    int ndim;   /* 0 to 4 */
    int shape[4];
    size_t n;    /* product of shape; 1 where ndim is 0 */
    float *data; /* [n]; int64 scalars (num_batches_tracked) are held as float */
} lp_tensor;

/* Linear regression from the style to log diameter (Cellpose models.py, SizeModel):
 * diameter = exp(A . (style - smean) + log(diam_mean) + ymean), at least 5 px. */
typedef struct {
    int n; /* length of the style vector */
    double *A, *smean;
    double ymean, diam_mean;
} lp_size_model;

typedef struct {
    int nbase[LP_MAX_NBASE], n_nbase; /* e.g. 2,32,64,128,256; nbase[0] = input channels */
    int nout, sz;                  /* always 3 outputs (flow y, flow x, cellprob); kernel size 3 */
    double diam_mean, diam_labels; /* px */
    double diam_range[2];          /* 5th, 95th percentile of training diameters, px; 0,0 unknown */
    char *source, *source_sha256, *licence; /* never NULL, may be empty */
    lp_tensor *tensors;
    int n_tensors;
    lp_size_model *size; /* NULL where the file has none */
    /* Self-test: input [1][nbase[0]][ly][lx], output [1][nout][ly][lx]; NULL where absent. */
    float *test_x, *test_y;
    int test_ly, test_lx;
} lp_weights;

/* Opens .h5, or a PyTorch .pth (zip or legacy), told apart by their first bytes.
 * On success *out is the caller's (lp_weights_free); on failure it is untouched and
 * the message names the file and the dataset, key or global at fault. LP_EMISSING where
 * there is no such file. */
lp_status lp_weights_open(const char *path, lp_weights **out, lp_err *err);
void lp_weights_free(lp_weights **w); /* NULL is fine; clears the pointer */

/* Writes an .h5 file (schema: README.md), which replaces `path` only when it is complete
 * and on disk. half = 1: convolution and linear weights as float16, rounded to nearest
 * even (one that is too large for float16 is LP_EARG); else float32, exact. */
lp_status lp_weights_save(const lp_weights *w, const char *path, int half, lp_err *err);

/* Rounds what lp_weights_save(half = 1) stores as float16 to such values, in place, so that
 * a self-test can be made with the weights that the file will give back. LP_EARG and w
 * partly rounded where a weight is too large; `where` starts the message. */
lp_status lp_weights_round_half(lp_weights *w, const char *where, lp_err *err);

/* LP_OK where w is complete: the exact tensors of its nbase, nout and sz, all finite, no
 * negative variance, diameters > 0, a size model that fits the style. All openers and
 * writers call it. `where` starts the message. */
lp_status lp_weights_check(const lp_weights *w, const char *where, lp_err *err);

void lp_size_model_free(lp_size_model **s); /* NULL is fine; clears the pointer */

/* The tensor's data, or NULL where there is none of that name. */
const float *lp_weights_get(const lp_weights *w, const char *name);

#endif
