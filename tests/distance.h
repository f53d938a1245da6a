/* distance - how far arrays are apart, for tests of gradients. */
#ifndef LP_TEST_DISTANCE_H
#define LP_TEST_DISTANCE_H

#include <math.h>
#include <stddef.h>

/* Largest difference relative to the largest value. */
static inline double distance(const float *a, const float *b, size_t n)
{
    double most = 0, d = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        if (!(fabs((double)b[i]) <= most)) most = fabs((double)b[i]);
        if (!(fabs((double)a[i] - b[i]) <= d)) d = fabs((double)a[i] - b[i]);
    }
    return most > 0 ? d / most : d;
}

#endif
