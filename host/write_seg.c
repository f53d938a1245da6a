#include "write_seg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../weights/pickle_write.h"
#include "atomic.h"
#include "overlay.h"
#include "sample_range.h"
#include "write_flows.h"

/* The file under construction: opcodes wait in `ops` until an array's bytes must follow. */
typedef struct {
    const char *path;
    lp_atomic *file;
    lp_pickler ops;
} writer;

static lp_status flush(writer *w, lp_err *err)
{
    lp_status st;

    if (w->ops.failed) return lp_fail_mem(err, w->path, (double)w->ops.cap);
    st = lp_atomic_write(w->file, w->ops.p, w->ops.n, err);
    w->ops.n = 0;
    return st;
}

/* numpy's way: _reconstruct(ndarray, (0,), b'b'), then its state up to where the elements come. */
static void begin_array(lp_pickler *b, const char *type, const char *order, const int64_t *shape,
                        int ndim)
{
    int d;

    lp_pickler_op(b, "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(");
    lp_pickler_int(b, 0);
    lp_pickler_op(b, "t");
    lp_pickler_bytes(b, 1);
    lp_pickler_op(b, "btR(");
    lp_pickler_int(b, 1);
    lp_pickler_op(b, "(");
    for (d = 0; d < ndim; d++) lp_pickler_int(b, shape[d]);
    lp_pickler_op(b, "tcnumpy\ndtype\n(");
    lp_pickler_str(b, type);
    lp_pickler_op(b, "\x89\x88tR(");
    lp_pickler_int(b, 3);
    lp_pickler_str(b, order);
    lp_pickler_op(b, "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff");
    lp_pickler_int(b, *type == 'O' ? 63 : 0);
    lp_pickler_op(b, "tb\x89");
}

/* An array whose n elements of `size` bytes are added next, in parts, and then end_array. */
static lp_status open_array(writer *w, const char *type, int size, const int64_t *shape, int ndim,
                            lp_err *err)
{
    uint64_t bytes = (uint64_t)size;
    int d;

    for (d = 0; d < ndim; d++) bytes *= (uint64_t)shape[d];
    begin_array(&w->ops, type, size == 1 ? "|" : "<", shape, ndim);
    lp_pickler_bytes(&w->ops, bytes);
    return flush(w, err);
}

static void end_array(writer *w)
{
    lp_pickler_op(&w->ops, "tb");
}

static lp_status zeros(writer *w, size_t n, lp_err *err)
{
    static const unsigned char zero[65536];
    lp_status st = LP_OK;

    for (; n && !st; n -= n < sizeof zero ? n : sizeof zero)
        st = lp_atomic_write(w->file, zero, n < sizeof zero ? n : sizeof zero, err);
    return st;
}

/* The labels, or those of their pixels that are outlines, as elements of `size` bytes. */
static lp_status labels(writer *w, const lp_labels *lb, int size, int outlines, lp_err *err)
{
    const int64_t shape[2] = {lb->Ly, lb->Lx};
    uint32_t *row = malloc((size_t)lb->Lx * sizeof *row);
    uint16_t *small = (uint16_t *)row;
    lp_status st;
    int y, x;

    if (!row) return lp_fail_mem(err, w->path, lb->Lx * 4.0);
    st = open_array(w, size == 2 ? "u2" : "u4", size, shape, 2, err);
    for (y = 0; y < lb->Ly && !st; y++) {
        for (x = 0; x < lb->Lx; x++) {
            uint32_t v = lb->data[(size_t)y * lb->Lx + x];

            if (outlines && v && !lp_overlay_on_outline(lb, y, x, 1)) v = 0;
            if (size == 2)
                small[x] = (uint16_t)v;
            else
                row[x] = v;
        }
        st = lp_atomic_write(w->file, row, (size_t)lb->Lx * (size_t)size, err);
    }
    end_array(w);
    free(row);
    return st;
}

/* Cellpose's normalize99 to 0 .. 255. */
static lp_status grey(const float *in, size_t n, uint8_t *out, lp_err *err)
{
    float lo = 0, hi = 0;
    lp_status st = lp_sample_range(in, n, 1, 99, &lo, &hi, err);
    size_t i;

    if (st) return st;
    for (i = 0; i < n; i++) {
        float v = hi - lo > 1e-3f ? (in[i] - lo) / (hi - lo) : 0;

        out[i] = !(v > 0) ? 0 : v > 1 ? 255 : (uint8_t)(v * 255);
    }
    return LP_OK;
}

