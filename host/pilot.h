/* pilot - the diameters to segment a micrograph at, from a coarse look at the micrograph itself.
 *
 * All diameters lie on one grid, diam_mean 2^(j / 5): each 1.149 times the one before, so that
 * with sigma 0.25 a particle has the weight of 4.5 diameters (host/merge.h). The pilot takes every
 * fifth, from large to small, so that what it computes is part of the result and not
 * done twice. Each step costs four times the one before: it stops when what was found calls for
 * no smaller one. Numbers only; segment_auto.c runs it. */
#ifndef LP_PILOT_H
#define LP_PILOT_H

#include <stdint.h>

#include "lipopose.h"

#define LP_PILOT_STEPS 5         /* of the grid, per doubling */
#define LP_PILOT_MAX 128         /* diameters of a grid, at most */
#define LP_PILOT_SUPPORT 5       /* a particle of the pilot has more (host/merge.h) */
#define LP_PILOT_NOISE 0.3       /* mean flow error above which what is found is not trusted */
#define LP_PILOT_WIDER 1.5       /* the range is that of the sizes, wider by this on both sides */
#define LP_PILOT_FALLBACK_MIN 20 /* px: the range where nothing is known */
#define LP_PILOT_FALLBACK_MAX 150

/* What a range of diameters must not leave, px. */
typedef struct {
    double min, max;
} lp_pilot_limits;

typedef struct {
    double diameter;   /* px */
    double weight;     /* above 0: lp_pilot_weight */
    double flow_error; /* NaN unknown */
} lp_pilot_size;

/* Point j of the grid, px: diam_mean 2^(j / 5), to 0.01 px, so that the number that is printed is
 * the number that was used. */
double lp_pilot_grid(double diam_mean, int j);

/* From half of diam_mean (noise has specks of any size, and each halving costs four times as
 * much) up to the smaller side of the image. Where the model knows the sizes it was trained on
 * (diam_range, its 5th and 95th percentile, px; 0, 0 unknown): from half of the lower, but a
 * quarter of diam_mean, to twice the upper. At least one point of the grid lies within. */
lp_pilot_limits lp_pilot_limit(double diam_mean, const double *diam_range, int Ly, int Lx);

/* d [LP_PILOT_MAX]: the pilot's diameters within the limits, falling. Returns how many, 1 or more.
 */
int lp_pilot_diameters(double diam_mean, const lp_pilot_limits *l, double *d);

/* (support - LP_PILOT_SUPPORT)^2 diameter: a few sure particles of 240 px are not outvoted by many
 * doubtful specks of 10, whose diameters would cost several hundred times as much. */
double lp_pilot_weight(double support, double diameter);

/* range[2]: where the sizes [n] lie, 5th to 95th percentile by weight; *size is sorted. Returns 0,
 * and leaves range, where there are none, or where their flow errors, mean by weight, exceed
 * LP_PILOT_NOISE: specks of noise agree in size, so nothing else gives them away. */
int lp_pilot_range(lp_pilot_size *size, int64_t n, double *range);

/* Whether the pilot goes on below `done`, its last diameter: while the smallest sizes found are
 * smaller than what that shows well, and where nothing was found (range NULL), down to half of
 * diam_mean. */
int lp_pilot_goes_on(double done, double diam_mean, const double *range);

/* d [LP_PILOT_MAX]: the points of the grid from range[0] / wider to range[1] * wider, within the
 * limits, ascending. Returns how many, 1 or more. */
int lp_pilot_choose(double diam_mean, const lp_pilot_limits *l, const double *range, double wider,
                    double *d);

/* "diameters 24 to 137 px, 14 of them (pilot: 5 diameters, 63 particles)" into buf [cap]. */
void lp_pilot_tell(char *buf, size_t cap, const lp_diameters_result *r);

#endif
