/* simt_graph - what the executor's runtime and its graphs know of each other. */
#ifndef SIMT_GRAPH_H
#define SIMT_GRAPH_H

#include <stddef.h>

#include <cuda_runtime_api.h>

/* A call that must not be made while the calling thread captures a stream: spoils its captures.
 * Returns 0 where there are none. */
cudaError_t simt_unsafe();
/* The same of a call that waits for the whole device: spoils every thread's captures. */
cudaError_t simt_unsafe_anywhere();
/* The same of a call that waits for, or cannot be recorded on, stream s. */
cudaError_t simt_unsafe_on(cudaStream_t s);

/* Whether p is in memory that the runtime gave and has not got back. */
bool simt_device_live(const void *p);

#endif
