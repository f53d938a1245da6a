/* merge_text - the options of merging from their text, for every command that merges. */
#ifndef LP_MERGE_TEXT_H
#define LP_MERGE_TEXT_H

#include "status.h"

/* method: "scale", "votes", "affinity", or NULL to leave it. levels: falling numbers joined by
 * commas, or NULL. has_threshold 0 leaves the threshold. LP_EARG with a message that names the
 * option. */
lp_status lp_merge_text_parse(const char *method, const char *levels, int has_threshold,
                              double threshold, lp_merge_options *o, lp_err *err);

/* LP_EARG where no particle of the method can exceed the threshold: `what` ("--threshold") then
 * begins the message. lp_merge_text_parse looks at what it is given. */
lp_status lp_merge_text_check(const char *what, lp_merge_method method, double threshold,
                              lp_err *err);

/* The name of a method. */
const char *lp_merge_text_name(lp_merge_method method);

#endif
