/* report_html - small pieces of the report's HTML. */
#ifndef LP_REPORT_HTML_H
#define LP_REPORT_HTML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Text between tags or in quotes; control characters become '?'. */
void lp_html_text(FILE *f, const char *s);
/* A table cell, three decimals; NaN is a dash. */
void lp_html_td(FILE *f, double v);
/* A number with its name below. */
void lp_html_tile(FILE *f, const char *name, double v);
/* A picture [n] of type PNG; alt is text. */
void lp_html_png(FILE *f, const char *alt, const uint8_t *png, size_t n);

extern const char lp_html_style[];

#endif
