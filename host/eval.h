/* eval - a label image judged against a true one.
 *
 * Matching is Cellpose's average_precision and StarDist's: one-to-one, as many pairs as possible
 * at or above the IoU threshold and, among those, the largest sum of IoU. AP is
 * TP / (TP + FP + FN), without any ranking, as in Cellpose, StarDist and the DSB 2018. Labels may
 * have gaps: a particle is a label that has pixels (Cellpose counts a gap as one more particle).
 *
 * Counts can be added up over images and scores are made from counts, so that "all particles
 * together" (lp_eval_score of the sums) and "mean over images" (lp_eval_mean, what users of
 * Cellpose report) come from the same numbers. Where neither image has a particle every score is
 * NaN and lp_eval_mean leaves the image out; else a score without denominator is 0, as in
 * StarDist. */
#ifndef LP_EVAL_H
#define LP_EVAL_H

#include "eval_match.h"
#include "image.h"

#define LP_EVAL_NTH 10 /* IoU thresholds 0.50, 0.55 ... 0.95 */
enum { LP_EVAL_50 = 0, LP_EVAL_75 = 5, LP_EVAL_90 = 8 };
#define LP_EVAL_TH(k) ((50 + 5 * (k)) / 100.0)

typedef struct {
    int32_t t, p;  /* positions, not labels */
    int64_t inter; /* shared px, > 0 */
    double iou;
} lp_eval_pair;

/* What two label images share. All arrays are owned. */
typedef struct {
    int32_t nt, np;
    uint32_t *true_id, *pred_id; /* [nt], [np] labels, ascending */
    int64_t *true_area, *pred_area;
    lp_eval_pair *pair; /* [n], in order of t, then p */
    int64_t n;
    int64_t union_px; /* px that are particle in either image */
} lp_eval_overlap;

/* LP_EFORMAT where the sizes differ (the message has no file names: the caller adds them),
 * LP_ENOMEM. */
lp_status lp_eval_overlap_new(const lp_labels *truth, const lp_labels *pred, lp_eval_overlap *out,
                              lp_err *err);
void lp_eval_overlap_free(lp_eval_overlap *o);

/* Diameter of the disc of that area, px. */
double lp_eval_diameter(int64_t area);

/* pred_of [nt]: matched prediction with IoU >= th, or -1. keep [np] (may be NULL): predictions
 * with 0 take no part. th in (0, 1]. *iou_sum (may be NULL): over the matches. Returns the
 * number of matches in *tp. */
lp_status lp_eval_matches(const lp_eval_overlap *o, double th, const uint8_t *keep,
                          int32_t *pred_of, int64_t *tp, double *iou_sum, lp_err *err);

/* Everything that adds up over images. */
typedef struct {
    int64_t n_true, n_pred;
    int64_t tp[LP_EVAL_NTH];
    double iou_sum;               /* of the matches at IoU 0.5 */
    int64_t aji_inter, aji_union; /* px */
    int64_t boundary[3];          /* px: eval_boundary.h */
    int64_t tp_centre;            /* true particles with the centre of a prediction in them */
    int points; /* 1: predictions are coordinates; all but n_true, n_pred, tp_centre is 0 */
} lp_eval_counts;

/* Doubles only: lp_eval_mean treats it as an array. */
typedef struct {
    double precision[LP_EVAL_NTH], recall[LP_EVAL_NTH], f1[LP_EVAL_NTH], ap[LP_EVAL_NTH];
    double ap_mean;  /* over the ten thresholds */
    double mean_iou; /* of the matches at IoU 0.5: StarDist's mean_matched_score */
    double pq;       /* panoptic quality at IoU 0.5: sum of IoU / (TP + FP/2 + FN/2) */
    double aji;      /* Cellpose's aggregated_jaccard_index: shared px of matched pairs / px of
                        either image. Pairs are matched at any IoU, those >= 0.5 first */
    double boundary_precision, boundary_recall, boundary_f;
    /* With a match for every true particle that has the centre of a prediction in it, one for each:
       what pickers that give coordinates only are compared by. */
    double centre_precision, centre_recall, centre_f1, centre_ap;
} lp_eval_scores;

/* One pair of images. Outlines are widened by boundary_scale times the median true diameter, at
 * least 1 px (boundary_scores' scale). pred_of [nt] of *o receives the matches at IoU 0.5. */
lp_status lp_eval_count(const lp_eval_overlap *o, const lp_labels *truth, const lp_labels *pred,
                        double boundary_scale, lp_eval_counts *out, int32_t *pred_of, lp_err *err);

/* Predictions that are points, yx [n] (px, whole at the centres of pixels). found [nt] receives 1
 * for true particles with a point in them, hit [n] (may be NULL) the particle that each point is
 * in, or -1. Only n_true, n_pred, tp_centre of *out are set, and points. */
void lp_eval_count_points(const lp_eval_overlap *o, const lp_labels *truth, double (*yx)[2],
                          int64_t n, lp_eval_counts *out, uint8_t *found, int32_t *hit);

void lp_eval_add(lp_eval_counts *sum, const lp_eval_counts *c);
lp_eval_scores lp_eval_score(const lp_eval_counts *c);
/* Mean of each score over the images [n] where it is not NaN; NaN where there is none. */
lp_eval_scores lp_eval_mean(const lp_eval_scores *s, int64_t n);

/* Particles of one class of diameters: the true ones judge recall, the predicted ones precision,
 * at IoU 0.5. Of points only the recall exists. */
typedef struct {
    double min, max; /* px: min <= diameter < max; the last class has max infinite */
    int64_t n_true, n_found, n_pred, n_right;
} lp_eval_class;

#define LP_EVAL_MAX_CLASSES 64
/* Adds the particles of one pair of images to cls [n]; pred_of as lp_eval_count gave it, or NULL
 * and found as lp_eval_count_points gave it. */
void lp_eval_classify(const lp_eval_overlap *o, const int32_t *pred_of, const uint8_t *found,
                      lp_eval_class *cls, int n);

#endif
