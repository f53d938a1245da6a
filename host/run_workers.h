/* run_workers - how many images of a run are worked on at a time.
 *
 * On a CPU one per thread. On GPUs too, so that all threads read, normalise and write; or, where
 * images are small, as many as fill two batches of each, so that one runs while the next fills up:
 * at most 4 per thread, as they mostly wait. In both cases as far as a quarter of the machine's
 * memory goes, and half of a GPU's. A worker needs about 60 bytes per
 * pixel of its image, more where the image is enlarged, and what the network's activations take.
 * Judged by the first image of 20 that can be read (4096 x 4096 px where there is none), and where
 * diameters are chosen from the images, by the smallest that can be. */
#ifndef LP_RUN_WORKERS_H
#define LP_RUN_WORKERS_H

#include "run_devices.h"

/* diam_mean: the diameter that the network works at, px. Returns 1 or more. */
int lp_run_workers(const lp_inputs *in, const lp_run_options *o, const lp_run_device *device,
                   int n_devices, int threads, double diam_mean);

#endif
