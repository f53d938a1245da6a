/* scan - running sums and a stable sort on the device, for whatever must come out in a fixed
 * order. Sums are of integers, so they do not depend on how the work is cut up. */
#ifndef LP_SCAN_H
#define LP_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* Bytes of scratch for lp_scan_cuda of n elements. */
size_t lp_scan_scratch_cuda(int64_t n);

/* d_out [n] uint32: d_out[i] = sum of d_in[0 .. i - 1]; *d_total (or NULL) the sum of all; both
 * modulo 2^32. popcount 1: of the numbers of set bits instead. d_out may be d_in. */
int lp_scan_cuda(uint32_t *d_out, uint32_t *d_total, const uint32_t *d_in, int64_t n, int popcount,
                 void *d_scratch, lp_stream stream);

/* Bytes of scratch for lp_scan_sort_cuda of n keys. */
size_t lp_scan_sort_scratch_cuda(uint32_t n);

/* Sorts d_key [n] uint64 by its upper 32 bits, of which only the lowest `bits` can be set; keys that
 * are equal there keep their order. d_other [n]: scratch like d_key. */
int lp_scan_sort_cuda(uint64_t *d_key, uint64_t *d_other, uint32_t n, int bits, void *d_scratch,
                      lp_stream stream);

/* d_out [n] = value. */
int lp_scan_fill_cuda(uint32_t *d_out, int64_t n, uint32_t value, lp_stream stream);

#endif
