/* report_picture - one evaluated image as a PNG in memory, outlines coloured by what became of
 * the particle. */
#ifndef LP_REPORT_PICTURE_H
#define LP_REPORT_PICTURE_H

#include <stddef.h>

#include "eval_run.h"

/* The predicted outline of matched particles (IoU 0.5) green, that of false positives red, the
 * true outline of missed ones blue; on the micrograph where r->file->image can be read and has the
 * labels' size (*on_image 1), else on grey. Points are crosses, green or red. merge: of
 * predictions that are saved runs. Reads the label images again. The longer side becomes
 * at most max_side px, by dropping pixels. *png [*n] is the caller's, to free(). */
lp_status lp_report_picture(const lp_eval_result *r, const lp_merge_options *merge, int max_side,
                            uint8_t **png, size_t *n, int *on_image, lp_err *err);

#endif
