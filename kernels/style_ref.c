#include "style.h"

#include <math.h>
#include <stdlib.h>

#include "bf16.h"

/* v [n] added as a warp does: lane l has v[l], v[l + 32] ..., then halves are folded. */
static float warp_sum(float lane[32])
{
    float next[32];
    int step, l;

    for (step = 16; step; step /= 2) {
        for (l = 0; l < 32; l++) next[l] = lane[l] + lane[l ^ step];
        for (l = 0; l < 32; l++) lane[l] = next[l];
    }
    return lane[0];
}

void lp_style_ref(float *style, const void *x, int n, int h, int w, int c, int S, int bf16)
{
    int64_t plane = (int64_t)h * w, i;
    int parts = lp_style_parts(c, bf16), tile, o, p, l;
    float *part = malloc((size_t)parts * sizeof *part);

    if (!part) abort(); /* a twin is for tests only */
    for (tile = 0; tile < n; tile++) {
        float lane[32] = {0}, len;

        for (o = 0; o < S; o++) {
            float sum = 0;

            for (p = 0; p < parts; p++) part[p] = 0;
            for (i = 0; i < plane; i++) {
                int64_t at = (tile * plane + i) * c + o;

                part[i % parts] +=
                    bf16 ? lp_bf16_to(((const uint16_t *)x)[at]) : ((const float *)x)[at];
            }
            for (p = 0; p < parts; p++) sum += part[p];
            style[(int64_t)tile * S + o] = sum / (float)plane;
        }
        for (o = 0; o < S; o++) {
            float v = style[(int64_t)tile * S + o];

            l = o % 32;
            lane[l] = fmaf(v, v, lane[l]);
        }
        len = sqrtf(warp_sum(lane));
        for (o = 0; o < S; o++) style[(int64_t)tile * S + o] /= len;
    }
    free(part);
}

void lp_style_shifts_ref(float *out, const float *style, const float *full, const float *bias,
                         const float *scale, const float *shift, int n, int rows, int S)
{
    int tile, r, s;

    for (tile = 0; tile < n; tile++)
        for (r = 0; r < rows; r++) {
            float lane[32] = {0};

            for (s = 0; s < S; s++)
                lane[s % 32] =
                    fmaf(full[(int64_t)r * S + s], style[(int64_t)tile * S + s], lane[s % 32]);
            out[(int64_t)tile * rows + r] = fmaf(scale[r], warp_sum(lane) + bias[r], shift[r]);
        }
}
