/* simt_runtime - CUDA's runtime for the executor (cuda/cuda_runtime_api.h).
 *
 * What a device does at some later time happens here as late as it may, where that can be told:
 * bytes copied to the host arrive with the wait for the stream or event (NaN until then), and the
 * source of a copy to the device must not have changed by then. New memory holds NaN; memory that
 * was not freed is a leak that AddressSanitizer sees. */
#include <cuda_runtime_api.h>
#include <mutex>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

#include "simt_graph.h"
#include "simt_record.h"
#include "simt_test.h"

struct Op {
    void *to; /* host, or NULL: only checked */
    const void *from;
    std::vector<char> bytes;
    size_t number;
};
struct CUstream_st {
    std::vector<Op> pending;
    size_t number;
};
struct CUevent_st {
    CUstream_st *stream;
    size_t number;
};

static struct {
    simt_machine machine = {1, 13000, 90, (size_t)8 << 30, -1};
    size_t used;
    std::vector<std::pair<void *, size_t>> blocks;
    std::vector<CUstream_st *> streams;
    std::recursive_mutex lock;
} R;
typedef std::lock_guard<std::recursive_mutex> locked;

void simt_set_machine(const simt_machine *m)
{
    R.machine = m ? *m : simt_machine{1, 13000, 90, (size_t)8 << 30, -1};
}

size_t simt_device_memory_used()
{
    return R.used;
}

bool simt_device_live(const void *p)
{
    locked l(R.lock);

    for (auto &b : R.blocks)
        if ((const char *)p >= (char *)b.first && (const char *)p < (char *)b.first + b.second)
            return true;
    return false;
}

static cudaError_t finish(CUstream_st *s, size_t number)
{
    size_t i, k = 0;

    if (!s) return cudaSuccess;
    for (i = 0; i < s->pending.size(); i++) {
        Op &o = s->pending[i];

        if (o.number > number) {
            if (i != k) s->pending[k] = o;
            k++;
        } else if (o.to) {
            memcpy(o.to, o.bytes.data(), o.bytes.size());
        } else if (memcmp(o.from, o.bytes.data(), o.bytes.size())) {
            fprintf(stderr, "simt: what is being copied to the device was changed\n");
            abort();
        }
    }
    s->pending.resize(k);
    return cudaSuccess;
}

static void finish_all()
{
    locked l(R.lock);

    for (CUstream_st *s : R.streams) finish(s, (size_t)-1);
}

extern "C" {

cudaError_t cudaGetDeviceCount(int *n)
{
    *n = 0;
    if (R.machine.driver < 13000) return cudaErrorInsufficientDriver;
    if (R.machine.devices < 1) return cudaErrorNoDevice;
    *n = R.machine.devices;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = R.machine.driver;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device < 0 || device >= R.machine.devices ? cudaErrorInvalidDevice : cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    if (cudaSetDevice(device)) return cudaErrorInvalidDevice;
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "executor");
    p->totalGlobalMem = R.machine.memory;
    p->sharedMemPerMultiprocessor = R.machine.capability == 90 ? 233472 : 102400;
    p->major = R.machine.capability / 10;
    p->minor = R.machine.capability % 10;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    locked l(R.lock);

    *total = R.machine.memory;
    *left = R.machine.memory - R.used;
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
    if (cudaError_t e_ = simt_unsafe_anywhere()) return e_;
    finish_all();
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation       ? "out of memory"
           : e == cudaErrorInvalidValue         ? "invalid argument"
           : e == cudaErrorNoDevice             ? "no CUDA-capable device is detected"
           : e == cudaErrorInvalidDevice        ? "invalid device ordinal"
           : e == cudaErrorIllegalAddress       ? "an illegal memory access was encountered"
           : e == cudaErrorInsufficientDriver   ? "CUDA driver version is insufficient"
           : e == cudaErrorInvalidConfiguration ? "invalid configuration argument"
                                                : "error";
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    locked l(R.lock);

    if (R.machine.fail_alloc == 0) return cudaErrorMemoryAllocation;
    if (R.machine.fail_alloc > 0) R.machine.fail_alloc--;
    if (!bytes || bytes > R.machine.memory - R.used) return cudaErrorMemoryAllocation;
    if (posix_memalign(p, 256, bytes)) return cudaErrorMemoryAllocation;
    memset(*p, 0xff, bytes);
    R.used += bytes;
    R.blocks.push_back({*p, bytes});
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    locked l(R.lock);

    if (!p) return cudaSuccess;
    for (size_t i = 0; i < R.blocks.size(); i++)
        if (R.blocks[i].first == p) {
            R.used -= R.blocks[i].second;
            R.blocks.erase(R.blocks.begin() + (long)i);
            free(p);
            return cudaSuccess;
        }
    fprintf(stderr, "simt: free of what is no device memory\n");
    abort();
}

cudaError_t cudaMallocAsync(void **p, size_t bytes, cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    return cudaMalloc(p, bytes);
}

cudaError_t cudaFreeAsync(void *p, cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    return cudaFree(p);
}

cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    *p = malloc(bytes);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *p)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    free(p);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int)
{
    *pool = nullptr;
    return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, enum cudaMemPoolAttr, void *)
{
    return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t)
{
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, cudaMemcpyKind)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    finish_all();
    memcpy(dst, src, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t s)
{
    const char *b = (const char *)src;
    const void *used[2] = {dst, src};

    if (simt_recording(s))
        return (cudaError_t)simt_record(
            s, "copy", [=] { return (int)cudaMemcpyAsync(dst, src, bytes, kind, s); }, used,
            sizeof used);
    locked l(R.lock);
    if (kind == cudaMemcpyDeviceToDevice || !s) {
        memmove(dst, src, bytes);
        return cudaSuccess;
    }
    s->pending.push_back({kind == cudaMemcpyDeviceToHost ? dst : nullptr, src,
                          std::vector<char>(b, b + bytes), ++s->number});
    if (kind == cudaMemcpyDeviceToHost)
        memset(dst, 0xff, bytes);
    else
        memcpy(dst, src, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t s)
{
    if (simt_recording(s))
        return (cudaError_t)simt_record(
            s, "fill", [=] { return memset(p, value, bytes), 0; }, &p, sizeof p);
    memset(p, value, bytes);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    locked l(R.lock);

    *s = new CUstream_st();
    R.streams.push_back(*s);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    locked l(R.lock);

    for (size_t i = 0; i < R.streams.size(); i++)
        if (R.streams[i] == s) R.streams.erase(R.streams.begin() + (long)i);
    delete s;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    locked l(R.lock);

    return finish(s, (size_t)-1);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t, unsigned)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
    *e = new CUevent_st();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    delete e;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    e->stream = s;
    e->number = s ? s->number : 0;
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    locked l(R.lock);

    return finish(e->stream, e->number);
}
}
