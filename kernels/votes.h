/* votes - how many diameters agree on a pixel, or on two neighbouring pixels (LipoPose,
 * BIOIMAGING 2023; affinity votes are ours).
 *
 * Neighbours are those along y and x; pixels that touch at a corner only are apart. Votes of
 * pixels tell where something is, votes of pairs also where one particle ends and the next
 * begins: two masks that touch share no pair. */
#ifndef LP_VOTES_H
#define LP_VOTES_H

#include <stddef.h>

#include "runs.h"

/* v [Ly][Lx] uint16, zeroed before the first: adds 1 in every pixel of every mask, in the rows
 * y0 .. y1-1 only. */
void lp_votes_add_ref(uint16_t *v, const lp_runs *masks, int Lx, int y0, int y1);

/* ax, ay [Ly][Lx] uint16, zeroed before the first: adds 1 for every pair of pixels of one mask,
 * (y, x) with (y, x + 1) in ax[y][x] and with (y + 1, x) in ay[y][x]; y from y0 to y1-1 only. */
void lp_votes_add_pairs_ref(uint16_t *ax, uint16_t *ay, const lp_runs *masks, int Lx, int y0,
                            int y1);

/* out [Ly][Lx] uint32: components of v > t, numbered 1 .. n in raster order of their first
 * pixel, 0 elsewhere; returns n. Two neighbours that are both in v > t are joined; where ax and
 * ay are given (both or none), only if their pair's votes exceed t as well. */
uint32_t lp_votes_components_ref(uint32_t *out, const uint16_t *v, const uint16_t *ax,
                                 const uint16_t *ay, int t, int Ly, int Lx);

/* The same, tuned (votes_cpu.c). All masks of all layers at once, with differences along the rows;
 * v, and where given ax and ay (both or none), are overwritten. */
size_t lp_votes_count_scratch(const lp_runs *const *layer, int n, int Ly);
void lp_votes_count_cpu(uint16_t *v, uint16_t *ax, uint16_t *ay, const lp_runs *const *layer, int n,
                        int Ly, int Lx, void *scratch);

/* Components of v > t as runs of pixels that are joined along x, in raster order. Three steps:
 * first [Ly + 1], where the runs of each row begin; run [first[Ly]]; root [first[Ly]], of each run
 * the first run of its component (itself for the first). The roots in rising order are the
 * components 1 .. n of lp_votes_components_ref. ax, ay as there. */
void lp_votes_runs_count_cpu(uint32_t *first, const uint16_t *v, const uint16_t *ax, int t, int Ly,
                             int Lx);
void lp_votes_runs_cpu(lp_run *run, const uint32_t *first, const uint16_t *v, const uint16_t *ax,
                       int t, int Ly, int Lx);
void lp_votes_roots_cpu(uint32_t *root, const lp_run *run, const uint32_t *first,
                        const uint16_t *ay, int t, int Ly, int Lx);

#endif
