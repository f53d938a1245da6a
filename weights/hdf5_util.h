/* hdf5_util - attributes and datasets of numbers, checked before they are read.
 *
 * `where` is the file's path; messages add the name of the attribute or dataset. */
#ifndef LP_HDF5_UTIL_H
#define LP_HDF5_UTIL_H

#include <hdf5.h>

#include "../host/status.h"

#define LP_HDF5_MAX_DIM 8
#define LP_HDF5_MAX_TEXT 65536 /* bytes of a text attribute */

/* Switches HDF5's printing off, and back to what it was. */
typedef struct {
    H5E_auto2_t fn;
    void *data;
} lp_hdf5_quiet;
void lp_hdf5_quiet_on(lp_hdf5_quiet *q);
void lp_hdf5_quiet_off(const lp_hdf5_quiet *q);

/* Types on disk: float16 is binary16 little-endian as h5py writes it. The caller closes. */
hid_t lp_hdf5_half_type(void);

/* Text attribute (variable or fixed length) into a new string; "" and LP_OK where it is
 * absent and `optional`. */
lp_status lp_hdf5_text(hid_t loc, const char *where, const char *name, int optional, char **out,
                       lp_err *err);
/* Numeric attribute of 1 to max values as double; *n = 0 and LP_OK where absent and optional. */
lp_status lp_hdf5_numbers(hid_t loc, const char *where, const char *name, int optional, double *v,
                          int max, int *n, lp_err *err);
lp_status lp_hdf5_put_text(hid_t loc, const char *name, const char *text);
lp_status lp_hdf5_put_numbers(hid_t loc, const char *name, hid_t file_type, const double *v, int n,
                              int scalar);

/* A dataset that passed the checks: numbers, plain storage within this file, only the
 * filters shuffle, deflate and fletcher32, and enough bytes stored for its shape. */
typedef struct {
    hid_t set;
    int ndim;
    hsize_t shape[LP_HDF5_MAX_DIM];
    size_t n;      /* elements */
    int item;      /* bytes of one element on disk */
    int is_float;  /* else integer */
    int native;    /* little-endian float16 or float32 */
    int one_chunk; /* a single chunk holds all of it, filtered by `deflated`, `shuffled` */
    int deflated, shuffled;
} lp_hdf5_set;

/* Opens group/name. On success the caller calls lp_hdf5_set_close. */
lp_status lp_hdf5_set_open(hid_t group, const char *where, const char *path, const char *name,
                           lp_hdf5_set *s, lp_err *err);
void lp_hdf5_set_close(lp_hdf5_set *s);

#endif
