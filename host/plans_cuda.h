/* plans_cuda - the arrays of tilings (tiling.h) in device memory.
 *
 * They follow from a grid's numbers, so that equal ones are found again: a run of many diameters
 * has as many tilings, the same ones for every image of a size. */
#ifndef LP_PLANS_CUDA_H
#define LP_PLANS_CUDA_H

#include "card_cuda.h"
#include "../kernels/tile.h"

#define LP_PLANS 64

typedef struct {
    struct {
        lp_tile_grid grid; /* arrays: on the device */
        void *d_mem;       /* NULL: unused */
        size_t bytes;
    } plan[LP_PLANS];
    int next;
} lp_plans; /* begins zeroed */

/* *d_grid: h with its arrays on the device, in the order of stream; valid until LP_PLANS others
 * were asked for. */
lp_status lp_plans_get(lp_plans *p, lp_card *c, lp_stage *stage, lp_stream stream,
                       const lp_tile_grid *h, const lp_tile_grid **d_grid, lp_err *err);
void lp_plans_free(lp_plans *p, lp_card *c, lp_stream stream);

#endif
