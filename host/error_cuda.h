/* error_cuda - what a failure of CUDA means: the one place where a cudaError_t becomes a status
 * and a line.
 *
 *   no driver, no GPU, an old driver, a card that this build cannot run on   LP_EMISSING
 *   no memory                                                                LP_ENOMEM
 *   anything else: the GPU is lost for this process                          LP_EIO */
#ifndef LP_ERROR_CUDA_H
#define LP_ERROR_CUDA_H

#include "status.h"

/* e: a cudaError_t, not 0, of the GPU with this number (-1: of none) while doing `what`. Clears
 * CUDA's own memory of it. */
lp_status lp_cuda_failed(int device, int e, const char *what, lp_err *err);

#endif
