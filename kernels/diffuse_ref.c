/* diffuse - plain version: Jacobi steps over the bounding box of each mask. */
#include "diffuse.h"

#include <math.h>
#include <string.h>

/* Coordinates are those of Cellpose, relative to the box and + 1, so that ties in
 * double come out alike. */
void lp_diffuse_centre(int *cy, int *cx, const uint32_t *labels, const lp_label_info *info,
                       uint32_t l, int Lx)
{
    const lp_label_info *f = info + l;
    double best = INFINITY, ymed, xmed;
    int64_t sy = 0, sx = 0;
    int y, x;

    for (y = f->y0; y < f->y1; y++)
        for (x = f->x0; x < f->x1; x++)
            if (labels[(int64_t)y * Lx + x] == l) {
                sy += y - f->y0 + 1;
                sx += x - f->x0 + 1;
            }
    ymed = (double)sy / f->count;
    xmed = (double)sx / f->count;
    for (y = f->y0; y < f->y1; y++)
        for (x = f->x0; x < f->x1; x++)
            if (labels[(int64_t)y * Lx + x] == l) {
                double dy = y - f->y0 + 1 - ymed, dx = x - f->x0 + 1 - xmed;
                double d = dx * dx + dy * dy;

                if (d < best) {
                    best = d;
                    *cy = y - f->y0;
                    *cx = x - f->x0;
                }
            }
}

static void spread(double *T, double *next, const uint32_t *labels, const lp_label_info *f,
                   uint32_t l, int Lx)
{
    int h = f->y1 - f->y0, w = f->x1 - f->x0, lx = w + 2;
    int y, x;

    for (y = 1; y <= h; y++)
        for (x = 1; x <= w; x++) {
            const double *t = T + (int64_t)y * lx + x;
            double s;

            if (labels[(int64_t)(f->y0 + y - 1) * Lx + f->x0 + x - 1] != l) continue;
            s = t[0] + t[-lx] + t[lx] + t[-1] + t[1] + t[-lx - 1] + t[-lx + 1] + t[lx - 1] +
                t[lx + 1];
            next[(int64_t)y * lx + x] = 1 / 9.0 * s;
        }
}

/* T and next: (h + 2) x (w + 2) doubles each. */
static void diffuse_mask(float *mu, double *T, double *next, const uint32_t *labels,
                         const lp_label_info *info, uint32_t l, int Ly, int Lx)
{
    const lp_label_info *f = info + l;
    int h = f->y1 - f->y0, w = f->x1 - f->x0, lx = w + 2;
    int64_t size = (int64_t)(h + 2) * lx, t, niter = 2 * ((int64_t)h + w + 4);
    int cy = 0, cx = 0, y, x;

    lp_diffuse_centre(&cy, &cx, labels, info, l, Lx);
    memset(T, 0, (size_t)size * sizeof *T);
    memset(next, 0, (size_t)size * sizeof *T);
    for (t = 0; t < niter; t++) {
        double *swap = T;

        T[(int64_t)(cy + 1) * lx + cx + 1] += 1;
        spread(T, next, labels, f, l, Lx);
        T = next;
        next = swap;
    }
    for (y = 1; y <= h; y++)
        for (x = 1; x <= w; x++) {
            int64_t i = (int64_t)(f->y0 + y - 1) * Lx + f->x0 + x - 1;
            const double *v = T + (int64_t)y * lx + x;
            double dy = v[lx] - v[-lx], dx = v[1] - v[-1], norm;

            if (labels[i] != l) continue;
            norm = 1e-60 + sqrt(dy * dy + dx * dx);
            mu[i] = (float)(dy / norm);
            mu[(int64_t)Ly * Lx + i] = (float)(dx / norm);
        }
}

static int64_t padded(const lp_label_info *f)
{
    return (int64_t)(f->y1 - f->y0 + 2) * (f->x1 - f->x0 + 2);
}

void lp_diffuse_ref(float *mu, const uint32_t *labels, const lp_label_info *info, uint32_t n,
                    int Ly, int Lx, int nthreads, void *scratch)
{
    uint32_t l;

    (void)nthreads;
    memset(mu, 0, 2 * (size_t)Ly * Lx * sizeof *mu);
    for (l = 1; l <= n; l++)
        if (info[l].count)
            diffuse_mask(mu, scratch, (double *)scratch + padded(info + l), labels, info, l, Ly,
                         Lx);
}
