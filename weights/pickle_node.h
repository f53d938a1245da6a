/* pickle_node - memory of pickle nodes, and what an allowed call makes of its arguments.
 *
 * Between unpickle.c (the stack machine) and pickle_reduce.c (the calls); nobody else
 * needs it. All memory of a pickle comes from one arena and dies with it. */
#ifndef LP_PICKLE_NODE_H
#define LP_PICKLE_NODE_H

#include "unpickle.h"

typedef struct lp_pk_block lp_pk_block;

struct lp_pickle {
    lp_pk_block *blocks;
    size_t total; /* bytes of the arena in use */
    lp_pk *root;
    lp_pk_storage **storages;
    size_t n_storages, cap_storages;
    const char *where;
    size_t at; /* byte offset of the running opcode, for messages */
    lp_err *err;
};

/* What a global of the allow-list stands for. */
typedef enum {
    LP_PG_DICT,      /* collections.OrderedDict */
    LP_PG_TENSOR_V2, /* torch._utils._rebuild_tensor_v2, _rebuild_tensor */
    LP_PG_PARAMETER, /* torch._utils._rebuild_parameter */
    LP_PG_SIZE,      /* torch.Size */
    LP_PG_STORAGE,   /* torch.FloatStorage ...: never called, only named */
    LP_PG_RECONSTRUCT,
    LP_PG_SCALAR,
    LP_PG_NDARRAY, /* numpy.ndarray: never called, only named */
    LP_PG_DTYPE,
    LP_PG_ENCODE /* _codecs.encode */
} lp_pg_kind;

/* Index in the allow-list, or -1. */
int lp_pk_find_global(const char *name);
lp_pg_kind lp_pk_global_kind(int global);

/* Zeroed memory, 16-byte aligned; NULL (and a message) beyond LP_PICKLE_MAX_MEMORY. */
void *lp_pk_alloc(lp_pickle *pk, size_t bytes);
lp_pk *lp_pk_new(lp_pickle *pk, lp_pk_type type);
lp_status lp_pk_push(lp_pickle *pk, lp_pk *seq, lp_pk *item);
/* LP_EFORMAT with file, byte offset and text. */
lp_status lp_pk_bad(lp_pickle *pk, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* fn(args), *out = the node it makes; fn any node, args a TUPLE. */
lp_status lp_pk_reduce(lp_pickle *pk, const lp_pk *fn, const lp_pk *args, lp_pk **out);
/* obj.__setstate__(state) for the types that have one here. */
lp_status lp_pk_build(lp_pickle *pk, lp_pk *obj, const lp_pk *state);
/* A persistent id ('storage', type, key, location, numel[, None]). */
lp_status lp_pk_persid(lp_pickle *pk, const lp_pk *id, lp_pk **out);

#endif
