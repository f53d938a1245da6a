/* winograd - 3x3 weights in the domain of Winograd F(4x4,3x3), in the order in which oneDNN
 * 2.6's convolution reads them (its format wei_OBaaIBOIio).
 *
 * oneDNN's own reorder gives the same numbers, but takes most of a second for a network,
 * which is longer than the first tiles. */
#ifndef LP_WINOGRAD_H
#define LP_WINOGRAD_H

/* Channels are split as oc = oc2n * oc2 * 16, ic = ic2n * ic2 * ic1. */
typedef struct {
    int ic, oc, ic1, ic2, oc2;
} lp_winograd_order;

/* w [oc][ic][3][3] -> out [oc2n][6][6][ic2n][oc2][ic2][ic1][16] = G w G^T, with the G that
 * belongs to oneDNN's interpolation points. float32, no overlap. */
void lp_winograd_weights(float *out, const float *w, const lp_winograd_order *o);

#endif
