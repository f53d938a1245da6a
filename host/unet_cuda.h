/* unet_cuda - the CPnet forward pass on the device: weights, activations, and the sequence of
 * kernels (kernels/conv.h, first.h, style.h, output.h).
 *
 * Only queues work. The bits of a tile do not depend on n, its place, the other tiles or on how
 * much memory there is. Knows the device only by its kernels and by the caller's memory, so the
 * tests run the same file on the CPU. */
#ifndef LP_UNET_CUDA_H
#define LP_UNET_CUDA_H

#include "../kernels/tile.h"
#include "../weights/weights.h"
#include "cudnn_cuda.h"
#include "device_mem.h"

typedef struct lp_unet_cuda lp_unet_cuda; /* one caller at a time */

/* bf16: 1 for bfloat16 operands and activations with float32 sums. cudnn: NULL for our own
 * convolutions, else it must outlive the network. max_bytes: of activations; at
 * least one tile is always tried. mem is copied, its user must outlive the network; of it alloc,
 * free (which waits for the work that still uses the memory), put and failed are used. LP_ENOMEM of
 * alloc is tried again with less. The caller frees; w may be freed at once. LP_EARG where the
 * kernels do not fit the model, LP_ENOMEM. */
lp_status lp_unet_cuda_new(const lp_weights *w, int bf16, lp_cudnn *cudnn, size_t max_bytes,
                           const lp_device_mem *mem, lp_unet_cuda **out, lp_err *err);
void lp_unet_cuda_free(lp_unet_cuda **net); /* NULL is fine; clears the pointer */

/* d_x [n][nbase[0]][ly][lx], d_y [n][nout][ly][lx], d_styles [n][nbase[last]]: float32, group after
 * group, end to end; ly and lx multiples of 2^(levels-1). Activations take as much memory as the
 * largest group wants, at most max_bytes; where that is not to be had, half as much, and so on: a
 * group then goes through in parts. LP_EARG, LP_ENOMEM. */
lp_status lp_unet_cuda_run(lp_unet_cuda *net, const float *d_x, const lp_tile_group *group,
                           int n_groups, float *d_y, float *d_styles, lp_stream stream,
                           lp_err *err);

/* Rows of a warp of the bfloat16 convolutions (kernels/conv.h): 0, the kernels' choice, which is
 * meant for 160 KB of shared memory to a multiprocessor and more; 4 where it is 100 KB. Same bits.
 */
void lp_unet_cuda_set_rows(lp_unet_cuda *net, int rows);

/* Frees the activations, of which there will be at most half as many. Returns 0 where there are
 * none. */
int lp_unet_cuda_shrink(lp_unet_cuda *net);

/* Device memory that the network holds now: weights and activations. */
size_t lp_unet_cuda_bytes(const lp_unet_cuda *net);

/* Bytes of activations of n tiles. */
size_t lp_unet_cuda_need(const lp_unet_cuda *net, int n, int ly, int lx);

#endif
