/* synth - synthetic cryoEM micrographs of lipid nanoparticles, with exact labels.
 *
 * The chain is that of the microscope: projected potential of particles, ice and
 * contamination -> phase of the exit wave -> lens (defocus, Cs, envelope) -> Poisson
 * counts. So rims, Fresnel fringes and Thon rings come out by themselves, and an
 * underfocused particle is dark. Values are electrons per pixel,
 * whole numbers without high_pass.
 *
 * What a reader would get wrong: contamination is never labelled, and a particle under it
 * is labelled whole. Where particles overlap, both are seen in the image, but a label
 * pixel holds one of them: the one whose centre is nearer, measured in units of its own
 * radius (the split an annotator draws). The same options and seed give the same bytes on
 * every machine with IEEE arithmetic, and for any number of threads (rng.h, detmath.h). */
#ifndef LP_SYNTH_H
#define LP_SYNTH_H

#include "image.h"

typedef struct {
    int Ly, Lx;                        /* px; Ly * Lx at most LP_SYNTH_MAX_PIXELS */
    double pixel_nm;                   /* nm per pixel */
    double diameter_min, diameter_max; /* nm; log-normal, median sqrt(min * max), range = 4 sigma */
    double density;                    /* fraction of the image that particles cover, 0 to 0.6 */
    double crowding;                   /* fraction of particles put against or over another one */
    double shells;        /* fraction that are liposomes (bilayer shells); the rest have cores */
    double blebs;         /* fraction of the cored ones that carry a bleb */
    double irregular;     /* outline: 0 round, 1 as in images, up to 3 */
    double protein;       /* grains in and on liposomes: 0 none, 1 as in cells, up to 5 */
    double contamination; /* 0 none, 1 dirty, up to 5: ice crystals, dark blobs, carbon, debris */
    double ice_gradient;  /* relative change of ice thickness across the image */
    double ice_nm;        /* mean ice thickness: granularity of the background */
    double contrast;      /* factor on the particles' potential */
    double dose;          /* electrons per square Angstrom that reach the detector in bare ice */
    double defocus_min, defocus_max; /* um, underfocus positive; drawn evenly per micrograph */
    double voltage_kv, cs_mm;
    double amp_contrast; /* 0 to 0.5 */
    double bfactor;      /* square Angstrom; envelope exp(-B k^2 / 4) on the wave */
    double high_pass;    /* nm; what is coarser (Gaussian of this sigma) is taken away from the
                            counts, their mean is kept; 0: the counts as they are */
} lp_synth_options;

#define LP_SYNTH_MAX_PIXELS ((int64_t)1 << 28)
#define LP_SYNTH_MIN_AREA 16 /* particles of which fewer pixels are seen are not labelled */

enum { LP_SYNTH_CORE, LP_SYNTH_SHELL, LP_SYNTH_BLEB };

typedef struct {
    int id;          /* label: 1, 2, ... without gaps */
    int kind;        /* LP_SYNTH_CORE, ... */
    double y, x;     /* px, centroid of the complete outline; pixel centres are whole numbers */
    double diameter; /* px, of the disc with the complete outline's area */
    int64_t area;    /* px, pixels that carry the label */
    double visible;  /* area / pixels of the complete outline (cut by the edge, overlapped) */
    int touches_edge;
} lp_synth_particle;

/* Realistic defaults: 1024 x 1024 px at 0.8 nm, diameters 20 to 120 nm (25 to 150 px). */
void lp_synth_defaults(lp_synth_options *o);
/* Same scene, easy to segment: high dose, no contamination, flat ice, nothing overlaps. */
void lp_synth_easy(lp_synth_options *o);

/* Sets one option from text. name: as in the struct, or size (LyxLx), defocus (D or
 * MIN:MAX, um); '-' equals '_'. Returns LP_EARG with a message for a bad value,
 * LP_EMISSING (no message) for a name that is not an option of the picture. */
lp_status lp_synth_set(lp_synth_options *o, const char *name, const char *value, lp_err *err);

/* LP_EARG with a message that names the option and its range. */
lp_status lp_synth_check(const lp_synth_options *o, lp_err *err);

/* Seed of micrograph `index` of a series. */
uint64_t lp_synth_seed(uint64_t series_seed, int index);

/* Makes one micrograph. *im one channel, electrons per pixel, pixel_nm set; *lb its
 * labels; *list [*n] particles, in order of label. The caller frees the three
 * (lp_image_free, lp_labels_free, free); lb or list with n may be NULL. On failure
 * nothing is touched. Returns LP_EARG, LP_ENOMEM. */
lp_status lp_synth_render(const lp_synth_options *o, uint64_t seed, lp_image *im, lp_labels *lb,
                          lp_synth_particle **list, int *n, lp_err *err);

/* The defocus (um) that lp_synth_render draws for this seed. */
double lp_synth_defocus(const lp_synth_options *o, uint64_t seed);

const char *lp_synth_kind_name(int kind); /* "core", "shell", "bleb" */

#endif
