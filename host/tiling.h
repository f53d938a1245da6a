/* tiling - which tiles cover an image (Cellpose core.py run_net, transforms.py get_pad_yx,
 * make_tiles, _taper_mask).
 *
 * The sizes given are those of the rescaled image. A tile is bsize x bsize, but without
 * augment never larger than the padded image, so it need not be square. The network sees
 * at least 8 rows and columns of zeros on every side. */
#ifndef LP_TILING_H
#define LP_TILING_H

#include "../kernels/tile.h"
#include "status.h"

#define LP_MIN_BSIZE 32
#define LP_MAX_BSIZE 4096
#define LP_MAX_TILES 4194304

typedef struct {
    lp_tile_grid grid; /* its arrays point into mem */
    int ypad[2];       /* rows above and below; without augment's filling up to bsize */
    int xpad[2];       /* columns left and right */
    int ntiles;        /* grid.ny * grid.nx */
    void *mem;         /* owned */
} lp_tiling;

/* Ly, Lx: 1 to LP_MAX_SIDE, at most LP_MAX_PIXELS in all (image.h). bsize: a multiple of 16
 * from LP_MIN_BSIZE to LP_MAX_BSIZE, or 0: tiles of 224, but an axis that two of them would cover
 * has one tile of its whole length (not with augment): up to a third of the network's work for
 * small images, with flows that differ a little from Cellpose's. tile_overlap: 0.05 to 0.5; outside
 * Cellpose's two halves disagree about the number of tiles and it fails. Not used with
 * augment, where tiles overlap by half. On success *plan is the caller's (lp_tiling_free). LP_EARG,
 * LP_ENOMEM; *plan is then untouched. */
lp_status lp_tiling_plan(int Ly, int Lx, int bsize, double tile_overlap, int augment,
                         lp_tiling *plan, lp_err *err);
void lp_tiling_free(lp_tiling *plan); /* NULL and empty are fine; clears *plan */

/* One axis of the plan, as the plan uses them. */
/* get_pad_yx: zeros before and after an axis of L pixels. */
void lp_tiling_pad(int L, int pad[2]);
/* Tiles along a padded axis of L pixels (with augment, L >= bsize). */
int lp_tiling_count(int L, int bsize, double tile_overlap, int augment);
/* start [n]: first pixels of n tiles of l pixels. */
void lp_tiling_starts(int *start, int n, int L, int l);
/* taper [l] for a tile whose longer side is l_max; the mask is the product of both axes'. */
void lp_tiling_taper(double *taper, int l, int l_max);

#endif
