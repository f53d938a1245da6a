/* synth_optics - the lens and the detector: phase map -> electrons per pixel.
 *
 * The exit wave exp((i sqrt(1 - A^2) - A) phase) is convolved, tile by tile, with the
 * lens function exp(i chi) * envelope, and squared. For a weak phase p this is
 * 1 - 2 p [sqrt(1 - A^2) sin chi + A cos chi]: dark under the objects at underfocus.
 *   chi(k) = pi lambda dz k^2 - pi/2 Cs lambda^3 k^4 (Rohou and Grigorieff 2015)
 * Frequencies fade out between 0.8 and 1 of Nyquist, as in a binned micrograph. */
#ifndef LP_SYNTH_OPTICS_H
#define LP_SYNTH_OPTICS_H

#include "synth_draw.h"

/* Width in px that the canvas needs around the image, at most 512. */
int lp_synth_halo(const lp_synth_options *o, double defocus_um);

/* Lens function without the fade-out: sine and cosine of chi, and the envelope, at
 * frequency k (1/nm). */
void lp_synth_lens(const lp_synth_options *o, double defocus_um, double k, double *sn, double *cs,
                   double *env);

/* out [Ly][Lx]: intensity, 1 for no object; canvas of (Ly + 2 halo) x (Lx + 2 halo).
 * out may not overlap. Returns LP_ENOMEM. */
lp_status lp_synth_image(const lp_synth_options *o, double defocus_um, const lp_synth_canvas *c,
                         float *out, lp_err *err);

/* im [Ly][Lx] in place: less its Gaussian blur (of sigma high_pass, around the edges as filters
 * by FFT do), plus its mean. Nothing where high_pass is 0. Returns LP_ENOMEM. */
lp_status lp_synth_flatten(const lp_synth_options *o, float *im, lp_err *err);

/* out [Ly][Lx] in place: intensity -> Poisson counts for dose, pixel and ice. */
void lp_synth_expose(const lp_synth_options *o, uint64_t seed, float *out);

#endif
