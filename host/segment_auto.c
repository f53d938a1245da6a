/* segment_auto - one image at diameters chosen from the image (pilot.h).
 *
 * The pilot's layers within the range are kept and merged with the rest. Those outside are
 * dropped: far from their neighbours on the grid, they would weigh far too much (merge.h, g_i). */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "diameters.h"
#include "layers.h"
#include "machine.h"
#include "pilot.h"
#include "segment_diameters.h"

typedef struct {
    lp_session *s;
    lp_segment_options o; /* on_tiles and user: on_tiles below */
    const lp_buf *img;
    int Ly, Lx;
    const lp_segment_options *given;
    int before, total; /* tiles of the runs that are over, and of all so far */
    lp_layers *found;
    lp_diameters_result r;
} job;

static int on_tiles(void *user, int done, int total)
{
    const job *k = user;

    (void)total;
    return k->given->on_tiles(k->given->user, k->before + done, k->total);
}

/* Diameters d [n] more, into k->found. */
static lp_status run(job *k, const double *d, int n, lp_err *err)
{
    int tiles;
    lp_status st = lp_diameters_tiles(k->s, &k->o, d, n, k->Ly, k->Lx, &tiles, err);

    if (st) return st;
    if (k->total > (1 << 30) - tiles) return lp_fail(err, LP_EARG, "too many tiles in all");
    k->total += tiles;
    if ((st = lp_diameters_run(k->s, k->img, k->Ly, k->Lx, &k->o, d, n, tiles, k->found,
                               k->r.seconds, err)))
        return st;
    k->before = k->total;
    return LP_OK;
}

/* The sizes of what is found so far, and from them the range: *any is 0 where there is nothing to
 * be trusted. */
static lp_status find_range(job *k, double *range, int *any, lp_err *err)
{
    lp_merge_options mo = lp_merge_defaults();
    lp_pilot_size *size = NULL;
    lp_merged m = {0};
    int64_t i, px = (int64_t)k->Ly * k->Lx;
    lp_status st;

    mo.threshold = LP_PILOT_SUPPORT;
    if ((st = lp_session_merge(k->s, k->found, &mo, NULL, &m, err))) return st;
    if (!(size = calloc((size_t)m.n + 1, sizeof *size))) {
        st = lp_fail_mem(err, "pilot", 16.0 * m.n);
        goto done;
    }
    for (i = 0; i < px; i++)
        if (m.masks[i]) size[m.masks[i] - 1].diameter++;
    for (i = 0; i < m.n; i++) {
        size[i].diameter = 2 * sqrt(size[i].diameter / 3.14159265358979324);
        size[i].weight = lp_pilot_weight(m.particle[i].support, size[i].diameter);
        size[i].flow_error = m.particle[i].flow_error;
    }
    *any = lp_pilot_range(size, m.n, range);
    k->r.pilot_particles = m.n;
done:
    free(size);
    lp_merged_free(&m);
    return st;
}

/* The smallest diameter that the image's size and the memory allow. */
static void limit_memory(const job *k, double diam_mean, lp_pilot_limits *l)
{
    lp_err err;

    while (l->min < l->max &&
           lp_diameters_check(&l->min, 1, diam_mean, k->Ly, k->Lx, lp_machine_memory() / 2, &err))
        l->min = l->min * 1.1 < l->max ? l->min * 1.1 : l->max;
}

/* Runs the pilot; range and r.source are its result. */
static lp_status pilot(job *k, double diam_mean, const lp_pilot_limits *l, double *range,
                       lp_err *err)
{
    const double *known = lp_session_diam_range(k->s);
    double d[LP_PILOT_MAX];
    int n = lp_pilot_diameters(diam_mean, l, d), first = 1, any = 0;
    lp_status st;

    /* The large ones cost little: together less than the smallest of them again. */
    while (first < n && d[first] > 1.5 * diam_mean) first++;
    if ((st = run(k, d, first, err))) return st;
    for (k->r.n_pilot = first;; k->r.n_pilot++) {
        if ((st = find_range(k, range, &any, err))) return st;
        if (k->r.n_pilot == n ||
            !lp_pilot_goes_on(d[k->r.n_pilot - 1], diam_mean, any ? range : NULL))
            break;
        if ((st = run(k, &d[k->r.n_pilot], 1, err))) return st;
    }
    k->r.source = any ? LP_RANGE_PILOT : known[1] > 0 ? LP_RANGE_MODEL : LP_RANGE_DEFAULT;
    if (any) return LP_OK;
    range[0] = known[1] > 0 ? known[0] : LP_PILOT_FALLBACK_MIN;
    range[1] = known[1] > 0 ? known[1] : LP_PILOT_FALLBACK_MAX;
    return LP_OK;
}

/* Drops the pilot's layers that are not among d [n], ascending, and removes from d those that are
 * there. */
static void reuse(lp_layers *found, double *d, int *n)
{
    int i, j, kept = 0, left = 0;

    for (i = 0; i < found->n; i++) {
        for (j = 0; j < *n && d[j] != found->layer[i].diameter; j++) {
        }
        if (j < *n) {
            lp_layer y = found->layer[i];

            d[j] = 0;
            memset(&found->layer[i], 0, sizeof y);
            found->layer[kept++] = y;
        } else {
            lp_layer_clear(&found->layer[i]);
        }
    }
    found->n = kept;
    for (j = 0; j < *n; j++)
        if (d[j] > 0) d[left++] = d[j];
    *n = left;
}

lp_status lp_segment_auto(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                          const lp_segment_options *options, lp_diameters_result *out, lp_err *err)
{
    double diam_mean = lp_session_diam_mean(s), d[LP_PILOT_MAX], range[2];
    job k = {.s = s, .o = *options, .Ly = Ly, .Lx = Lx, .given = options};
    lp_pilot_limits l;
    lp_result first = {0};
    lp_buf *img = NULL;
    int before = lp_session_enter(s), n;
    lp_status st;

    k.o.diameter = diam_mean;
    if (options->on_tiles) k.o.on_tiles = on_tiles;
    k.o.user = &k;
    if ((st = lp_layers_new(Ly, Lx, &k.found, err))) goto done;
    if ((st = lp_session_prepare(s, image, nchan, Ly, Lx, &k.o, &img, &first, err))) goto done;
    k.img = img;
    memcpy(k.r.seconds, first.seconds, sizeof first.seconds);
    k.r.flat_channels = first.flat_channels;
    l = lp_pilot_limit(diam_mean, lp_session_diam_range(s), Ly, Lx);
    limit_memory(&k, diam_mean, &l);
    if ((st = pilot(&k, diam_mean, &l, range, err))) goto done;
    n = lp_pilot_choose(diam_mean, &l, range, k.r.source == LP_RANGE_PILOT ? LP_PILOT_WIDER : 1, d);
    reuse(k.found, d, &n);
    if (n && (st = run(&k, d, n, err))) goto done;
    k.r.ntiles = k.total;
    k.r.layers = k.found;
    k.found = NULL;
    *out = k.r;
done:
    lp_session_release(s, &img);
    lp_layers_free(&k.found);
    lp_result_free(&first);
    omp_set_num_threads(before);
    return st;
}
