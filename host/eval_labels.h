/* eval_labels - the true and the predicted labels of an image, whatever kinds of files they are.
 *
 * Either may be a label image (read.h) or outlines (read_outlines.h). Outlines do not say how large
 * their image is: that comes from the other file where it is a label image, else from the
 * micrograph (lp_eval_item.image). */
#ifndef LP_EVAL_LABELS_H
#define LP_EVAL_LABELS_H

#include "eval_files.h"
#include "image.h"

/* Reads item's truth into *t and, where p is not NULL, its prediction into *p (empty, of the same
 * size, where the item has none); both are the caller's. LP_EARG where no size is known, else as
 * the readers; messages name the file. */
lp_status lp_eval_labels_read(const lp_eval_item *item, lp_labels *t, lp_labels *p, lp_err *err);

#endif
