#include "conv_steps.h"

#include <math.h>
#include <stdlib.h>

#include "bf16.h"
#include "simd.h"

static float load(const void *p, int64_t i, int bf16)
{
    return bf16 ? lp_bf16_to(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

static void store(void *p, int64_t i, float v, int bf16)
{
    if (bf16)
        ((uint16_t *)p)[i] = lp_bf16_from(v);
    else
        ((float *)p)[i] = v;
}

static float relu(float x)
{
    return x > 0 ? x : 0;
}

/* a [h + 2][w + 2][cin] of a tile. */
static void input(float *a, const lp_conv_call *c, int tile, int bf16)
{
    int hs = c->h >> c->up, ws = c->w >> c->up, y, x, i;

    for (y = -1; y <= c->h; y++)
        for (x = -1; x <= c->w; x++) {
            float *out = a + ((int64_t)(y + 1) * (c->w + 2) + x + 1) * c->cin;
            int inside = y >= 0 && y < c->h && x >= 0 && x < c->w;
            int64_t from =
                inside ? (((int64_t)tile * hs + (y >> c->up)) * ws + (x >> c->up)) * c->cin : 0;

            for (i = 0; i < c->cin; i++) {
                float v = inside ? load(c->x, from + i, bf16) : 0;

                if (inside && c->scale) {
                    v = relu(fmaf(c->scale[i], v, c->shift[tile * c->shift_stride + i]));
                    if (bf16) v = lp_bf16_to(lp_bf16_from(v));
                }
                out[i] = v;
            }
        }
}

/* acc [cout] += the 16 channels from i0 on of a . k [i][cout]. */
LP_SIMD static void add(float *restrict acc, const float *restrict a, const float *restrict k,
                        int cout)
{
    int i, o;

    for (i = 0; i < 16; i++)
        for (o = 0; o < cout; o++) acc[o] = fmaf(a[i], k[(int64_t)i * cout + o], acc[o]);
}

/* Packed weights -> [tap][cin][cout]. */
static void unpack(float *out, const void *k, int cin, int cout, int taps, int bf16)
{
    int o, i, t;

    for (t = 0; t < taps; t++)
        for (i = 0; i < cin; i++)
            for (o = 0; o < cout; o++)
                out[((int64_t)t * cin + i) * cout + o] =
                    lp_conv_weight(k, cin, cout, taps, bf16, o, i, t);
}

/* out of a pixel whose values are v [cout]. */
static void output(const lp_conv_call *c, int bf16, int tile, int y, int x, const float *v)
{
    int per = bf16 ? 8 : 4, lanes = 32 / per, step, o, l, i;

    for (o = 0; o < c->nout; o++) {
        float sum[8] = {0};

        for (i = 0; i < c->cout; i++)
            sum[i / per] = fmaf(c->out_k[o * c->cout + i],
                                relu(fmaf(c->out_scale[i], v[i], c->out_shift[i])), sum[i / per]);
        for (step = 1; step < lanes; step *= 2)
            for (l = 0; l < lanes; l += 2 * step) sum[l] += sum[l + step];
        c->out[(((int64_t)tile * c->nout + o) * c->h + y) * c->w + x] = sum[0] + c->out_b[o];
    }
}

static void finish(const lp_conv_call *c, int bf16, int tile, int y, int x, float *acc)
{
    int64_t pix = ((int64_t)tile * c->h + y) * c->w + x;
    int o, j;

    for (o = 0; o < c->cout; o++) {
        float v = acc[o] + c->b[tile * c->b_stride + o];

        for (j = 0; j < c->nimg; j++)
            v = fmaf(c->img_k[j * c->cout + o],
                     c->img[(((int64_t)tile * c->nimg + j) * c->h + y) * c->w + x], v);
        if (c->res) v += load(c->res, pix * c->cout + o, bf16);
        if (c->scale2) v = fmaf(c->scale2[o], v, c->shift2[tile * c->shift2_stride + o]);
        if (c->relu) v = relu(v);
        acc[o] = v;
        if (!c->out) store(c->y, pix * c->cout + o, v, bf16);
    }
    if (c->out) output(c, bf16, tile, y, x, acc);
}

static void pool(const lp_conv_call *c, int bf16, int tile)
{
    int y, x, o;

    for (y = 0; y < c->h / 2; y++)
        for (x = 0; x < c->w / 2; x++)
            for (o = 0; o < c->cout; o++) {
                int64_t at = ((((int64_t)tile * c->h) + 2 * y) * c->w + 2 * x) * c->cout + o;
                int64_t down = (int64_t)c->w * c->cout;
                float v0 = load(c->y, at, bf16), v1 = load(c->y, at + c->cout, bf16);
                float v2 = load(c->y, at + down, bf16), v3 = load(c->y, at + down + c->cout, bf16);

                store(c->pool, (((int64_t)tile * (c->h / 2) + y) * (c->w / 2) + x) * c->cout + o,
                      fmaxf(fmaxf(v0, v1), fmaxf(v2, v3)), bf16);
            }
}

/* A row of the doubled input where source row v is; -1 is outside of both. */
static int doubled(int v)
{
    return v < 0 ? -1 : 2 * v;
}

void lp_conv_ref(const lp_conv_call *c, int bf16)
{
    int64_t padded = (int64_t)(c->h + 2) * (c->w + 2) * c->cin;
    float *a = malloc((size_t)padded * sizeof *a);
    int taps = lp_conv_taps(c->up, bf16);
    float *k = malloc((size_t)taps * c->cin * c->cout * sizeof *k);
    float *pk = malloc(((size_t)c->cp * c->cout + 1) * sizeof *pk);
    float *acc = malloc((size_t)c->cout * sizeof *acc);
    int tile, y, x, i, t, o, hp = c->h >> c->p_up, wp = c->w >> c->p_up;
    float in[16];

    if (!a || !k || !pk || !acc) abort(); /* a twin is for tests only */
    unpack(k, c->k, c->cin, c->cout, taps, bf16);
    if (c->p) unpack(pk, c->pk, c->cp, c->cout, 1, bf16);
    for (tile = 0; tile < c->n; tile++) {
        input(a, c, tile, bf16);
        for (y = 0; y < c->h; y++)
            for (x = 0; x < c->w; x++) {
                for (o = 0; o < c->cout; o++) acc[o] = 0;
                for (i = 0; i < c->cin; i += 16)
                    for (t = 0; t < taps; t++) {
                        int yy = y + t / 3 - 1, xx = x + t % 3 - 1;

                        if (taps == 16) {
                            if (t / 4 != (y & 1) * 2 + (x & 1)) continue;
                            yy = doubled(y / 2 + (y & 1) - 1 + (t >> 1 & 1));
                            xx = doubled(x / 2 + (x & 1) - 1 + (t & 1));
                        }
                        add(acc, a + ((int64_t)(yy + 1) * (c->w + 2) + xx + 1) * c->cin + i,
                            k + ((int64_t)t * c->cin + i) * c->cout, c->cout);
                    }
                for (i = 0; c->p && i < c->cp; i += 16) {
                    int64_t from =
                        (((int64_t)tile * hp + (y >> c->p_up)) * wp + (x >> c->p_up)) * c->cp + i;

                    for (o = 0; o < 16; o++) in[o] = load(c->p, from + o, bf16);
                    add(acc, in, pk + (int64_t)i * c->cout, c->cout);
                }
                finish(c, bf16, tile, y, x, acc);
            }
        if (c->pool) pool(c, bf16, tile);
    }
    free(a);
    free(k);
    free(pk);
    free(acc);
}

void lp_conv_before_ref(void *a, const lp_conv_call *c, int bf16)
{
    int hs = c->h >> c->up, ws = c->w >> c->up, tile, y, x, i;

    for (tile = 0; tile < c->n; tile++)
        for (y = 0; y < c->h; y++)
            for (x = 0; x < c->w; x++)
                for (i = 0; i < c->cin; i++) {
                    int64_t from = ((int64_t)tile * hs + (y >> c->up)) * ws + (x >> c->up);
                    float v = load(c->x, from * c->cin + i, bf16);

                    if (c->scale)
                        v = relu(fmaf(c->scale[i], v, c->shift[tile * c->shift_stride + i]));
                    store(a, (((int64_t)tile * c->h + y) * c->w + x) * c->cin + i, v, bf16);
                }
}

void lp_conv_after_ref(const lp_conv_call *c, const void *sum, int bf16)
{
    float *acc = malloc((size_t)c->cout * sizeof *acc);
    int tile, y, x, o;

    if (!acc) abort(); /* a twin is for tests only */
    for (tile = 0; tile < c->n; tile++) {
        for (y = 0; y < c->h; y++)
            for (x = 0; x < c->w; x++) {
                for (o = 0; o < c->cout; o++)
                    acc[o] = load(sum, (((int64_t)tile * c->h + y) * c->w + x) * c->cout + o, bf16);
                finish(c, bf16, tile, y, x, acc);
            }
        if (c->pool) pool(c, bf16, tile);
    }
    free(acc);
}
