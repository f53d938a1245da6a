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

/* Which components of a level are accepted: those of at least min_size pixels that hold no pixel of
 * an accepted particle. A component of a higher level lies within one of this level, so one run of
 * each particle, seed [n_before], tells which do. number [n_runs + 1]: of each run, how many
 * accepted components begin before it; so number[n_runs] is how many there are, and run i begins
 * one where the number steps up. area [n_runs]: scratch. */
void lp_votes_keep_ref(uint32_t *number, uint32_t *area, const lp_run *run, const uint32_t *root,
                       const uint32_t *first, uint32_t n_runs, const lp_run *seed,
                       uint32_t n_before, int min_size);

/* Paints them into masks [Ly][Lx] as n_before + 1, .. in order of their first runs, which are added
 * to seed. */
void lp_votes_paint_ref(uint32_t *masks, lp_run *seed, const uint32_t *number, const lp_run *run,
                        const uint32_t *root, uint32_t n_runs, uint32_t n_before, int Lx);

/* top [n]: the most votes in each of the particles 1 .. n of masks [Ly][Lx], 0 where it has no
 * pixels. */
void lp_votes_top_ref(uint32_t *top, uint32_t n, const uint32_t *masks, const uint16_t *v, int Ly,
                      int Lx);

/* The same in device memory; pairs of names as above. Only queue work on stream; return 0 or a
 * cudaError_t. d_v, d_ax, d_ay have room for an even number of pixels. masks: of all layers
 * together; the struct is the host's, its pointers are not. The host has to know d_first[Ly], how
 * many runs there are, before it makes room for them; d_scratch of the counting, of
 * lp_votes_runs_scratch_cuda bytes, is d_counted. d_scratch of lp_votes_keep_cuda:
 * lp_scan_scratch_cuda(n_runs). */
int lp_votes_count_cuda(uint16_t *d_v, uint16_t *d_ax, uint16_t *d_ay, const lp_runs *masks, int Ly,
                        int Lx, lp_stream stream);
size_t lp_votes_runs_scratch_cuda(int Ly, int Lx);
int lp_votes_runs_count_cuda(uint32_t *d_first, const uint16_t *d_v, const uint16_t *d_ax, int t,
                             int Ly, int Lx, void *d_scratch, lp_stream stream);
int lp_votes_runs_cuda(lp_run *d_run, const uint16_t *d_v, const uint16_t *d_ax, int t, int Ly,
                       int Lx, const void *d_counted, lp_stream stream);
int lp_votes_roots_cuda(uint32_t *d_root, const lp_run *d_run, const uint32_t *d_first,
                        const uint16_t *d_ay, int t, uint32_t n_runs, int Lx, lp_stream stream);
int lp_votes_keep_cuda(uint32_t *d_number, uint32_t *d_area, const lp_run *d_run,
                       const uint32_t *d_root, const uint32_t *d_first, uint32_t n_runs,
                       const lp_run *d_seed, uint32_t n_before, int min_size, void *d_scratch,
                       lp_stream stream);
int lp_votes_paint_cuda(uint32_t *d_masks, lp_run *d_seed, const uint32_t *d_number,
                        const lp_run *d_run, const uint32_t *d_root, uint32_t n_runs,
                        uint32_t n_before, int Lx, lp_stream stream);
int lp_votes_top_cuda(uint32_t *d_top, uint32_t n, const uint32_t *d_masks, const uint16_t *d_v,
                      int Ly, int Lx, lp_stream stream);

#endif
