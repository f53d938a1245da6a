#include "train_block.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define EPS 1e-5       /* nn.BatchNorm2d of Cellpose */
#define MOMENTUM 0.05f /* its share of the new batch */

static int padded(const lp_tstep *t, int c)
{
    return (c + t->cb - 1) / t->cb * t->cb;
}

lp_tdims lp_tmap_dims(const lp_tstep *t, const lp_tmap *m)
{
    int cp = padded(t, m->c), cb = t->cb;

    while (m->bf16 && cb < 64 && cp % (2 * cb) == 0) cb *= 2;
    return (lp_tdims){t->n, cp / cb, cb, m->h, m->w, m->bf16};
}

/* For lp_tops_convert, to (bf16) the map's type or from it. */
static lp_tdims float_blocks(const lp_tstep *t, const lp_tmap *m, int bf16)
{
    return (lp_tdims){t->n, padded(t, m->c) / t->cb, t->cb, m->h, m->w, bf16};
}

static float *tensor(const lp_tstep *t, int i)
{
    return t->w->tensors[i].data;
}

static void statistics(lp_tstep *t, const lp_tmap *x, const float *f, lp_tstats *s)
{
    lp_tdims d = lp_tmap_dims(t, x);

    if (t->training) lp_tops_stats(&d, x->v, f, s->mean, s->var, s->image_mean, t->work);
}

/* scale and shift of a unit; in training also its running statistics, else from them. */
static void coefficients(lp_tstep *t, lp_tunit *u)
{
    float *rm = tensor(t, u->running_mean), *rv = tensor(t, u->running_var);
    const float *gamma = tensor(t, u->gamma), *beta = tensor(t, u->beta);
    double m = (double)t->n * u->h * u->w;
    int cp = padded(t, u->ic), c, i;

    for (c = 0; c < cp; c++) {
        double mean, var;

        if (c >= u->ic) {
            u->scale[c] = 0;
            for (i = 0; i < t->n; i++) u->shift[i * cp + c] = 0;
            continue;
        }
        mean = t->training ? u->s->mean[c] : rm[c];
        var = t->training ? u->s->var[c] : rv[c];
        u->scale[c] = (float)(gamma[c] / sqrt(var + EPS));
        for (i = 0; i < t->n; i++)
            u->shift[i * cp + c] =
                (float)(beta[c] + u->scale[c] * ((u->f ? u->f[i * cp + c] : 0) - mean));
        if (t->training) {
            rm[c] += MOMENTUM * ((float)mean - rm[c]);
            rv[c] += MOMENTUM * ((float)(m > 1 ? var * m / (m - 1) : var) - rv[c]);
        }
    }
    if (t->training) tensor(t, u->counter)[0] += 1;
}

static void pad_bias(lp_tstep *t, const float *b, int n)
{
    memset(t->bias, 0, (size_t)padded(t, n) * sizeof *t->bias);
    memcpy(t->bias, b, (size_t)n * sizeof *t->bias);
}

/* y = conv(a) + t->bias; the map y may be bfloat16 where the unit is not. */
static int convolve(lp_tstep *t, lp_tunit *u, const void *a, const lp_tmap *y)
{
    lp_tdims d = float_blocks(t, y, 1);
    int convert = y->bf16 && !u->bf16;
    int s =
        lp_tconv_forward(u->conv[t->plan], t->bias, a, convert ? t->wide : y->v, t->conv_scratch);

    if (convert && !s) lp_tops_convert(&d, y->v, t->wide);
    return s;
}

/* copy (or NULL) receives x->v as well. */
static int forward(lp_tstep *t, lp_tunit *u, const lp_tmap *x, void *copy, const lp_tmap *y)
{
    lp_tdims d = lp_tmap_dims(t, x);
    int s;

    coefficients(t, u);
    lp_tops_norm(&d, u->a, copy, x->v, u->scale, u->shift);
    if ((s = lp_tconv_weights(u->conv[t->plan], tensor(t, u->weight), t->training))) return s;
    pad_bias(t, tensor(t, u->bias), u->oc);
    return convolve(t, u, u->a, y);
}

static int forward_folded(lp_tstep *t, lp_tunit *u, const lp_tmap *x, const lp_tmap *y)
{
    const float *w = tensor(t, u->weight), *b = tensor(t, u->bias);
    int o, c, s;

    coefficients(t, u);
    pad_bias(t, b, u->oc);
    for (o = 0; o < u->oc; o++) {
        double sum = b[o];

        for (c = 0; c < u->ic; c++) {
            size_t k = (size_t)o * u->ic + c;

            t->folded[k] = w[k] * u->scale[c];
            sum += (double)w[k] * u->shift[c];
        }
        t->bias[o] = (float)sum;
    }
    if ((s = lp_tconv_weights(u->conv[t->plan], t->folded, t->training))) return s;
    return convolve(t, u, x->v, y);
}

