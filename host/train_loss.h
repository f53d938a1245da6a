/* train_loss - Cellpose's loss (train.py, _loss_fn_seg): half the mean squared error of the flows,
 * which are 5 times those of the labels, plus the binary cross entropy of cellprob. */
#ifndef LP_TRAIN_LOSS_H
#define LP_TRAIN_LOSS_H

/* y [n][3][ly][lx]: flows y, x and cellprob (logit), the network's. target [n][3][ly][lx]: inside a
 * particle (> 0.5) or not, then unit flows y, x: the order of Cellpose's labels. d_y (NULL: not
 * wanted) as y: the gradient of the mean over images. image_loss [n]: of each. Returns their mean.
 * The same bits for any number of threads. */
double lp_train_loss(const float *y, const float *target, int n, int ly, int lx, double *image_loss,
                     float *d_y);

#endif
