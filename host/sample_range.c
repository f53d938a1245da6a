#include "sample_range.h"

#include <math.h>
#include <stdlib.h>

#include "sort.h"

#define SAMPLES 131072

lp_status lp_sample_range(const float *data, size_t n, double low, double high, float *lo,
                          float *hi, lp_err *err)
{
    size_t m = n < SAMPLES ? n : SAMPLES, i, k = 0;
    double step = m ? (double)n / (double)m : 0;
    float *s = malloc((m + 1) * sizeof *s);

    if (!s) return lp_fail_mem(err, "sample of pixels", (double)m * sizeof *s);
    for (i = 0; i < m; i++) {
        float v = data[(size_t)((double)i * step)];

        if (isfinite(v)) s[k++] = v;
    }
    qsort(s, k, sizeof *s, lp_by_float);
    *lo = k ? s[(size_t)(low / 100 * (double)(k - 1))] : 0;
    *hi = k ? s[(size_t)ceil(high / 100 * (double)(k - 1))] : 1;
    free(s);
    return LP_OK;
}
