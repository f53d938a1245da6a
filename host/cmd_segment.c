/* cmd_segment - `lipopose segment`: the options, with Cellpose's names, and the run. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate.h"
#include "commands.h"
#include "diameters.h"
#include "fingerprint.h"
#include "inputs.h"
#include "merge_text.h"
#include "options.h"
#include "run_devices.h"
#include "segment_source.h"
#include "../weights/sha256.h"

typedef struct {
    lp_run_options run;
    lp_segment_source source;
    const char *dir, *image_path, *model, *backend, *precision, *compat;
    const char *diameters, *method, *levels;
    const char *settings, *calibrate, *target, *settings_out, *gpu_device;
    double threshold;
    int channel_axis, z_axis, all_channels, do_3d, help, version, verbose;
    double stitch_threshold, gpu_memory;
} args;

static int fail(lp_status st, const lp_err *err)
{
    fprintf(stderr, "lipopose segment: %s\n", err->msg);
    return st == LP_EARG ? 2 : st == LP_EMISSING ? 3 : 1;
}

/* Axes are those of the file; what is open is whether its pages are sections or channels. */
static lp_status check_axes(args *a, int seen_page, lp_err *err)
{
    lp_run_options *r = &a->run;

    if (a->channel_axis < -1 || a->channel_axis == 1 || a->channel_axis > 2)
        return lp_fail(err, LP_EARG,
                       "--channel_axis %d: 0 (the pages of a file are channels), or 2 or -1 (a "
                       "page has them)",
                       a->channel_axis);
    if (a->z_axis > 0 || a->z_axis < -1)
        return lp_fail(err, LP_EARG, "--z_axis %d: only 0, sections are pages", a->z_axis);
    if (a->channel_axis != 0) return LP_OK;
    if (a->z_axis == 0 || seen_page)
        return lp_fail(err, LP_EARG, "--channel_axis 0 and --%s: pages are channels or sections",
                       seen_page ? "page" : "z_axis 0");
    if (a->diameters || a->settings)
        return lp_fail(err, LP_EARG, "--channel_axis 0: goes with one --diameter, not --%s",
                       a->diameters ? "diameters" : "settings");
    r->page_channels = 1;
    return LP_OK;
}

static lp_status check(args *a, const lp_settings *set, int seen_lowhigh, int seen_page,
                       lp_err *err)
{
    lp_segment_options *s = &a->run.segment;
    lp_status st;

    if (a->do_3d)
        return lp_fail(err, LP_EARG,
                       "--do_3D: volumes are not supported yet; sections of a stack "
                       "are segmented one by one without it");
    if (a->stitch_threshold != 0)
        return lp_fail(err, LP_EARG,
                       "--stitch_threshold: stitching sections is not supported yet; "
                       "leave it away to segment them one by one");
    if ((st = check_axes(a, seen_page, err))) return st;
    if (a->all_channels) s->chan = -1;
    if (!a->backend) a->backend = "auto";
    a->run.session.backend = a->backend;
    a->run.n_gpus = -1;
    if (a->gpu_device && (st = lp_run_devices_parse(a->gpu_device, &a->run, err))) return st;
    if (!(a->gpu_memory >= 0 && a->gpu_memory <= 65536))
        return lp_fail(err, LP_EARG, "--gpu_memory %g: must be GiB, or 0 for all", a->gpu_memory);
    a->run.session.gpu_memory = (size_t)(a->gpu_memory * 1073741824);
    if (!a->precision && set)
        a->run.session.precision = set->precision;
    else if (!a->precision || !strcmp(a->precision, "auto"))
        a->run.session.precision = LP_PRECISION_AUTO;
    else if (!strcmp(a->precision, "fp32"))
        a->run.session.precision = LP_PRECISION_FP32;
    else if (!strcmp(a->precision, "bf16"))
        a->run.session.precision = LP_PRECISION_BF16;
    else
        return lp_fail(err, LP_EARG, "--precision %s: choose auto, fp32 or bf16", a->precision);
    if (a->compat && strcmp(a->compat, "cellpose3"))
        return lp_fail(err, LP_EARG, "--compat %s: only cellpose3 is known", a->compat);
    s->compat_cellpose3 |= a->compat != NULL;
    s->use_lowhigh |= seen_lowhigh;
    if (s->chan < -1 || s->chan > LP_MAX_CHANNELS || s->chan2 < 0 || s->chan2 > LP_MAX_CHANNELS)
        return lp_fail(err, LP_EARG,
                       "--chan %d --chan2 %d: 0 is grey or none, 1 red, 2 green, 3 "
                       "blue",
                       s->chan, s->chan2);
    if (!(a->run.pixel_nm >= 0))
        return lp_fail(err, LP_EARG, "--pixel_nm %g: must be positive", a->run.pixel_nm);
    if (a->run.box_size < 0)
        return lp_fail(err, LP_EARG, "--box_size %d: must be positive", a->run.box_size);
    if (a->run.page < 1 && seen_page)
        return lp_fail(err, LP_EARG, "--page %d: pages count from 1", a->run.page);
    if (a->run.session.threads < 0 || a->run.session.threads > 1024)
        return lp_fail(err, LP_EARG, "--threads %d: must be 1 to 1024, or 0 for all",
                       a->run.session.threads);
    return LP_OK;
}

