/* winograd - 3x3 weights in the domain of Winograd F(4x4,3x3) or F(2x2,3x3), in the orders in
 * which oneDNN 2.6's convolutions read them.
 *
 * oneDNN's own reorder gives the same numbers, but takes most of a second for a network,
 * which is longer than the first tiles. */
#ifndef LP_WINOGRAD_H
#define LP_WINOGRAD_H

/* Channels are split as oc = oc2n * oc2 * 16, ic = ic2n * ic1; A = m + 2. */
typedef struct {
    int m; /* 4 or 2: outputs per transform */
    int ic, oc, ic1, oc2;
    int outer; /* 1: oc2n is the outermost index, before A x A */
} lp_winograd_order;

/* w [oc][ic][3][3] -> out [oc2n][A][A][ic2n][oc2][ic1][16] (outer) or
 * [A][A][oc2n][ic2n][oc2][ic1][16] = G w G^T, with the G that belongs to oneDNN's
 * interpolation points. float32, no overlap. */
void lp_winograd_weights(float *out, const float *w, const lp_winograd_order *q);

#endif
