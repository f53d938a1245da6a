/* train_options - what the commands that train share: defaults, limits, channels. */
#ifndef LP_TRAIN_OPTIONS_H
#define LP_TRAIN_OPTIONS_H

#include "train_run.h"

/* Cellpose's defaults; learning_rate NaN until lp_train_options_check. */
lp_train_options lp_train_options_defaults(void);

/* Looks at every number; nbase ("2,32,64") and seed are put into *o, and the learning rate that
 * goes with the optimizer where none was given. LP_EARG with a message that names the option. */
lp_status lp_train_options_check(lp_train_options *o, const char *nbase, int seed, lp_err *err);

/* --backend, --precision and --gpu_memory (GiB, 0: all): o->be, o->bf16, o->gpu_memory.
 * o->gpu_device is set. LP_EARG, and LP_EMISSING where what was asked for by name is not there. */
lp_status lp_train_options_place(lp_train_options *o, const char *backend, const char *precision,
                                 double gpu_memory, lp_err *err);

#endif
