#include "selftest.h"

#include <math.h>
#include <stdlib.h>

#include "unet_cpu.h"
#include "unet_ref.h"

#define SIDE 48

/* Pseudo-random numbers in [0, 1) (Knuth's MMIX generator). */
static double next(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (double)(*s >> 40) / 16777216.0;
}

lp_status lp_selftest_fill(lp_weights *w, lp_err *err)
{
    int div = 1 << (w->n_nbase - 2), side = (SIDE + div - 1) / div * div, c, y, x;
    size_t plane = (size_t)side * side;
    float *in = malloc(plane * w->nbase[0] * sizeof *in),
          *out = malloc(plane * w->nout * sizeof *out);
    uint64_t seed = 1;
    lp_status st;

    if (!in || !out) {
        st = lp_fail_mem(err, "self-test", (double)plane * 4 * (w->nbase[0] + w->nout));
        goto done;
    }
    for (c = 0; c < w->nbase[0]; c++)
        for (y = 0; y < side; y++)
            for (x = 0; x < side; x++) {
                double d1 = hypot(y - side * 0.35, x - side * 0.4),
                       d2 = hypot(y - side * 0.8, x - side * 0.7);
                double v = 1 / (1 + exp(d1 - side * 0.2)) + 1 / (1 + exp(d2 - side * 0.12));

                in[c * plane + (size_t)y * side + x] =
                    (float)((c ? 0.2 : 1) * v + 0.2 * next(&seed));
            }
    if ((st = lp_unet_ref(w, in, 1, side, side, out, NULL, err))) goto done;
    free(w->test_x);
    free(w->test_y);
    w->test_x = in;
    w->test_y = out;
    w->test_ly = w->test_lx = side;
    in = out = NULL;
done:
    free(in);
    free(out);
    return st;
}

lp_status lp_selftest_run(const lp_weights *w, int bf16, double *error, lp_err *err)
{
    size_t plane, n, i;
    float *y = NULL, *style = NULL;
    lp_unet *net = NULL;
    lp_unet_work *work = NULL;
    double worst = 0, largest = 0;
    lp_status st;

    if (!w->test_x || !w->test_y)
        return lp_fail(err, LP_EFORMAT, "model without a self-test: convert it anew");
    plane = (size_t)w->test_ly * w->test_lx;
    n = plane * w->nout;
    y = malloc(n * sizeof *y);
    style = malloc((size_t)w->nbase[w->n_nbase - 1] * sizeof *style);
    if (!y || !style) {
        st = lp_fail_mem(err, "self-test", (double)n * 4);
        goto done;
    }
    if ((st = lp_unet_new(w, bf16, 1, &net, err))) goto done;
    if ((st = lp_unet_work_new(1, &work, err))) goto done;
    if ((st = lp_unet_run(net, work, w->test_x, 1, w->test_ly, w->test_lx, y, style, err)))
        goto done;
    for (i = 0; i < n; i++) {
        double d = fabs((double)y[i] - w->test_y[i]);

        if (!(d <= worst)) worst = d; /* NaN too */
        if (fabs(w->test_y[i]) > largest) largest = fabs(w->test_y[i]);
    }
    *error = largest > 0 ? worst / largest : worst;
done:
    lp_unet_work_free(&work);
    lp_unet_free(&net);
    free(y);
    free(style);
    return st;
}
