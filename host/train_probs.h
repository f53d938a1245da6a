/* train_probs - how often each image is drawn (Cellpose's train_probs), from a table.
 *
 * Lines "name,weight": the image's file name with or without extension or folder, and a number, 0
 * or more. Weights need not add up to 1. A first line whose second field is no number is a heading;
 * empty lines are passed over. */
#ifndef LP_TRAIN_PROBS_H
#define LP_TRAIN_PROBS_H

#include <stddef.h>

#include "status.h"

/* text [len]. path [n]: the images. sum [n]: weights added up, the last 1. extra (NULL: not
 * wanted): *extra lines name no image, e.g. line *extra_line. LP_EFORMAT, with the line, for what
 * is no such table, a name given twice or one that fits two images; LP_EARG where an image is not
 * in it, or where all weights are 0. Messages have no file name. */
lp_status lp_train_probs_parse(const char *text, size_t len, const char *const *path, int n,
                               double *sum, int *extra, int *extra_line, lp_err *err);

/* The same of a file; messages begin with its name. */
lp_status lp_train_probs_read(const char *file, const char *const *path, int n, double *sum,
                              int *extra, int *extra_line, lp_err *err);

#endif
