/* device_mem - memory of a device, and copies, for the host code around kernels.
 *
 * Knows no CUDA: the back end fills it in, and tests with functions of host memory. */
#ifndef LP_DEVICE_MEM_H
#define LP_DEVICE_MEM_H

#include <stddef.h>

#include "../kernels/stream.h"
#include "status.h"

#define LP_DEVICE_MARKS 12

typedef struct {
    void *user;       /* passed to every function */
    lp_stream stream; /* what kernels are queued on */

    /* d_out: bytes of device memory, aligned to 256. LP_ENOMEM. */
    lp_status (*alloc)(void *user, size_t bytes, void **d_out, lp_err *err);
    /* d may be NULL, else has these bytes. What is queued may still use it. */
    void (*free)(void *user, void *d, size_t bytes);
    /* In the order of the queue. src may be changed after the call. */
    lp_status (*put)(void *user, void *d_dst, const void *src, size_t bytes, lp_err *err);
    /* Waits for all that is queued before. */
    lp_status (*get)(void *user, void *dst, const void *d_src, size_t bytes, lp_err *err);
    /* Remembers the moment in the queue, as number `at`. */
    void (*mark)(void *user, int at);
    /* Seconds between two of them; waits for the later one. */
    double (*between)(void *user, int from, int to);
    /* The message of the cudaError_t that `what` returned. */
    lp_status (*failed)(void *user, int rc, const char *what, lp_err *err);
} lp_device_mem;

/* Several pieces of device memory, freed together. Zeroed at the beginning but for mem. */
#define LP_DEVICE_PIECES 24
typedef struct {
    const lp_device_mem *mem;
    void *piece[LP_DEVICE_PIECES];
    size_t bytes[LP_DEVICE_PIECES];
    int n;
} lp_device_pieces;

/* bytes may be 0. */
lp_status lp_device_take(lp_device_pieces *p, size_t bytes, void **d_out, lp_err *err);
/* The same with what is copied there. */
lp_status lp_device_send(lp_device_pieces *p, const void *src, size_t bytes, void **d_out,
                         lp_err *err);
/* Frees all, or those taken after there were `keep`. */
void lp_device_drop(lp_device_pieces *p, int keep);
/* The same, but for d, which becomes the last one. */
void lp_device_keep(lp_device_pieces *p, int keep, void *d);

#endif
