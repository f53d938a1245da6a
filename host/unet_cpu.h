/* unet_cpu - the CPnet forward pass on the CPU.
 *
 * Convolutions are oneDNN's (all of its calls are in onednn.c); batch norms are
 * folded into the convolution before them where nothing but a ReLU stands between
 * (exact), everything else is done in a few fused passes (unet_ops.h). One thread
 * computes a tile. Where there are fewer tiles than threads, all threads share one tile if
 * the convolutions give the same bits then (direct ones do, Winograd's do not). */
#ifndef LP_UNET_CPU_H
#define LP_UNET_CPU_H

#include "../kernels/tile.h"
#include "../weights/weights.h"
#include "status.h"

typedef struct lp_unet lp_unet;           /* weights and compiled convolutions; shared by threads */
typedef struct lp_unet_work lp_unet_work; /* activations of one caller at a time */

/* bf16: 1 for bfloat16 convolutions and activations with float32 accumulation.
 * threads: of the lp_unet_work that will run it. The caller frees; w may be freed at once. */
lp_status lp_unet_new(const lp_weights *w, int bf16, int threads, lp_unet **out, lp_err *err);
void lp_unet_free(lp_unet **net);

lp_status lp_unet_work_new(int threads, lp_unet_work **out, lp_err *err);
void lp_unet_work_free(lp_unet_work **work);

/* 1 where this CPU has bfloat16 matrix units (AMX), where bf16 is the faster choice. */
int lp_unet_bf16_pays(void);

/* x [n][nbase[0]][ly][lx], y [n][nout][ly][lx], styles [n][nbase[last]]: float32; ly and lx are
 * multiples of 2^(levels-1). First use of a tile size prepares its convolutions. The bits of
 * a tile do not depend on n, its place or the number of threads. */
lp_status lp_unet_run(lp_unet *net, lp_unet_work *work, const float *x, int n, int ly, int lx,
                      float *y, float *styles, lp_err *err);

/* The same for tiles of several sizes, group after group, end to end in x, y and styles. All tiles
 * are shared out among the threads together; large ones first is best. */
lp_status lp_unet_run_groups(lp_unet *net, lp_unet_work *work, const float *x,
                             const lp_tile_group *group, int n_groups, float *y, float *styles,
                             lp_err *err);

#endif
