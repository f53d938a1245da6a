/* hdf5_memory - an HDF5 file made in memory, whose bytes remain after it was closed.
 *
 * Written to a full disk directly, HDF5 1.10 fails to close the file and then crashes at
 * the end of the program. In memory its writes cannot fail; the bytes are then written by
 * host/atomic.h. (H5Fget_file_image is of no use: its superblock has a wrong checksum.) */
#ifndef LP_HDF5_MEMORY_H
#define LP_HDF5_MEMORY_H

#include <hdf5.h>

typedef struct {
    unsigned char *p; /* owned; valid after the file was closed */
    size_t cap;
} lp_hdf5_memory;

/* Creates a file; m must live until it is closed. < 0 on failure. */
hid_t lp_hdf5_memory_create(lp_hdf5_memory *m);
/* Length of the closed file, 0 where there is none. */
size_t lp_hdf5_memory_size(const lp_hdf5_memory *m);
void lp_hdf5_memory_free(lp_hdf5_memory *m);

#endif
