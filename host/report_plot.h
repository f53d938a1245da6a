/* report_plot - line and bar charts as inline SVG.
 *
 * Drawn in units of a 480 x 300 box that the page scales; lines differ in colour and dash. */
#ifndef LP_REPORT_PLOT_H
#define LP_REPORT_PLOT_H

#include <stdio.h>

typedef struct {
    const char *name, *colour;
    const char *dash; /* stroke-dasharray, "" for a full line */
    const double *y;  /* [n] 0 .. 1 (bars: counts); NaN breaks a line */
} lp_plot_series;

/* y from 0 to 1 against x [n], ascending. Text must need no escaping. */
void lp_plot_lines(FILE *f, const char *title, const char *x_name, const double *x, int n,
                   const lp_plot_series *s, int n_series);

/* Stacked bars; bar i reaches from edge[i] to edge[i+1], edges [n+1], at equal widths. */
void lp_plot_bars(FILE *f, const char *title, const char *x_name, const double *edge, int n,
                  const lp_plot_series *s, int n_series);

#endif
