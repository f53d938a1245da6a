#include "run_options.h"

#include <stdlib.h>

#include "image.h"

static int stop_at_once(void *user, int done, int total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

lp_status lp_run_options_try(lp_session *s, const lp_segment_options *given, int several,
                             lp_err *err)
{
    enum { SIDE = 64 };
    lp_segment_options o = *given;
    float *image;
    lp_result r = {0};
    lp_status st;

    if (several) o.diameter = lp_session_diam_mean(s);
    if (o.diameter == 0 && !lp_session_has_size_model(s))
        return lp_fail(err, LP_EARG,
                       "--diameter 0: this model has no size model to estimate it; give "
                       "--diameter %.0f (what it was trained on), or add a size model: lipopose "
                       "convert MODEL MODEL.h5 --size size_MODEL.npy",
                       lp_session_diam_labels(s));
    if (!(o.diameter >= 0 && o.diameter <= 1e6))
        return lp_fail(err, LP_EARG, "--diameter %g: must be positive, or 0 to estimate it",
                       o.diameter);
    image = calloc((size_t)LP_MAX_CHANNELS * SIDE * SIDE, sizeof *image);
    if (!image) return lp_fail_mem(err, "options", LP_MAX_CHANNELS * SIDE * SIDE * 4.0);
    o.diameter = lp_session_diam_mean(s);
    o.on_tiles = stop_at_once;
    st = lp_segment(s, image, LP_MAX_CHANNELS, SIDE, SIDE, &o, &r, err);
    lp_result_free(&r);
    free(image);
    return st == LP_ESIGNAL ? LP_OK : st;
}
