/* torch_import - a Cellpose checkpoint (.pth) as weights.
 *
 * The object must be a state_dict: a dictionary of tensors. A prefix "module." on every
 * key (DataParallel) is dropped. float16, bfloat16, float64 and whole numbers become
 * float32. Two tensors may not share values. */
#ifndef LP_TORCH_IMPORT_H
#define LP_TORCH_IMPORT_H

#include "weights.h"

/* As lp_weights_open, for a zip or legacy PyTorch file. Sets source and source_sha256;
 * what old Cellpose versions did not write is filled in: diam_mean 30, diam_labels =
 * diam_mean, counters 0. */
lp_status lp_weights_read_torch(const char *path, lp_weights **out, lp_err *err);

#endif
