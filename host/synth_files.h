/* synth_files - the files of one synthetic micrograph.
 *
 *   DIR/NAME.mrc (mode 2, or NAME.tif)   electrons per pixel
 *   DIR/labels/NAME_masks.tif            labels, uint16 (uint32 above 65,535)
 *   DIR/NAME_truth.csv                   one row per particle
 *
 * The labels stand in a folder of their own so that a folder run of `segment` on DIR
 * takes the micrographs only. */
#ifndef LP_SYNTH_FILES_H
#define LP_SYNTH_FILES_H

#include "synth.h"

enum { LP_SYNTH_MRC, LP_SYNTH_TIFF };

typedef struct {
    char *image, *labels, *truth;
} lp_synth_paths;

lp_status lp_synth_paths_new(lp_synth_paths *p, const char *dir, int index, int format,
                             lp_err *err);
void lp_synth_paths_free(lp_synth_paths *p);

/* Makes dir (with parents) and dir/labels where they are missing. */
lp_status lp_synth_make_dirs(const char *dir, lp_err *err);

/* Whole-number TIFF where all values fit in 16 bits, float32 else; resolution tags
 * from pixel_nm. */
lp_status lp_synth_write_tiff(const char *path, const lp_image *im, lp_err *err);
/* Columns: id, kind, y_px, x_px, diameter_px, y_nm, x_nm, diameter_nm, area_px,
 * visible_fraction, touches_edge. */
lp_status lp_synth_write_truth(const char *path, const lp_synth_particle *list, int n,
                               double pixel_nm, lp_err *err);

#endif
