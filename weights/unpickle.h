/* unpickle - reads the pickles that PyTorch and numpy write, without running anything.
 *
 * A pickle is a program for a small stack machine whose GLOBAL opcode imports any
 * Python name and whose REDUCE opcode calls it. Here a global is an entry of a fixed
 * list (unpickle.c) and a call only builds a node of data; any other name is an error
 * that says which. Nothing in this module recurses, so nesting costs no C stack, and
 * lists may contain themselves: who walks the nodes must bound its own depth. */
#ifndef LP_UNPICKLE_H
#define LP_UNPICKLE_H

#include <stddef.h>
#include <stdint.h>

#include "../host/status.h"

#define LP_PICKLE_MAX_BYTES ((size_t)8 << 20)   /* of one pickle; a Cellpose model has 60 kB */
#define LP_PICKLE_MAX_MEMORY ((size_t)64 << 20) /* all nodes of one pickle */
#define LP_PICKLE_MAX_STACK ((size_t)1 << 20)   /* values on the stack */
#define LP_PICKLE_MAX_MARKS 1024                /* open MARKs, which is nesting depth */
#define LP_PICKLE_MAX_MEMO ((size_t)1 << 20)    /* memo index */
#define LP_PICKLE_MAX_NAME 200                  /* bytes of module.name of a global */
#define LP_PICKLE_MAX_DIM 8
#define LP_PICKLE_MAX_NUMEL ((int64_t)1 << 40) /* elements that a storage may declare */

typedef enum {
    LP_PK_NONE,
    LP_PK_BOOL,    /* i */
    LP_PK_INT,     /* i */
    LP_PK_FLOAT,   /* f */
    LP_PK_BIGINT,  /* s: little-endian two's complement, 9 to 32 bytes */
    LP_PK_STR,     /* s: not zero-terminated, UTF-8 unchecked; also Python 2's str */
    LP_PK_BYTES,   /* s */
    LP_PK_TUPLE,   /* seq */
    LP_PK_LIST,    /* seq */
    LP_PK_DICT,    /* seq: key, value, key, value; keys may repeat. Also OrderedDict */
    LP_PK_GLOBAL,  /* global */
    LP_PK_STORAGE, /* storage */
    LP_PK_TENSOR,  /* tensor */
    LP_PK_DTYPE,   /* dtype */
    LP_PK_ARRAY    /* array */
} lp_pk_type;

typedef enum {
    LP_F32,
    LP_F16,
    LP_BF16,
    LP_F64,
    LP_I64,
    LP_I32,
    LP_I16,
    LP_I8,
    LP_U8,
    LP_BOOL
} lp_dtype;

typedef struct lp_pk lp_pk;

typedef struct { /* persistent id: where the numbers of a tensor lie in the file */
    const char *key;
    size_t key_len;
    int64_t numel;
    lp_dtype dtype;
} lp_pk_storage;

/* A strided view that was checked to lie within its storage; strides >= 0, in elements. */
typedef struct {
    const lp_pk_storage *storage;
    int ndim;
    int64_t offset, numel;
    int64_t shape[LP_PICKLE_MAX_DIM], stride[LP_PICKLE_MAX_DIM];
} lp_pk_tensor;

typedef struct {                       /* numpy.ndarray */
    const lp_pk *shape, *dtype, *data; /* TUPLE, DTYPE, BYTES or LIST; NULL until built */
    int fortran;
} lp_pk_array;

struct lp_pk {
    lp_pk_type type;
    union {
        int64_t i;
        double f;
        struct {
            const char *p;
            size_t n;
        } s;
        struct {
            lp_pk **v;
            size_t n, cap;
        } seq;
        int global;
        lp_pk_storage *storage;
        lp_pk_tensor *tensor;
        struct {
            char kind, order; /* 'f', 'i', 'u', 'b' or 'O'; '<', '>', '=' or '|' */
            int size;         /* bytes */
        } dtype;
        lp_pk_array *array;
    } u;
};

typedef struct lp_pickle lp_pickle;

/* Reads one pickle from buf [len]; *used (may be NULL) is its length. The nodes point
 * into buf, which must outlive *out (lp_pickle_free). `where` starts each message.
 * LP_EFORMAT: not a pickle, cut off, an opcode or global that is not allowed. */
lp_status lp_unpickle(const void *buf, size_t len, const char *where, size_t *used, lp_pickle **out,
                      lp_err *err);
void lp_pickle_free(lp_pickle **pk); /* NULL is fine; clears the pointer */

const lp_pk *lp_pickle_root(const lp_pickle *pk);
/* All storages in the order in which they were named; a key can come more than once. */
lp_pk_storage *const *lp_pickle_storages(const lp_pickle *pk, size_t *n);

/* 1 where v is a STR or BYTES equal to text. */
int lp_pk_is(const lp_pk *v, const char *text);
/* The last value of key in a DICT, or NULL; linear. */
const lp_pk *lp_pk_dict_get(const lp_pk *dict, const char *key);
const char *lp_pk_type_name(lp_pk_type type);
size_t lp_dtype_size(lp_dtype dtype);
const char *lp_dtype_name(lp_dtype dtype);
/* Copies n bytes as printable ASCII ('?' for the rest), cut to size - 1. */
void lp_pk_printable(char *out, size_t size, const char *p, size_t n);

#endif
