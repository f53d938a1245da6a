#include "write_run.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../weights/hdf5_memory.h"
#include "../weights/hdf5_util.h"
#include "atomic.h"
#include "run_bytes.h"

#define CHUNK_BYTES ((size_t)1 << 20)
#define BATCH 16 /* chunks compressed side by side */

static int put_text(hid_t at, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), a = -1;
    int ok;

    if (!text) text = "";
    ok = type >= 0 && space >= 0 && H5Tset_size(type, strlen(text) + 1) >= 0 &&
         H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
         (a = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT)) >= 0 &&
         H5Awrite(a, type, text) >= 0;
    if (a >= 0) H5Aclose(a);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return ok;
}

static int put_number(hid_t at, const char *name, hid_t file_type, hid_t mem_type, const void *v)
{
    hid_t space = H5Screate(H5S_SCALAR), a = -1;
    int ok = space >= 0 &&
             (a = H5Acreate2(at, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT)) >= 0 &&
             H5Awrite(a, mem_type, v) >= 0;

    if (a >= 0) H5Aclose(a);
    if (space >= 0) H5Sclose(space);
    return ok;
}

static int put_int(hid_t at, const char *name, int v)
{
    return put_number(at, name, H5T_STD_I32LE, H5T_NATIVE_INT, &v);
}

static int put_double(hid_t at, const char *name, double v)
{
    return put_number(at, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &v);
}

/* Runs only for floats: their mantissas have no repeats worth the search, which would take
 * three times as long. Any inflate reads both. */
static int squeeze(uint8_t *out, uLongf *size, const uint8_t *in, size_t n, int strategy)
{
    z_stream z = {0};
    int rc;

    if (deflateInit2(&z, 1, Z_DEFLATED, 15, 8, strategy) != Z_OK) return 0;
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)*size;
    rc = deflate(&z, Z_FINISH);
    *size = z.total_out;
    deflateEnd(&z);
    return rc == Z_STREAM_END;
}

/* Shuffle (all first bytes, all second bytes, ...) and deflate, as HDF5's own filters would;
 * rows beyond the image are zero. */
static int pack(const uint8_t *src, size_t n, size_t n_chunk, int strategy, uint8_t *plain,
                uint8_t *packed, uLongf *size)
{
    size_t i;

    memset(plain, 0, 4 * n_chunk);
    for (i = 0; i < n; i++) {
        plain[i] = src[4 * i];
        plain[n_chunk + i] = src[4 * i + 1];
        plain[2 * n_chunk + i] = src[4 * i + 2];
        plain[3 * n_chunk + i] = src[4 * i + 3];
    }
    return squeeze(packed, size, plain, 4 * n_chunk, strategy);
}

/* Chunks of `rows` rows, compressed here in parallel and stored ready. */
static int put_chunks(hid_t dset, const uint8_t *data, int npages, int Ly, int Lx, int rows,
                      int strategy)
{
    size_t n_chunk = (size_t)rows * Lx, bound = compressBound(4 * n_chunk) + 64;
    int per_page = (Ly + rows - 1) / rows, total = npages * per_page, first, k, ok = 1;
    uint8_t *plain = malloc(BATCH * 4 * n_chunk), *packed = malloc(BATCH * bound);
    uLongf size[BATCH];

    for (first = 0; first < total && ok && plain && packed; first += BATCH) {
        int m = total - first < BATCH ? total - first : BATCH, good = 1;

#pragma omp parallel for schedule(dynamic) reduction(& : good)
        for (k = 0; k < m; k++) {
            int page = (first + k) / per_page, y = (first + k) % per_page * rows;
            int h = Ly - y < rows ? Ly - y : rows;

            size[k] = bound;
            good &= pack(data + 4 * ((size_t)page * Ly + y) * Lx, (size_t)h * Lx, n_chunk, strategy,
                         plain + k * 4 * n_chunk, packed + k * bound, &size[k]);
        }
        ok = good;
        for (k = 0; k < m && ok; k++) {
            hsize_t y = (hsize_t)((first + k) % per_page) * rows;
            hsize_t at3[3] = {(hsize_t)((first + k) / per_page), y, 0}, at2[2] = {y, 0};

            ok = H5Dwrite_chunk(dset, H5P_DEFAULT, 0, npages > 1 ? at3 : at2, size[k],
                                packed + k * bound) >= 0;
        }
    }
    ok = ok && plain && packed;
    free(plain);
    free(packed);
    return ok;
}

