/* card_alloc_cuda - a card's memory: counted, capped, and waited for. */
#include "card_cuda.h"

#define MIB 1048576.0

static size_t of_pool(const lp_card *c, enum cudaMemPoolAttr what)
{
    uint64_t bytes = 0;

    return cudaMemPoolGetAttribute(c->pool, what, &bytes) ? 0 : (size_t)bytes;
}

/* Bytes of the card that are ours. */
static size_t taken(const lp_card *c)
{
    return c->plain + of_pool(c, cudaMemPoolAttrReservedMemCurrent);
}

static size_t kept(const lp_card *c)
{
    size_t reserved = of_pool(c, cudaMemPoolAttrReservedMemCurrent),
           used = of_pool(c, cudaMemPoolAttrUsedMemCurrent);

    return reserved > used ? reserved - used : 0;
}

/* Gives the card back what the pool keeps. What was freed in the order of another stream may not
 * be there yet; waiting for the whole card would wait for other threads' work too. */
static void trim(lp_card *c, lp_stream stream)
{
    if (stream) cudaStreamSynchronize(stream);
    cudaMemPoolTrimTo(c->pool, 0);
}

static void give(void *d, lp_stream stream)
{
    if (stream)
        cudaFreeAsync(d, stream);
    else
        cudaFree(d);
}

/* cudaErrorMemoryAllocation also where the cap would be exceeded. */
static int get(lp_card *c, size_t bytes, lp_stream stream, void **d)
{
    size_t grow = bytes, spare = stream ? kept(c) : 0;
    int e;

    grow -= spare < bytes ? spare : bytes;
    if (c->cap && taken(c) + grow > c->cap) return cudaErrorMemoryAllocation;
    e = stream ? cudaMallocFromPoolAsync(d, bytes, c->pool, stream) : cudaMalloc(d, bytes);
    if (e) {
        cudaGetLastError();
        return e;
    }
    /* A pool may grow by more than was asked for. */
    if (c->cap && taken(c) + (stream ? 0 : bytes) > c->cap) {
        give(*d, stream);
        return cudaErrorMemoryAllocation;
    }
    return 0;
}

lp_status lp_card_alloc(lp_card *c, size_t bytes, lp_stream stream, void **d_out, lp_err *err)
{
    void *d = NULL;
    double beyond;
    lp_status st;
    int e;

    if (!bytes) bytes = 1;
    if ((st = lp_card_use(c, err))) return st;
    pthread_mutex_lock(&c->lock);
    if ((e = get(c, bytes, stream, &d)) == cudaErrorMemoryAllocation) {
        trim(c, stream);
        e = get(c, bytes, stream, &d);
    }
    if (!e) {
        c->used += bytes;
        if (!stream) c->plain += bytes;
        if (c->used > c->peak) c->peak = c->used;
    }
    beyond = c->cap ? (double)c->used + (double)bytes - (double)c->cap : -1;
    pthread_mutex_unlock(&c->lock);
    if (!e) {
        *d_out = d;
        return LP_OK;
    }
    if (e != cudaErrorMemoryAllocation) return lp_card_check(c, e, "memory", err);
    if (c->cap)
        return lp_fail(err, LP_ENOMEM,
                       "GPU %d: %.1f MiB more than the %.1f MiB of --gpu_memory are needed; give "
                       "more, a larger diameter or a smaller --batch_size",
                       c->device, beyond > 0 ? beyond / MIB : (double)bytes / MIB,
                       (double)c->cap / MIB);
    return lp_fail(err, LP_ENOMEM,
                   "GPU %d: out of memory for %.1f MiB; give a larger diameter, a smaller "
                   "--batch_size or --backend cpu",
                   c->device, (double)bytes / MIB);
}

void lp_card_free(lp_card *c, void *d, size_t bytes, lp_stream stream)
{
    if (!d) return;
    if (!bytes) bytes = 1;
    cudaSetDevice(c->device);
    give(d, stream);
    pthread_mutex_lock(&c->lock);
    c->used -= bytes;
    if (!stream) c->plain -= bytes;
    pthread_mutex_unlock(&c->lock);
}

size_t lp_card_left(lp_card *c)
{
    size_t left = 0, total = 0, spare, ours;

    if (cudaSetDevice(c->device) || cudaMemGetInfo(&left, &total)) left = 0;
    pthread_mutex_lock(&c->lock);
    spare = kept(c);
    ours = taken(c) - spare;
    left += spare;
    if (c->cap && ours >= c->cap)
        left = 0;
    else if (c->cap && c->cap - ours < left)
        left = c->cap - ours;
    pthread_mutex_unlock(&c->lock);
    return left;
}

lp_status lp_card_put(lp_card *c, void *d_dst, const void *src, size_t bytes, lp_err *err)
{
    lp_status st = lp_card_use(c, err);
    int e;

    if (st) return st;
    /* This kind of copy may end after the call. */
    if (!(e = cudaMemcpy(d_dst, src, bytes, cudaMemcpyHostToDevice)))
        e = cudaStreamSynchronize(NULL);
    return lp_card_check(c, e, "copy to the device", err);
}

static int less(lp_card *c)
{
    lp_card_spare *s;
    int gave = 0;

    pthread_mutex_lock(&c->lock);
    s = c->spare; /* the list changes only where nobody is alone */
    pthread_mutex_unlock(&c->lock);
    for (; s; s = s->next) gave |= s->give(s->user);
    return gave;
}

lp_status lp_card_turn(lp_card *c, lp_status (*job)(void *args, lp_err *err), void *args,
                       lp_err *err)
{
    lp_err why = {0};
    lp_status st;

    lp_turns_begin(&c->turns, 0);
    st = job(args, &why);
    lp_turns_end(&c->turns, 0);
    if (st == LP_ENOMEM) {
        lp_turns_begin(&c->turns, 1);
        do st = job(args, &why);
        while (st == LP_ENOMEM && less(c));
        lp_turns_end(&c->turns, 1);
    }
    if (st && err) *err = why;
    return st;
}

void lp_card_offer(lp_card *c, lp_card_spare *s)
{
    lp_turns_begin(&c->turns, 1);
    pthread_mutex_lock(&c->lock);
    s->next = c->spare;
    c->spare = s;
    pthread_mutex_unlock(&c->lock);
    lp_turns_end(&c->turns, 1);
}

void lp_card_take_back(lp_card *c, lp_card_spare *s)
{
    lp_card_spare **at;

    lp_turns_begin(&c->turns, 1);
    pthread_mutex_lock(&c->lock);
    for (at = &c->spare; *at && *at != s; at = &(*at)->next) {
    }
    if (*at) *at = s->next;
    pthread_mutex_unlock(&c->lock);
    lp_turns_end(&c->turns, 1);
}
