#include "torch_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "../host/atomic.h"
#include "pickle_write.h"
#include "zip_store.h"

/* key: _rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict()) */
static void put_tensor(lp_pickler *b, const lp_tensor *t, int key)
{
    char text[16];
    int64_t stride[4], step = 1;
    int d;

    for (d = t->ndim - 1; d >= 0; d--) {
        stride[d] = step;
        step *= t->shape[d];
    }
    lp_pickler_str(b, t->name);
    lp_pickler_op(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    lp_pickler_str(b, "storage");
    lp_pickler_op(b,
                  lp_arch_is_counter(t->name) ? "ctorch\nLongStorage\n" : "ctorch\nFloatStorage\n");
    snprintf(text, sizeof text, "%d", key);
    lp_pickler_str(b, text);
    lp_pickler_str(b, "cpu");
    lp_pickler_int(b, (int64_t)t->n);
    lp_pickler_op(b, "tQ");
    lp_pickler_int(b, 0);
    lp_pickler_op(b, "(");
    for (d = 0; d < t->ndim; d++) lp_pickler_int(b, t->shape[d]);
    lp_pickler_op(b, "t(");
    for (d = 0; d < t->ndim; d++) lp_pickler_int(b, stride[d]);
    lp_pickler_op(b, "t\x89"
                     "ccollections\nOrderedDict\n)RtR");
}

lp_status lp_weights_export_torch(const lp_weights *w, const char *path, lp_err *err)
{
    lp_pickler b = {0};
    lp_zip *z = lp_zip_new();
    const void *data;
    char name[40];
    size_t n;
    int64_t count;
    int i;
    lp_status st;

    if (!z) return lp_fail_mem(err, path, 1);
    if ((st = lp_weights_check(w, path, err))) goto done;
    lp_pickler_op(&b, "\x80\x02"
                      "ccollections\nOrderedDict\n)R(");
    for (i = 0; i < w->n_tensors; i++) put_tensor(&b, &w->tensors[i], i);
    lp_pickler_op(&b, "u.");
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
    lp_pickler_free(&b);
    lp_zip_free(&z);
    return st;
}
