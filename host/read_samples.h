/* read_samples - file samples of any number type into float32 or label planes.
 *
 * Sources may be unaligned and interleaved: stride is the distance of one sample
 * to the next, in samples. */
#ifndef LP_READ_SAMPLES_H
#define LP_READ_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "image.h"

typedef enum {
    LP_SAMPLE_U8,
    LP_SAMPLE_I8,
    LP_SAMPLE_U16,
    LP_SAMPLE_I16,
    LP_SAMPLE_U32,
    LP_SAMPLE_I32,
    LP_SAMPLE_U64,
    LP_SAMPLE_I64,
    LP_SAMPLE_F16,
    LP_SAMPLE_F32,
    LP_SAMPLE_F64
} lp_sample;

size_t lp_sample_size(lp_sample type); /* bytes */

/* dst [n] float32 from src [n * stride] of type, in this machine's byte order. Values beyond
 * float32's range become infinite. */
void lp_samples_to_float(float *dst, const void *src, size_t n, lp_sample type, size_t stride);

/* dst [n] labels. Returns 0 where a sample is negative, not whole, or over 2^32-1. */
int lp_samples_to_labels(uint32_t *dst, const void *src, size_t n, lp_sample type, size_t stride);

/* Reverses the bytes of each of n samples of `size` bytes in place. */
void lp_samples_swap(void *buf, size_t n, size_t size);

/* dst [n] from n packed unsigned numbers of 1..32 bits, the highest bit first, that start at
 * the first bit of src. */
void lp_samples_unpack(uint32_t *dst, const uint8_t *src, size_t n, int bits);

/* Undoes TIFF's horizontal differencing (predictor 2) of n whole samples, each of which holds its
 * difference to the one `stride` samples before. Wraps around. */
void lp_samples_undo_differences(void *buf, size_t n, lp_sample type, size_t stride);

/* Replaces NaN and Inf by the mean of the finite samples of the same channel (0 where there are
 * none) and adds their number to im->replaced. */
void lp_samples_repair(lp_image *im);

#endif
