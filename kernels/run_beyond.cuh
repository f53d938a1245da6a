/* run_beyond - a place in runs that are in raster order. */
#ifndef LP_RUN_BEYOND_CUH
#define LP_RUN_BEYOND_CUH

#include "util.cuh"

extern "C" {
#include "runs.h"
}

/* The first of the runs at .. end that ends beyond x of row y, or lies further down. */
static __device__ uint64_t run_beyond(const lp_run *run, uint64_t at, uint64_t end, int y, int x)
{
    while (at < end) {
        uint64_t mid = at + (end - at) / 2;

        if (run[mid].y > y || (run[mid].y == y && run[mid].x1 > x))
            end = mid;
        else
            at = mid + 1;
    }
    return at;
}

#endif
