#include "results.h"

#include <assert.h>
#include <limits.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "done.h"
#include "hdf5_lock.h"
#include "overlay.h"
#include "planes.h"
#include "run_files.h"
#include "stale.h"
#include "write_coords.h"
#include "write_csv.h"
#include "write_flows.h"
#include "write_geojson.h"
#include "write_masks.h"
#include "write_outlines.h"
#include "write_png.h"
#include "write_run.h"
#include "write_seg.h"

/* base + suffix into path, remembered in res. */
static lp_status name_output(const char *base, const char *suffix, char *path, lp_results *res,
                             lp_err *err)
{
    assert(lp_stale_knows(suffix) && res->n_outputs < LP_MAX_OUTPUTS);
    if (snprintf(path, PATH_MAX, "%s%s", base, suffix) >= PATH_MAX)
        return lp_fail(err, LP_EIO, "%s%s: the path is too long", base, suffix);
    if (!(res->output[res->n_outputs] = strdup(path)))
        return lp_fail_mem(err, path, (double)strlen(path));
    res->n_outputs++;
    return LP_OK;
}

lp_status lp_results_plane(const lp_image *im, const lp_segment_options *o, float **mean,
                           const float **plane, lp_err *err)
{
    size_t n = (size_t)im->Ly * im->Lx, i;
    int c;

    *mean = NULL;
    if (!im->data) {
        *plane = NULL;
        return LP_OK;
    }
    if (im->nchan == 1 || o->chan != 0) {
        *plane = im->data + (o->chan > 0 && o->chan <= im->nchan ? (size_t)(o->chan - 1) * n : 0);
        return LP_OK;
    }
    if (!(*mean = malloc(n * sizeof(float)))) return lp_fail_mem(err, "image", (double)n * 4);
    for (i = 0; i < n; i++) {
        float s = 0;

        for (c = 0; c < im->nchan; c++) s += im->data[c * n + i];
        (*mean)[i] = s / (float)im->nchan;
    }
    *plane = *mean;
    return LP_OK;
}

static lp_status at_image_size(const float *in, int nchan, const lp_result *seg, float **own,
                               const float **out, lp_err *err)
{
    return lp_planes_at_size(in, nchan, seg->net_Ly, seg->net_Lx, seg->Ly, seg->Lx, own, out, err);
}

int lp_results_need_flows(const lp_run_options *o)
{
    return o->save_flows || o->save_h5 || o->save_npy;
}

static lp_status write_overlay(const char *path, const float *plane, const lp_labels *masks,
                               const lp_results *res, const lp_run_options *o, lp_err *err)
{
    lp_overlay_opts oo = {.ids = o->ids, .pixel_nm = res->pixel_nm};
    lp_rgb rgb = {0};
    lp_status st = lp_overlay_draw(plane, masks, res->particle, res->n, &oo, &rgb, err);

    if (!st) st = lp_write_png(path, rgb.data, rgb.Ly, rgb.Lx, 3, 8, err);
    lp_rgb_free(&rgb);
    return st;
}

static lp_status write_outlines(const char *path, const float *plane, const lp_labels *masks,
                                lp_err *err)
{
    lp_rgb rgb = {0};
    lp_status st = lp_overlay_outlines(plane, masks, &rgb, err);

    if (!st) st = lp_write_png(path, rgb.data, rgb.Ly, rgb.Lx, 3, 8, err);
    lp_rgb_free(&rgb);
    return st;
}

static lp_status write_seg(const char *path, const char *image, const lp_labels *masks,
                           const float *flows, const float *cellprob, const lp_results *res,
                           const lp_run_options *o, lp_err *err)
{
    char *whole = realpath(image, NULL); /* as for write_h5 */
    lp_seg_file f = {.image = whole ? whole : image,
                     .masks = masks,
                     .chan = o->segment.chan,
                     .chan2 = o->segment.chan2,
                     .diameter = res->diameter,
                     .flows = flows,
                     .cellprob = cellprob};
    lp_status st = lp_write_seg(path, &f, err);

    free(whole);
    return st;
}

