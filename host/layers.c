#include "layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "planes.h"

lp_status lp_layers_new(int Ly, int Lx, lp_layers **out, lp_err *err)
{
    lp_layers *s;

    if (Ly < 1 || Lx < 1 || Ly > LP_MAX_SIDE || Lx > LP_MAX_SIDE ||
        (int64_t)Ly * Lx > LP_MAX_PIXELS)
        return lp_fail(err, LP_EARG, "merge: an image of %d x %d pixels is not supported", Ly, Lx);
    if (!(s = calloc(1, sizeof *s))) return lp_fail_mem(err, "merge", sizeof *s);
    s->Ly = Ly;
    s->Lx = Lx;
    *out = s;
    return LP_OK;
}

void lp_layer_clear(lp_layer *layer)
{
    free(layer->masks.first);
    free(layer->masks.run);
    free(layer->flow_error);
    free(layer->cellprob);
    memset(layer, 0, sizeof *layer);
}

void lp_layers_free(lp_layers **s)
{
    int i;

    if (!s || !*s) return;
    for (i = 0; i < (*s)->n; i++) lp_layer_clear(&(*s)->layer[i]);
    free((*s)->layer);
    free(*s);
    *s = NULL;
}

int lp_layers_count(const lp_layers *s)
{
    return s->n;
}

double lp_layers_diameter(const lp_layers *s, int i)
{
    return s->layer[i].diameter;
}

lp_status lp_layers_add_layer(lp_layers *s, lp_layer *layer, lp_err *err)
{
    lp_layer *more;
    int i;

    if (s->n >= LP_MAX_LAYERS) {
        lp_layer_clear(layer);
        return lp_fail(err, LP_EARG, "merge: more than %d diameters", LP_MAX_LAYERS);
    }
    if (!(more = realloc(s->layer, ((size_t)s->n + 1) * sizeof *more))) {
        lp_layer_clear(layer);
        return lp_fail_mem(err, "merge", (s->n + 1.0) * sizeof *more);
    }
    s->layer = more;
    for (i = s->n; i > 0 && more[i - 1].diameter > layer->diameter; i--) more[i] = more[i - 1];
    more[i] = *layer;
    s->n++;
    memset(layer, 0, sizeof *layer);
    return LP_OK;
}

lp_status lp_layer_make(double diameter, int Ly, int Lx, const uint32_t *labels, uint32_t n,
                        const float *flow_error, const float *cellprob, lp_layer *out, lp_err *err)
{
    lp_layer y = {.diameter = diameter, .masks = {.n = n}};
    uint64_t *next = NULL;
    uint64_t n_runs = 0;
    lp_status st = LP_OK;
    uint32_t l;

    if (!(diameter > 0 && diameter <= 1e6))
        return lp_fail(err, LP_EARG, "merge: diameter %g: must be positive", diameter);
    y.masks.first = malloc((n + (size_t)1) * sizeof *y.masks.first);
    next = malloc((n + (size_t)1) * sizeof *next);
    y.flow_error = malloc((n + (size_t)1) * sizeof *y.flow_error);
    y.cellprob = malloc((n + (size_t)1) * sizeof *y.cellprob);
    if (y.masks.first && next && y.flow_error && y.cellprob) {
        lp_runs_count_ref(y.masks.first, labels, n, Ly, Lx);
        n_runs = y.masks.first[n];
        y.masks.run = malloc((n_runs ? n_runs : 1) * sizeof *y.masks.run);
    }
    if (!y.masks.run) {
        st = lp_fail_mem(err, "merge", 24.0 * n + 12.0 * (double)n_runs);
        goto done;
    }
    lp_runs_fill_ref(y.masks.run, y.masks.first, labels, n, Ly, Lx, next);
    for (l = 0; l < n; l++) {
        y.flow_error[l] = flow_error ? flow_error[l] : NAN;
        y.cellprob[l] = NAN;
    }
    if (cellprob) lp_runs_mean_ref(y.cellprob, &y.masks, cellprob, Lx);
    *out = y;
    memset(&y, 0, sizeof y);
done:
    free(next);
    lp_layer_clear(&y);
    return st;
}

lp_status lp_layer_compute(const float *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                           const lp_masks_options *o, double diameter, lp_layer *out, lp_err *err)
{
    const float *cellprob = yf + (size_t)2 * Ly * Lx;
    float *flow_error = NULL, *full = NULL;
    lp_labels masks = {0};
    uint32_t n;
    lp_status st =
        lp_masks_compute(yf, cellprob, Ly, Lx, out_Ly, out_Lx, o, &masks, &flow_error, &n, err);

    if (st) return st;
    if ((st = lp_planes_at_size(cellprob, 1, Ly, Lx, out_Ly, out_Lx, &full, &cellprob, err)))
        goto done;
    st = lp_layer_make(diameter, out_Ly, out_Lx, masks.data, n, flow_error, cellprob, out, err);
done:
    lp_labels_free(&masks);
    free(flow_error);
    free(full);
    return st;
}

lp_status lp_layers_add(lp_layers *s, double diameter, const uint32_t *labels, uint32_t n,
                        const float *flow_error, const float *cellprob, lp_err *err)
{
    lp_layer y;
    lp_status st = lp_layer_make(diameter, s->Ly, s->Lx, labels, n, flow_error, cellprob, &y, err);

    return st ? st : lp_layers_add_layer(s, &y, err);
}
