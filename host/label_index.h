/* label_index - from the labels of an image to 0 .. n-1, in ascending order of label.
 *
 * Labels may have gaps and any value up to 2^32 - 1 (files of other programs); memory is
 * proportional to the image, not to the largest label. */
#ifndef LP_LABEL_INDEX_H
#define LP_LABEL_INDEX_H

#include "image.h"

typedef struct {
    uint32_t *ids; /* [n] ascending, 0 (background) not among them */
    int64_t n;
    uint32_t *map; /* [max+1] label -> position, or NULL where labels are too sparse */
    uint32_t max;  /* largest label, 0 where there is none */
} lp_label_index;

lp_status lp_label_index_new(const lp_labels *lb, lp_label_index *ix, lp_err *err);
void lp_label_index_free(lp_label_index *ix);

/* Position of a label that is in the image. */
int64_t lp_label_index_find(const lp_label_index *ix, uint32_t label);

#endif
