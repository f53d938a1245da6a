/* segment_diameters - one image through the network at each of several diameters.
 *
 * All tiles go through one queue (net_queue.h), and masks of the diameters that are through are
 * made beside it (mask_pool.h). Of a diameter only the runs of its masks are kept. */
#include <omp.h>
#include <string.h>

#include "diameters.h"
#include "layers.h"
#include "machine.h"
#include "mask_pool.h"
#include "net_queue.h"
#include "segment_diameters.h"
#include "session.h"

static lp_status check(const double *d, int n, lp_err *err)
{
    int i;

    if (n < 1 || n > LP_MAX_DIAMETERS)
        return lp_fail(err, LP_EARG, "%d diameters: must be 1 to %d", n, LP_MAX_DIAMETERS);
    for (i = 0; i < n; i++)
        if (!(d[i] > 0 && d[i] <= 1e6))
            return lp_fail(err, LP_EARG, "diameter %g: must be positive (px)", d[i]);
    return LP_OK;
}

lp_status lp_diameters_tiles(const lp_session *s, const lp_segment_options *o,
                             const double *diameters, int n, int Ly, int Lx, int *total,
                             lp_err *err)
{
    int64_t sum = 0;
    lp_status st;
    int i, tiles;

    for (i = 0; i < n; i++) {
        lp_net_options no = lp_session_net_options(s, o, diameters[i]);

        if ((st = lp_net_tiles(Ly, Lx, &no, &tiles, err))) {
            lp_net_at_diameter(diameters[i], err);
            return st;
        }
        sum += tiles;
    }
    if (sum > 1 << 30)
        return lp_fail(err, LP_EARG, "%.0f tiles in all are too many; take larger diameters",
                       (double)sum);
    *total = (int)sum;
    return LP_OK;
}

lp_status lp_diameters_run(lp_session *s, const lp_buf *img, int Ly, int Lx,
                           const lp_segment_options *o, const double *diameters, int n, int ntiles,
                           lp_layers *layers, double *seconds, lp_err *err)
{
    lp_net_context c = lp_session_net(s, o);
    lp_mask_pool *pool = NULL;
    lp_net_queue *q = NULL;
    lp_status st;
    int i;

    if ((st = lp_mask_pool_new(s, o, Ly, Lx, diameters, n, lp_machine_memory() / 4, &pool, err)))
        goto done;
    if ((st = lp_session_times(s, -1, seconds, err))) goto done;
    if ((st = lp_net_queue_new(&c, ntiles, lp_mask_pool_give, pool, &q, err))) goto done;
    for (i = 0; i < n; i++) {
        lp_net_options no = lp_session_net_options(s, o, diameters[i]);

        no.diameter = diameters[i];
        if ((st = lp_net_queue_add(q, img, Ly, Lx, &no, err))) goto done;
    }
    if ((st = lp_net_queue_flush(q, err))) goto done;
    lp_net_queue_free(&q);
    if ((st = lp_mask_pool_finish(pool, layers, seconds, err))) goto done;
    st = lp_session_times(s, 1, seconds, err);
done:
    lp_net_queue_free(&q);
    lp_mask_pool_free(&pool);
    return st;
}

lp_segment_options lp_diameters_defaults(void)
{
    lp_segment_options o = lp_segment_defaults();

    o.flow_threshold = 0.8;
    o.cellprob_threshold = -1;
    return o;
}

lp_status lp_segment_diameters(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                               const lp_segment_options *options, const double *diameters, int n,
                               lp_diameters_result *out, lp_err *err)
{
    lp_segment_options o = *options;
    lp_diameters_result r = {0};
    lp_result first = {0};
    lp_buf *img = NULL;
    int before = lp_session_enter(s);
    lp_status st;

    if ((st = check(diameters, n, err))) goto done;
    o.diameter = diameters[0];
    if ((st = lp_diameters_check(diameters, n, lp_session_diam_mean(s), Ly, Lx,
                                 lp_machine_memory() / 2, err)))
        goto done;
    if ((st = lp_diameters_tiles(s, &o, diameters, n, Ly, Lx, &r.ntiles, err))) goto done;
    if ((st = lp_layers_new(Ly, Lx, &r.layers, err))) goto done;
    if ((st = lp_session_prepare(s, image, nchan, Ly, Lx, &o, &img, &first, err))) goto done;
    memcpy(r.seconds, first.seconds, sizeof r.seconds);
    r.flat_channels = first.flat_channels;
    if ((st = lp_diameters_run(s, img, Ly, Lx, &o, diameters, n, r.ntiles, r.layers, r.seconds,
                               err)))
        goto done;
    *out = r;
    memset(&r, 0, sizeof r);
done:
    lp_session_release(s, &img);
    lp_layers_free(&r.layers);
    lp_result_free(&first);
    omp_set_num_threads(before);
    return st;
}
