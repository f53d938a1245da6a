/* layers_cuda - the masks of one diameter as runs, from labels on the device: what lp_layer_make
 * gives, bit by bit. Runs and tables come back, labels do not. */
#ifndef LP_LAYERS_CUDA_H
#define LP_LAYERS_CUDA_H

#include "device_mem.h"
#include "layers.h"

/* d_labels [Ly][Lx], values 0 .. n; d_flow_error [n] and d_cellprob [Ly][Lx], logit, may be NULL;
 * all of it is there when what is queued on mem's stream is done. The caller frees *out with
 * lp_layer_clear. LP_EARG for a diameter that is not positive, LP_ENOMEM: the device needs 48 bytes
 * per run for a while. */
lp_status lp_layer_make_cuda(const lp_device_mem *mem, double diameter, int Ly, int Lx,
                             const uint32_t *d_labels, uint32_t n, const float *d_flow_error,
                             const float *d_cellprob, lp_layer *out, lp_err *err);

/* The runs of d_labels, of which there are n_runs; the pointers of *out are to pieces of p. */
lp_status lp_runs_make_cuda(lp_device_pieces *p, const uint32_t *d_labels, uint32_t n, int Ly,
                            int Lx, lp_runs *out, uint32_t *n_runs, lp_err *err);

#endif
