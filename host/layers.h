/* layers - what was found at each diameter in one micrograph: the candidates of a merge.
 *
 * Kept as runs (kernels/runs.h), a few bytes per row of a mask, in ascending order of diameter
 * whatever the order of adding. */
#ifndef LP_LAYERS_H
#define LP_LAYERS_H

#include "../kernels/runs.h"
#include "image.h"
#include "masks.h"

#define LP_MAX_LAYERS 1024

typedef struct {
    double diameter; /* px */
    lp_runs masks;
    float *flow_error; /* [masks.n] NaN where unknown */
    float *cellprob;   /* [masks.n] mean logit, NaN where unknown */
} lp_layer;

struct lp_layers { /* lp_layers: lipopose.h */
    int Ly, Lx, n;
    lp_layer *layer; /* [n] */
};

/* LP_EARG for sizes out of bounds, LP_ENOMEM. The caller frees with lp_layers_free. */
lp_status lp_layers_new(int Ly, int Lx, lp_layers **out, lp_err *err);

/* The masks 1 .. n of labels [Ly][Lx] (gaps are allowed) as *out, which the caller frees with
 * lp_layer_clear; diameter in px. flow_error [n] and cellprob [Ly][Lx], logit, may be NULL. */
lp_status lp_layer_make(double diameter, int Ly, int Lx, const uint32_t *labels, uint32_t n,
                        const float *flow_error, const float *cellprob, lp_layer *out, lp_err *err);

/* From network output yf [3][Ly][Lx] (flows y, x, cellprob): the masks of lp_masks_compute as
 * *out. */
lp_status lp_layer_compute(const float *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                           const lp_masks_options *o, double diameter, lp_layer *out, lp_err *err);

/* Adds the masks 1 .. n of labels [Ly][Lx] (gaps are allowed). flow_error [n] and cellprob
 * [Ly][Lx], logit, may be NULL. Of equal diameters, the one added first comes first. */
lp_status lp_layers_add(lp_layers *s, double diameter, const uint32_t *labels, uint32_t n,
                        const float *flow_error, const float *cellprob, lp_err *err);

/* The same with what is already runs. Takes what *layer owns, also on failure, and clears it. */
lp_status lp_layers_add_layer(lp_layers *s, lp_layer *layer, lp_err *err);

void lp_layer_clear(lp_layer *layer);

#endif
