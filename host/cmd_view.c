/* cmd_view - `lipopose view`: one HTML page per saved run, to choose the threshold by eye. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inputs.h"
#include "merge.h"
#include "merge_text.h"
#include "options.h"
#include "results.h"
#include "run_files.h"
#include "write_view.h"

typedef struct {
    const char *image, *method, *levels, *savedir, *output;
    double threshold;
    int has_threshold, quiet, help;
} args;

/* Merges at the lowest threshold there is, and says which one the page begins with. */
static lp_status merge_all(const args *a, const lp_saved_run *r, lp_view *v, lp_merged *m,
                           lp_err *err)
{
    lp_merge_options o = lp_merge_defaults();
    double level[LP_MERGE_MAX_LEVELS + 1];
    lp_status st;
    int n = 0;

    if ((st = lp_merge_text_parse(a->method, a->levels, a->has_threshold, a->threshold, &o, err)))
        return st;
    o.min_size = r->min_size;
    if ((st = lp_merge_levels(r->layers, &o, level, &n, err))) return st;
    /* No level left: a threshold above all of them, where nothing is shown. */
    v->threshold = a->has_threshold ? a->threshold : n ? level[n - 1] : 0;
    if (o.method == LP_MERGE_SCALE) {
        o.threshold = 0;
    } else {
        o.threshold = NAN; /* the last level */
        if ((st = lp_merge_levels(r->layers, &o, v->level, &v->n_levels, err))) return st;
    }
    return lp_merge(r->layers, &o, m, err);
}

static lp_status output_path(const args *a, const char *file, char *path, lp_err *err)
{
    char base[PATH_MAX];
    lp_status st;

    if (a->output)
        return snprintf(path, PATH_MAX, "%s", a->output) < PATH_MAX
                   ? LP_OK
                   : lp_fail(err, LP_EIO, "%s: the path is too long", a->output);
    if ((st = lp_run_base(file, a->savedir, base, err))) return st;
    return snprintf(path, PATH_MAX, "%s_view.html", base) < PATH_MAX
               ? LP_OK
               : lp_fail(err, LP_EIO, "%s: the path is too long", base);
}

static lp_status one(const void *user, const char *file, lp_err *err)
{
    const args *a = user;
    lp_view v = {.file = file, .image = a->image, .method = a->method, .levels = a->levels};
    const lp_segment_options grey = {0}; /* the mean of all channels, as merge measures */
    lp_saved_run r = {0};
    lp_merged m = {0};
    lp_image im = {0};
    lp_particle *p = NULL;
    char path[PATH_MAX];
    float *own = NULL;
    lp_err why;
    int64_t n = 0;
    lp_status st;

    if ((st = output_path(a, file, path, err))) return st;
    if ((st = lp_read_run(file, &r, err))) return st;
    if ((st = merge_all(a, &r, &v, &m, err))) goto done;
    if ((st = lp_run_image(&r, file, a->image, &im, &why))) {
        st = lp_fail(err, st, "%s: no micrograph to show (%s)%s", file, why.msg,
                     a->image ? "" : "; give --image FILE");
        goto done;
    }
    if ((st = lp_results_plane(&im, &grey, &own, &v.plane, err))) goto done;
    if ((st = lp_measure_particles(&(lp_labels){m.masks, m.Ly, m.Lx}, v.plane, NULL, NULL, 0, NAN,
                                   &p, &n, err)))
        goto done;
    lp_results_take_merged(p, n, &m);
    v.run = &r;
    v.merged = &m;
    v.particle = p;
    if ((st = lp_write_view(path, &v, err))) goto done;
    if (!a->quiet)
        printf("%s: %u particle%s; page: %s\n", file, (unsigned)m.n, m.n == 1 ? "" : "s", path);
done:
    free(p);
    free(own);
    lp_image_free(&im);
    lp_merged_free(&m);
    lp_saved_run_free(&r);
    return st;
}

static lp_status check(const args *a, int n, lp_err *err)
{
    lp_merge_options trial = lp_merge_defaults();
    lp_status st =
        lp_merge_text_parse(a->method, a->levels, a->has_threshold, a->threshold, &trial, err);

    if (st) return st;
    if ((st = lp_run_check(n, a->image, err))) return st;
    if (a->output && n > 1)
        return lp_fail(err, LP_EARG, "-o: goes with one saved run, not %d; --savedir takes many",
                       n);
    if (a->output && a->savedir) return lp_fail(err, LP_EARG, "-o and --savedir: give one of them");
    return a->savedir ? lp_inputs_make_folder(a->savedir, err) : LP_OK;
}

int lp_cmd_view(int argc, char **argv)
{
    args a = {0};
    char **names = calloc((size_t)argc + 1, sizeof *names);
    lp_err err = {0};
    int n = 0, code = 0;
    const lp_option table[] = {
        {"Merging", LP_OPT_GROUP, NULL, NULL, NULL},
        {"threshold", LP_OPT_DOUBLE, &a.threshold, "T", "support that the page begins with"},
        {"merge", LP_OPT_STRING, &a.method, "METHOD", "scale (default), votes or affinity"},
        {"levels", LP_OPT_STRING, &a.levels, "A,B,C", "of votes and affinity, falling"},
        {"Output", LP_OPT_GROUP, NULL, NULL, NULL},
        {"o", LP_OPT_STRING, &a.output, "FILE", "the page, of one saved run"},
        {"output", LP_OPT_STRING, &a.output, NULL, NULL},
        {"savedir", LP_OPT_STRING, &a.savedir, "DIR", "for NAME_view.html (beside each file)"},
        {"image", LP_OPT_STRING, &a.image, "FILE", "the micrograph, if it has moved"},
        {"quiet", LP_OPT_ON, &a.quiet, NULL, "only errors"},
        {"help", LP_OPT_ON, &a.help, NULL, "this list"},
        {NULL, LP_OPT_GROUP, NULL, NULL, NULL},
    };
    char seen[sizeof table / sizeof *table] = {0};

    if (!names) return 1;
    if (lp_options_parse(table, argc, argv, names, &n, seen, &err)) goto usage;
    if (a.help) {
        printf("usage: lipopose view [options] NAME" LP_RUN_ENDING " ...\n"
               "Writes NAME_view.html, one page without outside parts: the micrograph with its\n"
               "outlines, a slider for the threshold, sizes and rows of the particles shown.\n");
        lp_options_help(table, stdout);
        goto done;
    }
    a.has_threshold = seen[1];
    if (check(&a, n, &err)) goto usage;
    code = lp_run_each(names, n, one, &a);
    goto done;
usage:
    fprintf(stderr, "lipopose view: %s\n", err.msg);
    code = err.status == LP_EARG ? 2 : 1;
done:
    free(names);
    return code;
}
