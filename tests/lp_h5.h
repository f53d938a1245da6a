/* lp_h5 - one array out of an HDF5 file, for tests. */
#ifndef LP_H5_H
#define LP_H5_H

#include <hdf5.h>

#include "lp_test.h"

/* Dataset of the file as doubles (exact for every type in the shared files but 64-bit
 * integers above 2^53), shape in dims[4], unused ones 1. Fails the test where it is not
 * there. The caller frees. */
static inline double *lp_h5_read(const char *path, const char *dataset, int dims[4])
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set, space;
    hsize_t size[4] = {1, 1, 1, 1};
    double *data;
    int i;

    assert_true(file >= 0);
    set = H5Dopen2(file, dataset, H5P_DEFAULT);
    if (set < 0) fail_msg("%s: no dataset %s", path, dataset);
    space = H5Dget_space(set);
    assert_in_range(H5Sget_simple_extent_ndims(space), 0, 4);
    H5Sget_simple_extent_dims(space, size, NULL);
    data = malloc((size_t)(size[0] * size[1] * size[2] * size[3]) * sizeof *data);
    assert_non_null(data);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    for (i = 0; i < 4; i++) dims[i] = (int)size[i];
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    return data;
}

/* Same, rounded to float32. */
static inline float *lp_h5_read_float(const char *path, const char *dataset, int dims[4])
{
    double *d = lp_h5_read(path, dataset, dims);
    size_t n = (size_t)dims[0] * (size_t)dims[1] * (size_t)dims[2] * (size_t)dims[3], i;
    float *f = malloc(n * sizeof *f);

    assert_non_null(f);
    for (i = 0; i < n; i++) f[i] = (float)d[i];
    free(d);
    return f;
}

#endif