static lp_status write_h5(const char *path, const char *image, int page, const lp_labels *masks,
                          const float *flows, const float *cellprob, const lp_layers *layers,
                          const lp_results *res, const lp_run_options *o, lp_err *err)
{
    lp_run_file f = {
        .image = image,
        .model = o->model_name,
        .model_sha256 = o->model_sha256,
        .page = page + 1,
        .min_size = o->segment.min_size,
        .niter = o->segment.niter,
        .diameter = res->diameter,
        .flow_threshold = o->segment.flow_threshold,
        .cellprob_threshold = o->segment.cellprob_threshold,
        .pixel_nm = res->pixel_nm,
        .masks = masks,
        .flows = flows,
        .cellprob = cellprob,
        .candidates = layers,
    };
    char *whole = realpath(image, NULL); /* to be found from any folder; NULL: as it is */
    lp_status st;

    if (whole) f.image = whole;
    lp_hdf5_lock();
    st = lp_write_run(path, &f, err);
    lp_hdf5_unlock();
    free(whole);
    return st;
}

/* What coordinates call the micrograph: the results' name with the image's extension. */
static void micrograph_name(const char *base, const char *image, char name[PATH_MAX])
{
    const char *slash = strrchr(base, '/'), *file = strrchr(image, '/'), *dot;
    size_t n = strlen(image);

    if (n > 3 && !strcmp(image + n - 3, ".gz")) n -= 3;
    if (n > 4 && !strcmp(image + n - 4, ".bz2")) n -= 4;
    file = file ? file + 1 : image;
    for (dot = image + n; dot > file && *dot != '.';) dot--;
    if (dot == file) dot = image + n;
    snprintf(name, PATH_MAX, "%s%.*s", slash ? slash + 1 : base, (int)(image + n - dot), dot);
}

/* The formats of coordinates that o asks for. */
static lp_status write_coords(const char *base, const char *image, lp_results *res, double full,
                              const lp_run_options *o, lp_err *err)
{
    const int wanted[] = {[LP_COORDS_STAR] = o->save_star,
                          [LP_COORDS_BOX] = o->save_box,
                          [LP_COORDS_CBOX] = o->save_cbox,
                          [LP_COORDS_TOPAZ] = o->save_topaz};
    char path[PATH_MAX], name[PATH_MAX];
    lp_coords_options co = {.micrograph = name,
                            .Ly = res->Ly,
                            .box_size = o->box_size,
                            .flip_y = o->flip_y,
                            .full = full};
    lp_status st = LP_OK;
    int f;

    micrograph_name(base, image, name);
    for (f = LP_COORDS_STAR; f <= LP_COORDS_TOPAZ && !st; f++) {
        if (!wanted[f]) continue;
        st = name_output(base, lp_coords_ending(f), path, res, err);
        if (!st) st = lp_write_coords(path, f, res->particle, res->n, &co, err);
    }
    return st;
}

static void stages(lp_results *res, const lp_result *seg, double read, double write)
{
    int i;

    res->stage[0] = (lp_json_stage){"read", read};
    for (i = 0; i < LP_T_NSTAGES; i++)
        res->stage[i + 1] = (lp_json_stage){lp_stage_names[i], seg->seconds[i]};
    res->stage[LP_T_NSTAGES + 1] = (lp_json_stage){"write", write};
    res->n_stages = LP_T_NSTAGES + 2;
}

void lp_results_take_merged(lp_particle *p, int64_t n, const lp_merged *m)
{
    int64_t i;

    for (i = 0; i < n; i++) {
        const lp_merged_particle *q = &m->particle[p[i].id - 1];

        p[i].support = q->support;
        p[i].n_diameters = q->n_diameters;
        p[i].diameter_min = q->diameter_min;
        p[i].diameter_max = q->diameter_max;
        p[i].level = q->level;
        p[i].agreement = q->agreement;
        p[i].company = q->company;
        p[i].flow_error = q->flow_error;
        p[i].mean_cellprob = q->cellprob;
    }
}

