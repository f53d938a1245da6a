/* onednn - 2D convolutions of one image, by oneDNN 2.6; every call of that library is here.
 *
 * A lp_conv is a convolution of fixed shape with its compiled code. It may run in several
 * threads at once, each with its own scratch. Inside an OpenMP parallel region it runs on
 * the calling thread alone, outside on as many as it was made for; the bits are the same. */
#ifndef LP_ONEDNN_H
#define LP_ONEDNN_H

#include <stddef.h>

#include "status.h"

/* Memory order of an activation [C][H][W]: all channels of a pixel together, or blocks of
 * 16 channels [C/16][H][W][16], or plain planes. */
typedef enum { LP_NHWC, LP_BLK16, LP_PLANAR } lp_layout;

typedef struct {
    int ic, oc, h, w, k; /* stride 1, padding k/2 */
    int bf16;            /* activations and weights bfloat16, bias float32; else all float32 */
    int sum, relu;       /* after the bias: add what dst holds; then max(0, .) */
    lp_layout src, dst;
} lp_conv_spec;

typedef struct lp_conv lp_conv;
typedef struct lp_packed lp_packed; /* weights in the order that a convolution wants */

/* Picks Winograd F(4x4,3x3) for float32 where the CPU has it, else direct. */
lp_status lp_conv_new(const lp_conv_spec *spec, int threads, lp_conv **out, lp_err *err);
void lp_conv_free(lp_conv **c);
size_t lp_conv_scratch(const lp_conv *c); /* bytes, 64-byte aligned */
const char *lp_conv_name(const lp_conv *c);

/* w [oc][ic][k][k] float32 -> *out, the caller's. */
lp_status lp_packed_new(const lp_conv *c, const float *w, lp_packed **out, lp_err *err);
void lp_packed_free(lp_packed **p);
/* 1 where p, packed for another convolution, serves c as well. */
int lp_packed_fits(const lp_packed *p, const lp_conv *c);

/* bias [oc] float32; src, dst in spec's layouts, 64-byte aligned, no overlap. Returns 0, or
 * oneDNN's status (a bug or out of memory). */
int lp_conv_run(const lp_conv *c, const lp_packed *w, const float *bias, const void *src, void *dst,
                void *scratch);

/* 1 where bfloat16 convolutions run on matrix units (AMX). */
int lp_onednn_has_amx(void);
/* 1 where this CPU has 512-bit vectors, for which 16-channel blocks are made. */
int lp_onednn_has_avx512(void);
/* 1 where bfloat16 convolutions run at all (AVX-512 and later). */
int lp_onednn_has_bf16(void);

#endif
