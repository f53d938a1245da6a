/* The allow-list, and the data that a call of each entry stands for. Facts: PyTorch's
 * torch/_utils.py and serialization.py; numpy's ndarray.__reduce__. */
#include <stdlib.h>
#include <string.h>

#include "pickle_node.h"

static const struct {
    const char *name;
    lp_pg_kind kind;
    int arg; /* dtype of a storage class */
} allowed[] = {
    {"collections.OrderedDict", LP_PG_DICT, 0},
    {"torch._utils._rebuild_tensor_v2", LP_PG_TENSOR_V2, 0},
    {"torch._utils._rebuild_tensor", LP_PG_TENSOR_V2, 0},
    {"torch._utils._rebuild_parameter", LP_PG_PARAMETER, 0},
    {"torch.Size", LP_PG_SIZE, 0},
    {"torch.FloatStorage", LP_PG_STORAGE, LP_F32},
    {"torch.HalfStorage", LP_PG_STORAGE, LP_F16},
    {"torch.BFloat16Storage", LP_PG_STORAGE, LP_BF16},
    {"torch.DoubleStorage", LP_PG_STORAGE, LP_F64},
    {"torch.LongStorage", LP_PG_STORAGE, LP_I64},
    {"torch.IntStorage", LP_PG_STORAGE, LP_I32},
    {"torch.ShortStorage", LP_PG_STORAGE, LP_I16},
    {"torch.CharStorage", LP_PG_STORAGE, LP_I8},
    {"torch.ByteStorage", LP_PG_STORAGE, LP_U8},
    {"torch.BoolStorage", LP_PG_STORAGE, LP_BOOL},
    {"numpy.core.multiarray._reconstruct", LP_PG_RECONSTRUCT, 0},
    {"numpy._core.multiarray._reconstruct", LP_PG_RECONSTRUCT, 0},
    {"numpy.core.multiarray.scalar", LP_PG_SCALAR, 0},
    {"numpy._core.multiarray.scalar", LP_PG_SCALAR, 0},
    {"numpy.ndarray", LP_PG_NDARRAY, 0},
    {"numpy.dtype", LP_PG_DTYPE, 0},
    {"_codecs.encode", LP_PG_ENCODE, 0},
};

int lp_pk_find_global(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (!strcmp(allowed[i].name, name)) return (int)i;
    return -1;
}

lp_pg_kind lp_pk_global_kind(int global)
{
    return allowed[global].kind;
}

static int is_global(const lp_pk *v, lp_pg_kind kind)
{
    return v->type == LP_PK_GLOBAL && allowed[v->u.global].kind == kind;
}

/* Argument i of a tuple if it is of that type, else NULL. */
static const lp_pk *arg(const lp_pk *t, size_t i, lp_pk_type type)
{
    return i < t->u.seq.n && t->u.seq.v[i]->type == type ? t->u.seq.v[i] : NULL;
}

lp_status lp_pk_persid(lp_pickle *pk, const lp_pk *id, lp_pk **out)
{
    const lp_pk *key, *numel;
    lp_pk_storage *s;
    lp_pk *v;

    if (id->type != LP_PK_TUPLE || id->u.seq.n < 5 || !lp_pk_is(id->u.seq.v[0], "storage") ||
        !is_global(id->u.seq.v[1], LP_PG_STORAGE) || !(key = arg(id, 2, LP_PK_STR)) ||
        !(numel = arg(id, 4, LP_PK_INT)))
        return lp_pk_bad(pk, "a persistent id that is no tensor storage");
    if (id->u.seq.n > 5 && id->u.seq.v[5]->type != LP_PK_NONE)
        return lp_pk_bad(pk, "a storage that is a view of another one; save it anew with a "
                             "current PyTorch");
    if (key->u.s.n < 1 || key->u.s.n > 64)
        return lp_pk_bad(pk, "a storage key of %zu bytes", key->u.s.n);
    if (numel->u.i < 0 || numel->u.i > LP_PICKLE_MAX_NUMEL)
        return lp_pk_bad(pk, "a storage of %.0f elements", (double)numel->u.i);
    if (!(v = lp_pk_new(pk, LP_PK_STORAGE)) || !(s = lp_pk_alloc(pk, sizeof *s))) return LP_ENOMEM;
    s->key = key->u.s.p;
    s->key_len = key->u.s.n;
    s->numel = numel->u.i;
    s->dtype = (lp_dtype)allowed[id->u.seq.v[1]->u.global].arg;
    v->u.storage = s;
    if (pk->n_storages == pk->cap_storages) {
        size_t cap = pk->cap_storages ? 2 * pk->cap_storages : 64;
        lp_pk_storage **list = lp_pk_alloc(pk, cap * sizeof *list);

        if (!list) return LP_ENOMEM;
        if (pk->n_storages) memcpy(list, pk->storages, pk->n_storages * sizeof *list);
        pk->storages = list;
        pk->cap_storages = cap;
    }
    pk->storages[pk->n_storages++] = s;
    *out = v;
    return LP_OK;
}

