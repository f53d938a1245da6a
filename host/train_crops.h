/* train_crops - which images an epoch sees, and the crops of a batch.
 *
 * What is drawn follows from the seed, the stream (the epoch) and the place in it alone. */
#ifndef LP_TRAIN_CROPS_H
#define LP_TRAIN_CROPS_H

#include "train_augment.h"

typedef struct {
    uint64_t seed;
    int bsize, nchan;   /* side of a crop, px; channels of the network */
    double diam_mean;   /* px, that images are scaled to; 0: not scaled */
    double scale_range; /* train_augment.h */
} lp_crops;

/* order [n]: all n_images in random order where n is n_images, else n drawn with replacement. */
void lp_train_order(int *order, uint64_t seed, uint32_t stream, int n_images, int n);

/* n drawn with replacement; image i with sum[i] - sum[i-1] (train_probs.h). */
void lp_train_order_weighted(int *order, uint64_t seed, uint32_t stream, const double *sum,
                             int n_images, int n);

/* Crops of images which [n] of the set, at places from .. from + n - 1 of the stream: x
 * [n][nchan][bsize][bsize], target [n][3][bsize][bsize] (train_augment.h). The same bits for any
 * number of threads and any batch. */
void lp_train_crops(const lp_train_set *set, const lp_crops *c, uint32_t stream, const int *which,
                    int from, int n, float *x, float *target);

#endif
