/* atomic - files that appear whole or not at all.
 *
 * Bytes go to a temporary of the same folder named ".NAME.PID-XXXXXX.tmp" (NAME cut
 * where it is too long); commit is fsync, rename, fsync of the folder. A killed run
 * therefore leaves at most temporaries, never a partial file under a final name, and a
 * file of that name from an earlier run stays as it was until the rename.
 *
 * The first error is kept: write calls after it do nothing and commit reports it, so a
 * writer driven by callbacks (libtiff) need not carry errors itself. Messages name the
 * final path. */
#ifndef LP_ATOMIC_H
#define LP_ATOMIC_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct lp_atomic lp_atomic;

/* Creates the temporary. On success *out must be given to commit or abort; on failure it
 * is untouched. LP_EIO where the folder is missing or cannot be written, or where path is a
 * folder, a device or a pipe. */
lp_status lp_atomic_open(const char *path, lp_atomic **out, lp_err *err);

/* Appends n bytes. LP_EIO on any failure, which is kept. */
lp_status lp_atomic_write(lp_atomic *a, const void *buf, size_t n, lp_err *err);

/* Descriptor (read and write) of the temporary; it ends with commit or abort. */
int lp_atomic_fd(const lp_atomic *a);

/* Records an errno that a callback met; the first one counts. */
void lp_atomic_failed(lp_atomic *a, int err_no);

/* Makes the file appear under its final name. On any failure, also an earlier one, the
 * temporary is removed and the final name is as it was before. Clears *a in both cases. */
lp_status lp_atomic_commit(lp_atomic **a, lp_err *err);

/* Removes the temporary and clears *a; NULL and empty are fine. */
void lp_atomic_abort(lp_atomic **a);

/* All of it for n bytes in memory. */
lp_status lp_atomic_write_file(const char *path, const void *buf, size_t n, lp_err *err);

#endif
