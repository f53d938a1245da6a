#include "train_block.h"

#include <stdint.h>

#define RUN LP_TSTEP_RUN

int lp_tstep_padded(const lp_tstep *t, int c)
{
    return (c + t->cb - 1) / t->cb * t->cb;
}

lp_tdims lp_tmap_dims(const lp_tstep *t, const lp_tmap *m)
{
    int cp = lp_tstep_padded(t, m->c), cb = t->cb;

    while (m->bf16 && cb < 64 && cp % (2 * cb) == 0) cb *= 2;
    return (lp_tdims){t->n, cp / cb, cb, m->h, m->w, m->bf16};
}

/* For convert, to (bf16) the map's type or from it. */
static lp_tdims float_blocks(const lp_tstep *t, const lp_tmap *m, int bf16)
{
    return (lp_tdims){t->n, lp_tstep_padded(t, m->c) / t->cb, t->cb, m->h, m->w, bf16};
}

static lp_tnorm norm_of(const lp_tstep *t, const lp_tunit *u)
{
    return (lp_tnorm){.n = t->n,
                      .c = u->ic,
                      .cp = lp_tstep_padded(t, u->ic),
                      .plane = u->h * u->w,
                      .training = t->training,
                      .gamma = t->tensor[u->gamma],
                      .beta = t->tensor[u->beta],
                      .running_mean = t->tensor[u->running_mean],
                      .running_var = t->tensor[u->running_var],
                      .counter = t->tensor[u->counter],
                      .mean = u->s->mean,
                      .var = u->s->var,
                      .image_mean = u->s->image_mean,
                      .f = u->f,
                      .scale = u->scale,
                      .shift = u->shift,
                      .d_gamma = t->grad[u->gamma],
                      .d_beta = t->grad[u->beta],
                      .p = t->p,
                      .q = t->q,
                      .d_f = u->d_f};
}

static void statistics(lp_tstep *t, const lp_tmap *x, const float *f, lp_tstats *s)
{
    lp_tdims d = lp_tmap_dims(t, x);

    if (t->training) RUN(t, stats, &d, x->v, f, s->mean, s->var, s->image_mean, t->work);
}

/* y = conv(a) + bias; the map y may be bfloat16 where the unit is not. */
static void convolve(lp_tstep *t, lp_tunit *u, const float *w, const float *bias, const void *a,
                     const lp_tmap *y)
{
    lp_tdims d = float_blocks(t, y, 1);
    int to_bf16 = y->bf16 && !u->bf16;
    void *conv = u->conv[t->plan];

    RUN(t, conv_weights, conv, w, t->training, u->packed);
    RUN(t, conv_forward, conv, u->packed, bias, a, to_bf16 ? t->wide : y->v, t->conv_scratch);
    if (to_bf16) RUN(t, convert, &d, y->v, t->wide);
}

/* copy (or NULL) receives x->v as well. */
static void forward(lp_tstep *t, lp_tunit *u, const lp_tmap *x, void *copy, const lp_tmap *y)
{
    lp_tdims d = lp_tmap_dims(t, x);
    lp_tnorm m = norm_of(t, u);

    RUN(t, coefficients, &m);
    RUN(t, norm, &d, u->a, copy, x->v, u->scale, u->shift);
    convolve(t, u, t->tensor[u->weight], t->tensor[u->bias], u->a, y);
}

static void forward_folded(lp_tstep *t, lp_tunit *u, const lp_tmap *x, const lp_tmap *y)
{
    lp_tnorm m = norm_of(t, u);

    RUN(t, coefficients, &m);
    RUN(t, fold, &m, u->oc, t->tensor[u->weight], t->tensor[u->bias], t->folded, t->bias);
    convolve(t, u, t->folded, t->bias, x->v, y);
}

static size_t bytes_of(const lp_tstep *t, const lp_tmap *m)
{
    size_t each = m->bf16 ? sizeof(uint16_t) : sizeof(float);

    return (size_t)t->n * lp_tstep_padded(t, m->c) * m->h * m->w * each;
}

