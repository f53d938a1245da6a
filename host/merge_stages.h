/* merge_stages - the steps of a merge that go over pixels, on the CPU or on a device.
 *
 * What is decided by numbers (weights, supports, levels, the table of particles) is the host's and
 * stands in merge_scale.c and merge_votes.c; what needs the runs or the pixels stands behind these
 * functions. Every set of them gives the same bytes. */
#ifndef LP_MERGE_STAGES_H
#define LP_MERGE_STAGES_H

#include "../kernels/group.h"
#include "layers.h"
#include "measure.h"

typedef struct lp_merge_work lp_merge_work; /* of one merge; each set of stages has its own */

/* Groups in order of acceptance. */
typedef struct {
    uint32_t n;
    const uint64_t *first; /* [n] of a group's members in member */
    const uint32_t *count; /* [n] of its members, 1 or more */
    const uint32_t *member;
    const int64_t *weight; /* of each candidate */
    double share;          /* of the weight that the pixels of an outline need more of */
} lp_merge_groups;

typedef struct {
    /* device: what this set runs on. masks [Ly][Lx], of any content; it and s must stay. The caller
     * ends with close, which takes NULL and clears the pointer. */
    lp_status (*open)(void *device, const lp_layers *s, uint32_t *masks, lp_merge_work **w,
                      lp_err *err);
    void (*close)(lp_merge_work **w);
    /* masks is complete. Once, the last. */
    lp_status (*finish)(lp_merge_work *w, lp_err *err);
    /* After finish, of the n particles in masks: fills t's table, without a cellprob, flow errors
     * or a diameter (NaN). */
    lp_status (*measure)(lp_merge_work *w, uint32_t n, lp_particle_table *t, lp_err *err);

    /* scale, once each and in this order. group: lp_group_assign_ref. paint: the outlines, and of
     * those that are accepted (merge.h) the free part in masks as 1, 2, ..; id [g->n]: that number,
     * 0 for the others. mask [n] is the same for both. */
    lp_status (*group)(lp_merge_work *w, const lp_group_mask *mask, uint32_t n, double iou,
                       uint32_t *group, uint32_t *n_groups, lp_err *err);
    lp_status (*paint)(lp_merge_work *w, const lp_group_mask *mask, const lp_merge_groups *g,
                       uint32_t *id, lp_err *err);

    /* votes, affinity: votes once, also those of pairs if pairs is 1. level, for falling t: the
     * components of v > t that are accepted (merge.h) go into masks; *n, the number of particles,
     * grows. top [*n]: the most votes in each. */
    lp_status (*votes)(lp_merge_work *w, int pairs, lp_err *err);
    lp_status (*level)(lp_merge_work *w, int t, int min_size, uint32_t *n, lp_err *err);
    lp_status (*tops)(lp_merge_work *w, uint32_t *top, lp_err *err);
} lp_merge_stages;

extern const lp_merge_stages lp_merge_stages_cpu; /* device is NULL */

#endif
