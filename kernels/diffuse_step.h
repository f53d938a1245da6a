/* diffuse_step - one step of heat for four rows; the inner loop of lp_diffuse_cpu.
 *
 * Every version adds the nine terms in the order of diffuse.h, so all give the same bits. */
#ifndef LP_DIFFUSE_STEP_H
#define LP_DIFFUSE_STEP_H

#include <stdint.h>

/* o [4], m [4], t [6]: pointers to rows; columns x0..x1, multiples of 8, outside of
 * which t is 0. Row i of o is made of t[i], t[i + 1], t[i + 2]. t[][-1] can be read, and so
 * can the column after the last; both are 0 or do not matter. */
typedef void lp_diffuse_step4(double *const *o, const double *const *t, const uint8_t *const *m,
                              int x0, int x1);

/* The fastest version that this CPU runs. */
lp_diffuse_step4 *lp_diffuse_step4_choose(void);

#endif
