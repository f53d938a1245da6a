#include "unet_ref.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tensor [c][h][w] in double. */
typedef struct {
    int c, h, w;
    double *v;
} map;

static map new_map(int c, int h, int w)
{
    map m = {c, h, w, malloc((size_t)c * h * w * sizeof(double))};

    return m;
}

static size_t size(const map *m)
{
    return (size_t)m->c * m->h * m->w;
}

static const float *get(const lp_weights *w, const char *prefix, const char *name)
{
    char key[256];

    snprintf(key, sizeof key, "%s%s", prefix, name);
    return lp_weights_get(w, key);
}

/* nn.BatchNorm2d in inference, then nn.ReLU if relu. */
static map batch_norm(const lp_weights *w, const char *prefix, const map *x, int relu)
{
    const float *g = get(w, prefix, "weight"), *b = get(w, prefix, "bias");
    const float *mean = get(w, prefix, "running_mean"), *var = get(w, prefix, "running_var");
    size_t plane = (size_t)x->h * x->w, i;
    map y = new_map(x->c, x->h, x->w);
    int c;

    if (!y.v) return y;
    for (c = 0; c < x->c; c++)
        for (i = 0; i < plane; i++) {
            double v = (x->v[c * plane + i] - mean[c]) / sqrt((double)var[c] + 1e-5) * g[c] + b[c];

            y.v[c * plane + i] = relu && v < 0 ? 0 : v;
        }
    return y;
}

/* nn.Conv2d(x.c, oc, k, padding = k / 2). */
static map convolve(const lp_weights *w, const char *prefix, const map *x, int oc, int k)
{
    const float *weight = get(w, prefix, "weight"), *bias = get(w, prefix, "bias");
    map y = new_map(oc, x->h, x->w);
    int h = x->h, wd = x->w, r = k / 2, o;

    if (!y.v || !x->v) return y;
#pragma omp parallel for schedule(static)
    for (o = 0; o < oc; o++) {
        double *out = y.v + (size_t)o * h * wd;
        int c, dy, dx, i, j;

        for (i = 0; i < h * wd; i++) out[i] = bias[o];
        for (c = 0; c < x->c; c++)
            for (dy = -r; dy <= r; dy++)
                for (dx = -r; dx <= r; dx++) {
                    double f = weight[(((size_t)o * x->c + c) * k + dy + r) * k + dx + r];

                    for (i = dy < 0 ? -dy : 0; i < h && i + dy < h; i++) {
                        const double *in = x->v + ((size_t)c * h + i + dy) * wd + dx;

                        for (j = dx < 0 ? -dx : 0; j < wd && j + dx < wd; j++)
                            out[(size_t)i * wd + j] += f * in[j];
                    }
                }
    }
    return y;
}

/* batchconv (relu) or batchconv0: prefix + "0." is the batch norm, prefix + conv_name the
 * convolution. */
static map batchconv(const lp_weights *w, const char *prefix, const char *conv_name, const map *x,
                     int oc, int k, int relu)
{
    char name[160];
    map a, y = {0};

    snprintf(name, sizeof name, "%s0.", prefix);
    a = batch_norm(w, name, x, relu);
    snprintf(name, sizeof name, "%s%s.", prefix, conv_name);
    if (a.v) y = convolve(w, name, &a, oc, k);
    free(a.v);
    return y;
}

static void add(map *x, const map *y)
{
    size_t i;

    for (i = 0; x->v && y->v && i < size(x); i++) x->v[i] += y->v[i];
}

/* x += full(style), per channel. */
static void add_style(const lp_weights *w, const char *prefix, map *x, const double *style, int S)
{
    const float *weight = get(w, prefix, "weight"), *bias = get(w, prefix, "bias");
    size_t plane = (size_t)x->h * x->w, i;
    int c, s;

    for (c = 0; x->v && c < x->c; c++) {
        double f = bias[c];

        for (s = 0; s < S; s++) f += (double)weight[(size_t)c * S + s] * style[s];
        for (i = 0; i < plane; i++) x->v[c * plane + i] += f;
    }
}

static map pool(const map *x)
{
    map y = new_map(x->c, x->h / 2, x->w / 2);
    int c, i, j;

    for (c = 0; y.v && c < y.c; c++)
        for (i = 0; i < y.h; i++)
            for (j = 0; j < y.w; j++) {
                const double *p = x->v + ((size_t)c * x->h + 2 * i) * x->w + 2 * j;

                y.v[((size_t)c * y.h + i) * y.w + j] =
                    fmax(fmax(p[0], p[1]), fmax(p[x->w], p[x->w + 1]));
            }
    return y;
}

static map upsample(const map *x)
{
    map y = new_map(x->c, x->h * 2, x->w * 2);
    int c, i, j;

    for (c = 0; y.v && c < y.c; c++)
        for (i = 0; i < y.h; i++)
            for (j = 0; j < y.w; j++)
                y.v[((size_t)c * y.h + i) * y.w + j] =
                    x->v[((size_t)c * x->h + i / 2) * x->w + j / 2];
    return y;
}

