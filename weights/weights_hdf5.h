/* weights_hdf5 - reads the project's own model file. Schema: README.md.
 *
 * HDF5 is not asked to convert or decompress where the file is as lp_weights_save writes
 * it: the chunks are fetched raw and inflated by all threads. HDF5's printing of errors
 * is switched off for the time of a call. External and virtual datasets, links to other
 * files and unknown filters are refused. */
#ifndef LP_WEIGHTS_HDF5_H
#define LP_WEIGHTS_HDF5_H

#include "weights.h"

/* As lp_weights_open, for an HDF5 file. */
lp_status lp_weights_read_hdf5(const char *path, lp_weights **out, lp_err *err);

#endif
