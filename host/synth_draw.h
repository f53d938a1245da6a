/* synth_draw - projected potential: particles, contamination and ice into one phase map.
 *
 * The canvas is the image with a halo around it, so that the lens (synth_optics.h)
 * sees no edge at the image's border. */
#ifndef LP_SYNTH_DRAW_H
#define LP_SYNTH_DRAW_H

#include "synth_scene.h"

typedef struct {
    float *phase; /* [Ly][Lx], rad, owned */
    int Ly, Lx;
    int halo; /* pixel (y, x) of the image is (y + halo, x + halo) here */
} lp_synth_canvas;

lp_status lp_synth_canvas_new(lp_synth_canvas *c, int Ly, int Lx, int halo, lp_err *err);
void lp_synth_canvas_free(lp_synth_canvas *c);

/* Each adds its phase; any thread count gives the same bits. */
lp_status lp_synth_draw_shape(lp_synth_canvas *c, const lp_synth_options *o, uint64_t seed,
                              const lp_synth_shape *s, lp_err *err);
void lp_synth_draw_dirt(lp_synth_canvas *c, const lp_synth_options *o, uint64_t seed);
void lp_synth_draw_ice(lp_synth_canvas *c, const lp_synth_options *o, uint64_t seed);

/* Ice thickness relative to o->ice_nm at pixel (y, x) of the image, at least 0.1. */
typedef struct {
    double gy, gx, bowl;
} lp_synth_ice;
void lp_synth_ice_init(lp_synth_ice *ice, const lp_synth_options *o, uint64_t seed);
double lp_synth_ice_at(const lp_synth_ice *ice, const lp_synth_options *o, int y, int x);

/* Phase per volt and nm, rad: the interaction constant (Kirkland, Advanced Computing
 * in Electron Microscopy, eq. 5.6). Electron wavelength in nm (eq. 2.5). */
double lp_synth_sigma(double kv);
double lp_synth_wavelength(double kv);

#endif
