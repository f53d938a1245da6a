#include "card_cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/resize.h"
#include "error_cuda.h"

#define MIB 1048576.0
#define HALF ((size_t)4 << 20) /* of a stage */

struct lp_stage {
    lp_card *card;
    lp_stream stream;
    char *mem; /* two halves, used in turn */
    cudaEvent_t done[2];
    int next;
};

/* How many GPUs there are, or why there are none. */
static lp_status count(int *n, lp_err *err)
{
    cudaError_t e;

    *n = 0;
    if ((e = cudaGetDeviceCount(n)) == cudaSuccess && *n > 0) return LP_OK;
    return lp_cuda_failed(-1, e ? e : cudaErrorNoDevice, "no GPU", err);
}

lp_status lp_card_list(int i, lp_device_info *info, lp_err *err)
{
    struct cudaDeviceProp p;
    lp_status st;
    int n;

    if ((st = count(&n, err))) return st;
    if (i < 0 || i >= n)
        return lp_fail(err, LP_EMISSING, "--gpu_device %d: there %s %d GPU%s, counted from 0", i,
                       n == 1 ? "is" : "are", n, n == 1 ? "" : "s");
    if (cudaGetDeviceProperties(&p, i))
        return lp_fail(err, LP_EMISSING, "GPU %d: %s", i, cudaGetErrorString(cudaGetLastError()));
    memset(info, 0, sizeof *info);
    snprintf(info->name, sizeof info->name, "%.*s", (int)sizeof info->name - 1, p.name);
    info->memory = (double)p.totalGlobalMem;
    info->major = p.major;
    info->minor = p.minor;
    if (p.major < 8)
        return lp_fail(err, LP_EMISSING,
                       "GPU %d (%s) has compute capability %d.%d; 8.0 (Ampere) or newer is needed; "
                       "use --backend cpu",
                       i, info->name, p.major, p.minor);
    return LP_OK;
}

lp_status lp_card_use(const lp_card *c, lp_err *err)
{
    return lp_card_check(c, cudaSetDevice(c->device), "device", err);
}

lp_status lp_card_check(const lp_card *c, int e, const char *what, lp_err *err)
{
    return e ? lp_cuda_failed(c->device, e, what, err) : LP_OK;
}

int lp_card_ran(lp_card *c, cudaEvent_t from, double s)
{
    float ms = 0;
    int e = cudaEventElapsedTime(&ms, c->begun, from);

    if (e) return e;
    pthread_mutex_lock(&c->lock);
    lp_busy_add(&c->busy, ms / 1e3, ms / 1e3 + s);
    pthread_mutex_unlock(&c->lock);
    return 0;
}

/* One pixel through a kernel: is there code for this card, and does it run? */
static lp_status try_kernel(lp_card *c, lp_err *err)
{
    float one = 1, got = 0;
    void *d = NULL;
    lp_status st;
    int e;

    if ((st = lp_card_alloc(c, 512, NULL, &d, err))) return st;
    if (!(e = cudaMemcpy(d, &one, sizeof one, cudaMemcpyHostToDevice)) &&
        !(e = lp_resize_cuda((float *)d + 64, d, 1, 1, 1, 1, 1, NULL)))
        e = cudaMemcpy(&got, (float *)d + 64, sizeof got, cudaMemcpyDeviceToHost);
    st = e || got != one
             ? lp_fail(err, LP_EMISSING, "GPU %d (%s): this build cannot run on it: %s", c->device,
                       c->text, e ? cudaGetErrorString((cudaError_t)e) : "a wrong answer")
             : LP_OK;
    lp_card_free(c, d, 512, NULL);
    return st;
}

/* A pool of our own: what it keeps is known, and goes when the card is closed. */
static cudaError_t open_pool(lp_card *c)
{
    struct cudaMemPoolProps p = {.allocType = cudaMemAllocationTypePinned,
                                 .handleTypes = cudaMemHandleTypeNone,
                                 .location = {.type = cudaMemLocationTypeDevice}};
    uint64_t keep = UINT64_MAX;
    cudaError_t e;

    p.location.id = c->device;
    if ((e = cudaMemPoolCreate(&c->pool, &p))) return e;
    return cudaMemPoolSetAttribute(c->pool, cudaMemPoolAttrReleaseThreshold, &keep);
}

