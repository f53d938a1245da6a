/* torch_file - the two containers that torch.save has written: a zip archive
 * (PyTorch >= 1.6) and the legacy stream. Finds the pickled object and each storage.
 *
 * In the zip, NAME/data.pkl is the pickle and NAME/data/KEY the numbers of storage KEY.
 * The stream is five pickles (magic number, protocol 1001, system, object, list of keys)
 * and then for each key an int64 count and the numbers. All numbers are little-endian. */
#ifndef LP_TORCH_FILE_H
#define LP_TORCH_FILE_H

#include "unpickle.h"

#define LP_TORCH_MAX_BYTES ((int64_t)2 << 30) /* all storages of a file */

typedef struct lp_torch_file lp_torch_file;

/* Opens path, reads the pickle, and checks that each storage it names is there with the
 * size it declares. Reads no numbers yet. LP_EFORMAT, LP_EIO, LP_ENOMEM. */
lp_status lp_torch_open(const char *path, lp_torch_file **out, lp_err *err);
void lp_torch_close(lp_torch_file **tf); /* NULL is fine; clears the pointer */

const lp_pk *lp_torch_root(const lp_torch_file *tf);

/* Number of a storage: the same for all nodes of one key, 0 .. *n - 1. */
int lp_torch_storage_id(const lp_torch_file *tf, const lp_pk_storage *s);
/* buf [numel * lp_dtype_size(dtype)] of storage id. */
lp_status lp_torch_read(lp_torch_file *tf, int id, void *buf, size_t n, lp_err *err);

#endif
