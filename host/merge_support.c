#include "merge_support.h"

#include <math.h>
#include <stdlib.h>

#include "detmath.h"

#define STEP 0.02 /* of ln(diameter) */
#define WIDTH 0.5
#define REACH 125 /* steps that company reaches to: 5 WIDTH */
#define BINS 1400 /* diameters up to 1e12 px */

static double error_of(const lp_merge_evidence *e)
{
    return isnan(e->flow_error) ? 0.2 : e->flow_error;
}

static int bin_of(const lp_merge_evidence *e)
{
    double b = floor(lp_det_log(e->diameter) / STEP + 0.5);

    return b < 0 ? 0 : b >= BINS ? BINS - 1 : (int)b;
}

lp_status lp_merge_support(double *support, double *company, const lp_merge_evidence *e, int64_t n,
                           lp_err *err)
{
    int64_t *found = calloc(BINS, sizeof *found), all = 0, i;
    double *share = malloc(BINS * sizeof *share), near[REACH + 1];
    int b, k;

    if (!found || !share) {
        free(found);
        free(share);
        return lp_fail_mem(err, "merge", BINS * 16.0);
    }
    /* Whole numbers, in 1/16 px: the sum does not depend on the order. */
    for (i = 0; i < n; i++)
        found[bin_of(&e[i])] +=
            (int64_t)floor(16 * e[i].area * lp_det_exp(-4 * error_of(&e[i])) + 0.5);
    for (b = 0; b < BINS; b++) all += found[b];
    for (k = 0; k <= REACH; k++) {
        double r = k * STEP / WIDTH;

        near[k] = lp_det_exp(-0.5 * r * r);
    }
    for (b = 0; b < BINS; b++) {
        double sum = 0;

        for (k = -REACH; k <= REACH; k++)
            if (b + k >= 0 && b + k < BINS) sum += near[abs(k)] * (double)found[b + k];
        share[b] = all ? sum / (double)all : 0;
    }
    for (i = 0; i < n; i++) {
        double c = share[bin_of(&e[i])];
        double z = 4.2 + 0.2 * lp_det_log(e[i].agreement) - 8 * error_of(&e[i]) +
                   1.8 * lp_det_log(c + 0.001) + 1.5 * (e[i].on_border != 0);

        company[i] = c;
        support[i] = LP_SUPPORT_MAX / (1 + lp_det_exp(-z));
    }
    free(found);
    free(share);
    return LP_OK;
}
