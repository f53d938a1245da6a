/* cmd_merge - `lipopose merge`: another threshold, method or list of levels for saved runs,
 * without inference. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inputs.h"
#include "options.h"
#include "remerge.h"
#include "run_files.h"
#include "settings.h"

typedef struct {
    lp_run_options run;
    const char *image, *method, *levels, *settings;
    lp_settings set; /* of settings */
    double threshold, outline;
    int has_threshold, help;
} args;

typedef struct {
    const char *path;
    const args *a;
} told;

/* Says what of a run is not as in the settings, which then may not suit. */
static void compare(void *user, const lp_saved_run *r)
{
    const told *t = user;
    const lp_settings *s = &t->a->set;
    const lp_segment_options *o = &s->segment;
    const char *what = NULL;
    int i;

    if (*r->model_sha256 && strcmp(r->model_sha256, s->model_sha256)) what = "with another model";
    if (!what && s->n_diameters && r->layers->n != s->n_diameters) what = "at other diameters";
    for (i = 0; !what && i < s->n_diameters; i++)
        if (r->layers->layer[i].diameter != s->diameter[i]) what = "at other diameters";
    if (!what && r->flow_threshold != o->flow_threshold) what = "with another flow_threshold";
    if (!what && r->cellprob_threshold != o->cellprob_threshold)
        what = "with another cellprob_threshold";
    if (!what && r->min_size != o->min_size) what = "with another min_size";
    if (what)
        fprintf(stderr, "lipopose: %s: made %s than %s: its threshold may not suit\n", t->path,
                what, t->a->settings);
}

static lp_status one(const void *user, const char *path, lp_err *err)
{
    const args *a = user;
    lp_run_options o = a->run;
    told t = {path, a};
    lp_remerge_options how = {.image = a->image, .user = &t};
    lp_results res = {0};
    char base[PATH_MAX];
    lp_err no_image;
    lp_status st;
    int i;

    if ((st = lp_settings_merge(a->settings ? &a->set : NULL, a->method, a->levels,
                                a->has_threshold, a->threshold, &o.merge, err)))
        return st;
    if ((st = lp_run_base(path, o.savedir, base, err))) return st;
    o.merge.outline = a->outline;
    if (a->settings) {
        how.on_run = compare;
        o.segment.chan = a->set.segment.chan;
    }
    if ((st = lp_remerge(path, base, &o, &how, &res, &no_image, err))) return st;
    if (no_image.status && !o.quiet)
        fprintf(stderr, "lipopose: %s: no picture and no intensities (%s); give --image FILE\n",
                path, no_image.msg);
    if (*res.older && !o.quiet) fprintf(stderr, "lipopose: %s: %s\n", base, res.older);
    if (!o.quiet) {
        printf("%s: %lld particle%s; results:", path, (long long)res.n, res.n == 1 ? "" : "s");
        for (i = 0; i < res.n_outputs; i++)
            printf("%s %s", i ? "," : "", i ? res.output[i] + strlen(base) : res.output[i]);
        putchar('\n');
    }
    lp_results_free(&res);
    return LP_OK;
}

