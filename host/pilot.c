#include "pilot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "detmath.h"

#define LN2 0.69314718055994531
#define LOW 0.05 /* percentiles of the sizes */
#define HIGH 0.95
#define SHOWN 0.75 /* a diameter shows particles of this much of itself, and larger ones, well */

double lp_pilot_grid(double diam_mean, int j)
{
    int k = (int)floor((double)j / LP_PILOT_STEPS);
    double d =
        lp_det_ldexp(diam_mean * lp_det_exp((j - k * LP_PILOT_STEPS) * LN2 / LP_PILOT_STEPS), k);
    double scale = d < 1 ? 1e6 : 100;

    return floor(d * scale + 0.5) / scale;
}

/* Where d lies on the grid, in steps. */
static double steps(double diam_mean, double d)
{
    return lp_det_log(d / diam_mean) * (LP_PILOT_STEPS / LN2);
}

lp_pilot_limits lp_pilot_limit(double diam_mean, const double *diam_range, int Ly, int Lx)
{
    lp_pilot_limits l = {diam_mean / 2, Ly < Lx ? Ly : Lx};

    if (diam_range[1] > 0) {
        l.min = diam_range[0] / 2 > diam_mean / 4 ? diam_range[0] / 2 : diam_mean / 4;
        if (diam_range[1] * 2 < l.max) l.max = diam_range[1] * 2;
    }
    if (l.max < l.min) l.max = l.min;
    return l;
}

/* Steps on the grid within the limits: *first to *last, multiples of `every`; the nearest one
 * where there is none. */
static void within(double diam_mean, const lp_pilot_limits *l, int every, int *first, int *last)
{
    *first = (int)ceil(steps(diam_mean, l->min) / every - 1e-6) * every;
    *last = (int)floor(steps(diam_mean, l->max) / every + 1e-6) * every;
    if (*last < *first) *last = *first;
    if (*last - *first > (LP_PILOT_MAX - 1) * every) *last = *first + (LP_PILOT_MAX - 1) * every;
}

int lp_pilot_diameters(double diam_mean, const lp_pilot_limits *l, double *d)
{
    int first, last, n = 0;

    within(diam_mean, l, LP_PILOT_STEPS, &first, &last);
    for (; last >= first; last -= LP_PILOT_STEPS) d[n++] = lp_pilot_grid(diam_mean, last);
    return n;
}

double lp_pilot_weight(double support, double diameter)
{
    double s = support - LP_PILOT_SUPPORT;

    return s * s * diameter;
}

static int compare(const void *a, const void *b)
{
    const lp_pilot_size *x = a, *y = b;

    if (x->diameter != y->diameter) return x->diameter < y->diameter ? -1 : 1;
    if (x->weight != y->weight) return x->weight < y->weight ? -1 : 1;
    return x->flow_error < y->flow_error ? -1 : x->flow_error > y->flow_error;
}

int lp_pilot_range(lp_pilot_size *size, int64_t n, double *range)
{
    double all = 0, sum = 0, low = 0, high = 0, known = 0, error = 0;
    int64_t i;

    if (n < 1) return 0;
    qsort(size, (size_t)n, sizeof *size, compare);
    for (i = 0; i < n; i++) {
        all += size[i].weight;
        if (size[i].flow_error >= 0) {
            known += size[i].weight;
            error += size[i].weight * size[i].flow_error;
        }
    }
    if (error > LP_PILOT_NOISE * known) return 0;
    for (i = 0; i < n; i++) {
        if (sum <= LOW * all) low = size[i].diameter;
        if (sum < HIGH * all) high = size[i].diameter;
        sum += size[i].weight;
    }
    range[0] = low;
    range[1] = high;
    return 1;
}

int lp_pilot_goes_on(double done, double diam_mean, const double *range)
{
    return range ? range[0] < SHOWN * done : done > 0.75 * diam_mean;
}

int lp_pilot_choose(double diam_mean, const lp_pilot_limits *l, const double *range, double wider,
                    double *d)
{
    int first, last, low, high, j, n = 0;

    within(diam_mean, l, 1, &first, &last);
    low = (int)floor(steps(diam_mean, range[0] / wider) + 0.5);
    high = (int)floor(steps(diam_mean, range[1] * wider) + 0.5);
    if (low < first) low = first;
    if (high > last) high = last;
    if (low > last) low = last;
    if (high < low) high = low;
    for (j = low; j <= high; j++) d[n++] = lp_pilot_grid(diam_mean, j);
    return n;
}

void lp_pilot_tell(char *buf, size_t cap, const lp_diameters_result *r)
{
    int n = lp_layers_count(r->layers);
    char found[120];

    if (r->source == LP_RANGE_PILOT)
        snprintf(found, sizeof found, "%lld particle%s", (long long)r->pilot_particles,
                 r->pilot_particles == 1 ? "" : "s");
    else
        snprintf(found, sizeof found, "%s, so %s",
                 r->pilot_particles ? "what it found may be noise" : "nothing found",
                 r->source == LP_RANGE_MODEL ? "those the model was trained on" : "the usual ones");
    snprintf(buf, cap, "diameters %g to %g px, %d of them (pilot: %d diameters, %s)",
             lp_layers_diameter(r->layers, 0), lp_layers_diameter(r->layers, n - 1), n, r->n_pilot,
             found);
}