/* Many diameters are to find more: what is too much goes when they are merged. */
static void fill_thresholds(lp_segment_options *s, int many)
{
    const lp_segment_options d = many ? lp_diameters_defaults() : lp_segment_defaults();

    if (isnan(s->flow_threshold)) s->flow_threshold = d.flow_threshold;
    if (isnan(s->cellprob_threshold)) s->cellprob_threshold = d.cellprob_threshold;
}

/* Options of several diameters. */
static lp_status check_diameters(args *a, const lp_settings *set, int has_diameter,
                                 int has_threshold, lp_diameters *d, lp_err *err)
{
    lp_run_options *r = &a->run;
    lp_status st;

    if (set && has_diameter)
        return lp_fail(err, LP_EARG, "--diameter and --settings: settings are for many diameters");
    if (!a->diameters && !set) {
        const char *lone = a->method ? "merge" : a->levels ? "levels" : "threshold";

        if (a->calibrate) return lp_fail(err, LP_EARG, "--calibrate: goes with --diameters");
        if (a->method || a->levels || has_threshold)
            return lp_fail(err, LP_EARG, "--%s: goes with --diameters", lone);
        return LP_OK;
    }
    if (has_diameter) return lp_fail(err, LP_EARG, "--diameter and --diameters: give one of them");
    if (r->save_flows)
        return lp_fail(err, LP_EARG, "--save_flows: goes with one --diameter, not --diameters");
    r->auto_diameters = a->diameters ? !strcmp(a->diameters, "auto") : !set->n_diameters;
    if (a->diameters && !r->auto_diameters && (st = lp_diameters_parse(a->diameters, d, err)))
        return st;
    r->diameters = a->diameters ? d->d : set->diameter;
    r->n_diameters = a->diameters ? d->n : set->n_diameters;
    if ((st = lp_settings_merge(set, a->method, a->levels, has_threshold, a->threshold, &r->merge,
                                err)))
        return st;
    r->merge.min_size = r->segment.min_size;
    return LP_OK;
}

