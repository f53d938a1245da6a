/* overlay - the micrograph with its particles outlined, as RGB.
 *
 * Outlines lie inside the particle, so that touching neighbours both keep theirs; such
 * neighbours get different colours where the palette allows. The picture depends on its
 * inputs only. Written by write_png.h. */
#ifndef LP_OVERLAY_H
#define LP_OVERLAY_H

#include "measure.h"

typedef struct {
    uint8_t *data; /* [Ly][Lx][3], owned */
    int Ly, Lx;
} lp_rgb;

typedef struct {
    int thickness;   /* of the outline, px of the picture; 0 = by size (1 to 4) */
    int ids;         /* 1: the label's number at the centre of each particle */
    int count;       /* 1: "N particles" in the upper left corner */
    double pixel_nm; /* of the image; > 0 draws a scale bar */
    int max_side;    /* > 0: picture reduced by a whole factor to at most this; 0 = full size */
} lp_overlay_opts;

typedef struct {
    uint8_t *data; /* [Ly][Lx], owned */
    int Ly, Lx;
    int reduced; /* of the image: its pixels along each side of one of the picture */
} lp_grey;

/* The micrograph alone, in the same grey values. max_side as in lp_overlay_opts. *out is the
 * caller's, to free(out->data). */
lp_status lp_overlay_grey(const float *image, int Ly, int Lx, int max_side, lp_grey *out,
                          lp_err *err);

/* image [Ly][Lx] float32 of the size of lb, any range: stretched from its 0.5th to its
 * 99.5th percentile. p [n]: from lp_measure_particles, used for ids and the count, may be
 * NULL where n is 0. *out is the caller's (lp_rgb_free). */
lp_status lp_overlay_draw(const float *image, const lp_labels *lb, const lp_particle *p, int64_t n,
                          const lp_overlay_opts *opts, lp_rgb *out, lp_err *err);

/* Cellpose's outlines picture (save_outlines): 1st to 99th percentile, outlines one pixel
 * wide in pure red, also along the image's border, no text. */
lp_status lp_overlay_outlines(const float *image, const lp_labels *lb, lp_rgb *out, lp_err *err);

/* 1 where pixel (y, x) lies within t pixels of something else than its label, or of the image's
 * border, along x or y, or, for t > 1, has another label at a corner. */
int lp_overlay_on_outline(const lp_labels *lb, int y, int x, int t);

void lp_rgb_free(lp_rgb *rgb);

#endif
