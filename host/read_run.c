#include "read_run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../weights/hdf5_heap.h"
#include "../weights/hdf5_util.h"
#include "run_bytes.h"

#define GROUP "/candidates"

static lp_status damaged(const char *path, const char *what, lp_err *err)
{
    return lp_fail(err, LP_EFORMAT, "%s: damaged: %s", path, what);
}

/* What helps against damage, where err says what is wrong. */
static lp_status again(lp_status st, lp_err *err)
{
    size_t n = err ? strlen(err->msg) : 0;

    if (err && st == LP_EFORMAT)
        snprintf(err->msg + n, sizeof err->msg - n,
                 ": segment the micrograph again (lipopose segment --diameters)");
    return st;
}

/* All n values of a one-dimensional dataset (n 0: as many as it has) as mem_type, into *out. */
static lp_status get_array(hid_t group, const char *path, const char *name, hid_t mem_type,
                           size_t item, size_t *n, void **out, lp_err *err)
{
    lp_hdf5_set s;
    void *p;
    lp_status st = lp_hdf5_set_open(group, path, GROUP, name, &s, err);

    if (st) return st;
    if (s.ndim != 1 || (*n && s.n != *n)) {
        lp_hdf5_set_close(&s);
        return lp_fail(err, LP_EFORMAT, "%s: dataset %s/%s has the wrong shape", path, GROUP, name);
    }
    if (!(p = malloc(s.n * item))) {
        st = lp_fail_mem(err, path, (double)s.n * (double)item);
    } else if (H5Dread(s.set, mem_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, p) < 0) {
        st = lp_fail(err, LP_EFORMAT, "%s: dataset %s/%s is damaged", path, GROUP, name);
        free(p);
    } else {
        *n = s.n;
        *out = p;
    }
    lp_hdf5_set_close(&s);
    return st;
}

typedef struct {
    size_t n, n_bytes, n_masks;
    double *diameter;
    uint32_t *masks;
    uint64_t *plain, *size;
    unsigned char *bytes;
    float *flow_error, *cellprob;
} columns;

static lp_status get_columns(hid_t g, const char *path, columns *c, lp_err *err)
{
    uint64_t total = 0;
    size_t i;
    lp_status st;

#define GET(name, type, item, count, to)                                                           \
    if ((st = get_array(g, path, name, type, item, count, (void **)(to), err))) return st;
    GET("diameter", H5T_NATIVE_DOUBLE, 8, &c->n, &c->diameter)
    GET("masks", H5T_NATIVE_UINT32, 4, &c->n, &c->masks)
    GET("plain", H5T_NATIVE_UINT64, 8, &c->n, &c->plain)
    GET("size", H5T_NATIVE_UINT64, 8, &c->n, &c->size)
    GET("bytes", H5T_NATIVE_UINT8, 1, &c->n_bytes, &c->bytes)
    if (c->n > LP_MAX_LAYERS) return damaged(path, "too many diameters", err);
    for (i = 0; i < c->n; i++) {
        /* Deflate makes at most 1032 bytes of one; a mask takes at least one byte. */
        if (c->size[i] > c->n_bytes - total || c->plain[i] > 1032 * c->size[i] + 64 ||
            c->masks[i] > c->plain[i] || !(c->diameter[i] > 0 && c->diameter[i] <= 1e6) ||
            (i && c->diameter[i] < c->diameter[i - 1]))
            return damaged(path, "sizes in " GROUP " do not agree", err);
        total += c->size[i];
        c->n_masks += c->masks[i];
    }
    if (total != c->n_bytes) return damaged(path, "sizes in " GROUP " do not agree", err);
    if (c->n_masks) {
        GET("flow_error", H5T_NATIVE_FLOAT, 4, &c->n_masks, &c->flow_error)
        GET("cellprob", H5T_NATIVE_FLOAT, 4, &c->n_masks, &c->cellprob)
    }
#undef GET
    return LP_OK;
}

/* Inflates and decodes one diameter, whose bytes begin at p. */
static lp_status unpack(const columns *c, size_t i, const unsigned char *p, const lp_layers *s,
                        const char *path, lp_runs *out, lp_err *err)
{
    uLongf n = c->plain[i];
    unsigned char *plain = malloc(n + 1);
    lp_status st;

    if (!plain) return lp_fail_mem(err, path, (double)n);
    if (uncompress(plain, &n, p, c->size[i]) != Z_OK || n != c->plain[i])
        st = damaged(path, "the masks of a diameter cannot be inflated", err);
    else
        st = lp_run_bytes_decode(plain, n, c->masks[i], s->Ly, s->Lx, path, out, err);
    free(plain);
    return st;
}

