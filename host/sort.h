/* sort - numbers in ascending order, and quantiles of them.
 *
 * The comparisons are for qsort and bsearch; NaN has no place in an order and must not be there. */
#ifndef LP_SORT_H
#define LP_SORT_H

#include <stdint.h>

int lp_by_double(const void *a, const void *b);
int lp_by_float(const void *a, const void *b);
int lp_by_u32(const void *a, const void *b);
int lp_by_u64(const void *a, const void *b);

/* Of v [n], ascending, at q (0 .. 1), linear between neighbours as numpy.quantile; NaN for n 0. */
double lp_quantile(const double *v, int64_t n, double q);

#endif
