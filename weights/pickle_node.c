#include "pickle_node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lp_pk_block {
    lp_pk_block *next;
    size_t used, size;
    max_align_t data[];
};

void *lp_pk_alloc(lp_pickle *pk, size_t bytes)
{
    lp_pk_block *b = pk->blocks;
    void *p;

    if (bytes > LP_PICKLE_MAX_MEMORY || pk->total + bytes > LP_PICKLE_MAX_MEMORY) {
        lp_fail(pk->err, LP_ENOMEM, "%s: a pickle that needs more than %zu MiB of memory",
                pk->where, LP_PICKLE_MAX_MEMORY >> 20);
        return NULL;
    }
    bytes = (bytes + 15) & ~(size_t)15;
    if (!b || b->size - b->used < bytes) {
        size_t size = bytes > 65536 ? bytes : 65536;

        if (!(b = calloc(1, sizeof *b + size))) {
            lp_fail_mem(pk->err, pk->where, (double)size);
            return NULL;
        }
        b->size = size;
        b->next = pk->blocks;
        pk->blocks = b;
    }
    p = (char *)b->data + b->used;
    b->used += bytes;
    pk->total += bytes;
    return p;
}

lp_pk *lp_pk_new(lp_pickle *pk, lp_pk_type type)
{
    lp_pk *v = lp_pk_alloc(pk, sizeof *v);

    if (v) v->type = type;
    return v;
}

lp_status lp_pk_push(lp_pickle *pk, lp_pk *seq, lp_pk *item)
{
    if (seq->u.seq.n == seq->u.seq.cap) {
        size_t cap = seq->u.seq.cap ? 2 * seq->u.seq.cap : 8;
        lp_pk **v = lp_pk_alloc(pk, cap * sizeof *v);

        if (!v) return LP_ENOMEM;
        if (seq->u.seq.n) memcpy(v, seq->u.seq.v, seq->u.seq.n * sizeof *v);
        seq->u.seq.v = v;
        seq->u.seq.cap = cap;
    }
    seq->u.seq.v[seq->u.seq.n++] = item;
    return LP_OK;
}

lp_status lp_pk_bad(lp_pickle *pk, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return lp_fail(pk->err, LP_EFORMAT, "%s: damaged or not a model: %s (pickle, byte %zu)",
                   pk->where, text, pk->at);
}

void lp_pickle_free(lp_pickle **pk)
{
    lp_pk_block *b, *next;

    if (!pk || !*pk) return;
    for (b = (*pk)->blocks; b; b = next) {
        next = b->next;
        free(b);
    }
    free(*pk);
    *pk = NULL;
}

const lp_pk *lp_pickle_root(const lp_pickle *pk)
{
    return pk->root;
}

lp_pk_storage *const *lp_pickle_storages(const lp_pickle *pk, size_t *n)
{
    *n = pk->n_storages;
    return pk->storages;
}

int lp_pk_is(const lp_pk *v, const char *text)
{
    size_t n = strlen(text);

    return v && (v->type == LP_PK_STR || v->type == LP_PK_BYTES) && v->u.s.n == n &&
           !memcmp(v->u.s.p, text, n);
}

const lp_pk *lp_pk_dict_get(const lp_pk *dict, const char *key)
{
    size_t i;

    for (i = dict->u.seq.n; i >= 2; i -= 2)
        if (lp_pk_is(dict->u.seq.v[i - 2], key)) return dict->u.seq.v[i - 1];
    return NULL;
}

const char *lp_pk_type_name(lp_pk_type type)
{
    static const char *const name[] = {"None",  "bool",    "int",    "float", "int",
                                       "str",   "bytes",   "tuple",  "list",  "dict",
                                       "class", "storage", "tensor", "dtype", "array"};
    return name[type];
}

size_t lp_dtype_size(lp_dtype dtype)
{
    static const unsigned char size[] = {4, 2, 2, 8, 8, 4, 2, 1, 1, 1};

    return size[dtype];
}

const char *lp_dtype_name(lp_dtype dtype)
{
    static const char *const name[] = {"float32", "float16", "bfloat16", "float64", "int64",
                                       "int32",   "int16",   "int8",     "uint8",   "bool"};
    return name[dtype];
}

void lp_pk_printable(char *out, size_t size, const char *p, size_t n)
{
    size_t i;

    for (i = 0; i < n && i + 1 < size; i++) out[i] = p[i] >= 32 && p[i] < 127 ? p[i] : '?';
    out[i] = 0;
}
