#include "torch_import.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "half.h"
#include "sha256.h"
#include "torch_file.h"

enum { MAX_NAME = 256 };

typedef struct {
    lp_arch_entry *e;
    const lp_pk_tensor **t;
    char *names; /* [n][MAX_NAME] */
    int n;
} dict;

/* What is not a state_dict, said in the user's words. */
static lp_status refuse_object(const char *path, const lp_pk *root, lp_err *err)
{
    static const char *const nested[] = {"state_dict", "model_state_dict",     "model",       "net",
                                         "optimizer",  "optimizer_state_dict", "param_groups"};
    size_t i;

    if (root->type != LP_PK_DICT)
        return lp_fail(err, LP_EFORMAT, "%s: holds a %s, not a state_dict of a Cellpose net", path,
                       lp_pk_type_name(root->type));
    for (i = 0; i < sizeof nested / sizeof *nested; i++)
        if (lp_pk_dict_get(root, nested[i]))
            return lp_fail(err, LP_EFORMAT,
                           "%s: a training checkpoint (key %s), not a state_dict; save "
                           "net.state_dict() alone",
                           path, nested[i]);
    return lp_fail(err, LP_EFORMAT,
                   "%s: a dictionary with other things than tensors, not a "
                   "state_dict of a Cellpose net",
                   path);
}

static lp_status list_tensors(const char *path, const lp_pk *root, dict *d, lp_err *err)
{
    size_t i, n, skip = 0, with_prefix = 0;
    int k;

    if (root->type != LP_PK_DICT) return refuse_object(path, root, err);
    n = root->u.seq.n / 2;
    if (n > LP_ARCH_MAX_KEYS)
        return lp_fail(err, LP_EFORMAT, "%s: %zu keys, not a Cellpose net", path, n);
    for (i = 0; i < n; i++) {
        const lp_pk *key = root->u.seq.v[2 * i];

        if (key->type != LP_PK_STR || root->u.seq.v[2 * i + 1]->type != LP_PK_TENSOR)
            return refuse_object(path, root, err);
        with_prefix += key->u.s.n > 7 && !memcmp(key->u.s.p, "module.", 7);
    }
    if (n && with_prefix == n) skip = 7;
    d->e = calloc(n + 1, sizeof *d->e);
    d->t = calloc(n + 1, sizeof *d->t);
    d->names = malloc((n + 1) * MAX_NAME);
    if (!d->e || !d->t || !d->names) return lp_fail_mem(err, path, (double)n * MAX_NAME);
    for (i = 0; i < n; i++) {
        const lp_pk *key = root->u.seq.v[2 * i];
        const lp_pk_tensor *t = root->u.seq.v[2 * i + 1]->u.tensor;
        char *name = d->names + i * MAX_NAME;

        lp_pk_printable(name, MAX_NAME, key->u.s.p + skip, key->u.s.n - skip);
        d->e[i].name = name;
        d->e[i].ndim = t->ndim;
        for (k = 0; k < t->ndim; k++) d->e[i].shape[k] = t->shape[k];
        d->t[i] = t;
    }
    d->n = (int)n;
    return LP_OK;
}

static float element(const void *p, lp_dtype type, int64_t i)
{
    float f;

    switch (type) {
    case LP_F32:
        return ((const float *)p)[i];
    case LP_F16:
        return lp_half_to_float1(((const uint16_t *)p)[i]);
    case LP_BF16:
        lp_bf16_to_float(&f, (const uint16_t *)p + i, 1);
        return f;
    case LP_F64:
        return (float)((const double *)p)[i];
    case LP_I64:
        return (float)((const int64_t *)p)[i];
    case LP_I32:
        return (float)((const int32_t *)p)[i];
    default:
        return NAN; /* refused before */
    }
}

/* dst [t->numel] in C order from the strided view of storage p. */
static void gather(float *dst, const void *p, const lp_pk_tensor *t)
{
    int64_t at = t->offset, i[LP_PICKLE_MAX_DIM] = {0}, k, step = 1;
    int d, contiguous = 1;

    for (d = t->ndim - 1; d >= 0; d--) {
        contiguous &= t->shape[d] == 1 || t->stride[d] == step;
        step *= t->shape[d];
    }
    if (contiguous && t->storage->dtype == LP_F32) {
        memcpy(dst, (const float *)p + at, (size_t)t->numel * sizeof *dst);
        return;
    }
    for (k = 0; k < t->numel; k++) {
        dst[k] = element(p, t->storage->dtype, at);
        for (d = t->ndim - 1; d >= 0; d--) {
            at += t->stride[d];
            if (++i[d] < t->shape[d]) break;
            at -= i[d] * t->stride[d];
            i[d] = 0;
        }
    }
}

typedef struct {
    int storage, tensor, entry;
} job;

