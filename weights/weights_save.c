/* The writer of the model file. */
#include <stdlib.h>

#include "arch.h"
#include "half.h"
#include "hdf5_memory.h"
#include "hdf5_util.h"
#include "../host/atomic.h"
#include "weights.h"

/* 6 compresses weights as far as 9 does and inflates as fast. */
#define DEFLATE_LEVEL 6

/* group/name [shape] of mem_type = file_type; chunked where it has dimensions. */
static lp_status put(hid_t group, const char *name, hid_t type, int ndim, const int *shape,
                     const void *data)
{
    hsize_t dims[4];
    hid_t space = -1, plist = -1, set = -1;
    lp_status st = LP_EIO;
    int i;

    for (i = 0; i < ndim; i++) dims[i] = (hsize_t)shape[i];
    space = ndim ? H5Screate_simple(ndim, dims, NULL) : H5Screate(H5S_SCALAR);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    if (space < 0 || plist < 0) goto done;
    H5Pset_obj_track_times(plist, 0); /* same model, same bytes */
    if (ndim && (H5Pset_chunk(plist, ndim, dims) < 0 || H5Pset_shuffle(plist) < 0 ||
                 H5Pset_deflate(plist, DEFLATE_LEVEL) < 0))
        goto done;
    set = H5Dcreate2(group, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0) st = LP_OK;
done:
    if (set >= 0) H5Dclose(set);
    if (plist >= 0) H5Pclose(plist);
    if (space >= 0) H5Sclose(space);
    return st;
}

