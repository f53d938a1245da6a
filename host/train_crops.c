#include "train_crops.h"

#define ORDER 0xffffffffu /* sub-stream of the order of images; crops have their place */

void lp_train_order(int *order, uint64_t seed, uint32_t stream, int n_images, int n)
{
    lp_rng rng;
    int i;

    lp_rng_init(&rng, seed, stream, ORDER);
    if (n != n_images) {
        for (i = 0; i < n; i++) order[i] = (int)(lp_rng_uniform(&rng) * n_images);
        return;
    }
    for (i = 0; i < n; i++) order[i] = i;
    for (i = n - 1; i > 0; i--) { /* Fisher and Yates */
        int k = (int)(lp_rng_uniform(&rng) * (i + 1)), t = order[i];

        order[i] = order[k];
        order[k] = t;
    }
}

void lp_train_order_weighted(int *order, uint64_t seed, uint32_t stream, const double *sum,
                             int n_images, int n)
{
    lp_rng rng;
    int i;

    lp_rng_init(&rng, seed, stream, ORDER);
    for (i = 0; i < n; i++) {
        double u = lp_rng_uniform(&rng);
        int lo = 0, hi = n_images - 1; /* the first whose sum is above u */

        while (lo < hi) {
            int mid = lo + (hi - lo) / 2;

            if (sum[mid] > u)
                hi = mid;
            else
                lo = mid + 1;
        }
        order[i] = lo;
    }
}

void lp_train_crops(const lp_train_set *set, const lp_crops *c, uint32_t stream, const int *which,
                    int from, int n, float *x, float *target)
{
    size_t plane = (size_t)c->bsize * c->bsize;
    int i;

#pragma omp parallel for schedule(dynamic)
    for (i = 0; i < n; i++) {
        const lp_train_image *im = &set->image[which[i]];
        lp_augment a;
        lp_rng rng;

        lp_rng_init(&rng, c->seed, stream, (uint32_t)(from + i));
        a = lp_augment_draw(&rng, im->Ly, im->Lx,
                            c->diam_mean > 0 ? im->diameter / c->diam_mean : 1, c->scale_range,
                            c->bsize, c->bsize);
        lp_augment_apply(im, &a, c->nchan, c->bsize, c->bsize, x + (size_t)i * c->nchan * plane,
                         target + (size_t)i * 3 * plane);
    }
}
