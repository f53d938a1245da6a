/* report_html - pieces that the parts of the report share. */
#ifndef LP_REPORT_HTML_H
#define LP_REPORT_HTML_H

#include "html.h"

/* A table cell, three decimals; NaN is a dash. */
void lp_html_td(FILE *f, double v);
/* A number with its name below. */
void lp_html_tile(FILE *f, const char *name, double v);
/* A picture [n] of type PNG; alt is text. */
void lp_html_png(FILE *f, const char *alt, const uint8_t *png, size_t n);

extern const char lp_html_style[];

#endif
