#include "device_mem.h"

#include <assert.h>

lp_status lp_device_take(lp_device_pieces *p, size_t bytes, void **d_out, lp_err *err)
{
    lp_status st;
    void *d;

    assert(p->n < LP_DEVICE_PIECES);
    if (!bytes) bytes = 1;
    if ((st = p->mem->alloc(p->mem->user, bytes, &d, err))) return st;
    p->piece[p->n] = d;
    p->bytes[p->n++] = bytes;
    *d_out = d;
    return LP_OK;
}

lp_status lp_device_send(lp_device_pieces *p, const void *src, size_t bytes, void **d_out,
                         lp_err *err)
{
    lp_status st;
    void *d;

    if ((st = lp_device_take(p, bytes, &d, err))) return st;
    if (bytes && (st = p->mem->put(p->mem->user, d, src, bytes, err))) return st;
    *d_out = d;
    return LP_OK;
}

void lp_device_drop(lp_device_pieces *p, int keep)
{
    for (; p->n > keep; p->n--) p->mem->free(p->mem->user, p->piece[p->n - 1], p->bytes[p->n - 1]);
}

void lp_device_keep(lp_device_pieces *p, int keep, void *d)
{
    size_t bytes = 0;
    int i;

    for (i = keep; i < p->n; i++)
        if (p->piece[i] == d) {
            p->piece[i] = NULL;
            bytes = p->bytes[i];
        }
    lp_device_drop(p, keep);
    p->piece[p->n] = d;
    p->bytes[p->n++] = bytes;
}
