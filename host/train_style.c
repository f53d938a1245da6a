#include "train_style.h"

#include <math.h>

static int padded(const lp_tstep *t, int c)
{
    return (c + t->cb - 1) / t->cb * t->cb;
}

void lp_tstyle_make(const lp_tstep *t, lp_tstyle *st, const lp_tmap *x)
{
    lp_tdims d = lp_tmap_dims(t, x);
    int cp = padded(t, x->c), i, c;

    lp_tops_means(&d, x->v, t->sum_g);
    for (i = 0; i < t->n; i++) {
        float *m = st->mean + (size_t)i * st->n, *s = st->v + (size_t)i * st->n;
        double len = 0;

        for (c = 0; c < st->n; c++) {
            m[c] = (float)t->sum_g[(size_t)i * cp + c];
            len += (double)m[c] * m[c];
        }
        for (c = 0; c < st->n; c++) s[c] = (float)(m[c] / sqrt(len));
    }
}

void lp_tstyle_apply(const lp_tstep *t, const lp_tstyle *st, lp_tunit *u)
{
    const float *w = t->w->tensors[u->full_w].data, *b = t->w->tensors[u->full_b].data;
    int cp = padded(t, u->ic), i, c, s;

    for (i = 0; i < t->n; i++)
        for (c = 0; c < cp; c++) {
            double sum = c < u->ic ? b[c] : 0;

            for (s = 0; c < u->ic && s < st->n; s++)
                sum += (double)w[(size_t)c * st->n + s] * st->v[(size_t)i * st->n + s];
            u->f[(size_t)i * cp + c] = (float)sum;
        }
}

void lp_tstyle_gradients(lp_tstep *t, lp_tstyle *st, const lp_tunit *u)
{
    const float *w = t->w->tensors[u->full_w].data;
    float *dw = t->grad[u->full_w], *db = t->grad[u->full_b];
    int cp = padded(t, u->ic), i, c, s;

    for (c = 0; c < u->ic; c++) {
        db[c] = 0;
        for (s = 0; s < st->n; s++) dw[(size_t)c * st->n + s] = 0;
        for (i = 0; i < t->n; i++) {
            float d = u->d_f[(size_t)i * cp + c];

            db[c] += d;
            for (s = 0; s < st->n; s++) {
                dw[(size_t)c * st->n + s] += d * st->v[(size_t)i * st->n + s];
                st->g[(size_t)i * st->n + s] += d * w[(size_t)c * st->n + s];
            }
        }
    }
}

/* With s = m / |m|: dm = (ds - s (ds . s)) / |m|, and each pixel has 1 / plane of it. */
void lp_tstyle_back(lp_tstep *t, const lp_tstyle *st, lp_tmap *x)
{
    lp_tdims d = lp_tmap_dims(t, x);
    int cp = padded(t, x->c), i, c;
    float *f = t->q;

    for (i = 0; i < t->n; i++) {
        const float *m = st->mean + (size_t)i * st->n, *s = st->v + (size_t)i * st->n;
        const float *ds = st->g + (size_t)i * st->n;
        double len = 0, along = 0;

        for (c = 0; c < st->n; c++) {
            len += (double)m[c] * m[c];
            along += (double)ds[c] * s[c];
        }
        for (c = 0; c < cp; c++)
            f[(size_t)i * cp + c] =
                c < st->n ? (float)((ds[c] - s[c] * along) / (sqrt(len) * x->h * x->w)) : 0;
    }
    lp_tops_add_channels(&d, x->g, f);
}
