/* train_table_cuda - a GPU's lp_train_table: convolutions by cuDNN, the rest by kernels/train_*.
 *
 * Everything is queued on one stream. Activations are as train_maps.h says, weights are packed by
 * channel as cuDNN wants them. */
#ifndef LP_TRAIN_TABLE_CUDA_H
#define LP_TRAIN_TABLE_CUDA_H

#include "card_cuda.h"
#include "cudnn_train_cuda.h"
#include "train_table.h"

/* What the table's functions get as user. */
typedef struct {
    lp_card *card;
    lp_stream stream;
    lp_cudnn *cudnn;
} lp_train_gpu;

extern const lp_train_table lp_train_cudnn; /* user: a lp_train_gpu */

/* Memory on the card. LP_ENOMEM with what to do in training. */
lp_status lp_train_gpu_alloc(lp_train_gpu *g, size_t bytes, void **d_out, lp_err *err);

#endif
