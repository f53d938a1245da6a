/* eval_picks - coordinates of other pickers, and our own (write_coords.h): a particle is a point
 * with, maybe, a score.
 *
 * .box (EMAN, crYOLO): x y width height, the box's corner nearest to (0, 0); one file per image.
 * .cbox (crYOLO 1.8 or later, STAR): _CoordinateX/Y is that corner, _Width and _Height,
 * _Confidence. .star (RELION, crYOLO, Topaz): _rlnCoordinateX/Y is the centre,
 * _rlnAutopickFigureOfMerit, _rlnMicrographName where one file is for many images. .txt (Topaz):
 * image_name, x_coord, y_coord, score, with or without that header line. Pixels count from 0 at the
 * centre of the first one, y from the first row of the file, as in MRC; what RELION, EMAN and
 * crYOLO picked on TIFF counts from the last row (lp_eval_options.flip_y, write_coords.h). Pixels
 * are those of the labels, so picks made on reduced micrographs must be scaled first. */
#ifndef LP_EVAL_PICKS_H
#define LP_EVAL_PICKS_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef enum { LP_PICKS_NONE, LP_PICKS_BOX, LP_PICKS_STAR, LP_PICKS_TXT } lp_picks_kind;

typedef struct {
    double y, x;  /* centre, px */
    double score; /* NaN where there is none */
    int image;    /* index of its image's name */
} lp_pick;

typedef struct {
    lp_pick *pick; /* [n] in the files' order */
    int64_t n;
    char **name; /* [n_names] images, without folder and extension; also those without picks */
    int n_names;
} lp_picks;

/* Kind of a file by its extension (.cbox is STAR); LP_PICKS_NONE: no coordinates. */
lp_picks_kind lp_picks_kind_of(const char *path);

/* Adds the picks of text [n]; name: of their image where the text does not say. *p is zeroed before
 * the first call and freed by the caller, also after an error. LP_EFORMAT (the message has no file
 * name), LP_ENOMEM. */
lp_status lp_picks_parse(const char *text, size_t n, lp_picks_kind kind, const char *name,
                         lp_picks *p, lp_err *err);

/* 1 where path is a coordinate file, or a folder that has some and no TIFF or PNG. */
int lp_picks_are_there(const char *path);

/* All picks of a file or of the coordinate files of a folder. *p is zeroed before and freed by the
 * caller, also after an error. LP_EIO where there are none, LP_EARG where a folder has
 * several formats, which would count everything twice. */
lp_status lp_picks_read(const char *path, lp_picks *p, lp_err *err);

/* Index of an image's name, or -1. */
int lp_picks_find(const lp_picks *p, const char *name);
void lp_picks_free(lp_picks *p);

#endif
