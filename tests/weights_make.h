/* weights_make - what the tests of weights/ share: a temporary folder, random models, and a
 * writer of PyTorch files that can be made wrong in chosen ways. */
#ifndef LP_TEST_WEIGHTS_MAKE_H
#define LP_TEST_WEIGHTS_MAKE_H

#include "tmp_dir.h"

#include <zip.h>

#include "weights/arch.h"
#include "weights/half.h"
#include "weights/unpickle.h"
#include "weights/weights.h"

/* A folder that group set-up makes and tear-down removes with all files in it. */
static char *mk_folder;

static inline int mk_setup(void **state)
{
    (void)state;
    mk_folder = lp_tmp_dir();
    return 0;
}

static inline int mk_count_files(void)
{
    return lp_tmp_count(mk_folder, NULL);
}

static inline int mk_teardown(void **state)
{
    (void)state;
    lp_tmp_remove(mk_folder);
    return 0;
}

/* Static storage, four at a time. */
static inline const char *mk_path(const char *name)
{
    return lp_tmp_path(mk_folder, name);
}

static inline void mk_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline unsigned char *mk_slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    unsigned char *p;

    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    p = malloc(*n + 1);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, *n, f), *n);
    fclose(f);
    return p;
}

/* A complete model whose values are multiples of 1/64 that even bfloat16 holds. */
static inline lp_weights *mk_weights(const int *nbase, int n_nbase, int sz)
{
    lp_weights *w = calloc(1, sizeof *w);
    unsigned r = 12345;
    int i;
    size_t k;
    lp_err err;

    assert_non_null(w);
    memcpy(w->nbase, nbase, (size_t)n_nbase * sizeof *nbase);
    w->n_nbase = n_nbase;
    w->nout = 3;
    w->sz = sz;
    w->diam_mean = 30;
    w->diam_labels = 22.5;
    w->source = strdup("made.pth");
    w->source_sha256 = strdup("00ff");
    w->licence = strdup("CC0 \xc3\xa9");
    assert_int_equal(lp_arch_list(w, "test", &err), LP_OK);
    for (i = 0; i < w->n_tensors; i++) {
        lp_tensor *t = &w->tensors[i];

        t->data = malloc(t->n * sizeof(float));
        assert_non_null(t->data);
        for (k = 0; k < t->n; k++) {
            r = r * 1664525u + 1013904223u;
            t->data[k] = (float)((int)(r >> 24) - 127) / 64;
            if (strstr(t->name, "running_var")) t->data[k] = fabsf(t->data[k]);
            if (lp_arch_is_counter(t->name)) t->data[k] = (float)(i % 100);
        }
    }
    w->tensors[0].data[0] = 30;
    w->tensors[1].data[0] = 22.5f;
    return w;
}

static inline void mk_same(const lp_weights *a, const lp_weights *b)
{
    int i;

    assert_int_equal(a->n_nbase, b->n_nbase);
    assert_memory_equal(a->nbase, b->nbase, (size_t)a->n_nbase * sizeof(int));
    assert_int_equal(a->sz, b->sz);
    assert_int_equal(a->n_tensors, b->n_tensors);
    for (i = 0; i < a->n_tensors; i++) {
        assert_string_equal(a->tensors[i].name, b->tensors[i].name);
        assert_int_equal(a->tensors[i].n, b->tensors[i].n);
        assert_memory_equal(a->tensors[i].data, b->tensors[i].data,
                            a->tensors[i].n * sizeof(float));
    }
    assert_true(a->diam_mean == b->diam_mean && a->diam_labels == b->diam_labels);
}

/* Growing bytes. */
typedef struct {
    unsigned char p[1 << 20];
    size_t n;
} mk_bytes;

