/* follow - plain version: every point makes all of its steps. */
#include "follow.h"

#include <math.h>

typedef struct {
    const float *flows, *cellprob; /* [2][Ly][Lx], [Ly][Lx] */
    int Ly, Lx;
    float threshold;
} field;

/* Component c of the step at pixel y, x. */
static float step_at(const field *f, int c, int y, int x)
{
    size_t i = (size_t)y * f->Lx + x;
    float v = f->flows[(size_t)c * f->Ly * f->Lx + i];

    return f->cellprob[i] > f->threshold && isfinite(v) ? v / 5.0f : 0.0f;
}

static float clamp(float p, int L)
{
    float hi = (float)(L - 1);

    if (p < 0) p = 0;
    return p > hi ? hi : p;
}

static void move(const field *f, float *py, float *px, int interp)
{
    int y0 = (int)*py, x0 = (int)*px;
    float d[2];
    int c;

    if (interp) {
        int y1 = y0 + 1 < f->Ly ? y0 + 1 : y0, x1 = x0 + 1 < f->Lx ? x0 + 1 : x0;
        float y = *py - (float)y0, x = *px - (float)x0; /* exact */
        double y_ = 1 - (double)y, x_ = 1 - (double)x;

        for (c = 0; c < 2; c++) {
            double top0 = step_at(f, c, y0, x0) * y_ * x_;
            double top1 = step_at(f, c, y0, x1) * y_ * x;
            float bot0 = step_at(f, c, y1, x0) * y;
            float bot1 = step_at(f, c, y1, x1) * y * x;

            d[c] = (float)(top0 + top1 + bot0 * x_ + bot1);
        }
    } else {
        for (c = 0; c < 2; c++) d[c] = step_at(f, c, y0, x0);
    }
    *py = clamp(*py + d[0], f->Ly);
    *px = clamp(*px + d[1], f->Lx);
}

void lp_follow_ref(uint32_t *end, float *p, const float *flows, const float *cellprob, int Ly,
                   int Lx, double cellprob_threshold, int niter, int interp, void *scratch)
{
    const field f = {flows, cellprob, Ly, Lx, (float)cellprob_threshold};
    int64_t n = (int64_t)Ly * Lx, i;

    (void)scratch;
#pragma omp parallel for schedule(dynamic, 1024)
    for (i = 0; i < n; i++) {
        float y = (float)(i / Lx), x = (float)(i % Lx);
        int t;

        end[i] = LP_FOLLOW_NONE;
        if (!(cellprob[i] > f.threshold)) continue;
        for (t = 0; t < niter; t++) move(&f, &y, &x, interp);
        end[i] = (uint32_t)((int64_t)y * Lx + (int64_t)x);
        if (p) {
            p[i] = y;
            p[n + i] = x;
        }
    }
}
