#include "hdf5_util.h"

#include <stdlib.h>
#include <string.h>

/* Deflate makes at most 1032 bytes of one. */
#define MAX_INFLATE 1032

void lp_hdf5_quiet_on(lp_hdf5_quiet *q)
{
    q->fn = NULL;
    q->data = NULL;
    H5Eget_auto2(H5E_DEFAULT, &q->fn, &q->data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void lp_hdf5_quiet_off(const lp_hdf5_quiet *q)
{
    H5Eset_auto2(H5E_DEFAULT, q->fn, q->data);
}

hid_t lp_hdf5_half_type(void)
{
    hid_t t = H5Tcopy(H5T_IEEE_F32LE);

    if (t >= 0 && (H5Tset_fields(t, 15, 10, 5, 0, 10) < 0 || H5Tset_size(t, 2) < 0 ||
                   H5Tset_ebias(t, 15) < 0)) {
        H5Tclose(t);
        t = -1;
    }
    return t;
}

/* Opens an attribute with its type and number of elements; *attr < 0 where it is absent. */
static lp_status open_attr(hid_t loc, const char *where, const char *name, int optional,
                           hid_t *attr, hid_t *type, hssize_t *n, lp_err *err)
{
    hid_t space;

    *attr = *type = -1;
    *n = 0;
    if (H5Aexists(loc, name) <= 0) {
        if (optional) return LP_OK;
        return lp_fail(err, LP_EFORMAT, "%s: not a lipopose model: no attribute %s", where, name);
    }
    *attr = H5Aopen(loc, name, H5P_DEFAULT);
    if (*attr >= 0) {
        *type = H5Aget_type(*attr);
        if ((space = H5Aget_space(*attr)) >= 0) {
            *n = H5Sget_simple_extent_npoints(space);
            H5Sclose(space);
        }
    }
    if (*attr < 0 || *type < 0 || *n < 1)
        return lp_fail(err, LP_EFORMAT, "%s: attribute %s is damaged", where, name);
    return LP_OK;
}

static void close_attr(hid_t attr, hid_t type)
{
    if (type >= 0) H5Tclose(type);
    if (attr >= 0) H5Aclose(attr);
}

lp_status lp_hdf5_text(hid_t loc, const char *where, const char *name, int optional, char **out,
                       lp_err *err)
{
    hid_t attr, type, mem = -1;
    hssize_t n;
    char *text = NULL, *var = NULL;
    size_t size;
    lp_status st = open_attr(loc, where, name, optional, &attr, &type, &n, err);

    if (st) goto done;
    if (attr < 0) {
        text = strdup("");
    } else {
        if (n != 1 || H5Tget_class(type) != H5T_STRING) {
            st = lp_fail(err, LP_EFORMAT, "%s: attribute %s is no text", where, name);
            goto done;
        }
        mem = H5Tcopy(H5T_C_S1);
        H5Tset_cset(mem, H5Tget_cset(type));
        if (H5Tis_variable_str(type) > 0) {
            H5Tset_size(mem, H5T_VARIABLE);
            if (H5Aread(attr, mem, &var) < 0 || (var && strlen(var) > LP_HDF5_MAX_TEXT)) {
                st = lp_fail(err, LP_EFORMAT, "%s: attribute %s is damaged", where, name);
                goto done;
            }
            text = strdup(var ? var : "");
        } else {
            size = H5Tget_size(type);
            if (size < 1 || size > LP_HDF5_MAX_TEXT || H5Tset_size(mem, size + 1) < 0 ||
                !(text = calloc(1, size + 2)) || H5Aread(attr, mem, text) < 0) {
                st = lp_fail(err, LP_EFORMAT, "%s: attribute %s is damaged", where, name);
                goto done;
            }
        }
    }
    if (!text) {
        st = lp_fail_mem(err, where, 1);
        goto done;
    }
    *out = text;
    text = NULL;
done:
    if (var) H5free_memory(var);
    if (mem >= 0) H5Tclose(mem);
    free(text);
    close_attr(attr, type);
    return st;
}

lp_status lp_hdf5_numbers(hid_t loc, const char *where, const char *name, int optional, double *v,
                          int max, int *n, lp_err *err)
{
    hid_t attr, type;
    hssize_t k;
    H5T_class_t class;
    lp_status st = open_attr(loc, where, name, optional, &attr, &type, &k, err);

    if (!st && attr >= 0) {
        class = H5Tget_class(type);
        if ((class != H5T_INTEGER && class != H5T_FLOAT) || k > max)
            st = lp_fail(err, LP_EFORMAT, "%s: attribute %s is not 1 to %d numbers", where, name,
                         max);
        else if (H5Aread(attr, H5T_NATIVE_DOUBLE, v) < 0)
            st = lp_fail(err, LP_EFORMAT, "%s: attribute %s is damaged", where, name);
    }
    if (!st) *n = (int)k;
    close_attr(attr, type);
    return st;
}

/* Variable length UTF-8, which h5py reads as str. */
lp_status lp_hdf5_put_text(hid_t loc, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), attr = -1;
    lp_status st = LP_EIO;

    if (type >= 0 && space >= 0 && H5Tset_size(type, H5T_VARIABLE) >= 0 &&
        H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
        (attr = H5Acreate2(loc, name, type, space, H5P_DEFAULT, H5P_DEFAULT)) >= 0 &&
        H5Awrite(attr, type, &text) >= 0)
        st = LP_OK;
    if (attr >= 0) H5Aclose(attr);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return st;
}

lp_status lp_hdf5_put_numbers(hid_t loc, const char *name, hid_t file_type, const double *v, int n,
                              int scalar)
{
    hsize_t dim = (hsize_t)n;
    hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &dim, NULL), attr = -1;
    lp_status st = LP_EIO;

    if (space >= 0 &&
        (attr = H5Acreate2(loc, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT)) >= 0 &&
        H5Awrite(attr, H5T_NATIVE_DOUBLE, v) >= 0)
        st = LP_OK;
    if (attr >= 0) H5Aclose(attr);
    if (space >= 0) H5Sclose(space);
    return st;
}