/* The options of --calibrate; out [PATH_MAX] is for the name of the settings. */
static lp_status check_calibrate(const args *a, int has_threshold, char *out, lp_calibrate *c,
                                 lp_err *err)
{
    if (!a->calibrate) {
        if (!a->target && !a->settings_out) return LP_OK;
        return lp_fail(err, LP_EARG, "--%s: goes with --calibrate",
                       a->target ? "target" : "settings_out");
    }
    if (has_threshold)
        return lp_fail(err, LP_EARG, "--threshold and --calibrate: it finds the threshold");
    if (a->run.json) return lp_fail(err, LP_EARG, "--json: does not go with --calibrate");
    if (a->source.shard || a->source.watch)
        return lp_fail(err, LP_EARG, "--%s: does not go with --calibrate",
                       a->source.shard ? "shard" : "watch");
    if (!a->settings_out && !a->run.savedir)
        return lp_fail(err, LP_EARG, "--calibrate: needs --savedir or --settings_out FILE");
    if (!a->settings_out &&
        snprintf(out, PATH_MAX, "%s/lipopose_settings.json", a->run.savedir) >= PATH_MAX)
        return lp_fail(err, LP_EIO, "%s: the path is too long", a->run.savedir);
    c->labels = a->calibrate;
    c->settings_out = a->settings_out ? a->settings_out : out;
    return lp_target_parse(a->target ? a->target : "f1", &c->target, err);
}

/* What this run would be as settings; model is the argv's, or NULL. */
static void fill_settings(const args *a, const char *model, lp_settings *s)
{
    const lp_run_options *r = &a->run;

    memset(s, 0, sizeof *s);
    s->model = (char *)(size_t)model;
    snprintf(s->model_sha256, sizeof s->model_sha256, "%s", r->model_sha256);
    s->n_diameters = r->n_diameters;
    if (r->n_diameters)
        memcpy(s->diameter, r->diameters, (size_t)r->n_diameters * sizeof *s->diameter);
    s->merge = r->merge;
    s->segment = r->segment;
    s->precision = r->session.precision;
}

/* The model is that of the settings, unless another is asked for; says what else differs. */
static lp_status check_settings(const args *a, const lp_settings *set, const lp_settings *now,
                                lp_err *err)
{
    char differ[200], extra[64] = "";

    if (strcmp(set->model_sha256, now->model_sha256)) {
        if (!a->model)
            return lp_fail(err, LP_EMISSING,
                           "%s: made with another model than the %s here (SHA-256 %.12s..., not "
                           "%.12s...): give the right one with --model, or calibrate again",
                           a->settings, set->model ? set->model : "bundled one", set->model_sha256,
                           now->model_sha256);
        fprintf(
            stderr,
            "lipopose: %s was made with another model (SHA-256 %.12s...) than %s: its threshold "
            "may not suit\n",
            a->settings, set->model_sha256, a->model);
    }
    if (a->run.quiet) return LP_OK;
    lp_settings_differences(set, now, differ);
    if (set->merge.threshold != now->merge.threshold)
        snprintf(differ + strlen(differ), sizeof differ - strlen(differ), "%sthreshold",
                 *differ ? ", " : "");
    if (*set->calibration.target)
        snprintf(extra, sizeof extra, ", for %s on %.0f images", set->calibration.target,
                 set->calibration.images);
    fprintf(stderr, "lipopose: settings %s: threshold %g%s%s%s\n", a->settings,
            set->merge.threshold, extra, *differ ? "; not as there: " : "", differ);
    return LP_OK;
}

