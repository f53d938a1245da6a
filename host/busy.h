/* busy - for how long anything at all ran, of spans of time that overlap.
 *
 * Spans come in about the order of time: one that reaches back before the LP_BUSY_SPANS latest
 * separate ones counts only from there on. */
#ifndef LP_BUSY_H
#define LP_BUSY_H

#define LP_BUSY_SPANS 64

typedef struct {
    struct {
        double from, to;
    } span[LP_BUSY_SPANS]; /* separate, ascending */
    int n;
    double closed, horizon; /* sum of those before span[0]; the end of the last of them */
} lp_busy;                  /* begins zeroed; times are 0 or more */

void lp_busy_add(lp_busy *b, double from, double to);
double lp_busy_total(const lp_busy *b);

#endif
