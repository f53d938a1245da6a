/* train_dims - the shape of an activation in training. Its order is the affair of whoever computes
 * with it: host/train_ops.h on the CPU, train_maps.h on the device. */
#ifndef LP_TRAIN_DIMS_H
#define LP_TRAIN_DIMS_H

typedef struct {
    int n, nblk, cb, h, w; /* images, blocks of channels, channels in one */
    int bf16;              /* bfloat16, not float32 */
} lp_tdims;

#endif
