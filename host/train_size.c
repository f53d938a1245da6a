#include "train_size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train_augment.h"
#include "unet_cpu.h"

#define PENALTY 1.0
#define SIZE_STREAM 0x512e0000u /* of lp_rng_init, one for each epoch */

/* Solves a x = b in place of b; a [m][m] symmetric, positive definite, its lower half is used up.
 */
static void cholesky_solve(double *a, double *b, int m)
{
    int i, j, k;

    for (j = 0; j < m; j++) {
        double *row = a + (size_t)j * m, d = row[j];

        for (k = 0; k < j; k++) d -= row[k] * row[k];
        row[j] = sqrt(d); /* at least the penalty's root */
        for (i = j + 1; i < m; i++) {
            double *ri = a + (size_t)i * m, v = ri[j];

            for (k = 0; k < j; k++) v -= ri[k] * row[k];
            ri[j] = v / row[j];
        }
    }
    for (i = 0; i < m; i++) {
        for (k = 0; k < i; k++) b[i] -= a[(size_t)i * m + k] * b[k];
        b[i] /= a[(size_t)i * m + i];
    }
    for (i = m - 1; i >= 0; i--) {
        for (k = i + 1; k < m; k++) b[i] -= a[(size_t)k * m + i] * b[k];
        b[i] /= a[(size_t)i * m + i];
    }
}

static double correlation_of(const float *styles, const double *y, int n, const lp_size_model *s)
{
    double yy = 0, pp = 0, yp = 0;
    int i, k;

    for (i = 0; i < n; i++) {
        double p = 0, d = y[i] - s->ymean; /* the predictions' mean is 0 */

        for (k = 0; k < s->n; k++) p += s->A[k] * (styles[(size_t)i * s->n + k] - s->smean[k]);
        yy += d * d;
        pp += p * p;
        yp += d * p;
    }
    return yy > 0 && pp > 0 ? yp / sqrt(yy * pp) : NAN;
}

lp_status lp_size_fit(const float *styles, const double *y, int n, int m, double diam_mean,
                      lp_size_model **out, double *correlation, lp_err *err)
{
    double *gram = calloc((size_t)m * m + 1, sizeof *gram);
    lp_size_model *s = calloc(1, sizeof *s);
    int i, j, k;

    if (s) {
        s->n = m;
        s->diam_mean = diam_mean;
        s->A = calloc((size_t)m, sizeof *s->A);
        s->smean = calloc((size_t)m, sizeof *s->smean);
    }
    if (!gram || !s || !s->A || !s->smean) {
        free(gram);
        lp_size_model_free(&s);
        return lp_fail_mem(err, "size model", 8.0 * m * m);
    }
    for (i = 0; i < n; i++) {
        for (k = 0; k < m; k++) s->smean[k] += styles[(size_t)i * m + k];
        s->ymean += y[i];
    }
    for (k = 0; k < m; k++) s->smean[k] /= n;
    s->ymean /= n;
    for (i = 0; i < n; i++) {
        const float *x = styles + (size_t)i * m;

        for (j = 0; j < m; j++) {
            double xj = x[j] - s->smean[j];

            for (k = 0; k <= j; k++) gram[(size_t)j * m + k] += xj * (x[k] - s->smean[k]);
            s->A[j] += xj * (y[i] - s->ymean);
        }
    }
    for (j = 0; j < m; j++) gram[(size_t)j * m + j] += PENALTY;
    cholesky_solve(gram, s->A, m);
    if (correlation) *correlation = correlation_of(styles, y, n, s);
    free(gram);
    *out = s;
    return LP_OK;
}

lp_train_size_options lp_train_size_defaults(void)
{
    return (lp_train_size_options){.bsize = 512, .epochs = 10, .scale_range = 1};
}

lp_status lp_train_size(const lp_train_set *set, const lp_train_size_options *o, lp_weights *w,
                        double *correlation, lp_err *err)
{
    const int m = w->nbase[w->n_nbase - 1], nchan = w->nbase[0], n = set->n * o->epochs;
    size_t plane = (size_t)o->bsize * o->bsize;
    float *x = malloc((size_t)nchan * plane * sizeof *x);
    float *target = malloc(3 * plane * sizeof *target), *out = malloc(3 * plane * sizeof *out);
    float *styles = malloc((size_t)n * m * sizeof *styles);
    double *y = malloc((size_t)n * sizeof *y);
    lp_size_model *size = NULL;
    lp_unet_work *work = NULL;
    lp_unet *net = NULL;
    lp_status st;
    int e, i, k = 0;

    if (!x || !target || !out || !styles || !y) {
        st = lp_fail_mem(err, "size model", 4.0 * ((double)n * m + (nchan + 6.0) * (double)plane));
        goto done;
    }
    if ((st = lp_unet_new(w, 0, o->threads, &net, err)) ||
        (st = lp_unet_work_new(o->threads, &work, err)))
        goto done;
    for (e = 0; e < o->epochs; e++)
        for (i = 0; i < set->n; i++, k++) {
            const lp_train_image *im = &set->image[i];
            lp_augment a;
            lp_rng rng;

            if (o->stop && o->stop()) {
                st = lp_fail(err, LP_ESIGNAL, "stopped");
                goto done;
            }
            lp_rng_init(&rng, o->seed, SIZE_STREAM + (uint32_t)e, (uint32_t)i);
            a = lp_augment_draw(&rng, im->Ly, im->Lx, 1, o->scale_range, o->bsize, o->bsize);
            lp_augment_apply(im, &a, nchan, o->bsize, o->bsize, x, target);
            st = lp_unet_run(net, work, x, 1, o->bsize, o->bsize, out, styles + (size_t)k * m, err);
            if (st) goto done;
            y[k] = log(im->diameter * a.scale / w->diam_mean);
        }
    if ((st = lp_size_fit(styles, y, n, m, w->diam_mean, &size, correlation, err))) goto done;
    lp_size_model_free(&w->size);
    w->size = size;
done:
    lp_unet_work_free(&work);
    lp_unet_free(&net);
    free(x);
    free(target);
    free(out);
    free(styles);
    free(y);
    return st;
}
