/* npy - Cellpose's size model, size_NAME.npy: a numpy file with a pickled dictionary of
 * A [n], smean [n], ymean and diam_mean (cellpose/models.py, SizeModel). Nothing in it is
 * run: see unpickle.h. */
#ifndef LP_NPY_H
#define LP_NPY_H

#include "weights.h"

/* Reads path and replaces w->size. LP_EFORMAT where the file is no size model, or one for a
 * style of another length than w's; w is then untouched. */
lp_status lp_weights_import_size(const char *path, lp_weights *w, lp_err *err);

#endif
