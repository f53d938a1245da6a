#include "merge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "big_alloc.h"
#include "detmath.h"
#include "merge_support.h"

static const double default_level[] = {20, 15, 10, 8, 5, 3, 2, 1, 0};

lp_merge_options lp_merge_defaults(void)
{
    return (lp_merge_options){.threshold = NAN,
                              .sigma = 0.25,
                              .iou = 0.5,
                              .flow_weight = 2,
                              .outline = 0.5,
                              .min_size = 15};
}

void lp_merge_gaps(const lp_layers *s, double *gap)
{
    int i, j, k;

    for (i = 0; i < s->n; i = j) {
        double d = s->layer[i].diameter, g, up = 0, down = 0;

        for (j = i + 1; j < s->n && s->layer[j].diameter == d; j++) {
        }
        if (i > 0) down = lp_det_log(d / s->layer[i - 1].diameter);
        if (j < s->n) up = lp_det_log(s->layer[j].diameter / d);
        if (i == 0 && j == s->n)
            g = LP_MERGE_GAP;
        else
            g = i == 0 ? up : j == s->n ? down : (up + down) / 2;
        for (k = i; k < j; k++) gap[k] = g / (LP_MERGE_GAP * (j - i));
    }
}

/* How many of these diameters stand where 20:150:5 has one. */
static double density(const lp_layers *s)
{
    double range = s->n ? lp_det_log(s->layer[s->n - 1].diameter / s->layer[0].diameter) : 0;
    int i, gaps = 0;

    for (i = 1; i < s->n; i++) gaps += s->layer[i].diameter != s->layer[i - 1].diameter;
    return gaps ? gaps * LP_MERGE_GAP / range : 1;
}

static lp_status bad(lp_err *err, const char *what, double v, const char *need)
{
    return lp_fail(err, LP_EARG, "merge: %s %g: must be %s", what, v, need);
}

lp_status lp_merge_levels(const lp_layers *s, const lp_merge_options *o, double *level, int *n,
                          lp_err *err)
{
    double scale = o->method == LP_MERGE_SCALE ? 1 : density(s), t = o->threshold;
    int given = o->n_levels, k, m = 0;

    if (given < 0 || given > LP_MERGE_MAX_LEVELS)
        return bad(err, "number of levels", given, "at most 64");
    for (k = 0; k < given; k++) {
        if (!(o->levels[k] >= 0 && o->levels[k] <= 1e9))
            return bad(err, "level", o->levels[k], "0 or more");
        if (k && !(o->levels[k] < o->levels[k - 1]))
            return bad(err, "level", o->levels[k], "below the level before it");
    }
    if (isnan(t))
        t = given                         ? o->levels[given - 1]
            : o->method == LP_MERGE_SCALE ? LP_MERGE_SCALE_THRESHOLD
                                          : 0;
    if (!(t >= 0 && t <= 1e9)) return bad(err, "threshold", t, "0 or more");
    for (k = 0; k < (given ? given : (int)(sizeof default_level / sizeof *default_level)); k++) {
        double v = given ? o->levels[k] : default_level[k] * scale;

        if (!given) v = floor(v + 0.5);
        if (v >= t && (m == 0 || v < level[m - 1])) level[m++] = v;
    }
    if (o->method == LP_MERGE_SCALE && (m == 0 || t < level[m - 1])) level[m++] = t;
    *n = m;
    return LP_OK;
}

lp_status lp_merge_on(const lp_merge_stages *stages, void *device, const lp_layers *s,
                      const lp_merge_options *options, lp_particle_table *t, lp_merged *out,
                      lp_err *err)
{
    lp_merge_options o = options ? *options : lp_merge_defaults();
    double level[LP_MERGE_MAX_LEVELS + 1];
    lp_merged m = {.Ly = s->Ly, .Lx = s->Lx};
    size_t bytes = (size_t)s->Ly * s->Lx * sizeof *m.masks;
    lp_merge_work *w = NULL;
    lp_status st;
    int n = 0;

    if (!(o.sigma > 0 && o.sigma <= 100)) return bad(err, "sigma", o.sigma, "positive");
    if (!(o.iou > 0 && o.iou <= 1)) return bad(err, "IoU", o.iou, "above 0, at most 1");
    if (!(o.flow_weight >= 0 && o.flow_weight <= 1e6))
        return bad(err, "flow_weight", o.flow_weight, "0 or more");
    if (!(o.outline >= 0 && o.outline < 1))
        return bad(err, "outline", o.outline, "0 to below 1: a share of the weight");
    if ((st = lp_merge_levels(s, &o, level, &n, err))) return st;
    if (!(m.masks = lp_big_alloc(bytes))) return lp_fail_mem(err, "merge", (double)bytes);
    if ((st = stages->open(device, s, m.masks, &w, err))) goto done;
    switch (o.method) {
    case LP_MERGE_SCALE:
        st = lp_merge_by_scale(s, &o, level, n, stages, w, &m, err);
        break;
    case LP_MERGE_VOTES:
    case LP_MERGE_AFFINITY:
        st = lp_merge_by_votes(s, &o, level, n, stages, w, &m, err);
        break;
    default:
        st = lp_fail(err, LP_EARG, "merge: method %d is not known", (int)o.method);
    }
    if (st || (t && (st = stages->measure(w, m.n, t, err)))) goto done;
    m.support_max = o.method == LP_MERGE_SCALE ? LP_SUPPORT_MAX : s->n;
    *out = m;
    memset(&m, 0, sizeof m);
done:
    stages->close(&w);
    lp_merged_free(&m);
    return st;
}

lp_status lp_merge(const lp_layers *s, const lp_merge_options *options, lp_merged *out, lp_err *err)
{
    return lp_merge_on(&lp_merge_stages_cpu, NULL, s, options, NULL, out, err);
}

void lp_merged_free(lp_merged *m)
{
    if (!m) return;
    free(m->masks);
    free(m->particle);
    memset(m, 0, sizeof *m);
}
