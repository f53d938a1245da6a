/* eval_sweep - merged runs of many diameters judged at every threshold, and their single
 * diameters beside them.
 *
 * A higher threshold only takes particles away from the end and leaves the outlines of the others
 * (merge.h), so one merge at the lowest threshold and one matching per image give the scores at all
 * thresholds. A particle is there at threshold t where, of scale, its support exceeds t; of votes
 * and affinity, its level is at least t.
 *
 * The single diameters are the run's own candidates: what segment found at that diameter. They
 * are Cellpose's segmentation where the run had Cellpose's flow_threshold and cellprob_threshold;
 * masks of a flow error above Cellpose's 0.4 are left out, so a run that let more through will do
 * (lp_sweep_is_cellpose). */
#ifndef LP_EVAL_SWEEP_H
#define LP_EVAL_SWEEP_H

#include "eval.h"
#include "layers.h"
#include "lipopose.h"

#define LP_SWEEP_FLOW_THRESHOLD 0.4 /* Cellpose's default */

/* One image. All arrays are owned. */
typedef struct {
    int32_t nt, np;
    double *diameter_true;                 /* [nt] of the disc of equal area, px, ascending */
    double *key;                           /* [np] falling: support of scale, else level */
    uint16_t *hit;                         /* [np] bit k: it is a true positive at LP_EVAL_TH(k) */
    double level[LP_MERGE_MAX_LEVELS + 1]; /* of votes and affinity, falling */
    int n_levels;                          /* 0: scale */
    int n_single;
    double *diameter;       /* [n_single] px, ascending, of the run's candidates */
    lp_eval_counts *single; /* [n_single]: n_true, n_pred and tp */
    uint32_t *masks;        /* [Ly][Lx] merged at the lowest threshold: particle i+1 has key[i] */
} lp_sweep_image;

/* o->threshold is not used. LP_EFORMAT where truth has another size than the run (the message has
 * no file names), LP_EARG for bad options, LP_ENOMEM. *out is the caller's. */
lp_status lp_sweep_image_new(const lp_layers *s, const lp_labels *truth, const lp_merge_options *o,
                             lp_sweep_image *out, lp_err *err);
void lp_sweep_image_free(lp_sweep_image *im);

/* n_true, n_pred and tp at a threshold; the rest is 0. */
lp_eval_counts lp_sweep_at(const lp_sweep_image *im, double threshold);
/* How many particles are there at a threshold: 1 .. n of masks. */
int32_t lp_sweep_n_at(const lp_sweep_image *im, double threshold);

/* Scores at one threshold or of one diameter. Of the scores, those by IoU and ap_mean exist. */
typedef struct {
    double at; /* the threshold, or the diameter (px, NaN: differs by image) */
    lp_eval_counts sum;
    lp_eval_scores pooled, mean; /* all particles together; mean over images */
} lp_sweep_point;

enum { LP_SWEEP_SMALL, LP_SWEEP_MEDIAN, LP_SWEEP_LARGE, LP_SWEEP_N_SIZES };

#define LP_SWEEP_MAX_POINTS 1000
#define LP_SWEEP_NEAR 1.15 /* a ratio: about what --diameters auto has between neighbours */

typedef struct {
    lp_merge_method method;
    int n_images;
    lp_sweep_point *point; /* [n_points] ascending thresholds */
    int n_points;          /* scale: 0, 0.1 ... 20 or beyond the largest support; else the levels */
    lp_sweep_point *single; /* [n_single] the diameters that all images have, ascending */
    int n_single;
    /* The 5th, 50th and 95th percentile of all true diameters (as numpy's, px; NaN without any),
     * and what a single diameter of that size finds. nearest: among single, by ratio; -1 where the
     * images share none within LP_SWEEP_NEAR of the size while some have one that is nearer: then
     * each image's own nearest is taken, and of_size.at is NaN. Without true particles or
     * diameters, nearest is -1 and of_size empty. */
    double size[LP_SWEEP_N_SIZES];
    int nearest[LP_SWEEP_N_SIZES];
    lp_sweep_point of_size[LP_SWEEP_N_SIZES];
    int64_t n_smaller, n_larger; /* true particles beyond their image's diameters */
    double smallest, largest;    /* those diameters, px; NaN: differ by image */
    /* With labels at hand: at each image the diameter next to its median true one (without
     * particles: to that of all), and the one of the highest AP at IoU 0.5 (ties: the higher mean
     * over IoU, then the smaller diameter). */
    lp_sweep_point own_median, best;
    double area; /* under the pooled precision-recall curve at IoU 0.5: sum over the distinct keys,
                    falling, of precision x gain in recall */
} lp_sweep;

/* im [n], all of the method. Sizes that do not exist are NaN. LP_ENOMEM. *out is the caller's. */
lp_status lp_sweep_new(const lp_sweep_image *const *im, int n, lp_merge_method method,
                       lp_sweep *out, lp_err *err);
void lp_sweep_free(lp_sweep *s);

/* 1 where the single diameters of a run with these settings are plain Cellpose's masks. */
int lp_sweep_is_cellpose(double flow_threshold, double cellprob_threshold);

#endif
