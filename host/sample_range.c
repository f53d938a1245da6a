#include "sample_range.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLES 131072

/* Brings the k-th smallest of v [n] to v[k], the smaller before it and the larger after (Hoare's
 * selection, with the middle one as pivot, as images are often sorted in parts). */
static float nth(float *v, size_t n, size_t k)
{
    size_t first = 0, last = n - 1;

    while (first < last) {
        float pivot = v[first + (last - first) / 2];
        size_t i = first, j = last;

        for (;;) {
            while (v[i] < pivot) i++;
            while (pivot < v[j]) j--;
            if (i >= j) break;

            float t = v[i];

            v[i++] = v[j];
            v[j--] = t;
        }
        /* v[first .. j] <= pivot <= v[j + 1 .. last]; both parts are shorter. */
        if (k <= j)
            last = j;
        else
            first = j + 1;
    }
    return v[k];
}

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
    *lo = k ? nth(s, k, (size_t)(low / 100 * (double)(k - 1))) : 0;
    *hi = k ? nth(s, k, (size_t)ceil(high / 100 * (double)(k - 1))) : 1;
    free(s);
    return LP_OK;
}
