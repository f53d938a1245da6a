/* card_cuda - one GPU: finding and opening it, its memory, copies to and from it.
 *
 * Devices opened with each other share one card, and so the memory cap. Every function makes the
 * card current for the calling thread; any number of threads may use a card. */
#ifndef LP_CARD_CUDA_H
#define LP_CARD_CUDA_H

#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stddef.h>

#include "backend.h"
#include "busy.h"
#include "../kernels/stream.h"
#include "turns.h"

/* Memory whose owner can do with less: give frees some of it and returns 1, or 0 where there is
 * none to give. */
typedef struct lp_card_spare {
    int (*give)(void *user);
    void *user;
    struct lp_card_spare *next; /* the card's */
} lp_card_spare;

typedef struct {
    int device, users;
    size_t shared; /* bytes of shared memory of a multiprocessor */
    char text[160];
    cudaMemPool_t pool; /* of memory in the order of streams; keeps what is freed */
    cudaEvent_t begun;  /* when the card was opened */
    lp_turns turns;
    pthread_mutex_t lock; /* of what follows */
    size_t cap;           /* bytes; 0: none */
    size_t used, peak;    /* bytes asked for */
    size_t plain;         /* of them, those that are not from the pool */
    lp_card_spare *spare;
    lp_busy busy; /* s since `begun` */
} lp_card;

lp_status lp_card_list(int i, lp_device_info *info, lp_err *err);

/* Checks that driver, device and kernels fit each other. LP_EMISSING with the reason. */
lp_status lp_card_open(int device, size_t cap, lp_card **out, lp_err *err);
void lp_card_share(lp_card *c);  /* one more user */
void lp_card_close(lp_card **c); /* one user less; NULL is fine */
lp_status lp_card_use(const lp_card *c, lp_err *err);

/* The card has worked for s seconds from the event on, which has passed. 0 or a cudaError_t. */
int lp_card_ran(lp_card *c, cudaEvent_t from, double s);

/* LP_OK for 0, else lp_cuda_failed (error_cuda.h). */
lp_status lp_card_check(const lp_card *c, int e, const char *what, lp_err *err);

/* Memory that is counted. With a stream it is in the order of the stream's work; with NULL at
 * once, and free waits for all work on the card. LP_ENOMEM beyond the card's memory or the cap,
 * which what the pool keeps counts for too (CUDA itself takes some 100 MiB beside it). */
lp_status lp_card_alloc(lp_card *c, size_t bytes, lp_stream stream, void **d_out, lp_err *err);
void lp_card_free(lp_card *c, void *d, size_t bytes, lp_stream stream);

/* Runs job, which frees what it takes. Where memory is short (LP_ENOMEM) it is run again when
 * no other job is at work on the card, and then for as long as others give up some. Not within a
 * job. */
lp_status lp_card_turn(lp_card *c, lp_status (*job)(void *args, lp_err *err), void *args,
                       lp_err *err);
/* Both not within a job. *s stays until it is taken back. */
void lp_card_offer(lp_card *c, lp_card_spare *s);
void lp_card_take_back(lp_card *c, lp_card_spare *s);

/* Copies at once; streams do not wait for it. */
lp_status lp_card_put(lp_card *c, void *d_dst, const void *src, size_t bytes, lp_err *err);

/* Bytes that are still to be had: free or kept by the pool, and within the cap. */
size_t lp_card_left(lp_card *c);

/* Page-locked memory through which copies go, a stage per stream. One thread at a time. */
typedef struct lp_stage lp_stage;
lp_status lp_stage_new(lp_card *c, lp_stream stream, lp_stage **out, lp_err *err);
void lp_stage_free(lp_stage **s);
/* put queues; src may change at once afterwards. get waits for the stream. */
lp_status lp_stage_put(lp_stage *s, void *d_dst, const void *src, size_t bytes, lp_err *err);
lp_status lp_stage_get(lp_stage *s, void *dst, const void *d_src, size_t bytes, lp_err *err);

#endif
