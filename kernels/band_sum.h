/* band_sum - the order in which values at the pixels of a mask are added up, so that warps of a
 * device can share the work and get the bits that plain loops get.
 *
 * The rows of the box are taken in bands of LP_BAND_ROWS. A band has LP_BAND_LANES sums: pixel x of
 * the mask goes to sum (x - x0) % LP_BAND_LANES, in raster order; then sum j gets sum j + 16 added,
 * then j + 8, 4, 2, 1, and sum 0 is the band's. Bands are added from the top. */
#ifndef LP_BAND_SUM_H
#define LP_BAND_SUM_H

#define LP_BAND_ROWS 32
#define LP_BAND_LANES 32

/* The sum of a band; s [LP_BAND_LANES] is changed. */
static inline double lp_band_halve(double *s)
{
    int k, j;

    for (k = LP_BAND_LANES / 2; k; k /= 2)
        for (j = 0; j < k; j++) s[j] += s[j + k];
    return s[0];
}

#endif
