/* outfile - writes a file that appears under its name only when complete.
 *
 * The bytes go to a hidden temporary file in the same folder, are flushed to disk, and
 * the file is renamed; a killed run leaves at most the temporary one. */
#ifndef LP_OUTFILE_H
#define LP_OUTFILE_H

#include <stddef.h>

#include "../host/status.h"

/* Makes an empty temporary file beside path; *tmp is its name (free). Then either
 * commit it or discard it. LP_EIO with path and reason. */
lp_status lp_outfile_begin(const char *path, char **tmp, lp_err *err);
/* Flushes tmp and renames it to path; on failure tmp is removed and path as it was. */
lp_status lp_outfile_commit(const char *tmp, const char *path, lp_err *err);
void lp_outfile_discard(const char *tmp); /* NULL is fine */

/* All of it for n bytes in memory. */
lp_status lp_outfile_write(const char *path, const void *data, size_t n, lp_err *err);

#endif
