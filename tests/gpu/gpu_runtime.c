/* gpu_runtime - simt_test.h where kernels run on a GPU, and what of CUDA's runtime the tests see
 * there otherwise than the program does (the linker sends calls here, Makefile: GPU_WRAP).
 *
 * A kernel has run when its launch returns, and its error is the launch's: tests go on to read what
 * it wrote. cudaMalloc gives memory that tests may read too. Counts are of what went through here.
 * What only the executor can do - another machine, faults, its clock - skips the test. */
#include <pthread.h>

#include "../lp_test.h"
#include "simt_test.h"

#include <cuda_runtime_api.h>

cudaError_t __real_cudaLaunchKernel(const void *f, dim3 grid, dim3 block, void **args,
                                    size_t shared, cudaStream_t s);
cudaError_t __real_cudaGraphLaunch(cudaGraphExec_t g, cudaStream_t s);
cudaError_t __real_cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode);
cudaError_t __real_cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g);
cudaError_t __real_cudaGraphDestroy(cudaGraph_t g);
cudaError_t __real_cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long how);
cudaError_t __real_cudaGraphExecUpdate(cudaGraphExec_t x, cudaGraph_t g,
                                       cudaGraphExecUpdateResultInfo *info);
cudaError_t __real_cudaGraphExecDestroy(cudaGraphExec_t x);
cudaError_t __real_cudaFree(void *p);
cudaError_t __real_cudaMallocFromPoolAsync(void **p, size_t bytes, cudaMemPool_t pool,
                                           cudaStream_t s);
cudaError_t __real_cudaFreeAsync(void *p, cudaStream_t s);

cudaError_t __wrap_cudaLaunchKernel(const void *f, dim3 grid, dim3 block, void **args,
                                    size_t shared, cudaStream_t s);
cudaError_t __wrap_cudaGraphLaunch(cudaGraphExec_t g, cudaStream_t s);
cudaError_t __wrap_cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode);
cudaError_t __wrap_cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g);
cudaError_t __wrap_cudaGraphDestroy(cudaGraph_t g);
cudaError_t __wrap_cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long how);
cudaError_t __wrap_cudaGraphExecUpdate(cudaGraphExec_t x, cudaGraph_t g,
                                       cudaGraphExecUpdateResultInfo *info);
cudaError_t __wrap_cudaGraphExecDestroy(cudaGraphExec_t x);
cudaError_t __wrap_cudaMalloc(void **p, size_t bytes);
cudaError_t __wrap_cudaFree(void *p);
cudaError_t __wrap_cudaMallocFromPoolAsync(void **p, size_t bytes, cudaMemPool_t pool,
                                           cudaStream_t s);
cudaError_t __wrap_cudaFreeAsync(void *p, cudaStream_t s);

