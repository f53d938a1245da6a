/* eval_files - which true label image, prediction, table and micrograph belong together.
 *
 * Files of two folders belong together when their names agree without extension and without one
 * of the endings _cp_masks, _masks, _mask, _labels, _label, _truth, _gt; of outlines
 * (read_outlines.h) also without _outlines, _rois, _RoiSet. Where a folder has outlines or files
 * with such an ending, only those count (Cellpose's layout keeps x.png and x_masks.tif side by
 * side). A .zip is taken from a folder only where its name ends in rois or RoiSet. Of several for
 * one image, a prediction is rather _cp_masks, then another label image, then outlines; a truth
 * rather a label image, then outlines, then _cp_masks; then .tif goes before .png. Where a
 * prediction has neither, its saved run NAME_lipopose.h5 stands for it (eval_runs.h). */
#ifndef LP_EVAL_FILES_H
#define LP_EVAL_FILES_H

#include "eval_picks.h"

typedef struct {
    char *name;  /* what the files have in common */
    char *truth; /* paths */
    char *pred;  /* NULL: none */
    char *table; /* NAME_particles.csv beside the prediction, or NULL */
    char *image; /* micrograph, or NULL; of outlines also one beside them or the prediction */
    char *run;   /* NAME_lipopose.h5 beside the prediction (or the prediction itself), or NULL */
} lp_eval_item;

typedef struct {
    lp_eval_item *item;
    int n;       /* > 0, in natural order of name */
    int n_extra; /* predictions without truth */
    char *extra; /* one of those, or NULL */
} lp_eval_files;

/* truth, pred: both folders or both files (which are then a pair whatever they are called).
 * images: folder or file, may be NULL. LP_EARG: one folder and one file, nothing in common, or
 * truth and prediction are the same file; LP_EIO: not there, or not readable. *out is the
 * caller's. */
lp_status lp_eval_files_find(const char *truth, const char *pred, const char *images,
                             lp_eval_files *out, lp_err *err);
/* 1 where the name is that of a saved run. */
int lp_eval_is_run(const char *path);
/* runs [n] with the truth of the same name; out->extra are runs without one, true images without
 * run are passed over. LP_EARG where none has one, or where runs of different folders share the
 * name of one; else as above. */
lp_status lp_eval_files_runs(const char *truth, char *const *runs, int n, lp_eval_files *out,
                             lp_err *err);
/* The true label images of truth, with predictions that are coordinates, read from pred. */
lp_status lp_eval_files_picks(const char *truth, const char *pred, const lp_picks *picks,
                              const char *images, lp_eval_files *out, lp_err *err);
void lp_eval_files_free(lp_eval_files *f);

#endif
