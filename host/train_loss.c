#include "train_loss.h"

#include <math.h>
#include <stddef.h>

/* One row of lx pixels of an image; d_y NULL or where its gradient goes, in planes of `plane`. */
static double row(const float *y, const float *t, size_t plane, int lx, double per_flow,
                  double per_prob, float *d_y)
{
    double mse = 0, bce = 0;
    int i, k;

    for (k = 0; k < 2; k++)
        for (i = 0; i < lx; i++) {
            double e = (double)y[k * plane + i] - 5.0 * t[(k + 1) * plane + i];

            mse += e * e;
            if (d_y) d_y[k * plane + i] = (float)(e * per_flow);
        }
    for (i = 0; i < lx; i++) {
        double v = y[2 * plane + i], in = t[i] > 0.5f, z = exp(-fabs(v));

        bce += (v > 0 ? v : 0) - v * in + log1p(z);
        if (d_y)
            d_y[2 * plane + i] = (float)(((v > 0 ? 1 / (1 + z) : z / (1 + z)) - in) * per_prob);
    }
    return (mse / 4 + bce) / (double)plane; /* the mean over two planes, halved */
}

double lp_train_loss(const float *y, const float *target, int n, int ly, int lx, double *image_loss,
                     float *d_y)
{
    size_t plane = (size_t)ly * lx;
    double all = (double)n * (double)plane, sum = 0;
    int i;

#pragma omp parallel for schedule(static)
    for (i = 0; i < n; i++) {
        double s = 0;
        int r;

        for (r = 0; r < ly; r++) {
            size_t at = (size_t)i * 3 * plane + (size_t)r * lx;

            s += row(y + at, target + at, plane, lx, 0.5 / all, 1 / all, d_y ? d_y + at : NULL);
        }
        image_loss[i] = s;
    }
    for (i = 0; i < n; i++) sum += image_loss[i];
    return sum / n;
}