/* data [npages][Ly][Lx] of 4-byte values; npages 1 gives a dataset of two dimensions. */
static int put_plane(hid_t file, const char *name, hid_t type, const void *data, int npages, int Ly,
                     int Lx)
{
    int rows = (int)(CHUNK_BYTES / (4 * (size_t)Lx)), rank = npages > 1 ? 3 : 2;
    hsize_t dims[3] = {(hsize_t)npages, (hsize_t)Ly, (hsize_t)Lx};
    hid_t space, plist, dset = -1;
    int ok;

    if (rows < 1) rows = 1;
    if (rows > Ly) rows = Ly;
    space = H5Screate_simple(rank, dims + 3 - rank, NULL);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    ok = space >= 0 && plist >= 0;
    if (ok) {
        hsize_t chunk[3] = {1, (hsize_t)rows, (hsize_t)Lx};

        ok = H5Pset_chunk(plist, rank, chunk + 3 - rank) >= 0 && H5Pset_shuffle(plist) >= 0 &&
             H5Pset_deflate(plist, 1) >= 0 && H5Pset_obj_track_times(plist, 0) >= 0 &&
             (dset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT)) >= 0 &&
             put_chunks(dset, data, npages, Ly, Lx, rows,
                        H5Tget_class(type) == H5T_FLOAT ? Z_RLE : Z_DEFAULT_STRATEGY);
    }
    if (dset >= 0) H5Dclose(dset);
    if (plist >= 0) H5Pclose(plist);
    if (space >= 0) H5Sclose(space);
    return ok;
}