enum { BLOCKS = 4096 };
static struct {
    pthread_mutex_t lock;
    struct {
        void *p;
        size_t bytes;
    } block[BLOCKS];
    size_t used, peak, before; /* bytes; before: when the machine was set */
    simt_graph_counts graphs;
    char fails;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void executor_only(const char *what)
{
    print_message("skip: %s is the executor's only\n", what);
    skip();
}

int simt_next_seed(int s)
{
    return s < SIMT_N_SEEDS;
}

void simt_set_seed(uint64_t seed)
{
    (void)seed;
}

void simt_only(const char *what)
{
    executor_only(what);
}

long simt_bank_conflicts(void)
{
    return 0;
}

void simt_set_machine(const simt_machine *m)
{
    if (m) executor_only("another machine");
    seen.before = seen.peak = seen.used;
}

size_t simt_device_memory_used(void)
{
    return seen.used - seen.before;
}

size_t simt_device_memory_peak(void)
{
    return seen.peak - seen.before;
}

size_t simt_device_objects(void)
{
    executor_only("a count of objects");
    return 0;
}

size_t simt_pending(void)
{
    executor_only("a count of copies");
    return 0;
}

void simt_lose_device(long kernels)
{
    (void)kernels;
    executor_only("a lost device");
}

void simt_skip_kernels(long kernels)
{
    (void)kernels;
    executor_only("leaving kernels out");
}

void simt_clock(size_t *ms)
{
    (void)ms;
    executor_only("a clock that counts kernels");
}

int simt_queue(void *stream, int (*run)(void *args), const void *args, size_t bytes)
{
    (void)stream, (void)run, (void)args, (void)bytes;
    executor_only("a library in cuDNN's place");
    return 1;
}

simt_graph_counts simt_graphs(void)
{
    return seen.graphs;
}

void simt_fail_graphs(char call)
{
    seen.fails = call;
}

/* Counts a block that is new (bytes > 0) or gone. */
static void count(void *p, size_t bytes)
{
    size_t i = 0;

    pthread_mutex_lock(&seen.lock);
    while (i < BLOCKS && seen.block[i].p != (bytes ? NULL : p)) i++;
    if (i < BLOCKS) {
        seen.used += bytes ? bytes : 0 - seen.block[i].bytes;
        seen.block[i].p = bytes ? p : NULL;
        seen.block[i].bytes = bytes;
        if (seen.used > seen.peak) seen.peak = seen.used;
    } else if (bytes) {
        fprintf(stderr, "gpu_runtime: more than %d blocks\n", BLOCKS);
        abort();
    }
    pthread_mutex_unlock(&seen.lock);
}

cudaError_t __wrap_cudaMalloc(void **p, size_t bytes)
{
    cudaError_t e = cudaMallocManaged(p, bytes, cudaMemAttachGlobal);

    if (!e) count(*p, bytes);
    return e;
}

cudaError_t __wrap_cudaFree(void *p)
{
    if (p) count(p, 0);
    return __real_cudaFree(p);
}

cudaError_t __wrap_cudaMallocFromPoolAsync(void **p, size_t bytes, cudaMemPool_t pool,
                                           cudaStream_t s)
{
    cudaError_t e = __real_cudaMallocFromPoolAsync(p, bytes, pool, s);

    if (!e) count(*p, bytes);
    return e;
}

cudaError_t __wrap_cudaFreeAsync(void *p, cudaStream_t s)
{
    count(p, 0);
    return __real_cudaFreeAsync(p, s);
}

cudaError_t __wrap_cudaLaunchKernel(const void *f, dim3 grid, dim3 block, void **args,
                                    size_t shared, cudaStream_t s)
{
    enum cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    cudaError_t e = __real_cudaLaunchKernel(f, grid, block, args, shared, s);

    if (!e && s) e = cudaStreamIsCapturing(s, &capture);
    return e || capture != cudaStreamCaptureStatusNone ? e : cudaStreamSynchronize(s);
}

cudaError_t __wrap_cudaGraphLaunch(cudaGraphExec_t g, cudaStream_t s)
{
    cudaError_t e = seen.fails == 'l' ? cudaErrorUnknown : __real_cudaGraphLaunch(g, s);

    if (!e) e = cudaStreamSynchronize(s);
    seen.graphs.launched += !e;
    return e;
}

cudaError_t __wrap_cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode)
{
    return seen.fails == 'b' ? cudaErrorUnknown : __real_cudaStreamBeginCapture(s, mode);
}

cudaError_t __wrap_cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
    cudaError_t e = __real_cudaStreamEndCapture(s, g);

    if (!e && seen.fails == 'e') {
        (void)__real_cudaGraphDestroy(*g);
        *g = NULL;
        e = cudaErrorUnknown;
    }
    seen.graphs.captured += !e;
    seen.graphs.live += !e;
    return e;
}

cudaError_t __wrap_cudaGraphDestroy(cudaGraph_t g)
{
    seen.graphs.live--;
    return __real_cudaGraphDestroy(g);
}

cudaError_t __wrap_cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long how)
{
    cudaError_t e = seen.fails == 'i' ? cudaErrorUnknown : __real_cudaGraphInstantiate(x, g, how);

    seen.graphs.made += !e;
    seen.graphs.live += !e;
    return e;
}

cudaError_t __wrap_cudaGraphExecUpdate(cudaGraphExec_t x, cudaGraph_t g,
                                       cudaGraphExecUpdateResultInfo *info)
{
    cudaError_t e = seen.fails == 'u' ? cudaErrorGraphExecUpdateFailure
                                      : __real_cudaGraphExecUpdate(x, g, info);

    seen.graphs.updated += !e;
    return e;
}

cudaError_t __wrap_cudaGraphExecDestroy(cudaGraphExec_t x)
{
    seen.graphs.live--;
    return __real_cudaGraphExecDestroy(x);
}