static hid_t make_group(hid_t file, const char *name)
{
    hid_t plist = H5Pcreate(H5P_GROUP_CREATE), g;

    H5Pset_obj_track_times(plist, 0);
    g = H5Gcreate2(file, name, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Pclose(plist);
    return g;
}

/* Norms, biases, diameters and counters stay exact: they are few, and a variance can be too
 * large for half. */
static int is_half(const lp_tensor *t)
{
    return t->ndim >= 2;
}

static lp_status to_half(const lp_tensor *t, const char *where, uint16_t **out, lp_err *err)
{
    uint16_t *h = malloc(t->n * sizeof *h);
    size_t over;

    if (!h) return lp_fail_mem(err, where, (double)t->n * sizeof *h);
    if ((over = lp_half_from_float(h, t->data, t->n))) {
        free(h);
        return lp_fail(err, LP_EARG, "%s: %s has %zu weights too large for float16; use --float",
                       where, t->name, over);
    }
    *out = h;
    return LP_OK;
}

lp_status lp_weights_round_half(lp_weights *w, const char *where, lp_err *err)
{
    uint16_t *h = NULL;
    lp_status st;
    int i;

    for (i = 0; i < w->n_tensors; i++) {
        if (!is_half(&w->tensors[i])) continue;
        if ((st = to_half(&w->tensors[i], where, &h, err))) return st;
        lp_half_to_float(w->tensors[i].data, h, w->tensors[i].n);
        free(h);
    }
    return LP_OK;
}

static lp_status write_state(hid_t file, const lp_weights *w, const char *path, int half,
                             lp_err *err)
{
    hid_t group = make_group(file, "state"), half_type = lp_hdf5_half_type();
    uint16_t *buf = NULL;
    lp_status st = group < 0 || half_type < 0 ? LP_EIO : LP_OK;
    int i;

    for (i = 0; i < w->n_tensors && !st; i++) {
        const lp_tensor *t = &w->tensors[i];

        if (!half || !is_half(t)) {
            st = put(group, t->name, H5T_IEEE_F32LE, t->ndim, t->shape, t->data);
            continue;
        }
        if ((st = to_half(t, path, &buf, err))) goto done;
        st = put(group, t->name, half_type, t->ndim, t->shape, buf);
        free(buf);
        buf = NULL;
    }
    if (st) lp_fail(err, st, "%s: HDF5 cannot make the model", path);
done:
    free(buf);
    if (half_type >= 0) H5Tclose(half_type);
    if (group >= 0) H5Gclose(group);
    return st;
}

static lp_status write_extras(hid_t file, const lp_weights *w)
{
    const lp_size_model *m = w->size;
    hid_t group;
    lp_status st = LP_OK;

    if (m) {
        if ((group = make_group(file, "size")) < 0) return LP_EIO;
        if (put(group, "A", H5T_IEEE_F64LE, 1, &m->n, m->A) ||
            put(group, "smean", H5T_IEEE_F64LE, 1, &m->n, m->smean) ||
            put(group, "ymean", H5T_IEEE_F64LE, 0, NULL, &m->ymean) ||
            put(group, "diam_mean", H5T_IEEE_F64LE, 0, NULL, &m->diam_mean))
            st = LP_EIO;
        H5Gclose(group);
    }
    if (w->test_x && !st) {
        int x[4] = {1, w->nbase[0], w->test_ly, w->test_lx},
            y[4] = {1, w->nout, w->test_ly, w->test_lx};

        if ((group = make_group(file, "selftest")) < 0) return LP_EIO;
        if (put(group, "x", H5T_IEEE_F32LE, 4, x, w->test_x) ||
            put(group, "y", H5T_IEEE_F32LE, 4, y, w->test_y))
            st = LP_EIO;
        H5Gclose(group);
    }
    return st;
}

static lp_status write_attributes(hid_t file, const lp_weights *w)
{
    double nbase[LP_MAX_NBASE], one = 1, nout = w->nout, sz = w->sz;
    int i;

    for (i = 0; i < w->n_nbase; i++) nbase[i] = w->nbase[i];
    if (lp_hdf5_put_text(file, "format", "lipopose-weights") ||
        lp_hdf5_put_numbers(file, "version", H5T_STD_I32LE, &one, 1, 1) ||
        lp_hdf5_put_numbers(file, "nbase", H5T_STD_I32LE, nbase, w->n_nbase, 0) ||
        lp_hdf5_put_numbers(file, "nout", H5T_STD_I32LE, &nout, 1, 1) ||
        lp_hdf5_put_numbers(file, "sz", H5T_STD_I32LE, &sz, 1, 1) ||
        lp_hdf5_put_numbers(file, "diam_mean", H5T_IEEE_F64LE, &w->diam_mean, 1, 1) ||
        lp_hdf5_put_numbers(file, "diam_labels", H5T_IEEE_F64LE, &w->diam_labels, 1, 1) ||
        lp_hdf5_put_text(file, "source", w->source) ||
        lp_hdf5_put_text(file, "source_sha256", w->source_sha256) ||
        lp_hdf5_put_text(file, "licence", w->licence))
        return LP_EIO;
    if (w->diam_range[1] > 0 &&
        lp_hdf5_put_numbers(file, "diam_range", H5T_IEEE_F64LE, w->diam_range, 2, 0))
        return LP_EIO;
    return LP_OK;
}

lp_status lp_weights_save(const lp_weights *w, const char *path, int half, lp_err *err)
{
    lp_hdf5_memory memory = {0};
    lp_hdf5_quiet quiet;
    hid_t file;
    lp_status st;

    if ((st = lp_weights_check(w, path, err))) return st;
    lp_hdf5_quiet_on(&quiet);
    if ((file = lp_hdf5_memory_create(&memory)) < 0) {
        st = lp_fail(err, LP_EIO, "%s: HDF5 cannot make a file in memory", path);
        goto done;
    }
    st = write_state(file, w, path, half, err);
    if (!st && ((st = write_extras(file, w)) || (st = write_attributes(file, w))))
        lp_fail(err, st, "%s: HDF5 cannot make the model", path);
    if (H5Fclose(file) < 0 && !st)
        st = lp_fail(err, LP_EIO, "%s: HDF5 cannot make the model", path);
    if (!st) st = lp_atomic_write_file(path, memory.p, lp_hdf5_memory_size(&memory), err);
done:
    lp_hdf5_memory_free(&memory);
    lp_hdf5_quiet_off(&quiet);
    return st;
}
