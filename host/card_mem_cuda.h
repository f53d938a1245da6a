/* card_mem_cuda - a card's memory, stream and stage as what device_mem.h asks for. */
#ifndef LP_CARD_MEM_CUDA_H
#define LP_CARD_MEM_CUDA_H

#include "card_cuda.h"
#include "device_mem.h"

typedef struct {
    lp_card *card;
    lp_stream stream;  /* NULL: memory is had at once, free waits for all work, put for the copy */
    lp_stage *stage;   /* of that stream; with NULL there is no get */
    cudaEvent_t *mark; /* [LP_DEVICE_MARKS], or NULL: there are no marks */
} lp_card_queue;

/* *q must stay as long as what is returned. */
lp_device_mem lp_card_mem(lp_card_queue *q);

#endif