static inline void mk_put(mk_bytes *b, const void *data, size_t n)
{
    assert_true(b->n + n <= sizeof b->p);
    memcpy(b->p + b->n, data, n);
    b->n += n;
}
static inline void mk_op(mk_bytes *b, const char *op)
{
    mk_put(b, op, strlen(op));
}
static inline void mk_int(mk_bytes *b, int64_t v)
{
    unsigned char q[10] = {0x8a, 8};

    memcpy(q + 2, &v, 8);
    mk_put(b, q, 10);
}
static inline void mk_str(mk_bytes *b, const char *s)
{
    uint32_t n = (uint32_t)strlen(s);

    mk_op(b, "X");
    mk_put(b, &n, 4);
    mk_put(b, s, n);
}
/* A tensor of ndim dimensions in storage `key`. */
static inline void mk_tensor(mk_bytes *b, const char *storage, const char *key, int64_t numel,
                             int64_t offset, int ndim, const int64_t *shape, const int64_t *stride,
                             int legacy)
{
    int d;

    mk_op(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    mk_str(b, "storage");
    mk_op(b, "ctorch\n");
    mk_op(b, storage);
    mk_op(b, "\n");
    mk_str(b, key);
    mk_str(b, "cpu");
    mk_int(b, numel);
    mk_op(b, legacy ? "NtQ" : "tQ");
    mk_int(b, offset);
    mk_op(b, "(");
    for (d = 0; d < ndim; d++) mk_int(b, shape[d]);
    mk_op(b, "t(");
    for (d = 0; d < ndim; d++) mk_int(b, stride[d]);
    mk_op(b, "t\x89"
             "ccollections\nOrderedDict\n)RtR");
}

typedef struct {
    int legacy, deflate, transpose, share, duplicate, optimizer, wrong_size;
    lp_dtype dtype;           /* LP_F32, LP_F16, LP_BF16 or LP_F64 */
    const char *prefix;       /* before every key */
    const char *drop, *drop2; /* keys that contain this are left out */
    const char *from, *to;    /* a key that is renamed */
    const char *reshape;      /* a key whose shape is wrong by one */
    const char *extra;        /* a key more */
} mk_options;

static inline size_t mk_convert(unsigned char *out, const float *v, size_t n, lp_dtype type)
{
    size_t i;

    for (i = 0; i < n; i++) {
        double d = v[i];
        int64_t k = (int64_t)v[i];
        uint32_t u;
        uint16_t h;

        memcpy(&u, v + i, 4);
        h = (uint16_t)(u >> 16);
        if (type == LP_F16) lp_half_from_float(&h, v + i, 1);
        if (type == LP_F32) memcpy(out + 4 * i, v + i, 4);
        if (type == LP_F16 || type == LP_BF16) memcpy(out + 2 * i, &h, 2);
        if (type == LP_F64) memcpy(out + 8 * i, &d, 8);
        if (type == LP_I64) memcpy(out + 8 * i, &k, 8);
    }
    return n * lp_dtype_size(type);
}

static inline const char *mk_storage_class(lp_dtype t)
{
    return t == LP_F16    ? "HalfStorage"
           : t == LP_BF16 ? "BFloat16Storage"
           : t == LP_F64  ? "DoubleStorage"
           : t == LP_I64  ? "LongStorage"
                          : "FloatStorage";
}

/* Numbers of tensor t as they lie in the file; 4-D ones as [I][O][h][w] where transpose. */
static inline size_t mk_storage(unsigned char *out, const lp_tensor *t, lp_dtype type,
                                int transpose)
{
    size_t o, i, hw, n;
    float *v;

    if (!transpose || t->ndim != 4) return mk_convert(out, t->data, t->n, type);
    hw = (size_t)t->shape[2] * (size_t)t->shape[3];
    v = malloc(t->n * sizeof *v);
    assert_non_null(v);
    for (o = 0; o < (size_t)t->shape[0]; o++)
        for (i = 0; i < (size_t)t->shape[1]; i++)
            memcpy(v + (i * (size_t)t->shape[0] + o) * hw,
                   t->data + (o * (size_t)t->shape[1] + i) * hw, hw * sizeof *v);
    n = mk_convert(out, v, t->n, type);
    free(v);
    return n;
}

static inline int mk_dropped(const mk_options *o, const char *name)
{
    return (o->drop && strstr(name, o->drop)) || (o->drop2 && strstr(name, o->drop2));
}

static inline void mk_state_pickle(mk_bytes *b, const lp_weights *w, const mk_options *o)
{
    int i, d;
    char name[256], key[16];
    int64_t shape[4], stride[4], step;

    mk_op(b, "\x80\x02");
    if (o->optimizer) {
        mk_op(b, "}(");
        mk_str(b, "epoch");
        mk_op(b, "K\x07");
        mk_str(b, "model_state_dict");
    }
    mk_op(b, "ccollections\nOrderedDict\nq\x01)Rq\x02(");
    for (i = 0; i < w->n_tensors + (o->extra || o->duplicate ? 1 : 0); i++) {
        const lp_tensor *t = &w->tensors[i < w->n_tensors ? i : 0];
        lp_dtype type = lp_arch_is_counter(t->name) ? LP_I64 : o->dtype;

        if (mk_dropped(o, t->name)) continue;
        for (step = 1, d = t->ndim - 1; d >= 0; d--) {
            shape[d] = t->shape[d];
            stride[d] = step;
            step *= shape[d];
        }
        if (o->transpose && t->ndim == 4) {
            stride[0] = shape[2] * shape[3];
            stride[1] = shape[0] * stride[0];
        }
        if (o->reshape && !strcmp(o->reshape, t->name)) shape[0]--;
        snprintf(name, sizeof name, "%s%s", o->prefix ? o->prefix : "",
                 i == w->n_tensors && o->extra          ? o->extra
                 : o->from && !strcmp(o->from, t->name) ? o->to
                                                        : t->name);
        mk_str(b, name);
        snprintf(key, sizeof key, "%d",
                 i < w->n_tensors && !(o->share && t->ndim == 4 && t->n == w->tensors[i - 7].n)
                     ? i
                     : (i < w->n_tensors ? i - 7 : 0));
        mk_tensor(b, mk_storage_class(type), key, (int64_t)t->n, 0, t->ndim, shape, stride,
                  o->legacy);
    }
    mk_op(b, "u");
    mk_op(b, "}");
    mk_str(b, "_metadata");
    mk_op(b, "}sb");
    if (o->optimizer) mk_op(b, "u");
    mk_op(b, ".");
}

static inline void mk_write_stream(const char *path, const mk_bytes *pk, const lp_weights *w,
                                   const mk_options *o)
{
    FILE *f = fopen(path, "wb");
    static const char head[] = "\x80\x02\x8a\x0al\xfc\x9c"
                               "F\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."
                               "\x80\x02}X\x0d\0\0\0little_endian\x88s.";
    mk_bytes *b = calloc(1, sizeof *b);
    unsigned char *raw;
    char key[16];
    int i;
    int64_t count;
    size_t n;

    assert_non_null(f);
    assert_non_null(b);
    mk_op(b, "\x80\x02](");
    for (i = 0; i < w->n_tensors; i++) {
        snprintf(key, sizeof key, "%d", i);
        if (!mk_dropped(o, w->tensors[i].name)) mk_str(b, key);
    }
    mk_op(b, "e.");
    fwrite(head, 1, sizeof head - 1, f);
    fwrite(pk->p, 1, pk->n, f);
    fwrite(b->p, 1, b->n, f);
    for (i = 0; i < w->n_tensors; i++) {
        const lp_tensor *t = &w->tensors[i];

        if (mk_dropped(o, t->name)) continue;
        raw = malloc(8 * t->n);
        assert_non_null(raw);
        n = mk_storage(raw, t, lp_arch_is_counter(t->name) ? LP_I64 : o->dtype, o->transpose);
        count = (int64_t)t->n - o->wrong_size;
        fwrite(&count, 8, 1, f);
        fwrite(raw, 1, n, f);
        free(raw);
    }
    assert_int_equal(fclose(f), 0);
    free(b);
}

static inline void mk_write_zip(const char *path, const mk_bytes *pk, const lp_weights *w,
                                const mk_options *o)
{
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    zip_int64_t k;
    char name[64];
    int i;

    assert_non_null(z);
    k = zip_file_add(z, "any/data.pkl", zip_source_buffer(z, pk->p, pk->n, 0), 0);
    zip_set_file_compression(z, (zip_uint64_t)k, o->deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
    for (i = 0; i < w->n_tensors; i++) {
        const lp_tensor *t = &w->tensors[i];
        unsigned char *raw;
        size_t n;

        if (mk_dropped(o, t->name)) continue;
        raw = malloc(8 * t->n);
        assert_non_null(raw);
        n = mk_storage(raw, t, lp_arch_is_counter(t->name) ? LP_I64 : o->dtype, o->transpose);
        snprintf(name, sizeof name, "any/data/%d", i);
        k = zip_file_add(z, name, zip_source_buffer(z, raw, n - (size_t)o->wrong_size, 1), 0);
        zip_set_file_compression(z, (zip_uint64_t)k, o->deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
    }
    assert_int_equal(zip_close(z), 0);
}

static inline void mk_torch(const char *path, const lp_weights *w, const mk_options *o)
{
    mk_bytes *pk = calloc(1, sizeof *pk);

    assert_non_null(pk);
    mk_state_pickle(pk, w, o);
    unlink(path);
    if (o->legacy)
        mk_write_stream(path, pk, w, o);
    else
        mk_write_zip(path, pk, w, o);
    free(pk);
}

/* Opening must fail with st and a message that has the file's name and `part`. */
static inline void mk_refused(const char *path, lp_status st, const char *part)
{
    lp_weights *w = NULL;
    lp_err err = {LP_OK, ""};
    lp_status got = lp_weights_open(path, &w, &err);

    if (got != st || w || !strstr(err.msg, part) || !strstr(err.msg, path) || strchr(err.msg, '\n'))
        fail_msg("%s: status %d, expected %d with \"%s\"; message: %s", path, got, st, part,
                 err.msg);
}

#endif
