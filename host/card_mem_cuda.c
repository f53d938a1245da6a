#include "card_mem_cuda.h"

static lp_status card_alloc(void *user, size_t bytes, void **d_out, lp_err *err)
{
    lp_card_queue *q = user;

    return lp_card_alloc(q->card, bytes, q->stream, d_out, err);
}

static void card_free(void *user, void *d, size_t bytes)
{
    lp_card_queue *q = user;

    lp_card_free(q->card, d, bytes, q->stream);
}

static lp_status card_put(void *user, void *d_dst, const void *src, size_t bytes, lp_err *err)
{
    lp_card_queue *q = user;

    return q->stage ? lp_stage_put(q->stage, d_dst, src, bytes, err)
                    : lp_card_put(q->card, d_dst, src, bytes, err);
}

static lp_status card_get(void *user, void *dst, const void *d_src, size_t bytes, lp_err *err)
{
    return lp_stage_get(((lp_card_queue *)user)->stage, dst, d_src, bytes, err);
}

static void card_mark(void *user, int at)
{
    lp_card_queue *q = user;

    cudaEventRecord(q->mark[at], q->stream);
}

/* 0 where the device failed: who uses it will hear. */
static double card_between(void *user, int from, int to)
{
    lp_card_queue *q = user;
    float ms = 0;

    if (cudaEventSynchronize(q->mark[to]) ||
        cudaEventElapsedTime(&ms, q->mark[from], q->mark[to]) ||
        lp_card_ran(q->card, q->mark[from], ms / 1e3)) {
        cudaGetLastError();
        return 0;
    }
    return ms / 1e3;
}

static lp_status card_failed(void *user, int rc, const char *what, lp_err *err)
{
    return lp_card_check(((lp_card_queue *)user)->card, rc, what, err);
}

lp_device_mem lp_card_mem(lp_card_queue *q)
{
    return (lp_device_mem){.user = q,
                           .stream = q->stream,
                           .alloc = card_alloc,
                           .free = card_free,
                           .put = card_put,
                           .get = card_get,
                           .mark = card_mark,
                           .between = card_between,
                           .failed = card_failed};
}
