/* simt_memory - the devices' memory for the executor, and its pools.
 *
 * New memory holds NaN; memory that was not freed is a leak that AddressSanitizer sees. Pools grow
 * by 64 KiB and keep what is freed. All devices have one sum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simt_graph.h"
#include "simt_state.h"

static bool fits(size_t bytes)
{
    if (bytes > R.machine.memory - R.used) return false;
    R.used += bytes;
    if (R.used > R.peak) R.peak = R.used;
    return true;
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

size_t simt_device_memory_peak()
{
    return R.peak;
}

extern "C" {

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    locked l(R.lock);

    *total = R.machine.memory;
    *left = R.machine.memory - R.used;
    return cudaSuccess;
}

static cudaError_t get_memory(void **p, size_t bytes, cudaMemPool_t pool)
{
    locked l(R.lock);
    const size_t step = (size_t)64 << 10;
    size_t grow = bytes;

    if (simt_lost()) return simt_lost();
    if (R.machine.fail_alloc == 0) return cudaErrorMemoryAllocation;
    if (R.machine.fail_alloc > 0) R.machine.fail_alloc--;
    if (pool) {
        grow = (pool->used + bytes + step - 1) / step * step;
        grow = grow > pool->reserved ? grow - pool->reserved : 0;
    }
    if (!bytes || !fits(grow)) return cudaErrorMemoryAllocation;
    if (posix_memalign(p, 256, bytes)) return cudaErrorMemoryAllocation;
    memset(*p, simt_skipping() ? 0 : 0xff, bytes);
    if (pool) {
        pool->used += bytes;
        pool->reserved += grow;
    }
    R.blocks.push_back({*p, bytes, pool});
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    return get_memory(p, bytes, nullptr);
}

cudaError_t cudaFree(void *p)
{
    if (cudaError_t e_ = simt_unsafe()) return e_;
    locked l(R.lock);

    if (!p) return cudaSuccess;
    for (size_t i = 0; i < R.blocks.size(); i++)
        if (R.blocks[i].first == p) {
            if (R.blocks[i].pool)
                R.blocks[i].pool->used -= R.blocks[i].second;
            else
                R.used -= R.blocks[i].second;
            R.blocks.erase(R.blocks.begin() + (long)i);
            free(p);
            return simt_lost();
        }
    fprintf(stderr, "simt: free of what is no device memory\n");
    abort();
}

cudaError_t cudaMallocFromPoolAsync(void **p, size_t bytes, cudaMemPool_t pool, cudaStream_t s)
{
    if (cudaError_t e_ = simt_unsafe_on(s)) return e_;
    if (cudaError_t e_ = simt_together(s->device, pool->device)) return e_;
    return get_memory(p, bytes, pool);
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

cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const struct cudaMemPoolProps *p)
{
    if (p->allocType != cudaMemAllocationTypePinned ||
        p->location.type != cudaMemLocationTypeDevice || p->location.id < 0 ||
        p->location.id >= R.machine.devices)
        return cudaErrorInvalidValue;
    *pool = new CUmemPoolHandle_st();
    (*pool)->device = p->location.id;
    return cudaSuccess;
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool)
{
    locked l(R.lock);

    for (Block &b : R.blocks)
        if (b.pool == pool) {
            fprintf(stderr, "simt: end of a pool of which there is memory in use\n");
            abort();
        }
    R.used -= pool->reserved;
    delete pool;
    return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, enum cudaMemPoolAttr, void *)
{
    return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr a, void *value)
{
    locked l(R.lock);
    uint64_t bytes = a == cudaMemPoolAttrReservedMemCurrent ? pool->reserved : pool->used;

    memcpy(value, &bytes, sizeof bytes);
    return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep)
{
    locked l(R.lock);
    const size_t step = (size_t)64 << 10;
    size_t want = (pool->used + step - 1) / step * step;

    if (want < keep) want = keep;
    if (want < pool->reserved) {
        R.used -= pool->reserved - want;
        pool->reserved = want;
    }
    return cudaSuccess;
}
}
