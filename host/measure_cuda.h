/* measure_cuda - measurements of labels on the device: what lp_measure_particles gives. */
#ifndef LP_MEASURE_CUDA_H
#define LP_MEASURE_CUDA_H

#include "device_mem.h"
#include "measure.h"

/* d_labels [Ly][Lx], values 0 .. n_labels. d_image, d_cellprob [Ly][Lx] may be NULL. flow_error,
 * n_flow_error, diameter, *out and *n: measure.h, in host memory. */
lp_status lp_measure_particles_cuda(const lp_device_mem *mem, const uint32_t *d_labels,
                                    uint32_t n_labels, int Ly, int Lx, const float *d_image,
                                    const float *d_cellprob, const float *flow_error,
                                    int64_t n_flow_error, double diameter, lp_particle **out,
                                    int64_t *n, lp_err *err);

#endif
