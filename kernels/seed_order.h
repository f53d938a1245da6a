/* seed_order - the order in which Cellpose 3.1.1.3 happens to take seeds of equal count.
 *
 * It sorts seeds by count with torch.argsort, which below 32768 elements is the C++ library's
 * std::sort, not a stable one: equal counts come out in an order that depends on all counts, but
 * always the same one. Where basins overlap that order shows in the masks, and the numbering
 * defect of 3.1.1.3 (relabel_compat.h) can turn it into another mask's loss. Comparisons with
 * 3.1.1.3 therefore need the same order; our own is by pixel index (seeds.h). */
#ifndef LP_SEED_ORDER_H
#define LP_SEED_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* From so many on torch sorts whole numbers by radix, which is stable: the order of seeds.h. */
#define LP_SEED_ORDER_STABLE 32768

/* seeds [n]: count << 32 | pixel, in any order; then as Cellpose 3.1.1.3 has them. */
void lp_seed_order_ref(uint64_t *seeds, uint32_t n);

/* The same on the device, for n < LP_SEED_ORDER_STABLE seeds in order of pixels (as
 * lp_seeds_list_cuda gives them); longer lists are lp_seeds_sort_cuda's. */
size_t lp_seed_order_scratch_cuda(uint32_t n);
int lp_seed_order_cuda(uint64_t *d_seeds, uint32_t n, void *d_scratch, lp_stream stream);

#endif