static lp_status flow_list(writer *w, const lp_seg_file *f, lp_err *err)
{
    const int64_t Ly = f->masks->Ly, Lx = f->masks->Lx;
    const int64_t rgb_shape[4] = {1, Ly, Lx, 3}, planes[3] = {3, Ly, Lx};
    size_t n = (size_t)Ly * (size_t)Lx;
    uint8_t *picture = malloc(3 * n);
    lp_status st;

    if (!picture) return lp_fail_mem(err, w->path, 3.0 * (double)n);
    lp_pickler_op(&w->ops, "](");
    if ((st = lp_flows_rgb(f->flows, f->masks->Ly, f->masks->Lx, picture, err))) goto done;
    if ((st = open_array(w, "u1", 1, rgb_shape, 4, err))) goto done;
    if ((st = lp_atomic_write(w->file, picture, 3 * n, err))) goto done;
    end_array(w);
    if ((st = grey(f->cellprob, n, picture, err))) goto done;
    if ((st = open_array(w, "u1", 1, rgb_shape, 3, err))) goto done;
    if ((st = lp_atomic_write(w->file, picture, n, err))) goto done;
    end_array(w);
    if ((st = open_array(w, "u1", 1, rgb_shape, 4, err))) goto done;
    if ((st = zeros(w, 3 * n, err))) goto done;
    end_array(w);
    lp_pickler_op(&w->ops, "]");
    if ((st = open_array(w, "f4", 4, planes, 3, err))) goto done;
    if ((st = lp_atomic_write(w->file, f->flows, 2 * n * sizeof(float), err))) goto done;
    if ((st = lp_atomic_write(w->file, f->cellprob, n * sizeof(float), err))) goto done;
    end_array(w);
    lp_pickler_op(&w->ops, "e");
done:
    free(picture);
    return st;
}

/* numpy's header of a file of one object; the pickle's first bytes. */
static void begin_file(writer *w)
{
    static const char text[] = "{'descr': '|O', 'fortran_order': False, 'shape': (), }";
    enum { HEAD = 128 - 10 };
    char head[HEAD + 1];

    snprintf(head, sizeof head, "%-*s\n", HEAD - 1, text);
    lp_pickler_op(&w->ops, "\x93NUMPY\x01");
    lp_pickler_zero(&w->ops);
    lp_pickler_op(&w->ops, "v"); /* HEAD, of two bytes */
    lp_pickler_zero(&w->ops);
    lp_pickler_op(&w->ops, head);
    lp_pickler_op(&w->ops, "\x80\x04");
    begin_array(&w->ops, "O8", "|", NULL, 0);
    lp_pickler_op(&w->ops, "]}(");
}

lp_status lp_write_seg(const char *path, const lp_seg_file *f, lp_err *err)
{
    const lp_labels *lb = f->masks;
    size_t n = (size_t)lb->Ly * (size_t)lb->Lx, i;
    writer w = {.path = path};
    uint32_t max = 0;
    int64_t many;
    int size;
    lp_status st;

    for (i = 0; i < n; i++)
        if (lb->data[i] > max) max = lb->data[i];
    many = max;
    size = max < 65535 ? 2 : 4;
    if ((st = lp_atomic_open(path, &w.file, err))) return st;
    begin_file(&w);
    lp_pickler_str(&w.ops, "outlines");
    if ((st = labels(&w, lb, size, 1, err))) goto done;
    lp_pickler_str(&w.ops, "masks");
    if ((st = labels(&w, lb, size, 0, err))) goto done;
    lp_pickler_str(&w.ops, "chan_choose");
    lp_pickler_op(&w.ops, "](");
    lp_pickler_int(&w.ops, f->chan > 0 ? f->chan : 0);
    lp_pickler_int(&w.ops, f->chan2);
    lp_pickler_op(&w.ops, "e");
    lp_pickler_str(&w.ops, "ismanual");
    if ((st = open_array(&w, "b1", 1, &many, 1, err))) goto done;
    if ((st = zeros(&w, (size_t)many, err))) goto done;
    end_array(&w);
    lp_pickler_str(&w.ops, "filename");
    lp_pickler_str(&w.ops, f->image);
    if (f->flows) {
        lp_pickler_str(&w.ops, "flows");
        if ((st = flow_list(&w, f, err))) goto done;
    }
    if (!isnan(f->diameter)) {
        lp_pickler_str(&w.ops, "diameter");
        lp_pickler_double(&w.ops, f->diameter);
        lp_pickler_str(&w.ops, "est_diam");
        lp_pickler_double(&w.ops, f->diameter);
    }
    lp_pickler_op(&w.ops, "uatb.");
    if ((st = flush(&w, err))) goto done;
    st = lp_atomic_commit(&w.file, err);
done:
    lp_atomic_abort(&w.file);
    lp_pickler_free(&w.ops);
    return st;
}
