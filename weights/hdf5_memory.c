#include "hdf5_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The core driver's buffer is ours: it grows through on_resize and stays at on_free. */
static void *on_malloc(size_t size, H5FD_file_image_op_t op, void *data)
{
    lp_hdf5_memory *m = data;
    unsigned char *p = calloc(1, size);

    (void)op;
    if (p) {
        m->p = p;
        m->cap = size;
    }
    return p;
}

static void *on_resize(void *old, size_t size, H5FD_file_image_op_t op, void *data)
{
    lp_hdf5_memory *m = data;
    unsigned char *p = realloc(old, size);

    (void)op;
    if (p) {
        if (size > m->cap) memset(p + m->cap, 0, size - m->cap); /* gaps between datasets */
        m->p = p;
        m->cap = size;
    }
    return p;
}

static herr_t on_free(void *p, H5FD_file_image_op_t op, void *data)
{
    (void)p, (void)op, (void)data;
    return 0;
}

static void *same_data(void *data)
{
    return data;
}

static herr_t keep_data(void *data)
{
    (void)data;
    return 0;
}

static void *on_copy(void *dst, const void *src, size_t n, H5FD_file_image_op_t op, void *data)
{
    (void)op, (void)data;
    return memcpy(dst, src, n);
}

hid_t lp_hdf5_memory_create(lp_hdf5_memory *m)
{
    H5FD_file_image_callbacks_t call = {on_malloc, on_copy,   on_resize, on_free,
                                        same_data, keep_data, m};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), fcpl = H5Pcreate(H5P_FILE_CREATE), file = -1;

    /* The newest format has no index for a dataset of one chunk: 2 kB less for each. */
    if (fapl >= 0 && fcpl >= 0 && H5Pset_obj_track_times(fcpl, 0) >= 0 &&
        H5Pset_fapl_core(fapl, 1 << 20, 0) >= 0 && H5Pset_file_image_callbacks(fapl, &call) >= 0 &&
        H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) >= 0 &&
        H5Pset_libver_bounds(fapl, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0)
        file = H5Fcreate("lipopose-model", H5F_ACC_TRUNC, fcpl, fapl);
    if (fcpl >= 0) H5Pclose(fcpl);
    if (fapl >= 0) H5Pclose(fapl);
    return file;
}

/* Superblock of version 2 and 3: signature, version, sizes and flags (12 bytes), base and
 * extension address, end of file (HDF5 File Format Specification 3.0, II.A). */
size_t lp_hdf5_memory_size(const lp_hdf5_memory *m)
{
    uint64_t end = 0;
    int i;

    if (!m->p || m->cap < 48 || memcmp(m->p, "\x89HDF\r\n\x1a\n", 8) || m->p[8] < 2) return 0;
    for (i = 7; i >= 0; i--) end = end << 8 | m->p[28 + i];
    return end <= m->cap ? (size_t)end : 0;
}

void lp_hdf5_memory_free(lp_hdf5_memory *m)
{
    free(m->p);
    m->p = NULL;
    m->cap = 0;
}