static lp_status bad_set(const char *where, const char *path, const char *name, const char *what,
                         lp_err *err)
{
    return lp_fail(err, LP_EFORMAT, "%s: dataset %s/%s %s", where, path, name, what);
}

/* Layout and filters; 0 where they are acceptable, else what is wrong. */
static const char *check_layout(lp_hdf5_set *s, hid_t plist)
{
    hsize_t chunk[LP_HDF5_MAX_DIM];
    int i, k, n, other = 0;

    switch (H5Pget_layout(plist)) {
    case H5D_COMPACT:
        return NULL;
    case H5D_CONTIGUOUS:
        return H5Pget_external_count(plist) == 0 ? NULL : "lies in another file";
    case H5D_CHUNKED:
        break;
    default:
        return "is virtual or of an unknown layout";
    }
    if (H5Pget_chunk(plist, LP_HDF5_MAX_DIM, chunk) != s->ndim) return "has a damaged layout";
    s->one_chunk = 1;
    for (i = 0; i < s->ndim; i++) {
        if (chunk[i] > s->shape[i]) return "has chunks larger than itself";
        s->one_chunk &= chunk[i] == s->shape[i];
    }
    n = H5Pget_nfilters(plist);
    for (k = 0; k < n; k++) {
        unsigned flags, config, values[8];
        size_t n_values = 8;
        H5Z_filter_t f =
            H5Pget_filter2(plist, (unsigned)k, &flags, &n_values, values, 0, NULL, &config);

        if (f == H5Z_FILTER_SHUFFLE && !s->deflated && !s->shuffled)
            s->shuffled = 1;
        else if (f == H5Z_FILTER_DEFLATE && !s->deflated)
            s->deflated = 1;
        else if (f == H5Z_FILTER_FLETCHER32)
            other = 1;
        else
            return "uses a filter other than shuffle, deflate and fletcher32";
    }
    if (other || n < 0) s->one_chunk = 0; /* HDF5 itself has to read it */
    return NULL;
}

