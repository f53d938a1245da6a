/* simt_runtime - CUDA's runtime for the executor (cuda/cuda_runtime_api.h).
 *
 * What a device does at some later time happens here as late as it may, where that can be told:
 * bytes copied to the host arrive with the wait for the stream or event (NaN until then), and the
 * source of a copy to the device must not have changed by then. The device's clock goes on by 1 ms
 * with every kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simt_graph.h"
#include "simt_inside.h"
#include "simt_record.h"
#include "simt_state.h"

simt_state R;
thread_local int simt_current;

void simt_set_machine(const simt_machine *m)
{
    R.machine = m ? *m : simt_machine{1, 13000, 90, (size_t)8 << 30, -1};
    R.lost_after = R.skip_after = R.lost_device = -1;
    R.peak = R.used;
}

void simt_lose_device(long kernels)
{
    R.lost_after = kernels;
}

void simt_lose_one(int device, long kernels)
{
    R.lost_device = device;
    R.lost_after = kernels;
}

static bool may_be_lost()
{
    return R.lost_device < 0 || R.lost_device == simt_current;
}

void simt_skip_kernels(long kernels)
{
    R.skip_after = kernels;
    memset(R.begun, 0, sizeof R.begun);
}

bool simt_skipping()
{
    return R.skip_after >= 0 && R.begun[simt_current] >= R.skip_after;
}

int simt_kernel_starts()
{
    locked l(R.lock);

    if (may_be_lost()) {
        if (R.lost_after == 0) return cudaErrorLaunchFailure;
        if (R.lost_after > 0) R.lost_after--;
    }
    R.clock++;
    if (simt_skipping()) return -1;
    R.begun[simt_current]++;
    return 0;
}

cudaError_t simt_lost()
{
    return R.lost_after == 0 && may_be_lost() ? cudaErrorLaunchFailure : cudaSuccess;
}

cudaError_t simt_together(int a, int b)
{
    return a == b ? simt_lost() : cudaErrorInvalidValue;
}

size_t simt_device_objects()
{
    locked l(R.lock);

    return R.blocks.size() + R.streams.size() + R.events;
}

size_t simt_pending()
{
    locked l(R.lock);
    size_t n = 0;

    for (CUstream_st *s : R.streams) n += s->pending.size();
    return n;
}

void simt_clock(size_t *ms)
{
    locked l(R.lock);

    *ms = R.clock;
}

/* Events outlive the streams that they were recorded on; all of a stream's work is done when it
 * goes. */
static bool alive(const CUstream_st *s)
{
    for (CUstream_st *t : R.streams)
        if (t == s) return true;
    return false;
}

static void finish(CUstream_st *s, size_t number)
{
    while (alive(s) && !s->pending.empty() && s->pending[0].number <= number) {
        Op o = s->pending[0];

        s->pending.erase(s->pending.begin());
        if (alive(o.after)) {
            finish(o.after, o.after_number);
        } else if (o.to) {
            memcpy(o.to, o.bytes.data(), o.bytes.size());
        } else if (!o.bytes.empty() && memcmp(o.from, o.bytes.data(), o.bytes.size())) {
            fprintf(stderr, "simt: what is being copied to the device was changed\n");
            abort();
        }
    }
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
    if (device < 0 || device >= R.machine.devices) return cudaErrorInvalidDevice;
    simt_current = device;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    if (device < 0 || device >= R.machine.devices) return cudaErrorInvalidDevice;
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "executor");
    p->totalGlobalMem = R.machine.memory;
    p->sharedMemPerMultiprocessor = R.machine.capability == 90 ? 233472 : 102400;
    p->major = R.machine.capability / 10;
    p->minor = R.machine.capability % 10;
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
    if (cudaError_t e_ = simt_unsafe_anywhere()) return e_;
    finish_all();
    return simt_lost();
}

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation       ? "out of memory"
           : e == cudaErrorInvalidValue         ? "invalid argument"
           : e == cudaErrorNoDevice             ? "no CUDA-capable device is detected"
           : e == cudaErrorInvalidDevice        ? "invalid device ordinal"
           : e == cudaErrorIllegalAddress       ? "an illegal memory access was encountered"
           : e == cudaErrorInsufficientDriver   ? "CUDA driver version is insufficient"
           : e == cudaErrorLaunchFailure        ? "unspecified launch failure"
           : e == cudaErrorInvalidConfiguration ? "invalid configuration argument"
                                                : "error";
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, cudaMemcpyKind)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    finish_all();
    if (simt_lost()) return simt_lost();
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
    if (s && simt_together(s->device, simt_current)) return simt_together(s->device, simt_current);
    if (simt_lost()) return simt_lost();
    if (kind == cudaMemcpyDeviceToDevice || !s) {
        memmove(dst, src, bytes);
        return cudaSuccess;
    }
    s->pending.push_back({kind == cudaMemcpyDeviceToHost ? dst : nullptr, src,
                          std::vector<char>(b, b + bytes), ++s->number, nullptr, 0});
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
    (*s)->device = simt_current;
    R.streams.push_back(*s);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    locked l(R.lock);

    finish(s, (size_t)-1);
    for (size_t i = 0; i < R.streams.size(); i++)
        if (R.streams[i] == s) R.streams.erase(R.streams.begin() + (long)i);
    delete s;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    locked l(R.lock);

    finish(s, (size_t)-1);
    return simt_lost();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    locked l(R.lock);

    if (e->stream && e->stream != s)
        s->pending.push_back({nullptr, nullptr, {}, ++s->number, e->stream, e->number});
    return simt_lost();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags)
{
    locked l(R.lock);

    R.events++;
    *e = new CUevent_st();
    (*e)->timing = !(flags & cudaEventDisableTiming);
    (*e)->device = simt_current;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    locked l(R.lock);

    R.events--;
    delete e;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    locked l(R.lock);

    if (s && s->device != e->device) return cudaErrorInvalidValue;
    e->stream = s;
    e->recorded = true;
    e->number = s ? s->number : 0;
    e->time = R.clock;
    return simt_lost();
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    locked l(R.lock);

    finish(e->stream, e->number);
    return simt_lost();
}

cudaError_t cudaEventQuery(cudaEvent_t e)
{
    locked l(R.lock);

    if (simt_lost()) return simt_lost();
    if (alive(e->stream))
        for (Op &o : e->stream->pending)
            if (o.number <= e->number) return cudaErrorNotReady;
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    locked l(R.lock);

    for (cudaEvent_t e : {from, to}) {
        if (!e->timing || !e->recorded) return cudaErrorInvalidValue;
        if (!alive(e->stream)) continue;
        for (Op &o : e->stream->pending)
            if (o.number <= e->number) return cudaErrorNotReady;
    }
    *ms = (float)(to->time - from->time);
    return simt_lost();
}
}
