/* host_mem.h - an lp_device_mem of the executor: host memory, which is exactly as large as asked
 * for, so that sanitizers see what lies beyond; what is still held is counted. */
#ifndef LP_TEST_HOST_MEM_H
#define LP_TEST_HOST_MEM_H

#include <omp.h>

#include "../lp_test.h"

#include "host/device_mem.h"

typedef struct {
    int held;
    size_t bytes; /* held */
    int fail_at;  /* the alloc that fails: 1 the next one; 0 none */
    size_t most;  /* bytes that there are; 0: any number */
    int calls;    /* of alloc */
    double mark[LP_DEVICE_MARKS];
} host_mem_state;

static lp_status host_alloc(void *user, size_t bytes, void **d, lp_err *err)
{
    host_mem_state *s = user;
    unsigned char *p = NULL;

    s->calls++;
    if ((s->fail_at && !--s->fail_at) || (s->most && s->bytes + bytes > s->most))
        return lp_fail(err, LP_ENOMEM, "no room");
    assert_int_equal(posix_memalign((void **)&p, 256, 256 + bytes), 0);
    memcpy(p, &bytes, sizeof bytes); /* for free, which is told */
    memset(p + 256, 0xff, bytes);
    *d = p + 256;
    s->held++;
    s->bytes += bytes;
    return LP_OK;
}

static void host_free(void *user, void *d, size_t bytes)
{
    host_mem_state *s = user;
    size_t had;

    if (!d) return;
    memcpy(&had, (unsigned char *)d - 256, sizeof had);
    assert_int_equal(had, bytes);
    s->held--;
    s->bytes -= bytes;
    free((unsigned char *)d - 256);
}

static lp_status host_put(void *user, void *d, const void *src, size_t bytes, lp_err *err)
{
    (void)user;
    (void)err;
    memcpy(d, src, bytes);
    return LP_OK;
}

static lp_status host_get(void *user, void *dst, const void *d, size_t bytes, lp_err *err)
{
    return host_put(user, dst, d, bytes, err);
}

static void host_mark(void *user, int at)
{
    ((host_mem_state *)user)->mark[at] = omp_get_wtime();
}

static double host_between(void *user, int from, int to)
{
    const double *t = ((host_mem_state *)user)->mark;

    return t[to] - t[from];
}

static lp_status host_failed(void *user, int rc, const char *what, lp_err *err)
{
    (void)user;
    return lp_fail(err, LP_EARG, "%s: CUDA error %d", what, rc);
}

static inline lp_device_mem host_mem(host_mem_state *s)
{
    lp_device_mem m = {s,        NULL,      host_alloc,   host_free,  host_put,
                       host_get, host_mark, host_between, host_failed};

    return m;
}

#endif