int lp_tblock_forward(lp_tstep *t, lp_tblock *b)
{
    lp_tdims d = lp_tmap_dims(t, &b->out);
    size_t each = b->out.bf16 ? sizeof(uint16_t) : sizeof(float);
    int s;

    statistics(t, b->x, NULL, &b->of_x);
    if (b->skip) memcpy(b->z.v, b->skip->v, lp_tdims_size(&d) * each);
    if ((s = forward(t, &b->u[LP_TU_CONV0], b->x, NULL, &b->z))) return s;
    if ((s = forward_folded(t, &b->u[LP_TU_PROJ], b->x, &b->y))) return s;
    statistics(t, &b->z, b->u[LP_TU_CONV1].f, &b->of_z);
    if ((s = forward(t, &b->u[LP_TU_CONV1], &b->z, NULL, &b->y))) return s;
    statistics(t, &b->y, b->u[LP_TU_CONV2].f, &b->of_y);
    if ((s = forward(t, &b->u[LP_TU_CONV2], &b->y, b->out.v, &b->mid))) return s;
    statistics(t, &b->mid, b->u[LP_TU_CONV3].f, &b->of_mid);
    return forward(t, &b->u[LP_TU_CONV3], &b->mid, NULL, &b->out);
}

int lp_tunit_forward(lp_tstep *t, lp_tunit *u, const lp_tmap *x, lp_tmap *y)
{
    statistics(t, x, u->f, u->s);
    return forward(t, u, x, NULL, y);
}

static double inverse_std(double var)
{
    return 1 / sqrt(var + EPS);
}

/* Gradients of gamma and beta from sum_g, sum_gx [n][Cp] (g the gradient behind the ReLU); t->p and
 * t->q so that the gradient of x is scale * g + p * x + q (Ioffe and Szegedy 2015); d_f. */
static void norm_gradients(lp_tstep *t, lp_tunit *u)
{
    float *d_gamma = t->grad[u->gamma], *d_beta = t->grad[u->beta];
    double plane = (double)u->h * u->w, m = plane * t->n;
    int cp = padded(t, u->ic), c, i;

    for (c = 0; c < cp; c++) {
        double mean = u->s->mean[c], r = inverse_std(u->s->var[c]), sg = 0, sgx = 0, p;

        for (i = 0; i < t->n; i++) {
            double g = t->sum_g[i * cp + c], f = u->f ? u->f[i * cp + c] : 0;

            sg += g;
            sgx += r * (t->sum_gx[i * cp + c] + (f - mean) * g);
        }
        p = -u->scale[c] * r * sgx / m;
        t->p[c] = (float)p;
        for (i = 0; i < t->n; i++) {
            double f = u->f ? u->f[i * cp + c] : 0;

            t->q[i * cp + c] = (float)(-u->scale[c] * sg / m + p * (f - mean));
            if (u->d_f)
                u->d_f[i * cp + c] = (float)(u->scale[c] * (t->sum_g[i * cp + c] - sg * plane / m) +
                                             p * plane * (u->s->image_mean[i * cp + c] - mean));
        }
        if (c >= u->ic) continue;
        d_gamma[c] = (float)sgx;
        d_beta[c] = (float)sg;
    }
}

/* Gradients of the convolution, and t->d_a. */
static int conv_gradients(lp_tstep *t, lp_tunit *u, const void *d_y)
{
    lp_tconv *c = u->conv[t->plan];
    int s = lp_tconv_backward_data(c, d_y, t->d_a, t->conv_scratch);

    if (!s)
        s = lp_tconv_backward_weights(c, u->a, d_y, t->grad[u->weight], t->bias, t->conv_scratch);
    memcpy(t->grad[u->bias], t->bias, (size_t)u->oc * sizeof(float));
    return s;
}

/* All gradients of a unit but the one of x, for which t->d_a, t->p and t->q stay. */
static int backward(lp_tstep *t, lp_tunit *u, const lp_tmap *x, const void *d_y)
{
    lp_tdims d = lp_tmap_dims(t, x);
    int s;

    if ((s = conv_gradients(t, u, d_y))) return s;
    lp_tops_norm_sums(&d, t->d_a, x->v, u->scale, u->shift, t->sum_g, t->sum_gx, t->work);
    norm_gradients(t, u);
    return 0;
}

