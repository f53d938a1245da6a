/* results - everything that is written for one segmented image. */
#ifndef LP_RESULTS_H
#define LP_RESULTS_H

#include "image.h"
#include "json_log.h"
#include "measure.h"
#include "merge_stages.h"
#include "segment_run.h"

#define LP_MAX_OUTPUTS 20

typedef struct {
    lp_particle *particle; /* [n] */
    int64_t n;
    double diameter, pixel_nm;
    int Ly, Lx;
    lp_json_stage stage[LP_T_NSTAGES + 2];
    int n_stages;
    char *output[LP_MAX_OUTPUTS]; /* paths, in order of writing */
    int n_outputs;
    char older[700]; /* what lies there from before (stale.h), one line; "": nothing */
} lp_results;

/* Of a run over several diameters. */
typedef struct {
    const lp_layers *layers; /* kept in _lipopose.h5; NULL: that file is not written */
    const lp_merged *merged;
    const char *run; /* the saved run that they are from, which stays; NULL: a new one */
} lp_results_merged;

/* Measures and writes what o asks for under base + "_cp_masks.tif" and so on; every file appears
 * whole or not at all. An older record of base (done.h) goes first; the caller writes a new one.
 * What lies under base from before: stale.h and res->older. table: the particles, measured with
 * lp_results_plane, which are taken over; NULL: they are measured here, without a cellprob. read:
 * seconds that reading took. many: NULL for a single diameter, where seg has flows and cellprob if
 * lp_results_need_flows; else it has neither. im without data: no intensities, no pictures. *res is
 * the caller's. */
lp_status lp_results_write(const char *base, const char *image, int page, const lp_image *im,
                           const lp_result *seg, lp_particle_table *table,
                           const lp_results_merged *many, double read, const lp_run_options *o,
                           lp_results *res, lp_err *err);
/* Whether o asks for what flows and cellprob are needed for. */
int lp_results_need_flows(const lp_run_options *o);
void lp_results_free(lp_results *res);

/* 1 where the median flow error of what was found is above LP_RESULTS_NOISE: noise, or particles
 * that the model hardly knows. */
#define LP_RESULTS_NOISE 0.3
int lp_results_doubtful(const lp_results *res);

/* The plane that is measured and shown: the channel segmented, or the mean of all. *plane [Ly][Lx]
 * is in im or in *own, which the caller frees; NULL for an image without data. */
lp_status lp_results_plane(const lp_image *im, const lp_segment_options *o, float **own,
                           const float **plane, lp_err *err);

/* Puts what merging knows of each particle into p [n], whose ids are labels of m. */
void lp_results_take_merged(lp_particle *p, int64_t n, const lp_merged *m);

#endif
