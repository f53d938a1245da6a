/* onednn_train - one convolution forward and backward, by oneDNN; with onednn.c the only place
 * that calls that library.
 *
 * A lp_tconv is a convolution of a batch of fixed shape: compiled code and packed weights. One
 * thread at a time calls it; it runs on as many as it was made for, and the bits depend on that
 * number (sums over pixels are split among threads) but on nothing else. */
#ifndef LP_ONEDNN_TRAIN_H
#define LP_ONEDNN_TRAIN_H

#include <stddef.h>

#include "status.h"

typedef struct {
    int n, ic, oc, h, w, k; /* stride 1, padding k/2 */
    int block;              /* 8 or 16, see lp_tconv_block */
    int sum;                /* forward adds to what dst holds */
    int bf16;               /* src, dst and their gradients are bfloat16 */
    int wide;               /* with bf16: dst (not its gradient) is float32 */
} lp_tconv_spec;

typedef struct lp_tconv lp_tconv;

/* The channels per block that this CPU likes. Activations are float32
 * [n][ceil(C/block)][h][w][block], or bfloat16 [n][h][w][ceil(C/block)][block], the order that
 * oneDNN's code for AMX demands; 64-byte aligned; channels beyond C are 0 and stay 0. With bfloat16
 * sums are float32; weights are rounded for each call of lp_tconv_weights, their gradients and
 * biases are float32. */
int lp_tconv_block(void);

lp_status lp_tconv_new(const lp_tconv_spec *spec, int threads, lp_tconv **out, lp_err *err);
void lp_tconv_free(lp_tconv **c);           /* NULL is fine; clears the pointer */
size_t lp_tconv_scratch(const lp_tconv *c); /* bytes, 64-byte aligned, for each call below */
/* Implementations, for people: "forward, backward data, backward weights". buf [200]. */
const char *lp_tconv_name(const lp_tconv *c, char *buf);

/* All return 0 or oneDNN's status. weights: w [oc][ic][k][k] for the calls that follow; with
 * backward also for backward_data. */
int lp_tconv_weights(lp_tconv *c, const float *w, int backward);
/* dst = conv(src) + bias [oc padded to whole blocks] */
int lp_tconv_forward(const lp_tconv *c, const float *bias, const void *src, void *dst,
                     void *scratch);
/* d_src = gradient of src, overwritten */
int lp_tconv_backward_data(const lp_tconv *c, const void *d_dst, void *d_src, void *scratch);
/* d_w [oc][ic][k][k], d_bias [oc padded to whole blocks], overwritten */
int lp_tconv_backward_weights(const lp_tconv *c, const void *src, const void *d_dst, float *d_w,
                              float *d_bias, void *scratch);

#endif
