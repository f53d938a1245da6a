/* simt_state - what the parts of the executor's runtime share (simt_runtime.cc, simt_memory.cc). */
#ifndef SIMT_STATE_H
#define SIMT_STATE_H

#include <cuda_runtime_api.h>
#include <mutex>
#include <stdint.h>
#include <vector>

#include "simt_test.h"

struct Op {
    void *to; /* host, or NULL: only checked */
    const void *from;
    std::vector<char> bytes;
    size_t number;
    CUstream_st *after; /* instead of a copy: waits for what this one had by then */
    size_t after_number;
};
struct CUstream_st {
    std::vector<Op> pending;
    size_t number;
    int device;
};
struct CUevent_st {
    CUstream_st *stream;
    size_t number, time;
    bool timing, recorded;
    int device;
};
struct CUmemPoolHandle_st {
    size_t used, reserved;
    int device;
};
struct Block {
    void *first;
    size_t second;
    cudaMemPool_t pool; /* or NULL */
};

struct simt_state {
    simt_machine machine = {1, 13000, 90, (size_t)8 << 30, -1};
    size_t used, peak; /* pools: with what they keep */
    size_t clock;      /* ms */
    size_t events;
    long skip_after = -1; /* kernels of a device until they are no longer run; -1: never */
    long begun[8];        /* of each device, since that was set */
    long lost_after = -1; /* kernels until the device is lost; -1: never */
    int lost_device = -1; /* -1: all of them */
    std::vector<Block> blocks;
    std::vector<CUstream_st *> streams;
    std::recursive_mutex lock;
};
extern simt_state R;
typedef std::lock_guard<std::recursive_mutex> locked;
extern thread_local int simt_current; /* the device that the thread has set */

/* The error of a lost device, else 0. */
cudaError_t simt_lost();
/* Things of one device do not go with those of another. */
cudaError_t simt_together(int a, int b);
/* Whether kernels of the current device are left out. */
bool simt_skipping();

#endif
