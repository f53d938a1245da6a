#include "remerge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "done.h"
#include "hdf5_lock.h"
#include "run_files.h"

/* Results of a merge are whole, but not those of segment's settings: segment makes its own again.
 */
static lp_status record(const char *base, const lp_saved_run *r, const lp_results *res, lp_err *err)
{
    lp_json_record rec = {.file = r->image,
                          .page = r->page,
                          .particles = res->n,
                          .diameter = NAN,
                          .Ly = res->Ly,
                          .Lx = res->Lx,
                          .pixel_nm = res->pixel_nm,
                          .stages = res->stage,
                          .n_stages = res->n_stages,
                          .outputs = (const char *const *)res->output,
                          .n_outputs = res->n_outputs,
                          .started_s = NAN,
                          .wall_s = NAN,
                          .peak_mib = lp_json_peak_mib()};
    char *line = NULL;
    lp_status st = lp_json_format(&rec, &line, err);

    if (!st) st = lp_done_write(base, line, err);
    free(line);
    return st;
}

lp_status lp_remerge(const char *path, const char *base, const lp_run_options *o,
                     const lp_remerge_options *how, lp_results *res, lp_err *no_image, lp_err *err)
{
    lp_merge_options mo = o->merge;
    lp_saved_run r = {0};
    lp_merged m = {0};
    lp_image im = {0};
    lp_result seg = {0};
    lp_results_merged many = {.merged = &m, .run = path};
    lp_status st;

    lp_hdf5_lock();
    st = lp_read_run(path, &r, err);
    lp_hdf5_unlock();
    if (st) return st;
    if (how->on_run) how->on_run(how->user, &r);
    mo.min_size = r.min_size;
    if ((st = lp_merge(r.layers, &mo, &m, err))) goto done;
    memset(no_image, 0, sizeof *no_image);
    if (!lp_run_image(&r, path, how->image, &im, no_image)) no_image->status = LP_OK;
    im.pixel_nm = r.pixel_nm;
    seg.masks = m.masks;
    seg.n = m.n;
    seg.Ly = m.Ly;
    seg.Lx = m.Lx;
    seg.diameter = NAN;
    if (how->keep_run) many.layers = r.layers;
    if ((st = lp_results_write(base, r.image, r.page - 1, &im, &seg, NULL, &many, 0, o, res, err)))
        goto done;
    if ((st = record(base, &r, res, err))) lp_results_free(res);
done:
    lp_image_free(&im);
    lp_merged_free(&m);
    lp_saved_run_free(&r);
    return st;
}