static lp_status copy(const float *from, size_t at, size_t n, const char *path, float **out,
                      lp_err *err)
{
    if (!(*out = malloc((n + 1) * sizeof **out))) return lp_fail_mem(err, path, 4.0 * (double)n);
    if (n) memcpy(*out, from + at, n * sizeof **out);
    return LP_OK;
}

static lp_status get_layers(hid_t file, const char *path, lp_layers *s, lp_err *err)
{
    columns c = {0};
    size_t i, at = 0, *start = NULL;
    lp_runs *runs = NULL;
    lp_err *errors = NULL;
    H5L_info_t link;
    hid_t g = -1;
    lp_status st;
    int k;

    if (H5Lget_info(file, "candidates", &link, H5P_DEFAULT) < 0)
        return damaged(path, "no " GROUP, err);
    if (link.type != H5L_TYPE_HARD || (g = H5Gopen2(file, "candidates", H5P_DEFAULT)) < 0)
        return damaged(path, GROUP " is no group", err);
    if ((st = get_columns(g, path, &c, err))) goto done;
    runs = calloc(c.n, sizeof *runs);
    start = malloc(c.n * sizeof *start);
    errors = calloc(c.n, sizeof *errors);
    if (!runs || !start || !errors) {
        st = lp_fail_mem(err, path, (double)c.n * 1100);
        goto done;
    }
    for (i = 0; i < c.n; i++) {
        start[i] = at;
        at += c.size[i];
    }
#pragma omp parallel for schedule(dynamic)
    for (k = 0; k < (int)c.n; k++)
        errors[k].status = unpack(&c, (size_t)k, c.bytes + start[k], s, path, &runs[k], &errors[k]);
    for (i = 0, at = 0; i < c.n && !st; i++) {
        lp_layer layer = {.diameter = c.diameter[i], .masks = runs[i]};

        runs[i] = (lp_runs){0};
        if (errors[i].status) {
            st = lp_fail(err, errors[i].status, "%s", errors[i].msg);
            break;
        }
        if ((st = copy(c.flow_error, at, c.masks[i], path, &layer.flow_error, err)) ||
            (st = copy(c.cellprob, at, c.masks[i], path, &layer.cellprob, err)))
            lp_layer_clear(&layer);
        else
            st = lp_layers_add_layer(s, &layer, err);
        at += c.masks[i];
    }
done:
    for (i = 0; runs && i < c.n; i++) {
        free(runs[i].first);
        free(runs[i].run);
    }
    free(runs);
    free(start);
    free(errors);
    free(c.diameter);
    free(c.masks);
    free(c.plain);
    free(c.size);
    free(c.bytes);
    free(c.flow_error);
    free(c.cellprob);
    if (g >= 0) H5Gclose(g);
    return st;
}

static lp_status check_format(hid_t file, const char *path, lp_err *err)
{
    H5L_info_t link;
    char *format = NULL;
    double version = 0;
    int n;
    lp_status st = lp_hdf5_text(file, path, "format", 1, &format, err);

    if (st) return st;
    if (strcmp(format, "lipopose-run"))
        st = lp_fail(err, LP_EFORMAT, "%s: not a run saved by lipopose segment --diameters", path);
    free(format);
    if (st || (st = lp_hdf5_numbers(file, path, "version", 0, &version, 1, &n, err))) return st;
    if (version != 1)
        return lp_fail(err, LP_EFORMAT,
                       "%s: saved by another version of lipopose (format %g, this one reads 1); "
                       "use that version, or segment again",
                       path, version);
    if (H5Lget_info(file, "candidates", &link, H5P_DEFAULT) < 0)
        return lp_fail(err, LP_EFORMAT,
                       "%s: a run at one diameter has nothing to merge: segment with --diameters",
                       path);
    return LP_OK;
}

/* An attribute that must be a whole number from lo to hi. */
static lp_status get_int(hid_t file, const char *path, const char *name, double lo, double hi,
                         int *out, lp_err *err)
{
    double v;
    int n;
    lp_status st = lp_hdf5_numbers(file, path, name, 0, &v, 1, &n, err);

    if (st) return st;
    if (!(v >= lo && v <= hi) || v != floor(v))
        return lp_fail(err, LP_EFORMAT, "%s: attribute %s is out of range", path, name);
    *out = (int)v;
    return LP_OK;
}

