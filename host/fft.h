/* fft - complex 2-D Fourier transform of a square power-of-two array.
 *
 * Written here because FFTW's licence does not fit. Unnormalised in both
 * directions: forward then inverse multiplies by n*n. */
#ifndef LP_FFT_H
#define LP_FFT_H

#include "status.h"

#define LP_FFT_MAX 4096

/* re, im [n][n] float32, transformed in place; n a power of two, 2 to LP_FFT_MAX.
 * sign -1: X[k] = sum x[j] exp(-2 pi i j k / n); +1: the inverse. Frequency k > n/2
 * stands for k - n. Returns LP_EARG for another n, LP_ENOMEM. */
lp_status lp_fft2(float *re, float *im, int n, int sign, lp_err *err);

#endif
