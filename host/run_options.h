/* run_options - options that would fail for any image, found before the first one. */
#ifndef LP_RUN_OPTIONS_H
#define LP_RUN_OPTIONS_H

#include "session.h"

/* LP_EARG where the options would fail for any image: a small one is taken as far as the network,
 * so that nobody gets the same message for each of a thousand images. several: of many diameters.
 */
lp_status lp_run_options_try(lp_session *s, const lp_segment_options *given, int several,
                             lp_err *err);

#endif
