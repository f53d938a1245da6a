/* cmd_merge - `lipopose merge`: another threshold, method or list of levels for saved runs,
 * without inference. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inputs.h"
#include "merge_text.h"
#include "options.h"
#include "read.h"
#include "read_run.h"
#include "results.h"

#define ENDING "_lipopose.h5"

typedef struct {
    lp_run_options run;
    const char *image, *method, *levels;
    double threshold;
    int has_threshold, help;
} args;

/* Where results start: as segment named them, in savedir where one is given. */
static lp_status base_of(const char *path, const char *savedir, char *base, lp_err *err)
{
    const char *name = strrchr(path, '/'), *from = path;
    size_t n = strlen(path), end = strlen(ENDING);
    int k;

    if (n > end && !strcmp(path + n - end, ENDING)) n -= end;
    if (savedir) {
        from = name ? name + 1 : path;
        n -= (size_t)(from - path);
        k = snprintf(base, PATH_MAX, "%s/%.*s", savedir, (int)n, from);
    } else {
        k = snprintf(base, PATH_MAX, "%.*s", (int)n, path);
    }
    return k < PATH_MAX ? LP_OK : lp_fail(err, LP_EIO, "%s: the path is too long", path);
}

/* The micrograph, for intensities and the picture; without it both are left away. */
static void read_image(const args *a, const lp_saved_run *r, const char *path, lp_image *im)
{
    const char *image = a->image ? a->image : r->image;
    lp_err err;

    if (!lp_read_image(image, r->page - 1, im, &err)) {
        if (im->Ly == r->layers->Ly && im->Lx == r->layers->Lx) return;
        lp_fail(&err, LP_EFORMAT, "%s: %d x %d pixels, not %d x %d", image, im->Lx, im->Ly,
                r->layers->Lx, r->layers->Ly);
        lp_image_free(im);
    }
    memset(im, 0, sizeof *im);
    if (!a->run.quiet)
        fprintf(stderr, "lipopose: %s: no picture and no intensities (%s); give --image FILE\n",
                path, err.msg);
}

static lp_status one(const args *a, const char *path, lp_err *err)
{
    lp_run_options o = a->run;
    lp_saved_run r = {0};
    lp_merged m = {0};
    lp_image im = {0};
    lp_result seg = {0};
    lp_results res = {0};
    char base[PATH_MAX];
    lp_status st;

    o.merge = lp_merge_defaults();
    if ((st = lp_merge_text_parse(a->method, a->levels, a->has_threshold, a->threshold, &o.merge,
                                  err)))
        return st;
    if ((st = base_of(path, o.savedir, base, err))) return st;
    if ((st = lp_read_run(path, &r, err))) return st;
    o.merge.min_size = r.min_size;
    if ((st = lp_merge(r.layers, &o.merge, &m, err))) goto done;
    read_image(a, &r, path, &im);
    im.pixel_nm = r.pixel_nm;
    seg.masks = m.masks;
    seg.n = m.n;
    seg.Ly = m.Ly;
    seg.Lx = m.Lx;
    seg.diameter = NAN;
    st = lp_results_write(base, r.image, r.page - 1, &im, &seg, &(lp_results_merged){NULL, &m}, 0,
                          &o, &res, err);
    if (!st && !o.quiet)
        printf("%s: %u particle%s; results: %s_cp_masks.tif, _particles.csv%s\n", path,
               (unsigned)m.n, m.n == 1 ? "" : "s", base, im.data ? ", _overlay.png" : "");
done:
    lp_results_free(&res);
    lp_image_free(&im);
    lp_merged_free(&m);
    lp_saved_run_free(&r);
    return st;
}

int lp_cmd_merge(int argc, char **argv)
{
    args a = {.run = {.save_tif = 1, .save_csv = 1, .save_overlay = 1}};
    char **names = calloc((size_t)argc + 1, sizeof *names);
    lp_err err = {0};
    lp_merge_options trial = lp_merge_defaults();
    int n = 0, i, code = 0;
    lp_status st;
    const lp_option table[] = {
        {"Merging", LP_OPT_GROUP, NULL, NULL, NULL},
        {"threshold", LP_OPT_DOUBLE, &a.threshold, "T", "support that particles must exceed"},
        {"merge", LP_OPT_STRING, &a.method, "METHOD", "scale (default), votes or affinity"},
        {"levels", LP_OPT_STRING, &a.levels, "A,B,C", "of votes and affinity, falling"},
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
        printf("usage: lipopose merge [options] NAME" ENDING " ...\n"
               "Merges saved runs of segment --diameters again, without inference.\n");
        lp_options_help(table, stdout);
        goto done;
    }
    a.has_threshold = seen[1];
    if ((st = lp_merge_text_parse(a.method, a.levels, a.has_threshold, a.threshold, &trial, &err)))
        goto usage;
    if (n == 0) {
        lp_fail(&err, LP_EARG, "no saved run given: name files NAME" ENDING ", or see --help");
        goto usage;
    }
    if (a.run.box_size < 0) {
        lp_fail(&err, LP_EARG, "--box_size %d: must be positive", a.run.box_size);
        goto usage;
    }
    if (a.image && n > 1) {
        lp_fail(&err, LP_EARG, "--image: goes with one saved run, not %d", n);
        goto usage;
    }
    if (a.run.savedir && (st = lp_inputs_make_folder(a.run.savedir, &err))) goto usage;
    for (i = 0; i < n; i++)
        if (one(&a, names[i], &err)) {
            fprintf(stderr, "lipopose: %s\n", err.msg);
            code = 1;
        }
    if (fflush(stdout)) {
        fprintf(stderr, "lipopose: cannot write to standard output: %s\n", strerror(errno));
        code = 1;
    }
    goto done;
usage:
    fprintf(stderr, "lipopose merge: %s\n", err.msg);
    code = err.status == LP_EARG ? 2 : 1;
done:
    free(names);
    return code;
}
