/* scan - exclusive sums, lists of what is marked, and a stable sort, for other kernels.
 *
 * Whole numbers: the result does not depend on how the work is cut up. Lengths are up to 2^31. */
#ifndef LP_SCAN_H
#define LP_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* out [n + 1]: out[i] = in[0] + .. + in[i - 1], so out[n] is the sum of all. in [n], may be out.
 * The sums must fit the type. */
void lp_scan_u32_ref(uint32_t *out, const uint32_t *in, int64_t n);
void lp_scan_u64_ref(uint64_t *out, const uint64_t *in, int64_t n);

/* index [offset[n]]: the i, in rising order, where offset [n + 1], a scan of 0 and 1, steps up. */
void lp_scan_list_ref(uint32_t *index, const uint32_t *offset, int64_t n);

/* Sorts key [n] with value [n] by the lowest `bits` bits of the key, 0 to 64; equal ones keep their
 * order. key2, value2 [n]: scratch. */
void lp_scan_sort_ref(uint64_t *key, uint32_t *value, int64_t n, int bits, uint64_t *key2,
                      uint32_t *value2);

/* The same in device memory, and out [n] = value. Only queue work on stream; return 0 or a
 * cudaError_t. d_scratch: bytes from the function beside it, for the same n. */
int lp_scan_fill_cuda(uint32_t *d_out, uint32_t value, int64_t n, lp_stream stream);
size_t lp_scan_scratch_cuda(int64_t n);
int lp_scan_u32_cuda(uint32_t *d_out, const uint32_t *d_in, int64_t n, void *d_scratch,
                     lp_stream stream);
int lp_scan_u64_cuda(uint64_t *d_out, const uint64_t *d_in, int64_t n, void *d_scratch,
                     lp_stream stream);
int lp_scan_list_cuda(uint32_t *d_index, const uint32_t *d_offset, int64_t n, lp_stream stream);
size_t lp_scan_sort_scratch_cuda(int64_t n);
int lp_scan_sort_cuda(uint64_t *d_key, uint32_t *d_value, int64_t n, int bits, uint64_t *d_key2,
                      uint32_t *d_value2, void *d_scratch, lp_stream stream);

#endif