/* resdown.forward */
static map res_down(const lp_weights *w, int level, const map *x, int oc)
{
    map t[4] = {{0}}, y;
    char p[128];
    int k;

    snprintf(p, sizeof p, "downsample.down.res_down_%d.proj.", level);
    y = batchconv(w, p, "1", x, oc, 1, 0);
    for (k = 0; k < 4; k++) {
        snprintf(p, sizeof p, "downsample.down.res_down_%d.conv.conv_%d.", level, k);
        t[k] = batchconv(w, p, "2", k == 0 ? x : k == 2 ? &y : &t[k - 1], oc, w->sz, 1);
        if (k & 1) add(&y, &t[k]);
        if (!t[k].v) break;
    }
    for (k = 0; k < 4; k++) free(t[k].v);
    return y;
}

/* resup.forward; skip is changed. */
static map res_up(const lp_weights *w, int level, const map *x, map *skip, const double *style,
                  int S)
{
    int oc = skip->c, k;
    map t, u, y;
    char p[128];

    snprintf(p, sizeof p, "upsample.up.res_up_%d.proj.", level);
    y = batchconv(w, p, "1", x, oc, 1, 0);
    snprintf(p, sizeof p, "upsample.up.res_up_%d.conv.conv_0.", level);
    t = batchconv(w, p, "2", x, oc, w->sz, 1);
    add(&t, skip);
    for (k = 1; k < 4 && t.v && y.v; k++) {
        if (k == 2) memcpy(t.v, y.v, size(&y) * sizeof *y.v);
        snprintf(p, sizeof p, "upsample.up.res_up_%d.conv.conv_%d.full.", level, k);
        add_style(w, p, &t, style, S);
        snprintf(p, sizeof p, "upsample.up.res_up_%d.conv.conv_%d.conv.", level, k);
        u = batchconv(w, p, "2", &t, oc, w->sz, 1);
        free(t.v);
        t = u;
        if (k != 2) add(&y, &t);
    }
    free(t.v);
    return y;
}

/* make_style.forward */
static void make_style(const map *x, double *style)
{
    size_t plane = (size_t)x->h * x->w, i;
    double len = 0;
    int c;

    for (c = 0; c < x->c; c++) {
        style[c] = 0;
        for (i = 0; i < plane; i++) style[c] += x->v[c * plane + i];
        style[c] /= (double)plane;
        len += style[c] * style[c];
    }
    for (c = 0; c < x->c; c++) style[c] /= sqrt(len);
}

static int one(const lp_weights *w, const float *x, int ly, int lx, float *out, float *style_out)
{
    int L = w->n_nbase - 1, S = w->nbase[L], l;
    map down[LP_MAX_NBASE] = {{0}}, y, t;
    double style[LP_MAX_WIDTH];
    size_t i;

    t = new_map(w->nbase[0], ly, lx);
    for (i = 0; t.v && i < size(&t); i++) t.v[i] = x[i];
    for (l = 0; l < L && t.v; l++) {
        down[l] = res_down(w, l, &t, w->nbase[l + 1]);
        free(t.v);
        t.v = NULL;
        if (!down[l].v) break;
        t = l + 1 < L ? pool(&down[l]) : new_map(S, down[l].h, down[l].w);
    }
    if (t.v) {
        memcpy(t.v, down[L - 1].v, size(&t) * sizeof *t.v);
        make_style(&t, style);
    }
    for (l = L - 1; l >= 0 && t.v; l--) {
        y = res_up(w, l, &t, &down[l], style, S);
        free(t.v);
        t = y;
        if (l && t.v) {
            y = upsample(&t);
            free(t.v);
            t = y;
        }
    }
    y.v = NULL;
    if (t.v) y = batchconv(w, "output.", "2", &t, w->nout, 1, 1);
    if (y.v) {
        for (i = 0; i < size(&y); i++) out[i] = (float)y.v[i];
        for (l = 0; style_out && l < S; l++) style_out[l] = (float)style[l];
    }
    for (l = 0; l < L; l++) free(down[l].v);
    free(t.v);
    free(y.v);
    return y.v != NULL;
}

lp_status lp_unet_ref(const lp_weights *w, const float *x, int n, int ly, int lx, float *y,
                      float *styles, lp_err *err)
{
    int L = w->n_nbase - 1, S = w->nbase[L], div = 1 << (L - 1), i;
    size_t plane = (size_t)ly * lx;

    if (n < 1 || ly < div || lx < div || ly % div || lx % div)
        return lp_fail(err, LP_EARG,
                       "network: tiles of %d x %d pixels; both must be multiples of %d", ly, lx,
                       div);
    for (i = 0; i < n; i++)
        if (!one(w, x + i * plane * w->nbase[0], ly, lx, y + i * plane * w->nout,
                 styles ? styles + (size_t)i * S : NULL))
            return lp_fail_mem(err, "network", (double)plane * w->nbase[1] * 8);
    return LP_OK;
}
