/* arch - which tensors a Cellpose 1-3 CNN has, and whether a file holds exactly those.
 *
 * Source: cellpose/resnet_torch.py (CPnet). With nbase = c0, c1 ... cL the encoder has
 * levels res_down_0 .. L-1 (c[n] -> c[n+1]); the decoder's widths are c1 ... cL, cL, so
 * its deepest level maps cL to cL; the style vector has cL values. */
#ifndef LP_ARCH_H
#define LP_ARCH_H

#include "weights.h"

#define LP_ARCH_MIN_LEVELS 2
#define LP_ARCH_MAX_LEVELS (LP_MAX_NBASE - 1)
#define LP_ARCH_MAX_SZ 15
#define LP_ARCH_MAX_BYTES ((size_t)1 << 30) /* all tensors as float32: 40 times Cellpose's */
#define LP_ARCH_MAX_KEYS 20000              /* of a file; 312 in Cellpose's models */
#define LP_ARCH_MAX_DIM 8

typedef struct { /* what a file says that it holds */
    const char *name;
    int ndim;
    int64_t shape[LP_ARCH_MAX_DIM];
} lp_arch_entry;

/* Sets w->tensors (names and shapes, data NULL) from w->nbase, n_nbase, nout and sz.
 * LP_ENOMEM beyond LP_ARCH_MAX_BYTES. */
lp_status lp_arch_list(lp_weights *w, const char *where, lp_err *err);

/* Finds nbase, nout and sz from the entries e [n], checks that each tensor of that
 * architecture is there with its exact shape and that there is no other, and sets
 * w->nbase ... w->tensors (data NULL). *map [w->n_tensors] (free) tells which entry is
 * which tensor, -1 where it is missing, which `lax` allows for what old Cellpose did not
 * write: diam_mean, diam_labels, num_batches_tracked. A scalar may have shape () or (1).
 * LP_EFORMAT: names what is missing, extra or of a wrong shape. */
lp_status lp_arch_resolve(const char *where, const lp_arch_entry *e, int n, int lax, lp_weights *w,
                          int **map, lp_err *err);

/* 1 where the tensor is a batch-norm counter, int64 in PyTorch. */
int lp_arch_is_counter(const char *name);

#endif
