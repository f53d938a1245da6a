/* run_workers - how many images of a run are worked on at a time.
 *
 * One per thread, as far as a quarter of the memory goes. A worker needs about 60 bytes per pixel
 * of its image, more where the image is enlarged, and what the network's activations take. Judged
 * by the first image of 20 that can be read (4096 x 4096 px where there is none), and where
 * diameters are chosen from the images, by the smallest that can be. */
#ifndef LP_RUN_WORKERS_H
#define LP_RUN_WORKERS_H

#include "segment_run.h"

/* diam_mean: the diameter that the network works at, px. Returns 1 .. threads. */
int lp_run_workers(const lp_inputs *in, const lp_run_options *o, int threads, double diam_mean);

#endif
