/* merge_cuda_work - what the files of the merge on the device share. Not for others. */
#ifndef LP_MERGE_CUDA_WORK_H
#define LP_MERGE_CUDA_WORK_H

#include "merge_cuda.h"

#define LP_MERGE_ROUNDS 8 /* queued before the host asks what is left */

struct lp_merge_work {
    lp_device_pieces held;
    const lp_layers *s;
    uint32_t *masks, *d_masks;

    /* scale */
    lp_runs d_mask; /* the candidates; its pointers are to device memory */

    /* votes, affinity */
    uint16_t *d_v, *d_ax, *d_ay;
    lp_run *d_seed; /* [room] one run of each particle */
    uint32_t n, room;
};

/* rc of a launcher as a status. */
lp_status lp_merge_cuda_check(lp_merge_work *w, int rc, lp_err *err);
lp_status lp_merge_cuda_get(lp_merge_work *w, void *dst, const void *d_src, size_t bytes,
                            lp_err *err);

lp_status lp_merge_cuda_group(lp_merge_work *w, const lp_group_mask *mask, uint32_t n, double iou,
                              uint32_t *group, uint32_t *n_groups, lp_err *err);
lp_status lp_merge_cuda_paint(lp_merge_work *w, const lp_group_mask *mask, const lp_merge_groups *g,
                              uint32_t *id, lp_err *err);

#endif