lp_status lp_card_open(int device, size_t cap, lp_card **out, lp_err *err)
{
    lp_card *c = NULL;
    struct cudaDeviceProp p;
    lp_device_info info;
    cudaError_t e;
    lp_status st;

    if ((st = lp_card_list(device, &info, err))) return st;
    if (!(c = calloc(1, sizeof *c))) return lp_fail_mem(err, "GPU", sizeof *c);
    c->device = device;
    c->users = 1;
    c->cap = cap;
    pthread_mutex_init(&c->lock, NULL);
    lp_turns_init(&c->turns);
    snprintf(c->text, sizeof c->text, "cuda, %s, %.1f GiB", info.name, info.memory / MIB / 1024);
    /* The first use of a card may fail too: busy, or set to refuse. */
    if ((e = cudaSetDevice(device)) || (e = cudaGetDeviceProperties(&p, device)) ||
        (e = open_pool(c)) || (e = cudaEventCreateWithFlags(&c->begun, cudaEventDefault)) ||
        (e = cudaEventRecord(c->begun, NULL))) {
        st = lp_card_check(c, e, "first use", err);
        goto done;
    }
    c->shared = p.sharedMemPerMultiprocessor;
    if ((st = try_kernel(c, err))) goto done;
    *out = c;
    c = NULL;
done:
    lp_card_close(&c);
    /* Whatever it is: this GPU cannot be used. */
    if (st == LP_EIO) {
        st = LP_EMISSING;
        if (err) err->status = st;
    }
    return st;
}

void lp_card_share(lp_card *c)
{
    pthread_mutex_lock(&c->lock);
    c->users++;
    pthread_mutex_unlock(&c->lock);
}

void lp_card_close(lp_card **pc)
{
    lp_card *c = pc ? *pc : NULL;
    int left;

    if (!c) return;
    pthread_mutex_lock(&c->lock);
    left = --c->users;
    pthread_mutex_unlock(&c->lock);
    if (!left) {
        if (c->begun) cudaEventDestroy(c->begun);
        if (c->pool) cudaMemPoolDestroy(c->pool);
        lp_turns_destroy(&c->turns);
        pthread_mutex_destroy(&c->lock);
        free(c);
    }
    *pc = NULL;
}

void lp_stage_free(lp_stage **ps)
{
    lp_stage *s = ps ? *ps : NULL;
    int i;

    if (!s) return;
    cudaSetDevice(s->card->device);
    for (i = 0; i < 2; i++)
        if (s->done[i]) {
            cudaEventSynchronize(s->done[i]);
            cudaEventDestroy(s->done[i]);
        }
    if (s->mem) cudaFreeHost(s->mem);
    free(s);
    *ps = NULL;
}

lp_status lp_stage_new(lp_card *c, lp_stream stream, lp_stage **out, lp_err *err)
{
    lp_stage *s = calloc(1, sizeof *s);
    lp_status st = LP_OK;
    int i, e = 0;

    if (!s) return lp_fail_mem(err, "GPU", sizeof *s);
    s->card = c;
    s->stream = stream;
    if ((st = lp_card_use(c, err))) goto done;
    for (i = 0; i < 2 && !e; i++) e = cudaEventCreateWithFlags(&s->done[i], cudaEventDisableTiming);
    if (!e) e = cudaHostAlloc((void **)&s->mem, 2 * HALF, cudaHostAllocDefault);
    if ((st = lp_card_check(c, e, "page-locked memory of 8 MiB", err))) goto done;
    *out = s;
    s = NULL;
done:
    lp_stage_free(&s);
    return st;
}

lp_status lp_stage_put(lp_stage *s, void *d_dst, const void *src, size_t bytes, lp_err *err)
{
    size_t at = 0, n;
    lp_status st = lp_card_use(s->card, err);
    int e = 0;

    for (; !st && at < bytes; at += n) {
        int k = s->next;

        n = bytes - at < HALF ? bytes - at : HALF;
        if (!(e = cudaEventSynchronize(s->done[k]))) {
            memcpy(s->mem + (size_t)k * HALF, (const char *)src + at, n);
            e = cudaMemcpyAsync((char *)d_dst + at, s->mem + (size_t)k * HALF, n,
                                cudaMemcpyHostToDevice, s->stream);
        }
        if (!e) e = cudaEventRecord(s->done[k], s->stream);
        s->next = !k;
        st = lp_card_check(s->card, e, "copy to the device", err);
    }
    return st;
}

/* Half k holds n bytes for dst once its event has passed. */
static int take(lp_stage *s, int k, char *dst, size_t n)
{
    int e = cudaEventSynchronize(s->done[k]);

    if (!e) memcpy(dst, s->mem + (size_t)k * HALF, n);
    return e;
}

lp_status lp_stage_get(lp_stage *s, void *dst, const void *d_src, size_t bytes, lp_err *err)
{
    size_t at = 0, n, before = 0;
    lp_status st = lp_card_use(s->card, err);
    int e = 0;

    if (st) return st;
    for (; !e && at < bytes; at += n) {
        int k = s->next;

        n = bytes - at < HALF ? bytes - at : HALF;
        if (!(e = cudaEventSynchronize(s->done[k])) &&
            !(e = cudaMemcpyAsync(s->mem + (size_t)k * HALF, (const char *)d_src + at, n,
                                  cudaMemcpyDeviceToHost, s->stream)))
            e = cudaEventRecord(s->done[k], s->stream);
        /* The half before is emptied while this one fills. */
        if (!e && before) e = take(s, !k, (char *)dst + at - before, before);
        s->next = !k;
        before = n;
    }
    if (!e && before) e = take(s, !s->next, (char *)dst + bytes - before, before);
    return lp_card_check(s->card, e, "copy from the device", err);
}