/* 1 for little-endian binary16 and binary32. */
static int is_native(hid_t type, int item)
{
    size_t sign, epos, esize, mpos, msize, half = item == 2;

    if (H5Tget_class(type) != H5T_FLOAT || (item != 2 && item != 4)) return 0;
    if (H5Tget_fields(type, &sign, &epos, &esize, &mpos, &msize) < 0) return 0;
    return H5Tget_order(type) == H5T_ORDER_LE && H5Tget_norm(type) == H5T_NORM_IMPLIED &&
           H5Tget_offset(type) == 0 && H5Tget_precision(type) == 8 * (size_t)item &&
           H5Tget_ebias(type) == (half ? 15u : 127u) && sign == (half ? 15u : 31u) &&
           epos == (half ? 10u : 23u) && esize == (half ? 5u : 8u) && mpos == 0 && msize == epos;
}

lp_status lp_hdf5_set_open(hid_t group, const char *where, const char *path, const char *name,
                           lp_hdf5_set *s, lp_err *err)
{
    hid_t type = -1, space = -1, plist = -1;
    H5L_info_t link;
    H5T_class_t class;
    const char *what;
    double room;
    lp_status st = LP_OK;
    int i;

    memset(s, 0, sizeof *s);
    s->set = -1;
    if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0)
        return bad_set(where, path, name, "is missing", err);
    if (link.type != H5L_TYPE_HARD) return bad_set(where, path, name, "is a link", err);
    if ((s->set = H5Dopen2(group, name, H5P_DEFAULT)) < 0)
        return bad_set(where, path, name, "is no dataset, or is damaged", err);
    type = H5Dget_type(s->set);
    space = H5Dget_space(s->set);
    plist = H5Dget_create_plist(s->set);
    class = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
    if (class != H5T_FLOAT && class != H5T_INTEGER) {
        st = bad_set(where, path, name, "does not hold numbers", err);
        goto done;
    }
    s->is_float = class == H5T_FLOAT;
    s->item = (int)H5Tget_size(type);
    if (s->item > 16 || s->item < 1 || space < 0 || plist < 0 ||
        H5Sget_simple_extent_type(space) == H5S_NULL ||
        (s->ndim = H5Sget_simple_extent_ndims(space)) < 0 || s->ndim > LP_HDF5_MAX_DIM ||
        H5Sget_simple_extent_dims(space, s->shape, NULL) < 0) {
        st = bad_set(where, path, name, "has a damaged type or shape", err);
        goto done;
    }
    for (s->n = 1, i = 0; i < s->ndim; i++) {
        if (s->shape[i] < 1 || s->shape[i] > 1 << 30 || s->n > ((size_t)1 << 30) / s->shape[i]) {
            st = bad_set(where, path, name, "is empty or too large", err);
            goto done;
        }
        s->n *= (size_t)s->shape[i];
    }
    if ((what = check_layout(s, plist))) {
        st = bad_set(where, path, name, what, err);
        goto done;
    }
    room = (double)H5Dget_storage_size(s->set) * (s->deflated ? MAX_INFLATE : 1) + 64;
    if ((double)s->n * s->item > room) {
        st = bad_set(where, path, name, "has fewer bytes stored than its shape needs", err);
        goto done;
    }
    s->native = is_native(type, s->item);
done:
    if (plist >= 0) H5Pclose(plist);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (st) lp_hdf5_set_close(s);
    return st;
}

void lp_hdf5_set_close(lp_hdf5_set *s)
{
    if (s->set >= 0) H5Dclose(s->set);
    s->set = -1;
}
