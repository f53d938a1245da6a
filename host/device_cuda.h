/* device_cuda - what the parts of the CUDA back end share. */
#ifndef LP_DEVICE_CUDA_H
#define LP_DEVICE_CUDA_H

#include <cuda_runtime_api.h>
#include <pthread.h>

#include "card_cuda.h"
#include "device_mem.h"
#include "plans_cuda.h"
#include "spans_cuda.h"

/* A stream for masks, used by one thread at a time. */
typedef struct lp_lane {
    struct lp_lane *next;
    lp_card *card;
    cudaStream_t stream;
    lp_stage *stage;
    cudaEvent_t mark[LP_DEVICE_MARKS];
} lp_lane;

struct lp_device {
    lp_card *card;
    int cudnn; /* convolutions of networks made on it */
    cudaStream_t stream;
    lp_stage *stage;
    lp_spans spans;
    lp_plans plans;
    pthread_mutex_t lane_lock;
    lp_lane *lanes; /* those that nobody uses */
};

struct lp_buf {
    size_t bytes;
    void *d_data;
    cudaEvent_t ready; /* after what was queued last that uses it (but in lanes, which wait) ... */
    cudaStream_t last; /* ... on this stream */
};

void lp_lane_free(lp_lane *l);

/* The back end's functions of these names (backend.h). */
lp_status lp_cuda_get(lp_device *d, void *dst, const lp_buf *src, size_t offset, size_t bytes,
                      lp_err *err);
lp_status lp_cuda_masks(lp_device *d, const lp_masks_input *in, lp_labels *masks,
                        float **flow_error, uint32_t *n, lp_particle_table *t, lp_err *err);
lp_status lp_cuda_layer(lp_device *d, const lp_masks_input *in, lp_layer *layer, lp_err *err);
lp_status lp_cuda_merge(lp_device *d, const lp_layers *s, const lp_merge_options *o,
                        lp_particle_table *t, lp_merged *out, lp_err *err);

#endif
