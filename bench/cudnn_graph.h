/* cudnn_graph - a convolution of NVIDIA's cuDNN with what stands before and after it in the same
 * kernel (its graph API), for bench_kernels_cuda: the bar for our own kernels.
 *
 * The library is loaded when it is asked for. It has engines for some such graphs only; which, is
 * found out by asking. bfloat16, channels last, float32 sums. */
#ifndef LP_CUDNN_GRAPH_H
#define LP_CUDNN_GRAPH_H

#include <stddef.h>

#include "../host/status.h"

/* y = last(scale2 * (k * first(x) + b + res) + shift2), first(x) = relu(scale * x + shift) and
 * last(v) = max(v, 0); each step is left out where its pointer is NULL, scale and shift, scale2 and
 * shift2 together. x [n][h][w][cin], res and y [n][h][w][cout], k [cout][side][side][cin]:
 * bfloat16. The others are [cin] or [cout], of either type: zeros, in a bench. All on the device.
 */
typedef struct {
    int n, h, w, cin, cout, side; /* side: of k, 3 or 1 */
    const void *x, *k, *scale, *shift, *b, *res, *scale2, *shift2;
    int relu;
    void *y;
} cudnn_layer;

typedef struct cudnn_graphs cudnn_graphs;
typedef struct cudnn_fused cudnn_fused;

/* library: LP_CUDNN_LIBRARY or a path. LP_EMISSING where it cannot be used. */
lp_status cudnn_graphs_open(const char *library, cudnn_graphs **out, lp_err *err);
void cudnn_graphs_close(cudnn_graphs **g);

/* Plans for a layer, the library's favourite first. d_work [work] bytes. LP_EMISSING where there is
 * no engine for it. g must outlive it. */
#define CUDNN_PLANS 4
lp_status cudnn_fused_new(cudnn_graphs *g, const cudnn_layer *layer, void *d_work, size_t work,
                          cudnn_fused **out, lp_err *err);
int cudnn_fused_plans(const cudnn_fused *f); /* 1 to CUDNN_PLANS */
/* Queues one on the default stream. 0 or a status of cuDNN. */
int cudnn_fused_run(const cudnn_fused *f, int plan);
void cudnn_fused_free(cudnn_fused **f);

#endif
