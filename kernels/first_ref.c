#include "first.h"

#include <math.h>

#include "bf16.h"

static float relu(float v)
{
    return v > 0 ? v : 0;
}

void lp_first_ref(void *y, const float *x, const float *k, const float *b, const float *scale,
                  const float *shift, int n, int nin, int h, int w, int cout, int bf16)
{
    int tile, i, j, o, c, t;

    for (tile = 0; tile < n; tile++)
        for (i = 0; i < h; i++)
            for (j = 0; j < w; j++)
                for (o = 0; o < cout; o++) {
                    int64_t at = (((int64_t)tile * h + i) * w + j) * cout + o;
                    float v = b[o];

                    for (c = 0; c < nin; c++)
                        for (t = 0; t < 9; t++) {
                            int yy = i + t / 3 - 1, xx = j + t % 3 - 1;
                            float a = 0;

                            if (yy >= 0 && yy < h && xx >= 0 && xx < w)
                                a = relu(fmaf(scale[c],
                                              x[(((int64_t)tile * nin + c) * h + yy) * w + xx],
                                              shift[c]));
                            v = fmaf(a, k[((int64_t)c * 9 + t) * cout + o], v);
                        }
                    if (bf16)
                        ((uint16_t *)y)[at] = lp_bf16_from(relu(v));
                    else
                        ((float *)y)[at] = relu(v);
                }
}
