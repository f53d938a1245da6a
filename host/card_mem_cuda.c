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
                           .failed = card_failed};
}
