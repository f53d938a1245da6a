/* resize - resizing of image planes and of network output (of labels: label.h).
 *
 * Sample points follow OpenCV: pixel centres at +0.5 and edges clamped; the source
 * position is rounded to float32 before it is split into pixel and weight, as cv2
 * does. There is no low-pass filter when an image shrinks. */
#ifndef LP_RESIZE_H
#define LP_RESIZE_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* cv2.INTER_LINEAR. out [nchan][Ly2][Lx2], in [nchan][Ly][Lx]: float32, host, no
 * overlap; every size >= 1. An unchanged size copies. This one defines the answer. */
void lp_resize_ref(float *out, const float *in, int nchan, int Ly, int Lx, int Ly2, int Lx2);

/* Same contract and the same bits for any nthreads >= 1; scratch: lp_resize_scratch
 * bytes, aligned to 64, contents undefined before and after. */
size_t lp_resize_scratch(int Lx2, int nthreads);
void lp_resize_cpu(float *out, const float *in, int nchan, int Ly, int Lx, int Ly2, int Lx2,
                   int nthreads, void *scratch);

/* Same contract and the same bits in device memory. Only queues work on stream; returns 0 or a
 * cudaError_t. nchan up to 65,535. */
int lp_resize_cuda(float *d_out, const float *d_in, int nchan, int Ly, int Lx, int Ly2, int Lx2,
                   lp_stream stream);

#endif