lp_status lp_results_write(const char *base, const char *image, int page, const lp_image *im,
                           const lp_result *seg, lp_particle_table *table,
                           const lp_results_merged *many, double read, const lp_run_options *o,
                           lp_results *out, lp_err *err)
{
    lp_labels masks = {.data = seg->masks, .Ly = seg->Ly, .Lx = seg->Lx};
    lp_results res = {
        .diameter = seg->diameter, .pixel_nm = im->pixel_nm, .Ly = seg->Ly, .Lx = seg->Lx};
    float *mean = NULL, *own_prob = NULL, *own_flows = NULL;
    const float *plane = NULL, *cellprob = NULL, *flows = NULL;
    double t = omp_get_wtime();
    char path[PATH_MAX];
    int fits = 1;
    lp_status st;

    if ((st = lp_done_forget(base, err))) goto done;
    if ((st = lp_results_plane(im, &o->segment, &mean, &plane, err))) goto done;
    if (table) {
        res.particle = table->particle;
        res.n = table->n;
        table->particle = NULL;
    } else if ((st = lp_measure_particles(&masks, plane, NULL, seg->flow_error, seg->n,
                                          seg->diameter, &res.particle, &res.n, err))) {
        goto done;
    }
    if (many) lp_results_take_merged(res.particle, res.n, many->merged);
#define WRITE(wanted, suffix, call)                                                                \
    if (wanted) {                                                                                  \
        if ((st = name_output(base, suffix, path, &res, err))) goto done;                          \
        if ((st = (call))) goto done;                                                              \
    }
    WRITE(o->save_png, "_cp_masks.png", lp_write_masks_png(path, &masks, &fits, err));
    if (!fits && res.n_outputs) free(res.output[--res.n_outputs]); /* too many labels for a PNG */
    WRITE(o->save_tif || !fits, "_cp_masks.tif", lp_write_masks(path, &masks, res.pixel_nm, err));
    WRITE(o->save_outlines && plane, "_outlines_cp_masks.png",
          write_outlines(path, plane, &masks, err));
    WRITE(o->save_txt, "_cp_outlines.txt", lp_write_outlines_txt(path, &masks, err));
    WRITE(o->save_rois, "_rois.zip", lp_write_rois(path, &masks, err));
    WRITE(o->save_geojson, "_outlines.geojson",
          lp_write_geojson(path, &masks, res.particle, res.n, res.pixel_nm, err));
    if ((st = write_coords(base, image, &res, many ? many->merged->support_max : 0, o, err)))
        goto done;
    if (many) {
        WRITE(many->layers, LP_RUN_ENDING,
              write_h5(path, image, page, &masks, NULL, NULL, many->layers, &res, o, err));
    } else if (lp_results_need_flows(o)) {
        if ((st = at_image_size(seg->flows, 2, seg, &own_flows, &flows, err))) goto done;
        if ((st = at_image_size(seg->cellprob, 1, seg, &own_prob, &cellprob, err))) goto done;
        WRITE(o->save_flows, "_flows_cp_masks.tif",
              lp_write_flows_rgb(path, flows, seg->Ly, seg->Lx, err));
        WRITE(o->save_flows, "_dP_cp_masks.tif",
              lp_write_flows_dp(path, flows, seg->Ly, seg->Lx, err));
        WRITE(o->save_h5, LP_RUN_ENDING,
              write_h5(path, image, page, &masks, flows, cellprob, NULL, &res, o, err));
    }
    WRITE(o->save_npy, "_seg.npy", write_seg(path, image, &masks, flows, cellprob, &res, o, err));
    WRITE(o->save_overlay && plane, "_overlay.png",
          write_overlay(path, plane, &masks, &res, o, err));
    /* Last: who finds the table finds the rest. */
    WRITE(o->save_csv, "_particles.csv",
          lp_write_csv(path, res.particle, res.n, res.pixel_nm, err));
    if (!o->keep_older)
        lp_stale_remove(base, res.output, res.n_outputs, many ? many->run : NULL, res.older,
                        sizeof res.older);
    stages(&res, seg, read, omp_get_wtime() - t);
    *out = res;
    memset(&res, 0, sizeof res);
done:
    free(mean);
    free(own_prob);
    free(own_flows);
    lp_results_free(&res);
    return st;
}

int lp_results_doubtful(const lp_results *res)
{
    int64_t known = 0, above = 0, i;

    for (i = 0; i < res->n; i++) {
        known += res->particle[i].flow_error >= 0;
        above += res->particle[i].flow_error > LP_RESULTS_NOISE;
    }
    return 2 * above > known;
}

void lp_results_free(lp_results *res)
{
    int i;

    if (!res) return;
    for (i = 0; i < res->n_outputs; i++) free(res->output[i]);
    free(res->particle);
    memset(res, 0, sizeof *res);
}
