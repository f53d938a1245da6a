/* train_augment - random crops as Cellpose's random_rotate_and_resize (transforms.py): flipped
 * left-right, turned by any angle, scaled to the network's diameter and by up to +-25 %, moved;
 * flows turn with the image. What lies outside the image is 0. */
#ifndef LP_TRAIN_AUGMENT_H
#define LP_TRAIN_AUGMENT_H

#include "rng.h"
#include "train_data.h"

typedef struct {
    int flip;      /* left-right, before all else */
    double theta;  /* radians, from x towards y */
    double scale;  /* pixels of the crop per pixel of the image */
    double dy, dx; /* where the image's centre lies, from the crop's centre, px of the crop */
} lp_augment;

/* rescale: the image's diameter / the network's; scale_range: 0.5 in Cellpose. Six numbers of r. */
lp_augment lp_augment_draw(lp_rng *r, int Ly, int Lx, double rescale, double scale_range, int ly,
                           int lx);

/* x [nchan][ly][lx]: bilinear; channels that im has not kept are 0. target [3][ly][lx]: inside or
 * not (nearest), then unit flows y, x (bilinear, turned). */
void lp_augment_apply(const lp_train_image *im, const lp_augment *a, int nchan, int ly, int lx,
                      float *x, float *target);

#endif
