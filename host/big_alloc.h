/* big_alloc - memory for large arrays that are written once and read often.
 *
 * Asks for huge pages: with 4 KiB pages, the first touch of a network's weights and activations
 * costs as much time as a tile. */
#ifndef LP_BIG_ALLOC_H
#define LP_BIG_ALLOC_H

#include <stddef.h>

/* At least 128-byte aligned, not cleared; NULL if there is none. The caller frees with free(). */
void *lp_big_alloc(size_t bytes);

#endif
