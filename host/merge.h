/* merge - one mask from those of many diameters (lp_merge: lipopose.h).
 *
 * scale: every mask of every diameter D_i is a candidate with the weight
 *     w = exp(-ln(d / D_i)^2 / (2 sigma^2)) exp(-k e),   d = 2 sqrt(area / pi),
 * e its flow error (0 where unknown), k = flow_weight: this makes up for a flow_threshold that
 * lets more through.
 * One with a weight of 0.001 or less is left out: its size is wrong by a factor of 2.5 or more.
 * In order of falling weight (ties: diameter, then label) candidates form groups
 * (kernels/group.h). The agreement of a group is
 *     S = sum of w_i g_i / g0,   g_i = ln(D_{i+1} / D_{i-1}) / 2, at the ends the one gap there is,
 *     g0 = ln(150 / 20) / 26,
 * an integral over ln(D) in units of g0, the mean gap of the diameters 20:150:5: any spacing gives
 * the same agreement, sigma sqrt(2 pi) / g0 = 8.1 where every diameter finds it without error. A
 * single diameter counts as g0. Its support, 0 to 20, comes from S, the flow error and the company
 * that it has in this micrograph (merge_support.h). The outline has the pixels where masks of more
 * than half of the weight w_i g_i lie (option outline). Groups are accepted in order of falling
 * support (ties: the better seed), while it exceeds the threshold, if at least half of the outline
 * is still free; a particle has the free part.
 *
 * votes, affinity: going down the levels, a component (kernels/votes.h) of at least min_size
 * pixels that holds no pixel of an accepted particle is accepted, with this level. Support is
 * the largest number of votes in it. A diameter has found it where its masks cover at least half
 * of it; flow_error and cellprob are means over all pixels that masks cover.
 *
 * Memory: 4 bytes per pixel for the result; scale about 130 bytes per candidate and the outlines;
 * votes 2, affinity 6 bytes per pixel more, and about 30 per run of pixels of a level. */
#ifndef LP_MERGE_H
#define LP_MERGE_H

#include "merge_stages.h"

#define LP_MERGE_SCALE_THRESHOLD 12

/* Gap, in ln(diameter), that supports are measured in: ln(150 / 20) / 26. */
#define LP_MERGE_GAP 0.07749627002085634

/* gap [s->n]: g_i / g0 of each layer. Diameters that are the same share their gap. */
void lp_merge_gaps(const lp_layers *s, double *gap);

/* level [LP_MERGE_MAX_LEVELS + 1], falling; *n how many. Levels below the threshold are left out.
 * scale adds the threshold itself; votes and affinity do not (a threshold between two levels acts
 * as the higher one): a level more could part what the next one down would have joined, and then a
 * lower threshold would not give all particles of a higher one. LP_EARG for options out of range.
 */
lp_status lp_merge_levels(const lp_layers *s, const lp_merge_options *o, double *level, int *n,
                          lp_err *err);

/* lp_merge with the stages of a device; also fills the table of *t, if it is not NULL. */
lp_status lp_merge_on(const lp_merge_stages *stages, void *device, const lp_layers *s,
                      const lp_merge_options *options, lp_particle_table *t, lp_merged *out,
                      lp_err *err);

/* The methods; w, opened by the caller, paints out->masks and finishes. */
lp_status lp_merge_by_scale(const lp_layers *s, const lp_merge_options *o, const double *level,
                            int n_levels, const lp_merge_stages *stages, lp_merge_work *w,
                            lp_merged *out, lp_err *err);
lp_status lp_merge_by_votes(const lp_layers *s, const lp_merge_options *o, const double *level,
                            int n_levels, const lp_merge_stages *stages, lp_merge_work *w,
                            lp_merged *out, lp_err *err);

#endif
