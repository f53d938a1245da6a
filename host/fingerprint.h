/* fingerprint - which settings results were made with, as one number.
 *
 * SHA-256 of a text with all that changes what is written: the program's version, the model's
 * bytes, diameters, merging, normalisation, masks (settings.h), pixel size and which files with
 * which options. How it is computed is not in it: back end, GPU, threads, batch size, where results
 * go, --page, the mean diameter that stands in for a missing size model (it is refused otherwise).
 * The precision is as it was asked for: with "auto", machines with and without bf16
 * share their work. */
#ifndef LP_FINGERPRINT_H
#define LP_FINGERPRINT_H

#include "segment_run.h"

/* hex [65]. o->model_sha256 must be there. LP_ENOMEM. */
lp_status lp_fingerprint(const lp_run_options *o, char *hex, lp_err *err);

#endif
