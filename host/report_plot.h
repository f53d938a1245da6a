/* report_plot - line and bar charts as inline SVG.
 *
 * Drawn in units of a 480 x 300 box that the page scales; lines differ in colour and dash. */
#ifndef LP_REPORT_PLOT_H
#define LP_REPORT_PLOT_H

#include <stdio.h>

/* A round step, 1, 2 or 5 times a power of ten, that gives about n marks over range > 0. */
double lp_plot_step(double range, int n);

typedef struct {
    const char *name, *colour;
    const char *dash; /* stroke-dasharray, "" for a full line */
    const double *y;  /* [n] 0 .. 1 (bars: counts); NaN breaks a line */
} lp_plot_series;

/* y from 0 to 1 against x [n], ascending; at most 8 series. Text must need no escaping, here as
 * below. */
void lp_plot_lines(FILE *f, const char *title, const char *x_name, const double *x, int n,
                   const lp_plot_series *s, int n_series);

/* Curves and single points against x. */
typedef struct {
    const char *name, *colour; /* name NULL: not in the legend */
    const char *dash;
    const double *x, *y; /* [n]; NaN breaks a line */
    int n;
    int dots;                 /* 1: points instead of a line */
    const char *const *title; /* [n] of dots, shown under the pointer; or NULL */
} lp_plot_curve;

/* y from 0 to 1; x from x0 to x1, what lies outside is not shown. mark: where a vertical line
 * stands, called mark_name in the legend; NaN: none. */
void lp_plot_curves(FILE *f, const char *title, const char *x_name, double x0, double x1,
                    const lp_plot_curve *c, int n_curves, double mark, const char *mark_name);

/* Stacked bars; bar i reaches from edge[i] to edge[i+1], edges [n+1], at equal widths. */
void lp_plot_bars(FILE *f, const char *title, const char *x_name, const double *edge, int n,
                  const lp_plot_series *s, int n_series);

#endif