void lp_tblock_forward(lp_tstep *t, lp_tblock *b)
{
    statistics(t, b->x, NULL, &b->of_x);
    if (b->skip) RUN(t, copy, b->z.v, b->skip->v, bytes_of(t, &b->out));
    forward(t, &b->u[LP_TU_CONV0], b->x, NULL, &b->z);
    forward_folded(t, &b->u[LP_TU_PROJ], b->x, &b->y);
    statistics(t, &b->z, b->u[LP_TU_CONV1].f, &b->of_z);
    forward(t, &b->u[LP_TU_CONV1], &b->z, NULL, &b->y);
    statistics(t, &b->y, b->u[LP_TU_CONV2].f, &b->of_y);
    forward(t, &b->u[LP_TU_CONV2], &b->y, b->out.v, &b->mid);
    statistics(t, &b->mid, b->u[LP_TU_CONV3].f, &b->of_mid);
    forward(t, &b->u[LP_TU_CONV3], &b->mid, NULL, &b->out);
}

void lp_tunit_forward(lp_tstep *t, lp_tunit *u, const lp_tmap *x, lp_tmap *y)
{
    statistics(t, x, u->f, u->s);
    forward(t, u, x, NULL, y);
}

/* All gradients of a unit but the one of x, for which t->d_a, t->p and t->q stay. */
static void backward(lp_tstep *t, lp_tunit *u, const lp_tmap *x, const void *d_y)
{
    lp_tdims d = lp_tmap_dims(t, x);
    lp_tnorm m = norm_of(t, u);
    void *conv = u->conv[t->plan];

    RUN(t, conv_backward_data, conv, u->packed, d_y, t->d_a, t->conv_scratch);
    RUN(t, conv_backward_weights, conv, u->a, d_y, t->grad[u->weight], t->grad[u->bias],
        t->conv_scratch);
    RUN(t, norm_sums, &d, t->d_a, x->v, u->scale, u->shift, t->sum_g, t->sum_gx, t->work);
    RUN(t, gradients, &m, t->sum_g, t->sum_gx);
}

static void to_x(lp_tstep *t, const lp_tunit *u, const lp_tmap *x, void *d_x, int add,
                 const void *extra)
{
    lp_tdims d = lp_tmap_dims(t, x);

    RUN(t, norm_back, &d, d_x, add, t->d_a, x->v, u->scale, u->shift, t->p, t->q, extra);
}

void lp_tunit_backward(lp_tstep *t, lp_tunit *u, lp_tmap *x, const lp_tmap *y)
{
    backward(t, u, x, y->g);
    to_x(t, u, x, x->g, 0, NULL);
}

/* proj. Adds to t->p and t->q; t->d_fold = scale * da. */
static void backward_folded(lp_tstep *t, lp_tunit *u, const lp_tmap *x, const void *d_y, int d_x)
{
    float *dw = t->grad[u->weight], *db = t->grad[u->bias];
    lp_tnorm m = norm_of(t, u);
    void *conv = u->conv[t->plan];

    RUN(t, conv_backward_weights, conv, x->v, d_y, dw, db, t->conv_scratch);
    if (d_x) RUN(t, conv_backward_data, conv, u->packed, d_y, t->d_fold, t->conv_scratch);
    RUN(t, fold_gradients, &m, u->oc, t->tensor[u->weight], db, dw);
}

/* d_y, the gradient of y, as the unit wants it: t->wide where y is bfloat16 and the unit is not. */
static const void *gradient_for(lp_tstep *t, const lp_tunit *u, const lp_tmap *y, const void *d_y)
{
    lp_tdims d = float_blocks(t, y, 0);

    if (!y->bf16 || u->bf16) return d_y;
    RUN(t, convert, &d, t->wide, d_y);
    return t->wide;
}

void lp_tblock_backward(lp_tstep *t, lp_tblock *b, int d_x)
{
    lp_tunit *u = b->u;
    void *d_z = b->skip ? b->skip->g : t->d_mid;

    backward(t, &u[LP_TU_CONV3], &b->mid, b->out.g);
    to_x(t, &u[LP_TU_CONV3], &b->mid, t->d_mid, 0, NULL);
    backward(t, &u[LP_TU_CONV2], &b->y, t->d_mid);
    to_x(t, &u[LP_TU_CONV2], &b->y, b->out.g, 1, NULL); /* now the gradient of y */
    backward(t, &u[LP_TU_CONV1], &b->z, b->out.g);
    to_x(t, &u[LP_TU_CONV1], &b->z, d_z, 0, NULL);
    backward(t, &u[LP_TU_CONV0], b->x, gradient_for(t, &u[LP_TU_CONV0], &b->z, d_z));
    backward_folded(t, &u[LP_TU_PROJ], b->x, gradient_for(t, &u[LP_TU_PROJ], &b->y, b->out.g), d_x);
    if (d_x) to_x(t, &u[LP_TU_CONV0], b->x, b->x->g, d_x == 2, t->d_fold);
}
