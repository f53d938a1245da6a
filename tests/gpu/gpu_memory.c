#include "gpu_memory.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <cuda_runtime_api.h>

/* In front of each block, with mark the last of it. */
typedef struct {
    void *start;
    size_t bytes;
    uintptr_t mark;
} head;
#define MARK ((uintptr_t)0x5a6c706f70657361)
enum { HEAD = 256, PAGE = 4096 }; /* managed memory is aligned to 256 at least */

void *__real_malloc(size_t bytes);
void __real_free(void *p);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
int __real_posix_memalign(void **p, size_t align, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
cudaError_t __real_cudaFree(void *p);
void *__wrap_malloc(size_t bytes);
void __wrap_free(void *p);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
int __wrap_posix_memalign(void **p, size_t align, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);

/* The linker's: all variables of this program. */
extern char __data_start[], _end[];

static int ready;

int gpu_memory_open(void **stack)
{
    uintptr_t from = (uintptr_t)__data_start / PAGE * PAGE;
    uintptr_t to = ((uintptr_t)_end + PAGE - 1) / PAGE * PAGE;
    int e = cudaHostRegister((void *)from, to - from, cudaHostRegisterMapped);

    if (!e) e = cudaHostAlloc(stack, GPU_STACK, cudaHostAllocMapped);
    ready = !e;
    return e;
}

/* What must not be called while this thread captures a graph, may be for a moment. */
static void allow(enum cudaStreamCaptureMode *mode)
{
    cudaThreadExchangeStreamCaptureMode(mode);
}

static void *take(size_t align, size_t bytes)
{
    enum cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    size_t front = align > HEAD ? align : HEAD, more = front > HEAD ? front + HEAD : HEAD;
    void *start = NULL;
    uintptr_t p;
    head *h;
    int e;

    if (bytes > SIZE_MAX - more) return NULL;
    allow(&mode);
    e = cudaMallocManaged(&start, more + bytes, cudaMemAttachGlobal);
    allow(&mode);
    if (e) return NULL;
    p = ((uintptr_t)start + sizeof *h + front - 1) / front * front;
    h = (head *)p - 1;
    *h = (head){start, bytes, MARK ^ p};
    return (void *)p;
}

/* Of one of our own blocks; NULL for those of the C library (strdup), in front of which there is at
 * least one word too. */
static head *head_of(void *p)
{
    return ((uintptr_t *)p)[-1] == (MARK ^ (uintptr_t)p) ? (head *)p - 1 : NULL;
}

void *__wrap_malloc(size_t bytes)
{
    return ready ? take(1, bytes) : __real_malloc(bytes);
}

void __wrap_free(void *p)
{
    enum cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    head *h = p ? head_of(p) : NULL;

    if (!h) {
        __real_free(p);
        return;
    }
    h->mark = 0;
    allow(&mode);
    (void)__real_cudaFree(h->start);
    allow(&mode);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    void *p;

    if (!ready) return __real_calloc(n, bytes);
    if (bytes && n > SIZE_MAX / bytes) return NULL;
    if ((p = take(1, n * bytes))) memset(p, 0, n * bytes);
    return p;
}

void *__wrap_realloc(void *p, size_t bytes)
{
    head *h = p ? head_of(p) : NULL;
    void *to;

    if (!ready || (p && !h)) return __real_realloc(p, bytes);
    if (!(to = take(1, bytes))) return NULL;
    if (h) memcpy(to, p, h->bytes < bytes ? h->bytes : bytes);
    __wrap_free(p);
    return to;
}

int __wrap_posix_memalign(void **p, size_t align, size_t bytes)
{
    void *to;

    if (!ready) return __real_posix_memalign(p, align, bytes);
    if (!(to = take(align, bytes))) return ENOMEM;
    *p = to;
    return 0;
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
    return ready ? take(align, bytes) : __real_aligned_alloc(align, bytes);
}
