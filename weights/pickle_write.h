/* pickle_write - pickles under construction, for Python and PyTorch to read.
 *
 * Opcodes are given as they are (pickletools.py documents them); the caller keeps the stack right.
 * A failed allocation is kept in `failed` and makes the calls after it do nothing. */
#ifndef LP_PICKLE_WRITE_H
#define LP_PICKLE_WRITE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    unsigned char *p; /* [n], owned */
    size_t n, cap;
    int failed;
} lp_pickler; /* {0} is an empty one */

/* Opcodes, and what follows them: without zero bytes. */
void lp_pickler_op(lp_pickler *b, const char *op);

void lp_pickler_zero(lp_pickler *b); /* one zero byte */

/* A number of 0 .. 2^31-1. */
void lp_pickler_int(lp_pickler *b, int64_t v);
void lp_pickler_double(lp_pickler *b, double v);

/* A str, less than 4 GiB. Bytes that are no UTF-8 become what Python's os.fsdecode makes of them.
 */
void lp_pickler_str(lp_pickler *b, const char *s);

/* The head of a bytes object (protocol 4): the n bytes must follow. */
void lp_pickler_bytes(lp_pickler *b, uint64_t n);

void lp_pickler_free(lp_pickler *b);

#endif
