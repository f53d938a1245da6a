/* read_unpack - gzip and bzip2 streams, unpacked forward in pieces.
 *
 * Several members one after the other count as one stream, as gunzip and bunzip2
 * have it; bytes after the last member that start no new one are ignored. */
#ifndef LP_READ_UNPACK_H
#define LP_READ_UNPACK_H

#include <stddef.h>
#include <stdint.h>

typedef enum { LP_PACK_NONE = 0, LP_PACK_GZIP, LP_PACK_BZIP2 } lp_pack;

typedef struct lp_unpack lp_unpack;

/* The kind of packing that the first n bytes tell. */
lp_pack lp_unpack_kind(const uint8_t *head, size_t n);

/* Fills buf with up to n packed bytes from where the last call stopped. Returns how many, 0 at
 * the end, -1 on a read error. */
typedef long (*lp_unpack_fill)(void *ctx, uint8_t *buf, size_t n);

lp_unpack *lp_unpack_new(lp_pack kind, lp_unpack_fill fill, void *ctx); /* NULL: no memory */
void lp_unpack_free(lp_unpack *u);                                      /* NULL is fine */

/* Unpacks up to n bytes into buf; *got is less than n only at the end. Returns NULL, or why the
 * stream cannot be read (static text). */
const char *lp_unpack_read(lp_unpack *u, uint8_t *buf, size_t n, size_t *got);

#endif
