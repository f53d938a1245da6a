#include "big_alloc.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *lp_big_alloc(size_t bytes)
{
    size_t unit = bytes < HUGE_PAGE ? 128 : HUGE_PAGE;
    size_t n = (bytes + unit - 1) / unit * unit;
    void *p = n < bytes ? NULL : aligned_alloc(unit, n ? n : unit);

    /* Only a hint; without huge pages all still works. */
    if (p && unit == HUGE_PAGE) (void)madvise(p, n, MADV_HUGEPAGE);
    return p;
}
