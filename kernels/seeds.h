/* seeds - where pixels gather, and the basin of each such place (get_masks_torch).
 *
 * Cellpose pads the histogram by 20; nothing ends in the padding, so windows are
 * simply cut at the image border here. Seeds are sorted by count, then by pixel
 * index (Cellpose's order of equal counts: seed_order.h); where the basins of two
 * seeds overlap, the later seed has the pixel. */
#ifndef LP_SEEDS_H
#define LP_SEEDS_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* h [Ly][Lx] uint32: how many pixels end in each. end [Ly][Lx]: see follow.h. */
void lp_seeds_histogram_ref(uint32_t *h, const uint32_t *end, int Ly, int Lx);
void lp_seeds_histogram_cpu(uint32_t *h, const uint32_t *end, int Ly, int Lx);

/* seeds [cap] uint64, sorted: count << 32 | pixel of every pixel with h > 10 that no
 * pixel of its 5 x 5 neighbourhood exceeds. Returns how many there are, at most
 * Ly * Lx / 11; where that is more than cap (0 is allowed, with NULL), seeds is left
 * undefined. */
uint32_t lp_seeds_find_ref(uint64_t *seeds, uint32_t cap, const uint32_t *h, int Ly, int Lx);
uint32_t lp_seeds_find_cpu(uint64_t *seeds, uint32_t cap, const uint32_t *h, int Ly, int Lx);

/* m [Ly][Lx] uint32: 1 + the number of the seed whose basin holds the pixel, 0 for
 * none. A basin grows from its seed in 5 rounds of 3 x 3 dilation within pixels of
 * h > 2 (so within the 11 x 11 window around the seed). seeds [n] from lp_seeds_find. */
void lp_seeds_grow_ref(uint32_t *m, const uint32_t *h, const uint64_t *seeds, uint32_t n, int Ly,
                       int Lx);
void lp_seeds_grow_cpu(uint32_t *m, const uint32_t *h, const uint64_t *seeds, uint32_t n, int Ly,
                       int Lx);

/* On the device, the same bits. Finding has three parts, as the host must know how many seeds there
 * are before it can say how many are to be sorted: list, read *d_n, sort.
 * seeds [lp_seeds_most_cuda]: in order of pixels after list. scratch: lp_seeds_scratch_cuda bytes
 * for list and for sort. */
uint32_t lp_seeds_most_cuda(int Ly, int Lx);
size_t lp_seeds_scratch_cuda(int Ly, int Lx);
int lp_seeds_histogram_cuda(uint32_t *d_h, const uint32_t *d_end, int Ly, int Lx, lp_stream stream);
int lp_seeds_list_cuda(uint64_t *d_seeds, uint32_t *d_n, const uint32_t *d_h, int Ly, int Lx,
                       void *d_scratch, lp_stream stream);
int lp_seeds_sort_cuda(uint64_t *d_seeds, uint32_t n, int Ly, int Lx, void *d_scratch,
                       lp_stream stream);
int lp_seeds_grow_cuda(uint32_t *d_m, const uint32_t *d_h, const uint64_t *d_seeds, uint32_t n,
                       int Ly, int Lx, lp_stream stream);

#endif
