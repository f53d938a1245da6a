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

#endif
