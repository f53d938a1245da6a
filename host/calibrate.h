/* calibrate - segments labelled images at many diameters, finds the threshold that meets a target,
 * writes the results at it, and the settings for later runs. */
#ifndef LP_CALIBRATE_H
#define LP_CALIBRATE_H

#include "eval_target.h"
#include "segment_run.h"
#include "settings.h"

typedef struct {
    const char *labels; /* folder or file of true label images, named as for eval */
    lp_target target;
    const char *settings_out;
    lp_settings settings; /* what to store, but for threshold and calibration */
} lp_calibrate;

/* Of several diameters; o->merge.threshold is not used. Images without labels are segmented and
 * merged like the others. Where the target cannot be met, results are those of the nearest
 * threshold and no settings are written. Returns the exit code; everything was said. */
int lp_calibrate_run(const lp_inputs *in, const lp_run_options *o, const lp_calibrate *c);

#endif