static lp_status make_tensor(lp_pickle *pk, const lp_pk *args, lp_pk **out)
{
    const lp_pk *storage = arg(args, 0, LP_PK_STORAGE), *offset = arg(args, 1, LP_PK_INT);
    const lp_pk *shape = arg(args, 2, LP_PK_TUPLE), *stride = arg(args, 3, LP_PK_TUPLE);
    lp_pk_tensor *t;
    lp_pk *v;
    int64_t last, numel = 1, step;
    int d;

    if (!storage || !offset || !shape || !stride || shape->u.seq.n != stride->u.seq.n)
        return lp_pk_bad(pk, "a tensor with wrong arguments");
    if (shape->u.seq.n > LP_PICKLE_MAX_DIM)
        return lp_pk_bad(pk, "a tensor of %zu dimensions", shape->u.seq.n);
    if (!(v = lp_pk_new(pk, LP_PK_TENSOR)) || !(t = lp_pk_alloc(pk, sizeof *t))) return LP_ENOMEM;
    t->storage = storage->u.storage;
    t->ndim = (int)shape->u.seq.n;
    t->offset = last = offset->u.i;
    if (last < 0) return lp_pk_bad(pk, "a tensor at offset %lld", (long long)last);
    for (d = 0; d < t->ndim; d++) {
        const lp_pk *n = arg(shape, (size_t)d, LP_PK_INT), *s = arg(stride, (size_t)d, LP_PK_INT);

        if (!n || !s || n->u.i < 0 || s->u.i < 0)
            return lp_pk_bad(pk, "a tensor with a negative or non-integer shape or stride");
        t->shape[d] = n->u.i;
        t->stride[d] = s->u.i;
        if (__builtin_mul_overflow(numel, n->u.i, &numel) ||
            (n->u.i > 1 && (__builtin_mul_overflow(n->u.i - 1, s->u.i, &step) ||
                            __builtin_add_overflow(last, step, &last))))
            return lp_pk_bad(pk, "a tensor whose size overflows");
    }
    /* numel > storage: an expanded tensor (stride 0), a few bytes that ask for any memory. */
    if (numel > t->storage->numel || (numel && last >= t->storage->numel))
        return lp_pk_bad(pk, "a tensor that reaches beyond its storage of %lld elements",
                         (long long)t->storage->numel);
    t->numel = numel;
    v->u.tensor = t;
    *out = v;
    return LP_OK;
}

static lp_status make_dict(lp_pickle *pk, const lp_pk *args, lp_pk **out)
{
    lp_pk *d = lp_pk_new(pk, LP_PK_DICT);
    const lp_pk *list;
    lp_status st = LP_OK;
    size_t i;

    if (!d) return LP_ENOMEM;
    if (args->u.seq.n) { /* Python 2 wrote the items as a list of pairs */
        if (args->u.seq.n != 1 || !(list = arg(args, 0, LP_PK_LIST)))
            return lp_pk_bad(pk, "an OrderedDict with wrong arguments");
        for (i = 0; i < list->u.seq.n && !st; i++) {
            const lp_pk *kv = list->u.seq.v[i];

            if ((kv->type != LP_PK_LIST && kv->type != LP_PK_TUPLE) || kv->u.seq.n != 2)
                return lp_pk_bad(pk, "an OrderedDict with wrong arguments");
            st = lp_pk_push(pk, d, kv->u.seq.v[0]);
            if (!st) st = lp_pk_push(pk, d, kv->u.seq.v[1]);
        }
    }
    *out = d;
    return st;
}

