/* eval_labels - the labels of a file of an evaluation, a label image (read.h) or outlines
 * (read_outlines.h).
 *
 * Outlines do not say how large their image is: that comes from the other side where it is a label
 * image or a saved run, else from the micrograph (lp_eval_item.image). */
#ifndef LP_EVAL_LABELS_H
#define LP_EVAL_LABELS_H

#include "eval_files.h"
#include "image.h"

/* 1 where path is there (not NULL) and its labels need a size from elsewhere. */
int lp_eval_is_drawn(const char *path);

/* The labels of path, which is item's truth or prediction (no saved run). Ly, Lx: what outlines
 * are drawn on, 0 where only the micrograph tells. *out is the caller's. LP_EARG where outlines
 * have no size, else as the readers; messages name the file. */
lp_status lp_eval_labels_read(const lp_eval_item *item, const char *path, int Ly, int Lx,
                              lp_labels *out, lp_err *err);

#endif
