/* stream - the queue that CUDA work goes into, for headers that C reads too.
 *
 * The same type as cudaStream_t. Everything queued on one stream runs in order; a launcher
 * (lp_NAME_cuda) only queues: it never waits, allocates or prints, and returns 0 or a
 * cudaError_t. */
#ifndef LP_STREAM_H
#define LP_STREAM_H

typedef struct CUstream_st *lp_stream;

#endif
