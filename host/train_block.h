/* train_block - the parts of a lp_tnet: batch norm + ReLU + convolution, and the residual blocks
 * made of five of them. Only train_net.c uses it. */
#ifndef LP_TRAIN_BLOCK_H
#define LP_TRAIN_BLOCK_H

#include "train_table.h"

#define LP_TNET_PLANS 4 /* batch sizes whose convolutions are kept */

typedef struct {
    int c, h, w;
    int bf16;
    void *v, *g; /* value, gradient; g may be shared, see train_net.c */
} lp_tmap;

/* Batch statistics of a map: [Cp], image_mean [batch][Cp]. */
typedef struct {
    double *mean, *var, *image_mean;
} lp_tstats;

/* One of Cellpose's batchconv, batchconvstyle (full_w >= 0) and batchconv0 (fold). */
typedef struct {
    int ic, oc, k, h, w;
    int sum, fold;
    int bf16; /* of x and a; else its result and that's gradient may need a conversion */
    int gamma, beta, running_mean, running_var, counter, weight, bias; /* tensors, by index */
    int full_w, full_b;                                                /* or -1 */
    void *conv[LP_TNET_PLANS];
    void *packed;         /* weights as conv wants them */
    void *a;              /* relu(bn(x + f)), what the convolution sees; not with fold */
    float *scale, *shift; /* [Cp], [batch][Cp] */
    float *f, *d_f;       /* [batch][Cp], what the style adds and its gradient; or NULL */
    lp_tstats *s;
} lp_tunit;

/* What a step works with. */
typedef struct {
    const lp_train_table *ops;
    void *user;
    int e;                  /* the first error of ops: nothing is queued after it */
    float **tensor, **grad; /* [n_tensors]; grad NULL: not learnt */
    int n, cb, plan;        /* images now, block width, which conv[] */
    int training;
    void *conv_scratch;
    double *work;               /* of the sums */
    double *sum_g, *sum_gx;     /* [batch][Cp max] */
    float *p, *q;               /* [Cp max], [batch][Cp max] */
    float *bias, *folded;       /* [Cp max], [oc][ic] of proj, the largest */
    void *d_a, *d_mid, *d_fold; /* gradients of one unit's a, of a block's inner map, of proj's x */
    float *wide;                /* what a float32 unit gives to or gets from a bfloat16 map */
} lp_tstep;

/* A residual block: resdown (skip NULL) or resup. y = proj(x) + conv_1(z), z = conv_0(x) (+ skip),
 * out = y + conv_3(mid), mid = conv_2(y). */
enum { LP_TU_CONV0, LP_TU_CONV1, LP_TU_CONV2, LP_TU_CONV3, LP_TU_PROJ, LP_TU_N };
typedef struct {
    lp_tmap *x, *skip, z, y, mid, out;
    lp_tstats of_x, of_z, of_y, of_mid;
    lp_tunit u[LP_TU_N];
} lp_tblock;

lp_tdims lp_tmap_dims(const lp_tstep *t, const lp_tmap *m);
int lp_tstep_padded(const lp_tstep *t, int c); /* to whole blocks */

/* Calls an operation of the table, unless one before it failed. */
#define LP_TSTEP_RUN(t, op, ...)                                                                   \
    do {                                                                                           \
        if (!(t)->e) (t)->e = (t)->ops->op((t)->user, __VA_ARGS__);                                \
    } while (0)

void lp_tblock_forward(lp_tstep *t, lp_tblock *b);
/* out.g is complete. d_x: 0 not needed, 1 written, 2 added to x->g. With skip, skip->g = z.g is
 * written before x->g is, so that x may be skip. */
void lp_tblock_backward(lp_tstep *t, lp_tblock *b, int d_x);

/* A batchconv alone: the network's output. */
void lp_tunit_forward(lp_tstep *t, lp_tunit *u, const lp_tmap *x, lp_tmap *y);
void lp_tunit_backward(lp_tstep *t, lp_tunit *u, lp_tmap *x, const lp_tmap *y);

#endif
