#include "fingerprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../weights/sha256.h"
#include "number.h"
#include "settings.h"

lp_status lp_fingerprint(const lp_run_options *o, char *hex, lp_err *err)
{
    const int flags[] = {o->save_tif,      o->save_png,   o->save_csv,     o->save_overlay,
                         o->save_outlines, o->save_txt,   o->save_rois,    o->save_flows,
                         o->save_h5,       o->ids,        o->save_star,    o->save_box,
                         o->save_cbox,     o->save_topaz, o->save_geojson, o->save_npy,
                         o->page_channels};
    const lp_merge_options *m = &o->merge;
    const double numbers[] = {o->segment.diameter, o->pixel_nm,   m->sigma, m->iou,
                              m->outline,          m->flow_weight};
    char *text = NULL, *whole = NULL, more[800], buf[LP_NUMBER_MAX];
    int several = o->n_diameters || o->auto_diameters;
    size_t i, n = 0, k;
    lp_settings s = {0};
    lp_status st;

    snprintf(s.model_sha256, sizeof s.model_sha256, "%s", o->model_sha256);
    s.n_diameters = o->n_diameters;
    if (o->n_diameters)
        memcpy(s.diameter, o->diameters, (size_t)o->n_diameters * sizeof *s.diameter);
    s.merge = several ? *m : lp_merge_defaults();
    s.segment = o->segment;
    s.precision = o->session.precision;
    if ((st = lp_settings_format(&s, &text, err))) return st;
    for (i = 0; i < sizeof flags / sizeof *flags; i++)
        n += (size_t)snprintf(more + n, sizeof more - n, "%d", flags[i]);
    n += (size_t)snprintf(more + n, sizeof more - n, " %d %d %d %d", several, o->box_size,
                          o->flip_y, several ? m->min_size : 0);
    for (i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (i < 2 || several)
            n += (size_t)snprintf(more + n, sizeof more - n, " %s",
                                  lp_number_exact(buf, numbers[i]));
    k = strlen(text);
    if ((whole = malloc(k + n))) {
        memcpy(whole, text, k);
        memcpy(whole + k, more, n);
        lp_sha256(whole, k + n, hex);
    } else {
        st = lp_fail_mem(err, "settings", (double)(k + n));
    }
    free(whole);
    free(text);
    return st;
}
