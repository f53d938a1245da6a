/* torch_write - a model as a zip-format .pth, as Cellpose 3 and torch.load(weights_only=True)
 * read it. float32 throughout; batch-norm counters as int64. What PyTorch has no place
 * for (size model, self-test, licence, diam_range) is not in it. */
#ifndef LP_TORCH_WRITE_H
#define LP_TORCH_WRITE_H

#include "weights.h"

/* Replaces path when the file is complete and on disk. */
lp_status lp_weights_export_torch(const lp_weights *w, const char *path, lp_err *err);

#endif
