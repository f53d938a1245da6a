/* hdf5_heap - checks what HDF5 1.10 does not: the heaps that hold variable-length text.
 *
 * H5Aread of such text copies as many bytes as the heap's own headers say, and a damaged
 * heap makes it crash. So each heap in the file is walked before HDF5 sees it. */
#ifndef LP_HDF5_HEAP_H
#define LP_HDF5_HEAP_H

#include "../host/status.h"

/* Reads the file once, in pieces. LP_EFORMAT where a global heap collection is damaged, or
 * the file's addresses and lengths are not of 8 bytes. */
lp_status lp_hdf5_heap_check(const char *path, lp_err *err);

#endif
