/* simt_record - what launches have to do with graphs (simt_graph.cc). */
#ifndef SIMT_RECORD_H
#define SIMT_RECORD_H

#include <stddef.h>

#include <functional>

#include "kernels/stream.h"

/* Ends the program with the message, the kernel, block, thread and seed. */
[[noreturn]] void simt_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whether what is launched on the stream is recorded instead, and does that. args are searched
 * for pointers to device memory. */
bool simt_recording(lp_stream s);
int simt_record(lp_stream s, const char *name, const std::function<int()> &run, const void *args,
                size_t bytes);

#endif
