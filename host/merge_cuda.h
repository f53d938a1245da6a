/* merge_cuda - the stages of a merge on the device: the same bytes as on the CPU.
 *
 * The runs of the layers go there, and labels and tables of numbers come back. */
#ifndef LP_MERGE_CUDA_H
#define LP_MERGE_CUDA_H

#include "device_mem.h"
#include "merge_stages.h"

/* device is an lp_device_mem, which must stay until close. LP_ENOMEM where the device has no room:
 * 4 bytes per pixel, scale 4 more, votes 2, affinity 6 more; 12 per run; and for each pair of
 * masks of about the same size and place 12. */
extern const lp_merge_stages lp_merge_stages_cuda;

#endif