static int by_storage(const void *a, const void *b)
{
    const job *x = a, *y = b;

    return x->storage != y->storage ? (x->storage > y->storage) - (x->storage < y->storage)
                                    : (x->tensor > y->tensor) - (x->tensor < y->tensor);
}

/* Reads each storage once, whichever tensors lie in it. */
static lp_status read_tensors(lp_torch_file *tf, const char *path, const dict *d, const int *map,
                              lp_weights *w, lp_err *err)
{
    job *jobs = calloc((size_t)w->n_tensors, sizeof *jobs);
    void *buf = NULL;
    int n = 0, i, last = -1;
    int64_t left = 0;
    lp_status st = LP_OK;

    if (!jobs) return lp_fail_mem(err, path, (double)w->n_tensors * sizeof *jobs);
    for (i = 0; i < w->n_tensors; i++) {
        if (map[i] < 0) continue;
        jobs[n].storage = lp_torch_storage_id(tf, d->t[map[i]]->storage);
        jobs[n].tensor = i;
        jobs[n++].entry = map[i];
    }
    qsort(jobs, (size_t)n, sizeof *jobs, by_storage);
    for (i = 0; i < n; i++) {
        const lp_pk_tensor *t = d->t[jobs[i].entry];
        lp_tensor *to = &w->tensors[jobs[i].tensor];
        size_t bytes = (size_t)t->storage->numel * lp_dtype_size(t->storage->dtype);

        if (t->storage->dtype > LP_I32) {
            st = lp_fail(err, LP_EFORMAT, "%s: %s is %s, which no weight should be", path, to->name,
                         lp_dtype_name(t->storage->dtype));
            goto done;
        }
        if (jobs[i].storage != last) {
            free(buf);
            if (!(buf = malloc(bytes + 1))) {
                st = lp_fail_mem(err, path, (double)bytes);
                goto done;
            }
            if ((st = lp_torch_read(tf, jobs[i].storage, buf, bytes, err))) goto done;
            last = jobs[i].storage;
            left = t->storage->numel;
        }
        /* Tensors that share values would let a small file ask for any memory. */
        if ((left -= t->numel) < 0) {
            st = lp_fail(err, LP_EFORMAT, "%s: %s shares its values with another tensor", path,
                         to->name);
            goto done;
        }
        if (!(to->data = malloc(to->n * sizeof(float)))) {
            st = lp_fail_mem(err, to->name, (double)to->n * sizeof(float));
            goto done;
        }
        gather(to->data, buf, t);
    }
done:
    free(buf);
    free(jobs);
    return st;
}

/* What the file lacks and may lack. */
static lp_status fill_missing(lp_weights *w, const char *path, lp_err *err)
{
    int i;

    for (i = 0; i < w->n_tensors; i++) {
        lp_tensor *t = &w->tensors[i];

        if (t->data) continue;
        if (!(t->data = malloc(sizeof(float)))) return lp_fail_mem(err, path, sizeof(float));
        /* i = 0: diam_mean, 1: diam_labels (arch.c); else a counter */
        t->data[0] = i == 0 ? 30.0f : i == 1 ? w->tensors[0].data[0] : 0.0f;
    }
    w->diam_mean = w->tensors[0].data[0];
    w->diam_labels = w->tensors[1].data[0];
    return LP_OK;
}

lp_status lp_weights_read_torch(const char *path, lp_weights **out, lp_err *err)
{
    const char *slash = strrchr(path, '/');
    lp_torch_file *tf = NULL;
    lp_weights *w = NULL;
    dict d = {0};
    int *map = NULL;
    char sha[65];
    lp_status st;

    if ((st = lp_torch_open(path, &tf, err))) goto done;
    if ((st = list_tensors(path, lp_torch_root(tf), &d, err))) goto done;
    if (!(w = calloc(1, sizeof *w))) {
        st = lp_fail_mem(err, path, (double)sizeof *w);
        goto done;
    }
    if ((st = lp_arch_resolve(path, d.e, d.n, 1, w, &map, err))) goto done;
    if ((st = read_tensors(tf, path, &d, map, w, err))) goto done;
    if ((st = fill_missing(w, path, err))) goto done;
    if ((st = lp_sha256_file(path, sha, err))) goto done;
    w->source = strdup(slash ? slash + 1 : path);
    w->source_sha256 = strdup(sha);
    w->licence = strdup("");
    if (!w->source || !w->source_sha256 || !w->licence) {
        st = lp_fail_mem(err, path, sizeof sha);
        goto done;
    }
    if ((st = lp_weights_check(w, path, err))) goto done;
    *out = w;
    w = NULL;
done:
    lp_weights_free(&w);
    free(d.e);
    free(d.t);
    free(d.names);
    free(map);
    lp_torch_close(&tf);
    return st;
}
