#include "train_augment.h"

#include <math.h>
#include <string.h>

#include "detmath.h"

#define PI 3.14159265358979323846

lp_augment lp_augment_draw(lp_rng *r, int Ly, int Lx, double rescale, double scale_range, int ly,
                           int lx)
{
    lp_augment a;
    double free_x, free_y;

    a.flip = lp_rng_uniform(r) > 0.5;
    a.theta = lp_rng_uniform(r) * 2 * PI;
    a.scale = (1 - scale_range / 2 + scale_range * lp_rng_uniform(r)) / rescale;
    free_x = Lx * a.scale - lx;
    free_y = Ly * a.scale - ly;
    a.dx = (lp_rng_uniform(r) - 0.5) * (free_x > 0 ? free_x : 0);
    a.dy = (lp_rng_uniform(r) - 0.5) * (free_y > 0 ? free_y : 0);
    return a;
}

/* Where a pixel of the crop comes from: four neighbours and their weights, 0 outside. */
typedef struct {
    size_t at[4];
    float w[4];
    int nearest; /* of at, or -1 */
} source;

static int sample(const lp_train_image *im, int flip, double sy, double sx, source *s)
{
    double fy = floor(sy), fx = floor(sx), wy = sy - fy, wx = sx - fx;
    int y = (int)fy, x = (int)fx, k;

    if (!(sy > -1 && sy < im->Ly && sx > -1 && sx < im->Lx)) return 0;
    s->nearest = (wy >= 0.5 ? 2 : 0) + (wx >= 0.5 ? 1 : 0);
    for (k = 0; k < 4; k++) {
        int yy = y + (k >> 1), xx = x + (k & 1);
        int in = yy >= 0 && yy < im->Ly && xx >= 0 && xx < im->Lx;

        s->w[k] = in ? (float)((k >> 1 ? wy : 1 - wy) * (k & 1 ? wx : 1 - wx)) : 0;
        s->at[k] = in ? (size_t)yy * im->Lx + (flip ? im->Lx - 1 - xx : xx) : 0;
        if (!in && s->nearest == k) s->nearest = -1;
    }
    return 1;
}

static float mean_of(const float *p, const source *s)
{
    return s->w[0] * p[s->at[0]] + s->w[1] * p[s->at[1]] + s->w[2] * p[s->at[2]] +
           s->w[3] * p[s->at[3]];
}

static float flow_of(const int16_t *p, const source *s)
{
    return (s->w[0] * p[s->at[0]] + s->w[1] * p[s->at[1]] + s->w[2] * p[s->at[2]] +
            s->w[3] * p[s->at[3]]) *
           (1 / 32767.0f);
}

void lp_augment_apply(const lp_train_image *im, const lp_augment *a, int nchan, int ly, int lx,
                      float *x, float *target)
{
    size_t plane = (size_t)ly * lx, from = (size_t)im->Ly * im->Lx, o;
    double s, c;
    int i, j, k;

    lp_det_sincos(a->theta / (2 * PI), &s, &c); /* of turns, and the same bits everywhere */
    memset(x, 0, (size_t)nchan * plane * sizeof *x);
    memset(target, 0, 3 * plane * sizeof *target);
    for (i = 0; i < ly; i++)
        for (j = 0; j < lx; j++) {
            /* Back through scale and turn about the centres, which are L/2 as in Cellpose. */
            double u = (j - (lx / 2.0 + a->dx)) / a->scale, v = (i - (ly / 2.0 + a->dy)) / a->scale;
            double sx = c * u + s * v + im->Lx / 2.0, sy = -s * u + c * v + im->Ly / 2.0;
            float fy, fx;
            source p;

            if (!sample(im, a->flip, sy, sx, &p)) continue;
            o = (size_t)i * lx + j;
            for (k = 0; k < nchan && k < im->nchan; k++)
                x[k * plane + o] = mean_of(im->image + k * from, &p);
            if (p.nearest >= 0) target[o] = im->inside[p.at[p.nearest]];
            fy = flow_of(im->flows, &p);
            fx = flow_of(im->flows + from, &p);
            if (a->flip) fx = -fx;
            target[plane + o] = (float)(fx * s + fy * c);
            target[2 * plane + o] = (float)(fx * c - fy * s);
        }
}
