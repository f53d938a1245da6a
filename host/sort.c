#include "sort.h"

#include <math.h>

#define COMPARE(name, type)                                                                        \
    int name(const void *a, const void *b)                                                         \
    {                                                                                              \
        type x = *(const type *)a, y = *(const type *)b;                                           \
                                                                                                   \
        return (x > y) - (x < y);                                                                  \
    }

COMPARE(lp_by_double, double)
COMPARE(lp_by_float, float)
COMPARE(lp_by_u32, uint32_t)
COMPARE(lp_by_u64, uint64_t)

double lp_quantile(const double *v, int64_t n, double q)
{
    double at = q * (double)(n - 1);
    int64_t k = (int64_t)at;

    if (n == 0) return NAN;
    return k + 1 < n ? v[k] + (at - (double)k) * (v[k + 1] - v[k]) : v[n - 1];
}
