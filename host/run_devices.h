/* run_devices - on which devices the images of a run are segmented.
 *
 * A GPU has workers of its own, which share its network and its batches; a CPU is one device. All
 * of a node's GPUs are used unless some are named. */
#ifndef LP_RUN_DEVICES_H
#define LP_RUN_DEVICES_H

#include "segment_run.h"

typedef struct {
    int gpu;             /* counted as --gpu_device does; -1: a CPU */
    double memory;       /* bytes that may be used, 0 unknown */
    lp_session *session; /* its first, which belongs to a worker; NULL: not opened */
    int lost;            /* failed for good: lock of lp_running */
} lp_run_device;

/* "0,1" -> o->gpu, o->n_gpus. LP_EARG for what are no numbers from 0, or one of them twice. */
lp_status lp_run_devices_parse(const char *text, lp_run_options *o, lp_err *err);

/* device [LP_RUN_GPUS], not opened: those that o names, or all that the machine has; *n is at least
 * 1, and opening says where there is none. LP_EMISSING for an unknown back end. */
lp_status lp_run_devices_find(const lp_run_options *o, lp_run_device *device, int *n, lp_err *err);

/* Opens device [*n] with so's other options. Of all that the machine has, some may be busy or too
 * old: they are left out, `left` [cap] says which, one line each, and *n becomes less. */
lp_status lp_run_devices_open(const lp_run_options *o, const lp_session_options *so,
                              lp_run_device *device, int *n, char *left, size_t cap, lp_err *err);

#endif
