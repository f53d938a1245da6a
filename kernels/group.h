/* group - masks of several diameters that are the same particle, and their common outline.
 *
 * Whether a mask joins a group depends on the group's seed alone, its first and best mask, so a
 * group cannot drift from one particle to the next. */
#ifndef LP_GROUP_H
#define LP_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "runs.h"

/* A candidate: box.area > 0, its runs in raster order. */
typedef struct {
    const lp_run *run;
    uint64_t n;
    lp_runs_box box;
} lp_group_mask;

/* Masks are found through a grid of square cells of 2^shift pixels, as small as memory proportional
 * to the number of masks allows: n_nodes is how many times a mask's box meets a cell. */
typedef struct {
    int shift;
    int64_t ny, nx, n_nodes;
} lp_group_grid;
lp_group_grid lp_group_plan(const lp_group_mask *mask, uint32_t n, int Ly, int Lx);

/* Bytes of scratch of lp_group_assign_ref. */
size_t lp_group_assign_scratch(const lp_group_mask *mask, uint32_t n, int Ly, int Lx);

/* group [n]: of each candidate its group, 0 .. ng-1 in order of their seeds; returns ng.
 * mask [n] in order of falling trust, within [Ly][Lx]. A candidate joins the group whose seed it
 * overlaps best, if with an IoU of at least iou (0 < iou <= 1; equal ones: the earlier group),
 * else it seeds a new one. */
uint32_t lp_group_assign_ref(uint32_t *group, const lp_group_mask *mask, uint32_t n, double iou,
                             int Ly, int Lx, void *scratch);

/* The common outline: pixels where masks of more than `share` (0 to below 1) of the weight lie.
 * member [n], weight [n] >= 0 (their sum below 2^53), box: around all members. out: room for all
 * members' runs together; returns how many there are. row [box.x1 - box.x0 + 1] and next [n]:
 * scratch. */
uint64_t lp_group_outline_ref(lp_run *out, const lp_group_mask *const *member,
                              const int64_t *weight, uint32_t n, double share,
                              const lp_runs_box *box, int64_t *row, uint64_t *next);

/* Paints the free part of an outline, run [n], into masks [Ly][Lx] as id (1 or more), if it has
 * pixels and at least half of them are free (0). Returns id, or 0 where it did not. */
uint32_t lp_group_accept_ref(uint32_t *masks, const lp_run *run, uint64_t n, uint32_t id, int Lx);

/* The same in device memory. Only queue work on stream; return 0 or a cudaError_t. The struct of an
 * lp_runs is the host's, its pointers are not: masks->n candidates in order, d_box [n] theirs.
 *
 * Grouping, in four steps; before the second and third the host reads how much there is to do.
 * 1. d_node [n_nodes]: the masks that meet each cell, and in d_offset [n_nodes + 1], the last one,
 *    how many pairs may be similar enough by their boxes. d_scratch: lp_group_nodes_scratch_cuda.
 * 2. d_pair [d_offset[n_nodes]]: those pairs, with the pixels in common, 0 where they are too few.
 * 3. Seeds: a mask is one if no seed before it is similar. Of the masks with a similar one before
 *    them, those are decided whose similar ones before them are: a round. Queues `rounds` of them
 *    (those after the last needed return at once); d_left [rounds + 1]: masks left before each and
 *    after the last. begin 1: the first call. To be repeated until none are left.
 * 4. d_group [n] as lp_group_assign_ref, d_number [n + 1]: the last one is how many groups there
 *    are. d_scratch: lp_group_join_scratch_cuda(n) bytes. */
typedef struct {
    uint32_t cell, mask;
} lp_group_node;
typedef struct {
    uint32_t later, earlier, common;
} lp_group_pair;
size_t lp_group_nodes_scratch_cuda(const lp_group_grid *g);
int lp_group_nodes_cuda(lp_group_node *d_node, uint64_t *d_offset, const lp_runs_box *d_box,
                        uint32_t n, double iou, const lp_group_grid *g, void *d_scratch,
                        lp_stream stream);
int lp_group_pairs_cuda(lp_group_pair *d_pair, uint64_t n_pairs, const lp_group_node *d_node,
                        const uint64_t *d_offset, const lp_runs *masks, const lp_runs_box *d_box,
                        double iou, const lp_group_grid *g, const void *d_nodes_scratch,
                        lp_stream stream);
int lp_group_rounds_cuda(uint32_t *d_state, uint32_t *d_hit, uint32_t *d_left, int rounds,
                         int begin, const lp_group_pair *d_pair, uint64_t n_pairs, uint32_t n,
                         lp_stream stream);
size_t lp_group_join_scratch_cuda(uint32_t n);
int lp_group_join_cuda(uint32_t *d_group, uint32_t *d_number, const uint32_t *d_state,
                       const lp_group_pair *d_pair, uint64_t n_pairs, uint32_t n,
                       const lp_runs_box *d_box, void *d_scratch, lp_stream stream);

/* Outlines of n groups, job [n]: d_count [n_rows + 1], the runs of their rows, all of them, in
 * order, then summed up, so that the host reads the last one before it makes room. d_scratch:
 * lp_scan_scratch_cuda(n_rows). d_run, d_of [d_count[n_rows]]: the runs, and the group of each. */
typedef struct {
    int64_t all;            /* weight of its members */
    uint64_t first, row;    /* of its members in d_member; of its rows among all */
    uint32_t count;         /* members */
    int32_t y0, y1, x0, x1; /* box around them */
} lp_group_job;
int lp_group_outline_count_cuda(uint32_t *d_count, const lp_group_job *d_job, uint32_t n,
                                uint64_t n_rows, const uint32_t *d_member, const int64_t *d_weight,
                                const lp_runs *masks, double share, void *d_scratch,
                                lp_stream stream);
int lp_group_outline_cuda(lp_run *d_run, uint32_t *d_of, const uint32_t *d_count,
                          const lp_group_job *d_job, uint32_t n, uint64_t n_rows,
                          const uint32_t *d_member, const int64_t *d_weight, const lp_runs *masks,
                          double share, lp_stream stream);

/* Acceptance of these outlines one after the other, in rounds as those of the grouping: a group is
 * decided when those before it that share a pixel with it are. d_masks [Ly][Lx]: zeroed before the
 * first round. d_claim [Ly][Lx]: scratch, of any content. d_tally [n]: scratch.
 * Then lp_group_number_cuda: d_id [n + 1] of each group, 0 where it was not accepted (the last one:
 * how many were), and the same in d_masks. d_scratch: lp_scan_scratch_cuda(n). */
typedef struct {
    uint32_t state, blocked, area, free;
} lp_group_tally;
int lp_group_accept_cuda(uint32_t *d_masks, uint32_t *d_claim, lp_group_tally *d_tally,
                         uint32_t *d_left, int rounds, int begin, const lp_run *d_run,
                         const uint32_t *d_of, uint64_t n_runs, uint32_t n, int Lx,
                         lp_stream stream);
int lp_group_number_cuda(uint32_t *d_masks, uint32_t *d_id, const lp_group_tally *d_tally,
                         uint32_t n, int Ly, int Lx, void *d_scratch, lp_stream stream);

#endif