/* numpy.dtype('f8', False, True) */
static lp_status make_dtype(lp_pickle *pk, const lp_pk *args, lp_pk **out)
{
    const lp_pk *name = arg(args, 0, LP_PK_STR);
    lp_pk *v;
    char kind;
    int size;

    if (!name || name->u.s.n != 2 || !strchr("fiubO", kind = name->u.s.p[0]) || !kind ||
        !((size = name->u.s.p[1] - '0') == 1 || size == 2 || size == 4 || size == 8))
        return lp_pk_bad(pk, "a numpy type other than a plain number");
    if (!(v = lp_pk_new(pk, LP_PK_DTYPE))) return LP_ENOMEM;
    v->u.dtype.kind = kind;
    v->u.dtype.size = size;
    v->u.dtype.order = '=';
    *out = v;
    return LP_OK;
}

static lp_status make_scalar(lp_pickle *pk, const lp_pk *args, lp_pk **out)
{
    const lp_pk *t = arg(args, 0, LP_PK_DTYPE), *b = args->u.seq.n > 1 ? args->u.seq.v[1] : NULL;
    lp_pk *v;
    float f;

    if (!t || !b || (b->type != LP_PK_BYTES && b->type != LP_PK_STR) ||
        b->u.s.n != (size_t)t->u.dtype.size || t->u.dtype.order == '>')
        return lp_pk_bad(pk, "a numpy scalar with wrong arguments");
    if (t->u.dtype.kind == 'f' && t->u.dtype.size == 4) {
        if (!(v = lp_pk_new(pk, LP_PK_FLOAT))) return LP_ENOMEM;
        memcpy(&f, b->u.s.p, 4);
        v->u.f = f;
    } else if (t->u.dtype.kind == 'f' && t->u.dtype.size == 8) {
        if (!(v = lp_pk_new(pk, LP_PK_FLOAT))) return LP_ENOMEM;
        memcpy(&v->u.f, b->u.s.p, 8);
    } else if (t->u.dtype.kind == 'i' && t->u.dtype.size == 8) {
        if (!(v = lp_pk_new(pk, LP_PK_INT))) return LP_ENOMEM;
        memcpy(&v->u.i, b->u.s.p, 8);
    } else {
        return lp_pk_bad(pk, "a numpy scalar that is no float32, float64 or int64");
    }
    *out = v;
    return LP_OK;
}

/* _codecs.encode(text, 'latin1'): how protocol 2 spells bytes. */
static lp_status make_bytes(lp_pickle *pk, const lp_pk *args, lp_pk **out)
{
    const lp_pk *text = arg(args, 0, LP_PK_STR);
    const unsigned char *p;
    unsigned char *q;
    lp_pk *v;
    size_t i, n = 0;

    if (!text || args->u.seq.n != 2 ||
        !(lp_pk_is(args->u.seq.v[1], "latin1") || lp_pk_is(args->u.seq.v[1], "latin-1")))
        return lp_pk_bad(pk, "_codecs.encode with arguments other than text and latin1");
    if (!(v = lp_pk_new(pk, LP_PK_BYTES))) return LP_ENOMEM;
    if (!(q = lp_pk_alloc(pk, text->u.s.n + 1))) return LP_ENOMEM;
    p = (const unsigned char *)text->u.s.p;
    for (i = 0; i < text->u.s.n; i++) {
        if (p[i] < 0x80) {
            q[n++] = p[i];
        } else if ((p[i] == 0xc2 || p[i] == 0xc3) && i + 1 < text->u.s.n &&
                   (p[i + 1] & 0xc0) == 0x80) {
            q[n++] = (unsigned char)((p[i] & 3) << 6 | (p[i + 1] & 0x3f));
            i++;
        } else {
            return lp_pk_bad(pk, "_codecs.encode of text that is not latin1");
        }
    }
    v->u.s.p = (const char *)q;
    v->u.s.n = n;
    *out = v;
    return LP_OK;
}