/* One-dimensional, in one piece; nothing for n 0. */
static int put_array(hid_t at, const char *name, hid_t type, hid_t mem_type, size_t n,
                     const void *data)
{
    hsize_t dim = n;
    hid_t plist, space, dset = -1;
    int ok;

    if (!n) return 1;
    plist = H5Pcreate(H5P_DATASET_CREATE);
    space = H5Screate_simple(1, &dim, NULL);
    ok = space >= 0 && plist >= 0 && H5Pset_obj_track_times(plist, 0) >= 0 &&
         (dset = H5Dcreate2(at, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT)) >= 0 &&
         H5Dwrite(dset, mem_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (dset >= 0) H5Dclose(dset);
    if (plist >= 0) H5Pclose(plist);
    if (space >= 0) H5Sclose(space);
    return ok;
}

/* The masks of a diameter, deflated, into *out [*size]. */
static int pack_layer(const lp_layer *layer, unsigned char **out, uint64_t *plain, uint64_t *size)
{
    unsigned char *bytes = NULL, *packed;
    size_t n;
    uLongf room;
    int ok;

    if (lp_run_bytes_encode(&layer->masks, &bytes, &n, NULL)) return 0;
    room = compressBound(n);
    packed = malloc(room);
    ok = packed && compress2(packed, &room, bytes, n, 1) == Z_OK;
    free(bytes);
    if (!ok) {
        free(packed);
        return 0;
    }
    *out = packed;
    *plain = n;
    *size = room;
    return 1;
}

/* Per diameter and per mask, as they are stored. */
typedef struct {
    double *diameter;
    uint32_t *masks;
    uint64_t *plain, *size;
    unsigned char **part, *bytes;
    float *flow_error, *cellprob;
} columns;

static int collect(const lp_layers *s, columns *c, size_t *n_bytes, size_t *n_masks)
{
    size_t n = (size_t)s->n, at = 0;
    int i, good = 1;

    c->diameter = malloc((n + 1) * sizeof *c->diameter);
    c->masks = malloc((n + 1) * sizeof *c->masks);
    c->plain = malloc((n + 1) * sizeof *c->plain);
    c->size = malloc((n + 1) * sizeof *c->size);
    c->part = calloc(n + 1, sizeof *c->part);
    if (!c->diameter || !c->masks || !c->plain || !c->size || !c->part) return 0;
#pragma omp parallel for schedule(dynamic) reduction(& : good)
    for (i = 0; i < s->n; i++)
        good &= pack_layer(&s->layer[i], &c->part[i], &c->plain[i], &c->size[i]);
    if (!good) return 0;
    *n_bytes = *n_masks = 0;
    for (i = 0; i < s->n; i++) {
        c->diameter[i] = s->layer[i].diameter;
        c->masks[i] = s->layer[i].masks.n;
        *n_bytes += c->size[i];
        *n_masks += c->masks[i];
    }
    c->bytes = malloc(*n_bytes + 1);
    c->flow_error = malloc((*n_masks + 1) * sizeof *c->flow_error);
    c->cellprob = malloc((*n_masks + 1) * sizeof *c->cellprob);
    if (!c->bytes || !c->flow_error || !c->cellprob) return 0;
    *n_masks = 0;
    for (i = 0; i < s->n; i++) {
        size_t k = c->masks[i];

        memcpy(c->bytes + at, c->part[i], c->size[i]);
        at += c->size[i];
        memcpy(c->flow_error + *n_masks, s->layer[i].flow_error, k * sizeof(float));
        memcpy(c->cellprob + *n_masks, s->layer[i].cellprob, k * sizeof(float));
        *n_masks += k;
    }
    return 1;
}

static int put_candidates(hid_t f, const lp_layers *s)
{
    size_t n = (size_t)s->n, n_bytes = 0, n_masks = 0;
    hid_t plist = H5Pcreate(H5P_GROUP_CREATE), g = -1;
    columns c = {0};
    int i, ok;

    ok = plist >= 0 && H5Pset_obj_track_times(plist, 0) >= 0 &&
         (g = H5Gcreate2(f, "candidates", H5P_DEFAULT, plist, H5P_DEFAULT)) >= 0 &&
         collect(s, &c, &n_bytes, &n_masks) &&
         put_array(g, "diameter", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, n, c.diameter) &&
         put_array(g, "masks", H5T_STD_U32LE, H5T_NATIVE_UINT32, n, c.masks) &&
         put_array(g, "plain", H5T_STD_U64LE, H5T_NATIVE_UINT64, n, c.plain) &&
         put_array(g, "size", H5T_STD_U64LE, H5T_NATIVE_UINT64, n, c.size) &&
         put_array(g, "bytes", H5T_STD_U8LE, H5T_NATIVE_UINT8, n_bytes, c.bytes) &&
         put_array(g, "flow_error", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, n_masks, c.flow_error) &&
         put_array(g, "cellprob", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, n_masks, c.cellprob);
    for (i = 0; c.part && i < s->n; i++) free(c.part[i]);
    free(c.part);
    free(c.diameter);
    free(c.masks);
    free(c.plain);
    free(c.size);
    free(c.bytes);
    free(c.flow_error);
    free(c.cellprob);
    if (g >= 0) H5Gclose(g);
    if (plist >= 0) H5Pclose(plist);
    return ok;
}

static int fill(hid_t f, const lp_run_file *r)
{
    int Ly = r->masks->Ly, Lx = r->masks->Lx;

    return put_text(f, "format", "lipopose-run") && put_int(f, "version", 1) &&
           put_text(f, "program", LP_VERSION) && put_text(f, "image", r->image) &&
           put_text(f, "model", r->model) && put_text(f, "model_sha256", r->model_sha256) &&
           put_int(f, "page", r->page) && put_int(f, "min_size", r->min_size) &&
           put_int(f, "niter", r->niter) && put_double(f, "diameter", r->diameter) &&
           put_double(f, "flow_threshold", r->flow_threshold) &&
           put_double(f, "cellprob_threshold", r->cellprob_threshold) &&
           put_double(f, "pixel_nm", r->pixel_nm) &&
           put_plane(f, "masks", H5T_STD_U32LE, r->masks->data, 1, Ly, Lx) &&
           (!r->flows || put_plane(f, "flows", H5T_IEEE_F32LE, r->flows, 2, Ly, Lx)) &&
           (!r->cellprob || put_plane(f, "cellprob", H5T_IEEE_F32LE, r->cellprob, 1, Ly, Lx)) &&
           (!r->candidates || put_candidates(f, r->candidates));
}

lp_status lp_write_run(const char *path, const lp_run_file *run, lp_err *err)
{
    lp_hdf5_memory m = {0};
    lp_hdf5_quiet quiet;
    lp_status st;
    size_t n = 0;
    hid_t f;

    lp_hdf5_quiet_on(&quiet); /* it would print */
    f = lp_hdf5_memory_create(&m);
    if (f >= 0) {
        int ok = fill(f, run);

        if (H5Fclose(f) >= 0 && ok) n = lp_hdf5_memory_size(&m);
    }
    st = n ? lp_atomic_write_file(path, m.p, n, err)
           : lp_fail_mem(err, path, 12.0 * run->masks->Ly * run->masks->Lx);
    lp_hdf5_memory_free(&m);
    lp_hdf5_quiet_off(&quiet);
    return st;
}
