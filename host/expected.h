/* expected - .lipopose/inputs_HASH: what was to be done, so that gather can tell what is missing.
 *
 * The file has the names of all images whose results a run, all its shards together, puts into that
 * folder, without extension, each ending with a zero byte, sorted. HASH tells its contents: tasks
 * with the same list share one file, and no list replaces another. What is expected of a folder are
 * the names of all lists; delete them to begin anew. */
#ifndef LP_EXPECTED_H
#define LP_EXPECTED_H

#include "inputs.h"

/* Writes the lists of all folders that in has results in, before it is cut into shards. id: up to
 * 16 characters that stand for HASH, of a list that grows: the file of that name is replaced. NULL:
 * a list that does not change. */
lp_status lp_expected_write(const lp_inputs *in, const char *id, lp_err *err);

/* All lists of folder dir: name [*n], sorted, each once. The caller frees each and the list.
 * LP_EIO where a list cannot be read; none is fine. */
lp_status lp_expected_read(const char *dir, char ***name, int *n, lp_err *err);

#endif
