/* read_bytes - the bytes of a file, unpacked where it is gzip or bzip2.
 *
 * A packed file is unpacked while it is read forward and nothing of it is kept,
 * so a section of a packed stack costs no memory; a read that goes back starts
 * again from the first byte. Readers that jump about (TIFF, PNG) call
 * lp_bytes_load first. One handle belongs to one thread at a time. */
#ifndef LP_READ_BYTES_H
#define LP_READ_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct lp_bytes lp_bytes;

/* Opens a regular file. *out is closed by the caller. LP_EIO for a missing file,
 * a folder, a device, no permission; LP_EFORMAT for an empty file. */
lp_status lp_bytes_open(const char *path, lp_bytes **out, lp_err *err);

/* The same over n bytes in memory, which are borrowed until lp_bytes_close;
 * name stands for the path in messages. */
lp_status lp_bytes_open_mem(const char *name, const void *data, size_t n, lp_bytes **out,
                            lp_err *err);

void lp_bytes_close(lp_bytes **b); /* NULL is fine; clears *b */

/* Bytes in all after unpacking; -1 where that is not known yet (packed files
 * before lp_bytes_load). */
int64_t lp_bytes_size(const lp_bytes *b);
const char *lp_bytes_path(const lp_bytes *b);

/* Reads n bytes at offset off into buf. *got is less than n only at the end of
 * the data. LP_EIO, or LP_EFORMAT for damaged or cut-off packed data. */
lp_status lp_bytes_read(lp_bytes *b, int64_t off, void *buf, size_t n, size_t *got, lp_err *err);

/* Only a hint: n bytes from off on, but none from end on, are read soon. */
void lp_bytes_expect(const lp_bytes *b, int64_t off, int64_t n, int64_t end);

/* Unpacks a packed file into memory, where it stays until close; does nothing for
 * others. LP_ENOMEM where it unpacks to more than limit bytes. */
lp_status lp_bytes_load(lp_bytes *b, int64_t limit, lp_err *err);

#endif
