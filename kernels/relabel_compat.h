/* relabel_compat - numbers of masks as Cellpose 3.1.1.3 has them, defect included.
 *
 * Before it removes small masks it counts pixels with np.unique, whose k-th entry is of the k-th
 * label that is there, and takes that for label k. Where QC has left gaps in the numbering, another
 * mask goes than the one that is too small. Arrays per label: relabel.h. */
#ifndef LP_RELABEL_COMPAT_H
#define LP_RELABEL_COMPAT_H

#include "relabel.h"

/* map [n + 1]: the label itself, but 0 for label 0 and for every k > 0 where the k-th label present
 * (the first one, normally the background, is the 0th) has fewer than min_size pixels. */
void lp_relabel_miscount_ref(uint32_t *map, const lp_label_info *info, uint32_t n,
                             uint32_t min_size);

/* map [n + 1]: on entry non-zero for the labels to keep; on return they carry 1, 2, ... in order of
 * label, absent ones 0. Returns how many are kept. */
uint32_t lp_relabel_rank_ref(uint32_t *map, uint32_t n, const lp_label_info *info);

/* The same on the device, with the number of labels kept in *d_kept. */
size_t lp_relabel_compat_scratch_cuda(uint32_t n);
int lp_relabel_miscount_cuda(uint32_t *d_map, const lp_label_info *d_info, uint32_t n,
                             uint32_t min_size, void *d_scratch, lp_stream stream);
int lp_relabel_rank_cuda(uint32_t *d_map, uint32_t *d_kept, uint32_t n, const lp_label_info *d_info,
                         void *d_scratch, lp_stream stream);

#endif