int lp_cmd_merge(int argc, char **argv)
{
    args a = {.outline = 0.5, .run = {.save_tif = 1, .save_csv = 1, .save_overlay = 1}};
    char **names = calloc((size_t)argc + 1, sizeof *names);
    lp_err err = {0};
    lp_merge_options trial;
    int n = 0, code = 0;
    lp_status st;
    const lp_option table[] = {
        {"Merging", LP_OPT_GROUP, NULL, NULL, NULL},
        {"threshold", LP_OPT_DOUBLE, &a.threshold, "T", "support that particles must exceed (12)"},
        {"merge", LP_OPT_STRING, &a.method, "METHOD", "scale (default), votes or affinity"},
        {"levels", LP_OPT_STRING, &a.levels, "A,B,C", "falling thresholds; the last one counts"},
        {"outline", LP_OPT_DOUBLE, &a.outline, "F",
         "share of the masks' weight that outlines need (0.5): less is wider"},
        {"settings", LP_OPT_STRING, &a.settings, "FILE", "merge as calibrated"},
        {"Output", LP_OPT_GROUP, NULL, NULL, NULL},
        {"savedir", LP_OPT_STRING, &a.run.savedir, "DIR", "for results (beside each file)"},
        {"image", LP_OPT_STRING, &a.image, "FILE", "the micrograph, if it has moved"},
        {"save_png", LP_OPT_ON, &a.run.save_png, NULL, "masks as PNG too"},
        {"no_overlay", LP_OPT_OFF, &a.run.save_overlay, NULL, "no picture"},
        {"ids", LP_OPT_ON, &a.run.ids, NULL, "numbers in the picture"},
        {"save_outlines", LP_OPT_ON, &a.run.save_outlines, NULL, "Cellpose's outline picture"},
        {"save_txt", LP_OPT_ON, &a.run.save_txt, NULL, "outlines as text for ImageJ"},
        {"save_rois", LP_OPT_ON, &a.run.save_rois, NULL, "outlines as ImageJ ROIs"},
        {"save_geojson", LP_OPT_ON, &a.run.save_geojson, NULL, "outlines for QuPath"},
        {"save_star", LP_OPT_ON, &a.run.save_star, NULL, "centres for RELION"},
        {"save_box", LP_OPT_ON, &a.run.save_box, NULL, "boxes for EMAN"},
        {"save_cbox", LP_OPT_ON, &a.run.save_cbox, NULL, "boxes with confidence for crYOLO"},
        {"save_topaz", LP_OPT_ON, &a.run.save_topaz, NULL, "centres for Topaz"},
        {"box_size", LP_OPT_INT, &a.run.box_size, "PX", "of boxes (from the particles)"},
        {"flip_y", LP_OPT_ON, &a.run.flip_y, NULL,
         "star, box, cbox: y from the last row, as RELION reads TIFF"},
        {"quiet", LP_OPT_ON, &a.run.quiet, NULL, "only errors"},
        {"help", LP_OPT_ON, &a.help, NULL, "this list"},
        {NULL, LP_OPT_GROUP, NULL, NULL, NULL},
    };
    char seen[sizeof table / sizeof *table] = {0};

    if (!names) return 1;
    if ((st = lp_options_parse(table, argc, argv, names, &n, seen, &err))) goto usage;
    if (a.help) {
        printf("usage: lipopose merge [options] NAME" LP_RUN_ENDING " ...\n"
               "Merges saved runs of segment --diameters again, without inference.\n");
        lp_options_help(table, stdout);
        goto done;
    }
    a.has_threshold = seen[1];
    if (a.settings && lp_settings_read(a.settings, &a.set, &err)) {
        err.status = LP_EMISSING;
        goto usage;
    }
    if ((st = lp_settings_merge(a.settings ? &a.set : NULL, a.method, a.levels, a.has_threshold,
                                a.threshold, &trial, &err)))
        goto usage;
    if (!(a.outline >= 0 && a.outline < 1)) {
        lp_fail(&err, LP_EARG, "--outline %g: give a share, 0 to below 1", a.outline);
        goto usage;
    }
    if (a.run.box_size < 0) {
        lp_fail(&err, LP_EARG, "--box_size %d: must be positive", a.run.box_size);
        goto usage;
    }
    if (lp_run_check(n, a.image, &err)) goto usage;
    if (a.run.savedir && (st = lp_inputs_make_folder(a.run.savedir, &err))) goto usage;
    code = lp_run_each(names, n, one, &a);
    goto done;
usage:
    fprintf(stderr, "lipopose merge: %s\n", err.msg);
    code = err.status == LP_EARG ? 2 : err.status == LP_EMISSING ? 3 : 1;
done:
    lp_settings_free(&a.set);
    free(names);
    return code;
}