static void to_x(lp_tstep *t, const lp_tunit *u, const lp_tmap *x, void *d_x, int add,
                 const void *extra)
{
    lp_tdims d = lp_tmap_dims(t, x);

    lp_tops_norm_back(&d, d_x, add, t->d_a, x->v, u->scale, u->shift, t->p, t->q, extra);
}

int lp_tunit_backward(lp_tstep *t, lp_tunit *u, lp_tmap *x, const lp_tmap *y)
{
    int s = backward(t, u, x, y->g);

    if (!s) to_x(t, u, x, x->g, 0, NULL);
    return s;
}

/* proj: with dW' the gradient of the folded weights and S that of its bias, a = scale x + shift:
 * dW = scale dW' + shift S; of sums over pixels, sum(da) = W^T S and
 * sum(da xhat) = sum_o W (dW' - mean S) / std. Adds to t->p and t->q; t->d_fold = scale * da. */
static int backward_folded(lp_tstep *t, lp_tunit *u, const lp_tmap *x, const void *d_y, int d_x)
{
    const float *w = tensor(t, u->weight);
    float *dw = t->grad[u->weight], *sum = t->bias;
    double m = (double)t->n * u->h * u->w;
    int cp = padded(t, u->ic), c, o, i, s;

    if ((s = lp_tconv_backward_weights(u->conv[t->plan], x->v, d_y, dw, sum, t->conv_scratch)))
        return s;
    if (d_x && (s = lp_tconv_backward_data(u->conv[t->plan], d_y, t->d_fold, t->conv_scratch)))
        return s;
    memcpy(t->grad[u->bias], sum, (size_t)u->oc * sizeof(float));
    for (c = 0; c < u->ic; c++) {
        double mean = u->s->mean[c], r = inverse_std(u->s->var[c]), sg = 0, sgx = 0, p, q;

        for (o = 0; o < u->oc; o++) {
            size_t k = (size_t)o * u->ic + c;

            sg += (double)w[k] * sum[o];
            sgx += (double)w[k] * r * (dw[k] - mean * sum[o]);
            dw[k] = u->scale[c] * dw[k] + u->shift[c] * sum[o];
        }
        t->grad[u->gamma][c] = (float)sgx;
        t->grad[u->beta][c] = (float)sg;
        p = -u->scale[c] * r * sgx / m;
        q = -u->scale[c] * sg / m - p * mean;
        t->p[c] += (float)p;
        for (i = 0; i < t->n; i++) t->q[i * cp + c] += (float)q;
    }
    return 0;
}

/* d_y, the gradient of y, as the unit wants it: t->wide where y is bfloat16 and the unit is not. */
static const void *gradient_for(lp_tstep *t, const lp_tunit *u, const lp_tmap *y, const void *d_y)
{
    lp_tdims d = float_blocks(t, y, 0);

    if (!y->bf16 || u->bf16) return d_y;
    lp_tops_convert(&d, t->wide, d_y);
    return t->wide;
}

int lp_tblock_backward(lp_tstep *t, lp_tblock *b, int d_x)
{
    lp_tunit *u = b->u;
    void *d_z = b->skip ? b->skip->g : t->d_mid;
    int s;

    if ((s = backward(t, &u[LP_TU_CONV3], &b->mid, b->out.g))) return s;
    to_x(t, &u[LP_TU_CONV3], &b->mid, t->d_mid, 0, NULL);
    if ((s = backward(t, &u[LP_TU_CONV2], &b->y, t->d_mid))) return s;
    to_x(t, &u[LP_TU_CONV2], &b->y, b->out.g, 1, NULL); /* now the gradient of y */
    if ((s = backward(t, &u[LP_TU_CONV1], &b->z, b->out.g))) return s;
    to_x(t, &u[LP_TU_CONV1], &b->z, d_z, 0, NULL);
    if ((s = backward(t, &u[LP_TU_CONV0], b->x, gradient_for(t, &u[LP_TU_CONV0], &b->z, d_z))))
        return s;
    if ((s = backward_folded(t, &u[LP_TU_PROJ], b->x,
                             gradient_for(t, &u[LP_TU_PROJ], &b->y, b->out.g), d_x)))
        return s;
    if (d_x) to_x(t, &u[LP_TU_CONV0], b->x, b->x->g, d_x == 2, t->d_fold);
    return 0;
}
