/* diameters - the list of diameters to segment at, from its text.
 *
 *     MIN:MAX:STEP     20:150:5, MAX included where a step meets it
 *     MIN:MAX:xRATIO   20:150:x1.2, each RATIO times the one before
 *     A,B,C            a list in any order; equal ones count once
 *     A                one diameter */
#ifndef LP_DIAMETERS_H
#define LP_DIAMETERS_H

#include "status.h"

#define LP_MAX_DIAMETERS 400

typedef struct {
    double *d; /* [n] px, ascending, owned */
    int n;
} lp_diameters;

/* LP_EARG with a message that says what is wrong with which number. On success *out is the
 * caller's (lp_diameters_free). */
lp_status lp_diameters_parse(const char *text, lp_diameters *out, lp_err *err);
void lp_diameters_free(lp_diameters *d); /* NULL and empty are fine; clears *d */

/* LP_EARG where, at the smallest of d [n], an image of Ly x Lx pixels would be enlarged by
 * diam_mean / diameter to more pixels than lipopose handles (image.h) or than `memory` bytes
 * allow (0: any); the message suggests a minimum. */
lp_status lp_diameters_check(const double *d, int n, double diam_mean, int Ly, int Lx,
                             double memory, lp_err *err);

#endif
