#include "unet_layers.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "big_alloc.h"

static const float *tensor(const lp_weights *w, const char *prefix, const char *name)
{
    char key[256];

    snprintf(key, sizeof key, "%s%s", prefix, name);
    return lp_weights_get(w, key);
}

static float *copy(const float *src, size_t n)
{
    float *p = src ? malloc(n * sizeof *p) : NULL;

    if (p) memcpy(p, src, n * sizeof *p);
    return p;
}

float *lp_tensor_copy(const lp_weights *w, const char *prefix, const char *name, size_t n)
{
    return copy(tensor(w, prefix, name), n);
}

/* Batch norm in inference: scale = gamma / sqrt(var + 1e-5), shift = beta - mean * scale. */
int lp_bn_load(lp_bn *out, const lp_weights *w, const char *prefix, int n)
{
    const float *g = tensor(w, prefix, "weight"), *b = tensor(w, prefix, "bias");
    const float *m = tensor(w, prefix, "running_mean"), *v = tensor(w, prefix, "running_var");
    int i;

    out->scale = malloc((size_t)n * sizeof(float));
    out->shift = malloc((size_t)n * sizeof(float));
    if (!g || !b || !m || !v || !out->scale || !out->shift) return 0;
    for (i = 0; i < n; i++) {
        double s = g[i] / sqrt((double)v[i] + 1e-5);

        out->scale[i] = (float)s;
        out->shift[i] = (float)(b[i] - m[i] * s);
    }
    return 1;
}

void lp_bn_free(lp_bn *b)
{
    free(b->scale);
    free(b->shift);
}

/* Takes its weights' room from *at. */
static int load_layer(lp_layer *l, const lp_weights *w, const char *prefix, int ic, int oc, int k,
                      float **at)
{
    const float *from = tensor(w, prefix, "weight");
    size_t n = (size_t)ic * oc * k * k;

    l->ic = ic;
    l->oc = oc;
    l->k = k;
    l->b = lp_tensor_copy(w, prefix, "bias", (size_t)oc);
    if (!from || !l->b) return 0;
    l->w = memcpy(*at, from, n * sizeof *from);
    *at += n;
    return 1;
}

/* bn(conv(x)) as one convolution. */
static void fold_after(lp_layer *l, const lp_bn *n)
{
    size_t per = (size_t)l->ic * l->k * l->k, i;
    int o;

    for (o = 0; o < l->oc; o++) {
        for (i = 0; i < per; i++) l->w[o * per + i] *= n->scale[o];
        l->b[o] = (float)((double)l->b[o] * n->scale[o] + n->shift[o]);
    }
}

/* conv(bn(x)) as one convolution; exact for 1x1 only, where there is no padding. */
static void fold_before(lp_layer *l, const lp_bn *n)
{
    int o, c;

    for (o = 0; o < l->oc; o++) {
        double b = l->b[o];

        for (c = 0; c < l->ic; c++) {
            b += (double)l->w[o * l->ic + c] * n->shift[c];
            l->w[o * l->ic + c] *= n->scale[c];
        }
        l->b[o] = (float)b;
    }
}

int lp_block_load(lp_block *k, const lp_weights *w, const char *where, int up, int cin, int c,
                  int S, int sz)
{
    char p[192];
    lp_bn after = {0}, before = {0};
    size_t n = (size_t)c * ((size_t)sz * sz * (cin + (size_t)3 * c) + cin);
    float *at = k->mem = lp_big_alloc(n * sizeof *at);
    int i, ok = at != NULL;

    for (i = 0; i < 4 && ok; i++) {
        const char *mid = up && i ? "conv." : "";

        snprintf(p, sizeof p, "%sconv.conv_%d.%s2.", where, i, mid);
        ok = load_layer(&k->conv[i], w, p, i ? c : cin, c, sz, &at);
        snprintf(p, sizeof p, "%sconv.conv_%d.%s0.", where, i, mid);
        if (i == 0) ok = ok && lp_bn_load(&k->bn0, w, p, cin);
        if (i == 2) ok = ok && lp_bn_load(&k->bn2, w, p, c);
        if (i == 1 && up) ok = ok && lp_bn_load(&k->bn1, w, p, c);
        if ((i == 1 && !up) || i == 3) {
            ok = ok && lp_bn_load(&after, w, p, c);
            if (ok) fold_after(&k->conv[i - 1], &after);
            if (ok && up) k->scale3 = copy(after.scale, (size_t)c);
            lp_bn_free(&after);
            memset(&after, 0, sizeof after);
        }
        if (up && i) {
            snprintf(p, sizeof p, "%sconv.conv_%d.full.", where, i);
            k->full[i] = lp_tensor_copy(w, p, "weight", (size_t)c * S);
            k->full_b[i] = lp_tensor_copy(w, p, "bias", (size_t)c);
            ok = ok && k->full[i] && k->full_b[i];
        }
    }
    snprintf(p, sizeof p, "%sproj.1.", where);
    ok = ok && load_layer(&k->conv[PROJ], w, p, cin, c, 1, &at);
    snprintf(p, sizeof p, "%sproj.0.", where);
    ok = ok && lp_bn_load(&before, w, p, cin);
    if (ok) fold_before(&k->conv[PROJ], &before);
    lp_bn_free(&before);
    return ok;
}

