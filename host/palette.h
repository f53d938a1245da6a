/* palette - a colour for each particle, different for particles that touch. */
#ifndef LP_PALETTE_H
#define LP_PALETTE_H

#include "label_index.h"

#define LP_PALETTE_SIZE 6
/* Bright on grey and told apart by colour-blind readers (after Okabe and Ito). */
extern const uint8_t lp_palette[LP_PALETTE_SIZE][3];

/* colour [ix->n]: 0 .. LP_PALETTE_SIZE-1 for each label, in the order of ix. Labels with
 * pixels at most 2 apart along x or y differ, except where one has more such neighbours than
 * there are colours. */
lp_status lp_palette_assign(const lp_labels *lb, const lp_label_index *ix, uint8_t *colour,
                            lp_err *err);

#endif
