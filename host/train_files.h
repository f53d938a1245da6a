/* train_files - which image and which labels belong together in a folder to learn from.
 *
 * For image x.tif, in the same folder (or `labels`, or the folder's own folder labels/, where
 * the folder itself has none): x + mask_filter, then x with one of _masks, _labels, _label, _mask,
 * _truth, _gt, then outlines (x_outlines.geojson, x.geojson, x_rois.zip, x_RoiSet.zip), then
 * x_cp_masks; each .tif, .tiff or .png. In another folder also the same name without an ending. */
#ifndef LP_TRAIN_FILES_H
#define LP_TRAIN_FILES_H

#include "status.h"

typedef struct {
    char *image, *labels; /* paths, owned */
} lp_train_pair;

typedef struct {
    lp_train_pair *pair;
    int n;
    int n_alone, n_orphans; /* images without labels, labels without image: passed over */
    int n_predicted;        /* images whose labels segment wrote, uncorrected: passed over */
    char *alone, *orphan, *predicted; /* one of each, or NULL; owned */
} lp_train_files;

typedef struct {
    const char *labels;      /* folder, or NULL */
    const char *mask_filter; /* "_masks" */
    const char
        *img_filter; /* what stems of images end with, taken off before the ending, or NULL */
    int look_one_level_down;
} lp_train_files_options;

/* In natural order. LP_EARG where no image has labels; else as lp_inputs_find. *out is the
 * caller's (lp_train_files_free). */
lp_status lp_train_files_find(const char *dir, const lp_train_files_options *o, lp_train_files *out,
                              lp_err *err);
void lp_train_files_free(lp_train_files *f);

#endif
