/* write_coords - particles as coordinates for RELION, EMAN, crYOLO and Topaz.
 *
 * All four count pixels from 0 at the centre of the first pixel, x along a row, as measure.h does,
 * and eval_picks.h reads back what is written here. y counts from the first row of the file. That
 * is what all four do with MRC, and Topaz with everything. RELION, EMAN and crYOLO turn TIFF (and
 * crYOLO PNG) upside down when they read it, so that their y counts from the last row: flip_y
 * writes .star, .box and .cbox for them. Convert with a program that turns it as well (tif2mrc,
 * e2proc2d, relion_image_handler) and flip_y is right for the MRC; with one that does not
 * (mrcfile), it is wrong.
 *
 * STAR  NAME_autopick.star: centres, for RELION's import or extraction (3.1 to 5) by the suffix
 *       _autopick.star; rlnMicrographName is the file's name without folder, quoted where it has
 *       spaces. rlnAutopickFigureOfMerit is the score. RELION cuts fractions off.
 * BOX   NAME.box (EMAN1, RELION, crYOLO): x y width height in whole pixels, x and y the corner
 *       with the smallest coordinates; the centre pixel is x + width / 2. All boxes of a file have
 *       one size: box_size, else the median of the particles' longer sides, made even. One size
 *       for all micrographs, which EMAN wants, needs box_size.
 * CBOX  NAME.cbox (crYOLO 1.8 or later, format version 1.0): the same corner with fractions, boxes
 *       of box_size, else as large as the particle's longer side; EstWidth and EstHeight are the
 *       particle's own extent; Confidence.
 * TOPAZ NAME_topaz.txt: image_name (without extension), x_coord, y_coord (whole pixels, as Topaz
 *       needs for training), score; by tabs.
 *
 * Score: the support of a run over many diameters; with a single one, the logistic function of the
 * mean cellprob. Confidence: the same in 0 .. 1, a support divided by the largest there can be.
 *
 * Particles keep their order. Without particles there is a file without rows. */
#ifndef LP_WRITE_COORDS_H
#define LP_WRITE_COORDS_H

#include "measure.h"

typedef enum { LP_COORDS_STAR, LP_COORDS_BOX, LP_COORDS_CBOX, LP_COORDS_TOPAZ } lp_coords_format;

typedef struct {
    const char *micrograph; /* file name without folder */
    int Ly;                 /* of the micrograph, for flip_y */
    int box_size;           /* px; 0: see above */
    int flip_y;             /* 1: y counts from the last row; not in TOPAZ */
    double full;            /* many diameters: the largest support there can be; one: 0 */
} lp_coords_options;

/* What follows NAME in the file's name. */
const char *lp_coords_ending(lp_coords_format f);

/* p [n]. LP_EIO, LP_ENOMEM. */
lp_status lp_write_coords(const char *path, lp_coords_format f, const lp_particle *p, int64_t n,
                          const lp_coords_options *o, lp_err *err);

double lp_coords_score(const lp_particle *p, double full);
double lp_coords_confidence(const lp_particle *p, double full);

#endif
