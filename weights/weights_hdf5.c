#include "weights_hdf5.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "arch.h"
#include "half.h"
#include "hdf5_heap.h"
#include "hdf5_util.h"

enum { MAX_NAME = 256 };

typedef struct {
    const char *where;
    lp_arch_entry *e;
    char *names; /* [cap][MAX_NAME] */
    int n, cap;
    int bad; /* a link that is not a plain one */
} listing;

/* A chunk as it lies in the file, to be inflated into out [n]. */
typedef struct {
    unsigned char *raw;
    size_t n_raw, n;
    int item, shuffled, deflated, failed;
    float *out;
} chunk;

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    listing *l = data;

    (void)group;
    if (l->n == l->cap || strlen(name) >= MAX_NAME || info->type != H5L_TYPE_HARD) {
        l->bad = 1;
        return 1;
    }
    strcpy(l->names + (size_t)l->n * MAX_NAME, name);
    l->e[l->n].name = l->names + (size_t)l->n * MAX_NAME;
    l->n++;
    return 0;
}

static lp_status open_group(hid_t file, const char *where, const char *name, hid_t *group,
                            lp_err *err)
{
    H5L_info_t link;

    if (H5Lget_info(file, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD ||
        (*group = H5Gopen2(file, name, H5P_DEFAULT)) < 0)
        return lp_fail(err, LP_EFORMAT, "%s: not a lipopose model: no group /%s", where, name);
    return LP_OK;
}

static lp_status list_state(hid_t state, listing *l, lp_err *err)
{
    H5G_info_t info;

    if (H5Gget_info(state, &info) < 0 || info.nlinks > LP_ARCH_MAX_KEYS)
        return lp_fail(err, LP_EFORMAT, "%s: /state is damaged", l->where);
    l->cap = (int)info.nlinks;
    l->e = calloc((size_t)l->cap + 1, sizeof *l->e);
    l->names = malloc(((size_t)l->cap + 1) * MAX_NAME);
    if (!l->e || !l->names) return lp_fail_mem(err, l->where, (double)l->cap * MAX_NAME);
    if (H5Literate(state, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, on_link, l) < 0 || l->bad)
        return lp_fail(err, LP_EFORMAT, "%s: /state is damaged, or has a link", l->where);
    return LP_OK;
}

/* Any layout and type that set_open let pass, through HDF5. */
static lp_status read_slow(const lp_hdf5_set *s, hid_t type, void *out, const char *where,
                           const char *name, lp_err *err)
{
    if (H5Dread(s->set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        return lp_fail(err, LP_EFORMAT, "%s: dataset %s cannot be read: damaged", where, name);
    return LP_OK;
}

/* Fetches the dataset's bytes for inflate_chunk, or reads it where they have to go through HDF5. */
static lp_status fetch(const lp_hdf5_set *s, const char *where, const lp_tensor *t, chunk *c,
                       lp_err *err)
{
    hsize_t zero[LP_HDF5_MAX_DIM] = {0}, size = 0;
    uint32_t mask = 0;

    if (!s->one_chunk || !s->native || H5Dget_chunk_storage_size(s->set, zero, &size) < 0 ||
        size < 1 || size > s->n * (size_t)s->item + (s->n * (size_t)s->item >> 3) + 4096)
        return read_slow(s, H5T_NATIVE_FLOAT, t->data, where, t->name, err);
    if (!(c->raw = malloc((size_t)size))) return lp_fail_mem(err, t->name, (double)size);
    if (H5Dread_chunk(s->set, H5P_DEFAULT, zero, &mask, c->raw) < 0 || mask != 0) {
        free(c->raw);
        c->raw = NULL;
        return read_slow(s, H5T_NATIVE_FLOAT, t->data, where, t->name, err);
    }
    c->n_raw = (size_t)size;
    c->n = s->n;
    c->item = s->item;
    c->shuffled = s->shuffled;
    c->deflated = s->deflated;
    c->out = t->data;
    return LP_OK;
}

static void unshuffle_float(float *out, const unsigned char *p, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        uint32_t u = p[i] | (uint32_t)p[n + i] << 8 | (uint32_t)p[2 * n + i] << 16 |
                     (uint32_t)p[3 * n + i] << 24;

        memcpy(out + i, &u, 4);
    }
}

static void inflate_chunk(chunk *c)
{
    size_t bytes = c->n * (size_t)c->item;
    uLongf got = (uLongf)bytes;
    unsigned char *tmp = NULL, *p = c->raw;

    if (!p) return;
    c->failed = 1;
    if (c->deflated) {
        if (!(tmp = malloc(bytes))) goto done;
        if (uncompress(tmp, &got, p, (uLong)c->n_raw) != Z_OK || got != bytes) goto done;
        p = tmp;
    } else if (c->n_raw != bytes) {
        goto done;
    }
    if (c->item == 2 && c->shuffled)
        lp_half_to_float_shuffled(c->out, p, c->n);
    else if (c->item == 2)
        lp_half_to_float(c->out, (const uint16_t *)(const void *)p, c->n);
    else if (c->shuffled)
        unshuffle_float(c->out, p, c->n);
    else
        memcpy(c->out, p, bytes);
    c->failed = 0;
done:
    free(tmp);
    free(c->raw);
    c->raw = NULL;
}

/* Fetches each dataset in turn and leaves the inflating to tasks. To be called by one thread
 * of a parallel region; the end of the region waits for the tasks. */
static lp_status fetch_all(const char *path, lp_weights *w, const lp_hdf5_set *sets, const int *map,
                           chunk *c, lp_err *err)
{
    lp_status st;
    int i;

    for (i = 0; i < w->n_tensors; i++) {
        lp_tensor *t = &w->tensors[i];
        const lp_hdf5_set *s = &sets[map[i]];
        chunk *job = &c[i];

        if (s->is_float ? s->item != 2 && s->item != 4 : t->n != 1)
            return lp_fail(err, LP_EFORMAT, "%s: dataset /state/%s is not float32 or float16", path,
                           t->name);
        if (!(t->data = malloc(t->n * sizeof(float))))
            return lp_fail_mem(err, t->name, (double)t->n * sizeof(float));
        if ((st = fetch(s, path, t, job, err))) return st;
        if (!job->raw) continue;
#pragma omp task firstprivate(job)
        inflate_chunk(job);
    }
    return LP_OK;
}

static lp_status read_tensors(const char *path, lp_weights *w, const lp_hdf5_set *sets,
                              const int *map, lp_err *err)
{
    chunk *c = calloc((size_t)w->n_tensors, sizeof *c);
    lp_status st = LP_OK;
    int i;

    if (!c) return lp_fail_mem(err, path, (double)w->n_tensors * sizeof *c);
        /* master: HDF5's printing of errors was switched off for this thread only */
#pragma omp parallel
#pragma omp master
    st = fetch_all(path, w, sets, map, c, err);
    for (i = 0; i < w->n_tensors; i++)
        if (c[i].failed && !st)
            st = lp_fail(err, LP_EFORMAT, "%s: dataset /state/%s cannot be read: damaged", path,
                         w->tensors[i].name);
    free(c);
    return st;
}

static lp_status read_state(hid_t file, const char *path, lp_weights *w, lp_err *err)
{
    listing l = {path, NULL, NULL, 0, 0, 0};
    lp_hdf5_set *sets = NULL;
    hid_t state = -1;
    int *map = NULL, i, opened = 0;
    lp_status st;

    if ((st = open_group(file, path, "state", &state, err))) return st;
    if ((st = list_state(state, &l, err))) goto done;
    sets = calloc((size_t)l.n + 1, sizeof *sets);
    if (!sets) {
        st = lp_fail_mem(err, path, (double)l.n * sizeof *sets);
        goto done;
    }
    for (; opened < l.n; opened++) {
        lp_hdf5_set *s = &sets[opened];
        int d;

        if ((st = lp_hdf5_set_open(state, path, "/state", l.e[opened].name, s, err))) goto done;
        l.e[opened].ndim = s->ndim;
        for (d = 0; d < s->ndim; d++) l.e[opened].shape[d] = (int64_t)s->shape[d];
    }
    if ((st = lp_arch_resolve(path, l.e, l.n, 0, w, &map, err))) goto done;
    st = read_tensors(path, w, sets, map, err);
done:
    for (i = 0; i < opened; i++) lp_hdf5_set_close(&sets[i]);
    free(sets);
    free(l.e);
    free(l.names);
    free(map);
    H5Gclose(state);
    return st;
}

/* A float64 copy of group/name, which must have n elements where n > 0. */
static lp_status read_doubles(hid_t group, const char *path, const char *gname, const char *name,
                              int *n, double **out, lp_err *err)
{
    lp_hdf5_set s;
    lp_status st = lp_hdf5_set_open(group, path, gname, name, &s, err);
    double *v = NULL;

    if (st) return st;
    if ((*n > 0 && s.n != (size_t)*n) || s.n > LP_MAX_WIDTH || !s.is_float) {
        st = lp_fail(err, LP_EFORMAT, "%s: dataset %s/%s has %zu values, or is not float", path,
                     gname, name, s.n);
    } else if (!(v = malloc(s.n * sizeof *v))) {
        st = lp_fail_mem(err, path, (double)s.n * sizeof *v);
    } else if (!(st = read_slow(&s, H5T_NATIVE_DOUBLE, v, path, name, err))) {
        *n = (int)s.n;
        *out = v;
        v = NULL;
    }
    free(v);
    lp_hdf5_set_close(&s);
    return st;
}

static lp_status read_size(hid_t file, const char *path, lp_weights *w, lp_err *err)
{
    lp_size_model *m = calloc(1, sizeof *m);
    double *y = NULL, *d = NULL;
    int one = 1;
    hid_t group = -1;
    lp_status st;

    if (!m) return lp_fail_mem(err, path, (double)sizeof *m);
    if ((st = open_group(file, path, "size", &group, err))) goto done;
    if ((st = read_doubles(group, path, "/size", "A", &m->n, &m->A, err))) goto done;
    if ((st = read_doubles(group, path, "/size", "smean", &m->n, &m->smean, err))) goto done;
    if ((st = read_doubles(group, path, "/size", "ymean", &one, &y, err))) goto done;
    if ((st = read_doubles(group, path, "/size", "diam_mean", &one, &d, err))) goto done;
    m->ymean = y[0];
    m->diam_mean = d[0];
    w->size = m;
    m = NULL;
done:
    free(y);
    free(d);
    lp_size_model_free(&m);
    if (group >= 0) H5Gclose(group);
    return st;
}

/* One of the two self-test arrays [1][nchan][*ly][*lx]; *ly = 0 takes the file's size. */
static lp_status read_test_array(hid_t group, const char *path, const char *name, int nchan,
                                 int *ly, int *lx, float **out, lp_err *err)
{
    lp_hdf5_set s;
    lp_status st = lp_hdf5_set_open(group, path, "/selftest", name, &s, err);
    float *v = NULL;

    if (st) return st;
    if (s.ndim != 4 || s.shape[0] != 1 || s.shape[1] != (hsize_t)nchan || !s.is_float ||
        s.shape[2] > LP_SELFTEST_MAX_SIDE || s.shape[3] > LP_SELFTEST_MAX_SIDE ||
        (*ly && ((hsize_t)*ly != s.shape[2] || (hsize_t)*lx != s.shape[3]))) {
        st = lp_fail(err, LP_EFORMAT, "%s: dataset /selftest/%s has a wrong shape or type", path,
                     name);
    } else if (!(v = malloc(s.n * sizeof *v))) {
        st = lp_fail_mem(err, path, (double)s.n * sizeof *v);
    } else if (!(st = read_slow(&s, H5T_NATIVE_FLOAT, v, path, name, err))) {
        *ly = (int)s.shape[2];
        *lx = (int)s.shape[3];
        *out = v;
        v = NULL;
    }
    free(v);
    lp_hdf5_set_close(&s);
    return st;
}

static lp_status read_selftest(hid_t file, const char *path, lp_weights *w, lp_err *err)
{
    hid_t group = -1;
    int ly = 0, lx = 0;
    lp_status st;

    if ((st = open_group(file, path, "selftest", &group, err))) return st;
    st = read_test_array(group, path, "x", w->nbase[0], &ly, &lx, &w->test_x, err);
    if (!st) st = read_test_array(group, path, "y", w->nout, &ly, &lx, &w->test_y, err);
    w->test_ly = ly;
    w->test_lx = lx;
    H5Gclose(group);
    return st;
}

static lp_status read_format(hid_t file, const char *path, lp_err *err)
{
    char *format = NULL;
    double version;
    int n;
    lp_status st = lp_hdf5_text(file, path, "format", 0, &format, err);

    if (st) return st;
    if (strcmp(format, "lipopose-weights"))
        st = lp_fail(err, LP_EFORMAT, "%s: not a lipopose model: its format is \"%.60s\"", path,
                     format);
    free(format);
    if (st || (st = lp_hdf5_numbers(file, path, "version", 0, &version, 1, &n, err))) return st;
    if (version > 1)
        return lp_fail(err, LP_EFORMAT,
                       "%s: made by a newer lipopose (version %.0f, this one "
                       "reads 1); update the program",
                       path, version);
    if (version != 1)
        return lp_fail(err, LP_EFORMAT, "%s: attribute version is %g, not 1", path, version);
    return LP_OK;
}

static lp_status mismatch(const char *path, const char *name, lp_err *err)
{
    return lp_fail(err, LP_EFORMAT, "%s: attribute %s does not agree with /state", path, name);
}

/* The attributes beside format and version; call after read_state. */
static lp_status read_attributes(hid_t file, const char *path, lp_weights *w, lp_err *err)
{
    double v[LP_MAX_NBASE];
    int n, i;
    lp_status st;

    if ((st = lp_hdf5_numbers(file, path, "nbase", 0, v, LP_MAX_NBASE, &n, err))) return st;
    if (n != w->n_nbase) return mismatch(path, "nbase", err);
    for (i = 0; i < n; i++)
        if (v[i] != w->nbase[i]) return mismatch(path, "nbase", err);
    if ((st = lp_hdf5_numbers(file, path, "nout", 0, v, 1, &n, err))) return st;
    if (v[0] != w->nout) return mismatch(path, "nout", err);
    if ((st = lp_hdf5_numbers(file, path, "sz", 0, v, 1, &n, err))) return st;
    if (v[0] != w->sz) return mismatch(path, "sz", err);
    /* 1e-3: another writer may have kept the tensor as float16. */
    if ((st = lp_hdf5_numbers(file, path, "diam_mean", 0, v, 1, &n, err))) return st;
    if (!(fabs(v[0] - w->tensors[0].data[0]) <= 1e-3 * fabs(v[0])))
        return mismatch(path, "diam_mean", err);
    w->diam_mean = v[0];
    if ((st = lp_hdf5_numbers(file, path, "diam_labels", 0, v, 1, &n, err))) return st;
    if (!(fabs(v[0] - w->tensors[1].data[0]) <= 1e-3 * fabs(v[0])))
        return mismatch(path, "diam_labels", err);
    w->diam_labels = v[0];
    if ((st = lp_hdf5_numbers(file, path, "diam_range", 1, v, 2, &n, err))) return st;
    if (n == 1) return lp_fail(err, LP_EFORMAT, "%s: attribute diam_range is not 2 numbers", path);
    if (n == 2) memcpy(w->diam_range, v, sizeof w->diam_range);
    if ((st = lp_hdf5_text(file, path, "source", 1, &w->source, err))) return st;
    if ((st = lp_hdf5_text(file, path, "source_sha256", 1, &w->source_sha256, err))) return st;
    return lp_hdf5_text(file, path, "licence", 1, &w->licence, err);
}

lp_status lp_weights_read_hdf5(const char *path, lp_weights **out, lp_err *err)
{
    lp_hdf5_quiet quiet;
    lp_weights *w = calloc(1, sizeof *w);
    hid_t fapl = -1, file = -1;
    lp_status st = LP_OK;

    if (!w) return lp_fail_mem(err, path, (double)sizeof *w);
    if ((st = lp_hdf5_heap_check(path, err))) {
        lp_weights_free(&w);
        return st;
    }
    lp_hdf5_quiet_on(&quiet);
    fapl = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG);
    H5Pset_file_locking(fapl, 0, 1); /* cluster file systems have no locks */
    if ((file = H5Fopen(path, H5F_ACC_RDONLY, fapl)) < 0) {
        st = lp_fail(err, LP_EFORMAT, "%s: damaged: HDF5 cannot open it", path);
        goto done;
    }
    if ((st = read_format(file, path, err))) goto done;
    if ((st = read_state(file, path, w, err))) goto done;
    if ((st = read_attributes(file, path, w, err))) goto done;
    if (H5Lexists(file, "size", H5P_DEFAULT) > 0 && (st = read_size(file, path, w, err))) goto done;
    if (H5Lexists(file, "selftest", H5P_DEFAULT) > 0 && (st = read_selftest(file, path, w, err)))
        goto done;
    if ((st = lp_weights_check(w, path, err))) goto done;
    *out = w;
    w = NULL;
done:
    if (file >= 0) H5Fclose(file);
    if (fapl >= 0) H5Pclose(fapl);
    lp_weights_free(&w);
    lp_hdf5_quiet_off(&quiet);
    return st;
}
