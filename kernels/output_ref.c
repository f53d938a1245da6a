#include "output.h"

#include <math.h>

#include "bf16.h"

void lp_output_ref(float *y, const void *x, const float *scale, const float *shift, const float *k,
                   const float *b, int n, int nout, int h, int w, int c, int bf16)
{
    int64_t plane = (int64_t)h * w, i;
    int tile, o, g, j, per = bf16 ? 8 : 4;

    for (tile = 0; tile < n; tile++)
        for (i = 0; i < plane; i++)
            for (o = 0; o < nout; o++) {
                float sum = b[o];

                for (g = 0; g < c; g += per) {
                    float part = 0;

                    for (j = g; j < g + per; j++) {
                        int64_t at = (tile * plane + i) * c + j;
                        float v =
                            bf16 ? lp_bf16_to(((const uint16_t *)x)[at]) : ((const float *)x)[at];

                        v = fmaf(scale[j], v, shift[j]);
                        part = fmaf(k[o * c + j], v > 0 ? v : 0, part);
                    }
                    sum += part;
                }
                y[(tile * (int64_t)nout + o) * plane + i] = sum;
            }
}