/* To bfloat16, nearest even, and back. */
static float rounded(float x)
{
    uint32_t u;

    memcpy(&u, &x, 4);
    u += 0x7fffu + ((u >> 16) & 1u);
    u &= 0xffff0000u;
    memcpy(&x, &u, 4);
    return x;
}

/* Mean of max(0, x) for a normal x of mean m and standard deviation s. */
static double mean_relu(double m, double s)
{
    double z = s > 0 ? m / s : 0;

    if (!(s > 0)) return m > 0 ? m : 0;
    return s * exp(-z * z / 2) / sqrt(2 * 3.14159265358979323846) + m * erfc(-z / sqrt(2)) / 2;
}

/* Adds to the bias what rounding the weights takes from the output on average: the sum over
 * inputs of (weight - rounded weight) times the input's mean. */
static void correct_bias(lp_layer *l, const double *mean)
{
    size_t taps = (size_t)l->k * l->k, i;
    int o, c;

    for (o = 0; o < l->oc; o++) {
        double b = l->b[o];

        for (c = 0; c < l->ic; c++) {
            const float *w = l->w + ((size_t)o * l->ic + c) * taps;
            double lost = 0;

            for (i = 0; i < taps; i++) lost += (double)w[i] - rounded(w[i]);
            b += lost * mean[c];
        }
        l->b[o] = (float)b;
    }
}

int lp_block_means(double *mean, const lp_weights *w, const char *where, int up, int i, int ic)
{
    char p[192];
    const float *g, *b, *m;
    int c;

    if (i == PROJ)
        snprintf(p, sizeof p, "%sproj.0.", where);
    else
        snprintf(p, sizeof p, "%sconv.conv_%d.%s0.", where, i, up && i ? "conv." : "");
    g = tensor(w, p, "weight");
    b = tensor(w, p, "bias");
    m = tensor(w, p, "running_mean");
    if (!g || !b || !m) return 0;
    /* proj takes its input as it is; the others take a normalised one: mean b, deviation |g|. */
    for (c = 0; c < ic; c++) mean[c] = i == PROJ ? m[c] : mean_relu(b[c], fabs(g[c]));
    return 1;
}

int lp_block_correct(lp_block *k, const lp_weights *w, const char *where, int up, int first)
{
    int i, ok = 1;

    for (i = 0; i < NCONV && ok; i++) {
        lp_layer *l = &k->conv[i];
        double *mean;

        if (first && (i == PROJ || i == CONV0)) continue;
        mean = malloc((size_t)l->ic * sizeof *mean);
        ok = mean && lp_block_means(mean, w, where, up, i, l->ic);
        if (ok) correct_bias(l, mean);
        free(mean);
    }
    return ok;
}

void lp_block_free(lp_block *k)
{
    int i, j;

    for (i = 0; i < NCONV; i++) {
        free(k->conv[i].b);
        for (j = 0; j < k->conv[i].n_packed; j++) lp_packed_free(&k->conv[i].packed[j]);
    }
    for (i = 0; i < 4; i++) {
        free(k->full[i]);
        free(k->full_b[i]);
    }
    lp_bn_free(&k->bn0);
    lp_bn_free(&k->bn1);
    lp_bn_free(&k->bn2);
    free(k->scale3);
    free(k->mem);
}
