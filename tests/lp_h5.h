/* lp_h5 - reads whole datasets of golden files; any failure fails the test. */
#ifndef LP_H5_H
#define LP_H5_H

#include <hdf5.h>

#include "lp_test.h"

/* Dataset `name` converted to the memory type; freed by the caller. The sizes of its
 * dimensions go to dims [8]; at most 8 dimensions. */
static inline void *lp_h5_read(const char *path, const char *name, hid_t type, size_t size,
                               hsize_t *dims)
{
    hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), d, s;
    size_t n;
    void *p;

    assert_true(f >= 0);
    d = H5Dopen2(f, name, H5P_DEFAULT);
    assert_true(d >= 0);
    s = H5Dget_space(d);
    assert_true(H5Sget_simple_extent_ndims(s) <= 8);
    assert_true(H5Sget_simple_extent_dims(s, dims, NULL) >= 0);
    n = (size_t)H5Sget_simple_extent_npoints(s);
    p = malloc(n * size + 1);
    assert_non_null(p);
    assert_true(H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, p) >= 0);
    H5Sclose(s);
    H5Dclose(d);
    H5Fclose(f);
    return p;
}

static inline float *lp_h5_float(const char *path, const char *name, hsize_t *dims)
{
    return lp_h5_read(path, name, H5T_NATIVE_FLOAT, sizeof(float), dims);
}

static inline double *lp_h5_double(const char *path, const char *name, hsize_t *dims)
{
    return lp_h5_read(path, name, H5T_NATIVE_DOUBLE, sizeof(double), dims);
}

static inline uint32_t *lp_h5_u32(const char *path, const char *name, hsize_t *dims)
{
    return lp_h5_read(path, name, H5T_NATIVE_UINT32, sizeof(uint32_t), dims);
}

#endif