static int segment(int argc, char **argv, int cellpose)
{
    args a = {.run = {.save_tif = 1,
                      .save_csv = 1,
                      .save_overlay = 1,
                      .save_npy = cellpose,
                      .mean_diameter = cellpose,
                      .shard = {1, 1, NULL}},
              .source = {.settle = 5},
              .channel_axis = -1,
              .z_axis = -1};
    lp_segment_options *s = &a.run.segment;
    lp_run_options *r = &a.run;
    char **names = calloc((size_t)argc + 2, sizeof *names), *model = NULL;
    const char *name = NULL;
    lp_inputs in = {0};
    lp_err err = {0};
    lp_status st;
    lp_diameters diameters = {0};
    char sha256[65] = "", fingerprint[65], out[PATH_MAX];
    lp_settings set = {0}, now;
    const lp_settings *given = NULL;
    lp_calibrate cal = {0};
    int n = 0, code = 0, lowhigh = 0, page = 0, diameter = 0, threshold = 0;

    *s = lp_segment_defaults();
    s->flow_threshold = s->cellprob_threshold = NAN; /* not given: see fill_thresholds */
    {
        const lp_option table[] = {
            {"Input", LP_OPT_GROUP, NULL, NULL, NULL},
            {"dir", LP_OPT_STRING, &a.dir, "DIR", "folder of images (or name it without --dir)"},
            {"image_path", LP_OPT_STRING, &a.image_path, "FILE", "one image"},
            {"look_one_level_down", LP_OPT_ON, &a.source.find.look_one_level_down, NULL,
             "also take the folders inside the folder"},
            {"img_filter", LP_OPT_STRING, &a.source.find.img_filter, "END",
             "only names that end so"},
            {"mask_filter", LP_OPT_STRING, &a.source.find.mask_filter, "END",
             "no names that end so"},
            {"page", LP_OPT_INT, &r->page, "N", "only page or section N, counted from 1"},
            {"pixel_nm", LP_OPT_DOUBLE, &r->pixel_nm, "NM", "pixel size, instead of the file's"},
            {"chan", LP_OPT_INT, &s->chan, "N", "0 grey (default), 1 red, 2 green, 3 blue"},
            {"chan2", LP_OPT_INT, &s->chan2, "N", "second channel: 0 none (default), 1, 2, 3"},
            {"channel_axis", LP_OPT_INT, &a.channel_axis, "N",
             "0: a file's pages are channels, not sections to segment one by one"},
            {"all_channels", LP_OPT_ON, &a.all_channels, NULL, "all channels as they are"},
            {"Model", LP_OPT_GROUP, NULL, NULL, NULL},
            {"model", LP_OPT_STRING, &a.model, "FILE", ".h5 or Cellpose .pth (default: bundled)"},
            {"pretrained_model", LP_OPT_STRING, &a.model, "FILE", "the same"},
            {"diameter", LP_OPT_DOUBLE, &s->diameter, "PX", "of the particles (30); 0: estimate"},
            {"diameters", LP_OPT_STRING, &a.diameters, "LIST",
             "many, merged: auto, MIN:MAX:STEP, MIN:MAX:xRATIO or A,B,C"},
            {"merge", LP_OPT_STRING, &a.method, "METHOD", "scale (default), votes or affinity"},
            {"threshold", LP_OPT_DOUBLE, &a.threshold, "T",
             "support, 0 to 20, that particles must exceed (12)"},
            {"levels", LP_OPT_STRING, &a.levels, "A,B,C",
             "falling thresholds; the last one counts"},
            {"settings", LP_OPT_STRING, &a.settings, "FILE", "take all from a calibration"},
            {"calibrate", LP_OPT_STRING, &a.calibrate, "DIR",
             "true label images: find the threshold that meets the target"},
            {"target", LP_OPT_STRING, &a.target, "T", "f1 (default), f2, precision=P or recall=R"},
            {"settings_out", LP_OPT_STRING, &a.settings_out, "FILE",
             "what calibration writes (SAVEDIR/lipopose_settings.json)"},
            {"backend", LP_OPT_STRING, &a.backend, "NAME", "auto, cpu or cuda"},
            {"gpu_device", LP_OPT_STRING, &a.gpu_device, "N,N", "which GPUs, from 0 (all)"},
            {"gpu_memory", LP_OPT_DOUBLE, &a.gpu_memory, "GIB", "of each GPU at most (all)"},
            {"precision", LP_OPT_STRING, &a.precision, "P", "auto, fp32 or bf16"},
            {"conv", LP_OPT_STRING, &r->session.conv, "NAME",
             "cuda: own (default), or cudnn: NVIDIA's, as a second opinion"},
            {"threads", LP_OPT_INT, &r->session.threads, "N", "CPU threads (all)"},
            {"batch_size", LP_OPT_INT, &s->batch_size, "N", "tiles per call of the network (auto)"},
            {"bsize", LP_OPT_INT, &s->bsize, "PX", "tile (224); 0: one where two would do"},
            {"tile_overlap", LP_OPT_DOUBLE, &s->tile_overlap, "F", "overlap of tiles (0.1)"},
            {"augment", LP_OPT_ON, &s->augment, NULL, "flipped, half overlapping tiles"},
            {"Normalisation", LP_OPT_GROUP, NULL, NULL, NULL},
            {"no_norm", LP_OPT_OFF, &s->normalize, NULL, "grey values are right as they are"},
            {"norm_percentile", LP_OPT_DOUBLE2, s->norm_percentile, "LO HI",
             "become 0 and 1 (1 99)"},
            {"lowhigh", LP_OPT_DOUBLE2, s->lowhigh, "LO HI", "grey values that become 0 and 1"},
            {"invert", LP_OPT_ON, &s->invert, NULL, "dark becomes bright"},
            {"tile_norm_blocksize", LP_OPT_INT, &s->tile_norm_blocksize, "PX",
             "normalise by tiles"},
            {"sharpen_radius", LP_OPT_DOUBLE, &s->sharpen_radius, "PX", "subtract the surround"},
            {"smooth_radius", LP_OPT_DOUBLE, &s->smooth_radius, "PX", "Gaussian smoothing"},
            {"Masks", LP_OPT_GROUP, NULL, NULL, NULL},
            {"flow_threshold", LP_OPT_DOUBLE, &s->flow_threshold, "X",
             "flow error (0.4; many diameters 0.8); 0: off"},
            {"cellprob_threshold", LP_OPT_DOUBLE, &s->cellprob_threshold, "X",
             "lower finds more and larger (0; many: -1)"},
            {"min_size", LP_OPT_INT, &s->min_size, "N", "pixels per mask (15); -1: off"},
            {"max_size_fraction", LP_OPT_DOUBLE, &s->max_size_fraction, "F", "of the image (0.4)"},
            {"niter", LP_OPT_INT, &s->niter, "N", "steps along the flows (0: by diameter)"},
            {"no_resample", LP_OPT_OFF, &s->resample, NULL, "follow flows at the network's size"},
            {"no_interp", LP_OPT_OFF, &s->interp, NULL, "do not interpolate flows"},
            {"exclude_on_edges", LP_OPT_ON, &s->exclude_on_edges, NULL, "drop cut particles"},
            {"compat", LP_OPT_STRING, &a.compat, "cellpose3", "keep Cellpose 3's two mask defects"},
            {"Output", LP_OPT_GROUP, NULL, NULL, NULL},
            {"savedir", LP_OPT_STRING, &r->savedir, "DIR", "for results (beside each image)"},
            {"save_tif", LP_OPT_ON, &r->save_tif, NULL, "masks as TIFF (always written)"},
            {"save_png", LP_OPT_ON, &r->save_png, NULL, "masks as PNG too"},
            {"no_overlay", LP_OPT_OFF, &r->save_overlay, NULL, "no picture"},
            {"ids", LP_OPT_ON, &r->ids, NULL, "numbers in the picture"},
            {"save_outlines", LP_OPT_ON, &r->save_outlines, NULL, "Cellpose's outline picture"},
            {"save_txt", LP_OPT_ON, &r->save_txt, NULL, "outlines as text for ImageJ"},
            {"save_rois", LP_OPT_ON, &r->save_rois, NULL, "outlines as ImageJ ROIs"},
            {"save_geojson", LP_OPT_ON, &r->save_geojson, NULL, "outlines for QuPath"},
            {"save_star", LP_OPT_ON, &r->save_star, NULL, "centres for RELION"},
            {"save_box", LP_OPT_ON, &r->save_box, NULL, "boxes for EMAN"},
            {"save_cbox", LP_OPT_ON, &r->save_cbox, NULL, "boxes with confidence for crYOLO"},
            {"save_topaz", LP_OPT_ON, &r->save_topaz, NULL, "centres for Topaz"},
            {"box_size", LP_OPT_INT, &r->box_size, "PX", "of boxes (from the particles)"},
            {"flip_y", LP_OPT_ON, &r->flip_y, NULL,
             "star, box, cbox: y from the last row, as RELION reads TIFF"},
            {"save_npy", LP_OPT_ON, &r->save_npy, NULL, "NAME_seg.npy for Cellpose's GUI"},
            {"save_flows", LP_OPT_ON, &r->save_flows, NULL, "flows as TIFF"},
            {"save_h5", LP_OPT_ON, &r->save_h5, NULL, "masks, flows and cellprob as HDF5"},
            {"Runs", LP_OPT_GROUP, NULL, NULL, NULL},
            {"overwrite", LP_OPT_ON, &r->overwrite, NULL,
             "do again what an earlier run has done with the same settings"},
            {"shard", LP_OPT_STRING, &a.source.shard, "I/N",
             "only part I of N (that of the job array's task); none: all"},
            {"watch", LP_OPT_ON, &a.source.watch, NULL,
             "go on with what comes into the folders, as soon as it is complete"},
            {"watch_settle", LP_OPT_DOUBLE, &a.source.settle, "S",
             "seconds without a change that make a file complete (5)"},
            {"watch_timeout", LP_OPT_DOUBLE, &a.source.timeout, "S",
             "seconds without new images that end the watch (0: never)"},
            {"json", LP_OPT_ON, &r->json, NULL, "one JSON record per image on stdout"},
            {"quiet", LP_OPT_ON, &r->quiet, NULL, "only warnings and errors"},
            {"help", LP_OPT_ON, &a.help, NULL, "this list"},
            /* Cellpose's, accepted without effect here. */
            {"verbose", LP_OPT_ON, &a.verbose, NULL, NULL},
            {"no_npy", LP_OPT_OFF, &r->save_npy, NULL, NULL},
            {"use_gpu", LP_OPT_ON, NULL, NULL, NULL},
            {"version", LP_OPT_ON, &a.version, NULL, NULL},
            {"do_3D", LP_OPT_ON, &a.do_3d, NULL, NULL},
            {"stitch_threshold", LP_OPT_DOUBLE, &a.stitch_threshold, NULL, NULL},
            {"check_mkl", LP_OPT_ON, NULL, NULL, NULL},
            {"Zstack", LP_OPT_ON, NULL, NULL, NULL},
            {"anisotropy", LP_OPT_DOUBLE, NULL, NULL, NULL}, /* of --do_3D */
            {"z_axis", LP_OPT_INT, &a.z_axis, NULL, NULL},
            {"restore_type", LP_OPT_REFUSED, NULL, "image restoration is not supported", NULL},
            {"chan2_restore", LP_OPT_REFUSED, NULL, "image restoration is not supported", NULL},
            {"transformer", LP_OPT_REFUSED, NULL, "transformer models are not supported", NULL},
            {"pretrained_model_ortho", LP_OPT_REFUSED, NULL, "volumes are not supported yet", NULL},
            {"flow3D_smooth", LP_OPT_REFUSED, NULL, "volumes are not supported yet", NULL},
            {"add_model", LP_OPT_REFUSED, NULL, "name the file with --pretrained_model", NULL},
            {"output_name", LP_OPT_REFUSED, NULL, "names of results are fixed; see --savedir",
             NULL},
            {"dir_above", LP_OPT_REFUSED, NULL, "name the folder with --savedir", NULL},
            {"in_folders", LP_OPT_REFUSED, NULL, "results go to one folder; see --savedir", NULL},
            {"save_mpl", LP_OPT_REFUSED, NULL, "the picture is NAME_overlay.png", NULL},
            {"train", LP_OPT_REFUSED, NULL, "use lipopose train", NULL},
            {"train_size", LP_OPT_REFUSED, NULL, "use lipopose train", NULL},
            {NULL, LP_OPT_GROUP, NULL, NULL, NULL},
        };
        char seen[sizeof table / sizeof *table] = {0};
        size_t i;

        if (!names) return 1;
        if ((st = lp_options_parse(table, argc, argv, names, &n, seen, &err))) goto done;
        if (a.help) {
            printf(
                "usage: lipopose segment [options] IMAGE|FOLDER ...\n"
                "Writes NAME_cp_masks.tif, NAME_particles.csv and NAME_overlay.png per image.\n");
            lp_options_help(table, stdout);
            free(names);
            return 0;
        }
        if (a.version) {
            printf("\nlipopose version: \t%s\n", lp_version());
            free(names);
            return 0;
        }
        if (a.settings) {
            if (lp_settings_read(a.settings, &set, &err)) {
                st = LP_EMISSING;
                goto done;
            }
            given = &set;
            *s = set.segment; /* the command line over it */
            if ((st = lp_options_parse(table, argc, argv, names, &n, seen, &err))) goto done;
        }
        for (i = 0; table[i].name; i++) {
            if (!strcmp(table[i].name, "lowhigh")) lowhigh = seen[i];
            if (!strcmp(table[i].name, "page")) page = seen[i];
            if (!strcmp(table[i].name, "diameter")) diameter = seen[i];
            if (!strcmp(table[i].name, "threshold")) threshold = seen[i];
        }
    }
    /* Votes have no way to tell good masks from bad ones. */
    fill_thresholds(s, (a.diameters || given) && (!a.method || !strcmp(a.method, "scale")));
    if ((st = check(&a, given, lowhigh, page, &err))) goto done;
    if ((st = check_diameters(&a, given, diameter, threshold, &diameters, &err))) goto done;
    if ((st = check_calibrate(&a, threshold, out, &cal, &err))) goto done;
    if (a.dir) names[n++] = (char *)(size_t)a.dir;
    if (a.image_path) names[n++] = (char *)(size_t)a.image_path;
    if (n == 0) {
        st = lp_fail(&err, LP_EARG, "no images given: name files or folders, or see --help");
        goto done;
    }
    name = a.model ? a.model : given ? given->model : NULL;
    if ((st = lp_inputs_find_model(name, &model, &err))) goto done;
    r->model = model;
    r->model_name = name ? name : LP_DEFAULT_MODEL " (bundled)";
    if ((st = lp_sha256_file(model, sha256, &err))) goto done;
    r->model_sha256 = sha256;
    if (a.diameters || given) fill_settings(&a, name, &now);
    if (given && (st = check_settings(&a, given, &now, &err))) goto done;
    a.source.find.savedir = r->savedir;
    if (r->savedir && (st = lp_inputs_make_folder(r->savedir, &err))) goto done;
    a.source.names = names;
    a.source.n = n;
    if (cal.labels) {
        if ((st = lp_inputs_find(names, n, &a.source.find, &in, &err))) goto done;
        cal.settings = now;
        code = lp_calibrate_run(&in, r, &cal);
    } else {
        if ((st = lp_fingerprint(r, fingerprint, &err))) goto done;
        r->settings = fingerprint;
        if ((st = lp_segment_source_find(&a.source, r, &in, &err))) goto done;
        if (in.n || r->watch) code = lp_segment_run(&in, r);
    }
done:
    if (st) code = fail(st, &err);
    lp_inputs_free(&in);
    lp_watch_free(&r->watch);
    lp_diameters_free(&diameters);
    lp_settings_free(&set);
    free(model);
    free(names);
    return code;
}

int lp_cmd_segment(int argc, char **argv)
{
    return segment(argc, argv, 0);
}

int lp_cmd_cellpose(int argc, char **argv)
{
    return segment(argc, argv, 1);
}
