/* sample_range - percentiles for display, from an even sample of at most 131,072 values.
 *
 * Good for pictures, not for Cellpose's normalisation, which needs all pixels. */
#ifndef LP_SAMPLE_RANGE_H
#define LP_SAMPLE_RANGE_H

#include <stddef.h>

#include "status.h"

/* *lo, *hi: low-th and high-th percentile (0..100) of the finite values of data [n];
 * 0 and 1 where there is none. */
lp_status lp_sample_range(const float *data, size_t n, double low, double high, float *lo,
                          float *hi, lp_err *err);

#endif
