/* zip_store - builds a zip archive of uncompressed members in memory, as PyTorch wants it.
 *
 * Each member's bytes start at a multiple of 64 (padded by an extra field "FB", as PyTorch
 * itself does), so that torch.load can map the file. No time stamps: same members, same
 * bytes. Less than 4 GiB and 65,535 members: no zip64. */
#ifndef LP_ZIP_STORE_H
#define LP_ZIP_STORE_H

#include <stddef.h>

#include "../host/status.h"

typedef struct lp_zip lp_zip;

lp_zip *lp_zip_new(void);
void lp_zip_free(lp_zip **z); /* NULL is fine; clears the pointer */

/* Appends a member. LP_ENOMEM, also beyond the limits. */
lp_status lp_zip_add(lp_zip *z, const char *name, const void *data, size_t n, lp_err *err);

/* Adds the directory. *data [*n] is the archive and stays z's; nothing may be added after. */
lp_status lp_zip_finish(lp_zip *z, const void **data, size_t *n, lp_err *err);

#endif
