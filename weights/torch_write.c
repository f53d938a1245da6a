#include "torch_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "../host/atomic.h"
#include "zip_store.h"

/* The pickle under construction; a failed allocation is kept in `failed`. */
typedef struct {
    unsigned char *p;
    size_t n, cap;
    int failed;
} bytes;

static void put(bytes *b, const void *data, size_t n)
{
    if (b->failed) return;
    if (b->n + n > b->cap) {
        size_t cap = 2 * (b->n + n) + 4096;
        unsigned char *p = realloc(b->p, cap);

        if (!p) {
            b->failed = 1;
            return;
        }
        b->p = p;
        b->cap = cap;
    }
    memcpy(b->p + b->n, data, n);
    b->n += n;
}

static void put_op(bytes *b, const char *op)
{
    put(b, op, strlen(op));
}

static void put_le32(bytes *b, uint32_t v)
{
    unsigned char q[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                          (unsigned char)(v >> 24)};

    put(b, q, 4);
}

static void put_int(bytes *b, int64_t v) /* 0 <= v < 2^31: a tensor has at most 1 GiB */
{
    put_op(b, "J");
    put_le32(b, (uint32_t)v);
}

static void put_str(bytes *b, const char *s)
{
    put_op(b, "X");
    put_le32(b, (uint32_t)strlen(s));
    put_op(b, s);
}

/* key: _rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict()) */
static void put_tensor(bytes *b, const lp_tensor *t, int key)
{
    char text[16];
    int64_t stride[4], step = 1;
    int d;

    for (d = t->ndim - 1; d >= 0; d--) {
        stride[d] = step;
        step *= t->shape[d];
    }
    put_str(b, t->name);
    put_op(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_str(b, "storage");
    put_op(b, lp_arch_is_counter(t->name) ? "ctorch\nLongStorage\n" : "ctorch\nFloatStorage\n");
    snprintf(text, sizeof text, "%d", key);
    put_str(b, text);
    put_str(b, "cpu");
    put_int(b, (int64_t)t->n);
    put_op(b, "tQ");
    put_int(b, 0);
    put_op(b, "(");
    for (d = 0; d < t->ndim; d++) put_int(b, t->shape[d]);
    put_op(b, "t(");
    for (d = 0; d < t->ndim; d++) put_int(b, stride[d]);
    put_op(b, "t\x89"
              "ccollections\nOrderedDict\n)RtR");
}

lp_status lp_weights_export_torch(const lp_weights *w, const char *path, lp_err *err)
{
    bytes b = {0};
    lp_zip *z = lp_zip_new();
    const void *data;
    char name[40];
    size_t n;
    int64_t count;
    int i;
    lp_status st;

    if (!z) return lp_fail_mem(err, path, 1);
    if ((st = lp_weights_check(w, path, err))) goto done;
    put_op(&b, "\x80\x02"
               "ccollections\nOrderedDict\n)R(");
    for (i = 0; i < w->n_tensors; i++) put_tensor(&b, &w->tensors[i], i);
    put_op(&b, "u.");
    if (b.failed) {
        st = lp_fail_mem(err, path, (double)b.cap);
        goto done;
    }
    if ((st = lp_zip_add(z, "archive/data.pkl", b.p, b.n, err))) goto done;
    if ((st = lp_zip_add(z, "archive/byteorder", "little", 6, err))) goto done;
    for (i = 0; i < w->n_tensors; i++) {
        const lp_tensor *t = &w->tensors[i];

        snprintf(name, sizeof name, "archive/data/%d", i);
        count = (int64_t)t->data[0];
        st = lp_arch_is_counter(t->name) ? lp_zip_add(z, name, &count, sizeof count, err)
                                         : lp_zip_add(z, name, t->data, t->n * sizeof(float), err);
        if (st) goto done;
    }
    if ((st = lp_zip_add(z, "archive/version", "3\n", 2, err))) goto done;
    if ((st = lp_zip_finish(z, &data, &n, err))) goto done;
    st = lp_atomic_write_file(path, data, n, err);
done:
    free(b.p);
    lp_zip_free(&z);
    return st;
}
