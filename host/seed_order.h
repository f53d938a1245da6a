/* seed_order - the order in which Cellpose 3.1.1.3 happens to take seeds of equal count.
 *
 * It sorts seeds by count with torch.argsort, which below 32768 elements is the C++ library's
 * std::sort, not a stable one: equal counts come out in an order that depends on all counts, but
 * always the same one. Where basins overlap that order shows in the masks, and the numbering
 * defect of 3.1.1.3 (masks.h) can turn it into another mask's loss. Comparisons with 3.1.1.3
 * therefore need the same order; our own is by pixel index (kernels/seeds.h). */
#ifndef LP_SEED_ORDER_H
#define LP_SEED_ORDER_H

#include <stdint.h>

/* seeds [n]: count << 32 | pixel, in any order; then as Cellpose 3.1.1.3 has them. */
void lp_seed_order_cellpose3(uint64_t *seeds, uint32_t n);

#endif
