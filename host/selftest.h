/* selftest - one small input and its right output, kept in a model file, so that a model can
 * be proven on the machine where it will run (`lipopose info --check`). */
#ifndef LP_SELFTEST_H
#define LP_SELFTEST_H

#include "../weights/weights.h"
#include "status.h"

/* Fills test_x, test_y, test_ly, test_lx of w: smooth discs and noise, the same for every
 * model, through unet_ref.h. */
lp_status lp_selftest_fill(lp_weights *w, lp_err *err);

/* Runs w's self-test in fp32, or bf16, on the CPU. *error is max |ours - reference| / max
 * |reference|. LP_EFORMAT where w has no self-test. */
lp_status lp_selftest_run(const lp_weights *w, int bf16, double *error, lp_err *err);

/* What *error may be: fp32 as promised for any model; bf16 shows that the path works. */
#define LP_SELFTEST_FP32 1e-4
#define LP_SELFTEST_BF16 0.1

#endif