static lp_status make_array(lp_pickle *pk, const lp_pk *args, lp_pk **out)
{
    lp_pk *v;

    if (!args->u.seq.n || !is_global(args->u.seq.v[0], LP_PG_NDARRAY))
        return lp_pk_bad(pk, "a numpy array of a derived class");
    if (!(v = lp_pk_new(pk, LP_PK_ARRAY))) return LP_ENOMEM;
    if (!(v->u.array = lp_pk_alloc(pk, sizeof *v->u.array))) return LP_ENOMEM;
    *out = v;
    return LP_OK;
}

lp_status lp_pk_reduce(lp_pickle *pk, const lp_pk *fn, const lp_pk *args, lp_pk **out)
{
    if (fn->type != LP_PK_GLOBAL || args->type != LP_PK_TUPLE)
        return lp_pk_bad(pk, "a call of a %s", lp_pk_type_name(fn->type));
    switch (allowed[fn->u.global].kind) {
    case LP_PG_DICT:
        return make_dict(pk, args, out);
    case LP_PG_TENSOR_V2:
        return make_tensor(pk, args, out);
    case LP_PG_PARAMETER:
        if (!arg(args, 0, LP_PK_TENSOR)) return lp_pk_bad(pk, "a parameter that is no tensor");
        *out = args->u.seq.v[0];
        return LP_OK;
    case LP_PG_SIZE:
        if (!arg(args, 0, LP_PK_TUPLE) && !arg(args, 0, LP_PK_LIST))
            return lp_pk_bad(pk, "a torch.Size that is no tuple");
        if (!(*out = lp_pk_new(pk, LP_PK_TUPLE))) return LP_ENOMEM;
        (*out)->u.seq = args->u.seq.v[0]->u.seq;
        return LP_OK;
    case LP_PG_RECONSTRUCT:
        return make_array(pk, args, out);
    case LP_PG_SCALAR:
        return make_scalar(pk, args, out);
    case LP_PG_DTYPE:
        return make_dtype(pk, args, out);
    case LP_PG_ENCODE:
        return make_bytes(pk, args, out);
    default:
        return lp_pk_bad(pk, "a call of %s", allowed[fn->u.global].name);
    }
}

lp_status lp_pk_build(lp_pickle *pk, lp_pk *obj, const lp_pk *state)
{
    lp_pk_array *a;

    if (obj->type == LP_PK_DICT) return LP_OK; /* attributes of an OrderedDict: _metadata */
    if (obj->type == LP_PK_DTYPE) {            /* (3, '<', None, None, None, -1, -1, 0) */
        if (state->type != LP_PK_TUPLE || state->u.seq.n < 2 ||
            (state->u.seq.v[1]->type != LP_PK_STR && state->u.seq.v[1]->type != LP_PK_BYTES) ||
            state->u.seq.v[1]->u.s.n != 1)
            return lp_pk_bad(pk, "a numpy type with a wrong state");
        obj->u.dtype.order = state->u.seq.v[1]->u.s.p[0];
        return LP_OK;
    }
    if (obj->type != LP_PK_ARRAY)
        return lp_pk_bad(pk, "a state set on a %s", lp_pk_type_name(obj->type));
    /* (version, shape, dtype, is Fortran order, data) */
    a = obj->u.array;
    if (state->type != LP_PK_TUPLE || state->u.seq.n != 5 || !arg(state, 1, LP_PK_TUPLE) ||
        !arg(state, 2, LP_PK_DTYPE) || !arg(state, 3, LP_PK_BOOL))
        return lp_pk_bad(pk, "a numpy array with a wrong state");
    a->shape = state->u.seq.v[1];
    a->dtype = state->u.seq.v[2];
    a->fortran = (int)state->u.seq.v[3]->u.i;
    a->data = state->u.seq.v[4];
    return LP_OK;
}
