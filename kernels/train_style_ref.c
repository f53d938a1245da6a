#include "train_style.h"

#include <math.h>
#include <stddef.h>

void lp_tstyle_make_ref(const lp_tstyle *st, int images, const double *means, int cp)
{
    int i, c;

    for (i = 0; i < images; i++) {
        float *m = st->mean + (size_t)i * st->n, *s = st->v + (size_t)i * st->n;
        double len = 0;

        for (c = 0; c < st->n; c++) {
            m[c] = (float)means[(size_t)i * cp + c];
            len += (double)m[c] * m[c];
        }
        for (c = 0; c < st->n; c++) s[c] = (float)(m[c] / sqrt(len));
    }
}

void lp_tstyle_apply_ref(const lp_tstyle *st, int images, const float *w, const float *b, int c,
                         int cp, float *f)
{
    int i, k, s;

    for (i = 0; i < images; i++)
        for (k = 0; k < cp; k++) {
            double sum = k < c ? b[k] : 0;

            for (s = 0; k < c && s < st->n; s++)
                sum += (double)w[(size_t)k * st->n + s] * st->v[(size_t)i * st->n + s];
            f[(size_t)i * cp + k] = (float)sum;
        }
}

void lp_tstyle_gradients_ref(const lp_tstyle *st, int images, const float *w, const float *d_f,
                             int c, int cp, float *dw, float *db)
{
    int i, k, s;

    for (k = 0; k < c; k++) {
        db[k] = 0;
        for (s = 0; s < st->n; s++) dw[(size_t)k * st->n + s] = 0;
        for (i = 0; i < images; i++) {
            float d = d_f[(size_t)i * cp + k];

            db[k] += d;
            for (s = 0; s < st->n; s++) {
                dw[(size_t)k * st->n + s] += d * st->v[(size_t)i * st->n + s];
                st->g[(size_t)i * st->n + s] += d * w[(size_t)k * st->n + s];
            }
        }
    }
}

/* With s = m / |m|: dm = (ds - s (ds . s)) / |m|, and each pixel has 1 / plane of it. */
void lp_tstyle_back_ref(const lp_tstyle *st, int images, int plane, int cp, float *d_x)
{
    int i, c;

    for (i = 0; i < images; i++) {
        const float *m = st->mean + (size_t)i * st->n, *s = st->v + (size_t)i * st->n;
        const float *ds = st->g + (size_t)i * st->n;
        double len = 0, along = 0;

        for (c = 0; c < st->n; c++) {
            len += (double)m[c] * m[c];
            along += (double)ds[c] * s[c];
        }
        for (c = 0; c < cp; c++)
            d_x[(size_t)i * cp + c] =
                c < st->n ? (float)((ds[c] - s[c] * along) / (sqrt(len) * plane)) : 0;
    }
}
