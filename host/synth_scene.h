/* synth_scene - which particles there are, where, and their outlines.
 *
 * Lengths are pixels of the image; positions may lie outside it, so that particles
 * are cut by the edge. */
#ifndef LP_SYNTH_SCENE_H
#define LP_SYNTH_SCENE_H

#include "synth.h"

/* First words of the random streams, one per purpose. */
enum {
    LP_STREAM_SCENE = 1,
    LP_STREAM_DIRT,
    LP_STREAM_ICE,
    LP_STREAM_GRAIN,
    LP_STREAM_SHOT,
    LP_STREAM_TEXTURE,
    LP_STREAM_CARBON,
    LP_STREAM_OPTICS
};

#define LP_SYNTH_MODES 4 /* Fourier modes 2 to 5 of the outline */

typedef struct {
    int kind;
    uint32_t serial;                             /* for its texture */
    double y, x;                                 /* centre of the main body */
    double r;                                    /* its mean radius */
    double a[LP_SYNTH_MODES], b[LP_SYNTH_MODES]; /* cosine and sine terms, relative to r */
    double ly, lx, lr; /* bleb: centre relative to the main body's, radius; lr 0 = none */
    double extent;     /* nothing of it is farther from y,x */
    double req;        /* radius of the disc of the same area */
    double strength;   /* factor on its potential */
    int lamellae;      /* of a shell: 1 or 2 */
} lp_synth_shape;

/* Radius of the main body in the unit direction (uy, ux). */
double lp_synth_outline(const lp_synth_shape *s, double uy, double ux);

/* < 1 inside, 1 on the rim, > 1 outside; (dy, dx) relative to s->y, s->x. */
double lp_synth_inside(const lp_synth_shape *s, double dy, double dx);

/* *out [*n]: the caller frees. Larger particles come first. Where the density cannot
 * be reached, fewer are placed. o must have passed lp_synth_check. */
lp_status lp_synth_place(const lp_synth_options *o, uint64_t seed, lp_synth_shape **out, int *n,
                         lp_err *err);

#endif
