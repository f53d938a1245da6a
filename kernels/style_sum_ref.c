#include "style_sum.h"

#include <stddef.h>

void lp_style_sum_ref(double *sum, const float *styles, int n, int length, int begin)
{
    int i, k;

    for (k = 0; k < length && begin; k++) sum[k] = 0;
    for (i = 0; i < n; i++)
        for (k = 0; k < length; k++) sum[k] += styles[(size_t)i * (size_t)length + (size_t)k];
}