/* NaN where it is absent. */
static lp_status get_optional(hid_t file, const char *path, const char *name, double *v,
                              lp_err *err)
{
    int n = 0;
    lp_status st = lp_hdf5_numbers(file, path, name, 1, v, 1, &n, err);

    if (!st && n == 0) *v = NAN;
    return st;
}

static lp_status check_signature(const char *path, lp_err *err)
{
    char b[8] = "";
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(b, 1, sizeof b, f) : 0;

    if (f) fclose(f);
    if (n == sizeof b && !memcmp(b, "\x89HDF\r\n\x1a\n", sizeof b)) return LP_OK;
    return lp_fail(err, LP_EFORMAT,
                   "%s: not a saved run: give a NAME_lipopose.h5 that segment --diameters wrote",
                   path);
}

/* What a file of the right format holds, into *r; failing means damage. */
static lp_status get_all(hid_t file, const char *path, lp_saved_run *r, lp_err *err)
{
    lp_hdf5_set masks = {.set = -1};
    lp_status st;
    int n;

    if ((st = lp_hdf5_text(file, path, "image", 0, &r->image, err))) goto done;
    if ((st = lp_hdf5_text(file, path, "model", 0, &r->model, err))) goto done;
    if ((st = lp_hdf5_text(file, path, "model_sha256", 1, &r->model_sha256, err))) goto done;
    if ((st = get_optional(file, path, "flow_threshold", &r->flow_threshold, err))) goto done;
    if ((st = get_optional(file, path, "cellprob_threshold", &r->cellprob_threshold, err)))
        goto done;
    if ((st = get_int(file, path, "page", 1, 1e9, &r->page, err))) goto done;
    if ((st = get_int(file, path, "min_size", -2147483647.0, 2147483647.0, &r->min_size, err)))
        goto done;
    if ((st = lp_hdf5_numbers(file, path, "pixel_nm", 0, &r->pixel_nm, 1, &n, err))) goto done;
    if (!(r->pixel_nm >= 0 && r->pixel_nm <= 1e30)) r->pixel_nm = 0;
    /* Of the mask, only its size is wanted. */
    if ((st = lp_hdf5_set_open(file, path, "", "masks", &masks, err))) goto done;
    if (masks.ndim != 2 || masks.shape[0] > LP_MAX_SIDE || masks.shape[1] > LP_MAX_SIDE) {
        st = damaged(path, "dataset /masks has the wrong shape", err);
        goto done;
    }
    if ((st = lp_layers_new((int)masks.shape[0], (int)masks.shape[1], &r->layers, err))) goto done;
    st = get_layers(file, path, r->layers, err);
done:
    lp_hdf5_set_close(&masks);
    return st;
}

lp_status lp_read_run(const char *path, lp_saved_run *out, lp_err *err)
{
    lp_saved_run r = {0};
    lp_hdf5_quiet quiet;
    hid_t fapl, file = -1;
    lp_status st;

    if (access(path, R_OK)) return lp_fail(err, LP_EIO, "%s: %s", path, strerror(errno));
    if ((st = check_signature(path, err))) return st;
    if ((st = lp_hdf5_heap_check(path, err))) return again(st, err);
    lp_hdf5_quiet_on(&quiet);
    fapl = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG);
    H5Pset_file_locking(fapl, 0, 1); /* cluster file systems have no locks */
    if ((file = H5Fopen(path, H5F_ACC_RDONLY, fapl)) < 0) {
        st = again(damaged(path, "HDF5 cannot open it", err), err);
        goto done;
    }
    if ((st = check_format(file, path, err))) goto done;
    if ((st = again(get_all(file, path, &r, err), err))) goto done;
    *out = r;
    memset(&r, 0, sizeof r);
done:
    if (file >= 0) H5Fclose(file);
    if (fapl >= 0) H5Pclose(fapl);
    lp_hdf5_quiet_off(&quiet);
    lp_saved_run_free(&r);
    return st;
}

void lp_saved_run_free(lp_saved_run *r)
{
    if (!r) return;
    free(r->image);
    free(r->model);
    free(r->model_sha256);
    lp_layers_free(&r->layers);
    memset(r, 0, sizeof *r);
}
