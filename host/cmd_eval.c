#include "cmd_eval.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge_text.h"
#include "options.h"
#include "write_eval.h"
#include "write_report.h"
#include "write_sweep.h"

typedef struct {
    const char *truth, *pred, *images, *json, *csv, *sweep_csv, *report, *missing, *size_edges;
    const char *method, *levels;
    double boundary_scale;
    int flip_y;
    double threshold;
    int worst, quiet, help, threads, sweep, has_threshold;
} args;

static const char usage[] =
    "usage: lipopose eval --truth DIR --pred DIR [options]\n"
    "Matches predicted particles with true ones and prints precision, recall, F1, AP, aggregated\n"
    "Jaccard and boundary F. Files belong together when their names agree without _cp_masks,\n"
    "_masks, _labels and the extension; two files may be given instead of two folders.\n"
    "Either may be outlines (.roi, _rois.zip, .geojson) instead of label images. Predictions may\n"
    "also be coordinates (.box, .cbox, .star, .txt), matched by centre only.\n"
    "Where saved runs NAME_lipopose.h5 lie beside the masks (or instead of them), all thresholds\n"
    "are judged too, with the single diameters beside them and the best thresholds named.\n";

static int on_stdout(const char *path)
{
    return path && !strcmp(path, "-");
}

static lp_status parse_edges(const char *s, double *edge, int *n, lp_err *err)
{
    const char *all = s;
    int k = 0;

    while (*s) {
        char *end;
        double v = strtod(s, &end);

        if (end == s || (*end && *end != ',') || !isfinite(v) || v <= 0 ||
            (k && v <= edge[k - 1]) || (*end == ',' && !end[1]))
            return lp_fail(err, LP_EARG,
                           "--size_edges %s: needs ascending diameters in px, as 20,40,80", all);
        if (k == LP_EVAL_MAX_CLASSES - 1)
            return lp_fail(err, LP_EARG, "--size_edges: at most %d", LP_EVAL_MAX_CLASSES - 1);
        edge[k++] = v;
        s = *end ? end + 1 : end;
    }
    *n = k;
    return LP_OK;
}

static lp_status parse(int argc, char **argv, args *a, double *edge, lp_eval_options *o,
                       lp_err *err)
{
    const lp_option table[] = {
        {"truth", LP_OPT_STRING, &a->truth, "DIR", "true label images or outlines, or one file"},
        {"pred", LP_OPT_STRING, &a->pred, "DIR", "predictions: the same, or coordinates"},
        {"flip_y", LP_OPT_ON, &a->flip_y, NULL,
         "y of coordinates counts from the last row (RELION, EMAN, crYOLO on TIFF)"},
        {"images", LP_OPT_STRING, &a->images, "DIR",
         "micrographs for the report's pictures and the size of outlines"},
        {"missing", LP_OPT_STRING, &a->missing, "HOW",
         "true images without prediction: error, or zero: all missed (error)"},
        {"size_edges", LP_OPT_STRING, &a->size_edges, "LIST",
         "edges of the size classes, px (20,40,80,160)"},
        {"boundary_scale", LP_OPT_DOUBLE, &a->boundary_scale, "F",
         "outlines are widened by F x the median true diameter, at least 1 px (0.1)"},
        {"json", LP_OPT_STRING, &a->json, "FILE", "everything as JSON; - is standard output"},
        {"csv", LP_OPT_STRING, &a->csv, "FILE", "one row per image; - is standard output"},
        {"sweep_csv", LP_OPT_STRING, &a->sweep_csv, "FILE",
         "one row per threshold and diameter of saved runs; - is standard output"},
        {"report", LP_OPT_STRING, &a->report, "FILE", "one self-contained HTML page"},
        {"worst", LP_OPT_INT, &a->worst, "N", "images that the report pictures (6)"},
        {"Saved runs", LP_OPT_GROUP, NULL, NULL, NULL},
        {"no_sweep", LP_OPT_OFF, &a->sweep, NULL, "do not judge all thresholds"},
        {"merge", LP_OPT_STRING, &a->method, "METHOD", "scale (default), votes or affinity"},
        {"levels", LP_OPT_STRING, &a->levels, "A,B,C", "of votes and affinity, falling"},
        {"threshold", LP_OPT_DOUBLE, &a->threshold, "T",
         "judge the runs merged at T, instead of the masks beside them"},
        {"Other", LP_OPT_GROUP, NULL, NULL, NULL},
        {"threads", LP_OPT_INT, &a->threads, "N", "CPU threads (all)"},
        {"quiet", LP_OPT_ON, &a->quiet, NULL, "no table on standard output"},
        {"help", LP_OPT_ON, &a->help, NULL, "this list"},
        {NULL, LP_OPT_GROUP, NULL, NULL, NULL}};
    char **rest = malloc((size_t)argc * sizeof *rest), seen[sizeof table / sizeof *table] = {0};
    int n_rest = 0, i;
    lp_status st;

    if (!rest) return lp_fail_mem(err, "arguments", argc * 8.0);
    st = lp_options_parse(table, argc, argv, rest, &n_rest, seen, err);
    if (!st && a->help) {
        fputs(usage, stdout);
        lp_options_help(table, stdout);
        goto done;
    }
    if (!st && n_rest)
        st = lp_fail(err, LP_EARG, "%s: what is it? Use --truth and --pred", rest[0]);
    if (!st && (!a->truth || !a->pred))
        st = lp_fail(err, LP_EARG, "needs --truth and --pred (--help says more)");
    if (!st && strcmp(a->missing, "error") && strcmp(a->missing, "zero"))
        st = lp_fail(err, LP_EARG, "--missing %s: error or zero", a->missing);
    if (!st && !(a->boundary_scale >= 0 && a->boundary_scale <= 10))
        st = lp_fail(err, LP_EARG, "--boundary_scale %g: 0 to 10", a->boundary_scale);
    if (!st && (a->worst < 0 || a->worst > 100))
        st = lp_fail(err, LP_EARG, "--worst %d: 0 to 100", a->worst);
    if (!st && (a->threads < 0 || a->threads > 1024))
        st = lp_fail(err, LP_EARG, "--threads %d: 1 to 1024", a->threads);
    if (!st && on_stdout(a->json) + on_stdout(a->csv) + on_stdout(a->sweep_csv) > 1)
        st = lp_fail(err, LP_EARG,
                     "only one of --json, --csv and --sweep_csv can be on standard output");
    if (!st && a->sweep_csv && !a->sweep)
        st = lp_fail(err, LP_EARG, "--sweep_csv and --no_sweep: give one of them");
    for (i = 0; table[i].name; i++)
        if (!strcmp(table[i].name, "threshold")) a->has_threshold = seen[i];
    o->merge = lp_merge_defaults();
    if (!st)
        st = lp_merge_text_parse(a->method, a->levels, a->has_threshold, a->threshold, &o->merge,
                                 err);
    if (!st) st = parse_edges(a->size_edges, edge, &o->n_edges, err);
    o->edges = edge;
    o->boundary_scale = a->boundary_scale;
    o->flip_y = a->flip_y;
    o->missing_zero = !strcmp(a->missing, "zero");
    o->threads = a->threads;
done:
    free(rest);
    return st;
}

static void warn(const char *msg)
{
    fprintf(stderr, "lipopose eval: %s\n", msg);
}

/* What is missing, failed or left over, one line each. */
static void say_problems(const lp_eval_files *f, const lp_eval_set *s, const lp_err *note)
{
    int i;

    for (i = 0; i < s->n; i++)
        if (s->item[i].failed.status) warn(s->item[i].failed.msg);
    if (f->n_extra)
        fprintf(stderr, "lipopose eval: %d prediction%s without truth passed over: %s%s\n",
                f->n_extra, f->n_extra == 1 ? "" : "s", f->extra, f->n_extra > 1 ? " ..." : "");
    if (note->status) fprintf(stderr, "lipopose eval: no curve over support: %s\n", note->msg);
}

static lp_status write_all(const args *a, const lp_eval_files *f, const lp_eval_set *s,
                           const lp_eval_options *o, lp_err *err)
{
    lp_status st = LP_OK;

    if (!a->quiet && !on_stdout(a->json) && !on_stdout(a->csv) && !on_stdout(a->sweep_csv)) {
        lp_write_eval_table(stdout, s);
        if (fflush(stdout)) st = lp_fail(err, LP_EIO, "standard output: %s", strerror(errno));
    }
    if (!st && a->json) st = lp_write_eval_json(a->json, s, f, o, err);
    if (!st && a->csv) st = lp_write_eval_csv(a->csv, s, err);
    if (!st && a->sweep_csv) st = lp_write_sweep_csv(a->sweep_csv, s->sweep, err);
    if (!st && a->report) st = lp_write_report(a->report, s, o, a->truth, a->pred, a->worst, err);
    return st;
}

/* --threshold: the saved runs stand for the masks beside them. */
static lp_status take_runs(lp_eval_files *f, lp_err *err)
{
    int i;

    for (i = 0; i < f->n; i++) {
        lp_eval_item *x = &f->item[i];

        if (!x->pred) continue;
        if (!x->run)
            return lp_fail(err, LP_EARG,
                           "--threshold: %s has no saved run NAME_lipopose.h5 beside it", x->pred);
        free(x->pred);
        free(x->table);
        x->table = NULL;
        if (!(x->pred = strdup(x->run))) return lp_fail_mem(err, "list of files", 1);
    }
    return LP_OK;
}

/* All thresholds, where there are saved runs. */
static lp_status sweep(const args *a, const lp_eval_options *o, lp_eval_set *s, lp_eval_sweep *out,
                       lp_err *err)
{
    const lp_eval_item **item = calloc((size_t)s->n + 1, sizeof *item);
    int i, n = 0, runs = 0;
    lp_err note = {0};
    lp_status st;

    if (!item) return lp_fail_mem(err, "list of files", s->n * 8.0);
    for (i = 0; i < s->n; i++) {
        if (s->item[i].failed.status) continue;
        item[n++] = s->item[i].file;
        runs += s->item[i].file->run != NULL;
    }
    if (runs == 0 || n == 0)
        lp_fail(&note, LP_EIO, "no saved runs of segment --diameters in %s", a->pred);
    st = note.status ? LP_OK : lp_eval_sweep_runs(item, n, &o->merge, o->threads, out, &note, err);
    free(item);
    if (st) return st;
    for (i = 0; i < out->n_failed; i++) warn(out->failed[i].msg);
    if (note.status && (a->sweep_csv || a->method))
        return lp_fail(err, LP_EARG, "--%s: %.900s", a->sweep_csv ? "sweep_csv" : "merge",
                       note.msg);
    if (note.status && runs)
        fprintf(stderr, "lipopose eval: thresholds are not judged: %s\n", note.msg);
    if (!note.status) s->sweep = out;
    return LP_OK;
}

int lp_cmd_eval(int argc, char **argv)
{
    args a = {.missing = "error",
              .size_edges = "20,40,80,160",
              .boundary_scale = 0.1,
              .worst = 6,
              .sweep = 1};
    double edge[LP_EVAL_MAX_CLASSES];
    lp_eval_options o = {0};
    lp_eval_files files = {0};
    lp_picks picks = {0};
    lp_eval_set set = {0};
    lp_eval_sweep swept = {0};
    lp_err err, note;
    int i, code = 0, missing = 0, points;
    lp_status st = parse(argc, argv, &a, edge, &o, &err);

    if (!st && a.help) return fflush(stdout) != 0;
    points = !st && lp_picks_are_there(a.pred);
    if (points && (a.method || a.levels || a.has_threshold || a.sweep_csv))
        st = lp_fail(&err, LP_EARG,
                     "--merge, --levels, --threshold and --sweep_csv go with saved "
                     "runs: %s has coordinates",
                     a.pred);
    if (!st && !points && a.flip_y)
        st = lp_fail(&err, LP_EARG, "--flip_y: goes with coordinates, %s has labels", a.pred);
    if (!st && points) st = lp_picks_read(a.pred, &picks, &err);
    if (!st)
        st = points ? lp_eval_files_picks(a.truth, a.pred, &picks, a.images, &files, &err)
                    : lp_eval_files_find(a.truth, a.pred, a.images, &files, &err);
    for (i = 0; !st && i < files.n; i++) {
        if (files.item[i].pred) continue;
        if (missing++ < 5)
            fprintf(stderr, "lipopose eval: %s: has no prediction\n", files.item[i].truth);
    }
    if (missing > 5)
        fprintf(stderr, "lipopose eval: and %d more of %d have no prediction\n", missing - 5,
                files.n);
    if (missing && !o.missing_zero) {
        warn("predictions are missing; --missing zero counts their particles as missed");
        code = 1;
        goto done;
    }
    if (!st && a.has_threshold) st = take_runs(&files, &err);
    if (!st) st = lp_eval_run(&files, points ? &picks : NULL, &o, &set, &note, &err);
    if (!st && !points && a.sweep) st = sweep(&a, &o, &set, &swept, &err);
    if (!st) {
        say_problems(&files, &set, &note);
        code = set.n_failed > 0 || swept.n_failed > 0;
        st = write_all(&a, &files, &set, &o, &err);
    }
    if (st) {
        warn(err.msg);
        code = st == LP_EARG ? 2 : st == LP_EMISSING ? 3 : 1;
    }
done:
    lp_eval_sweep_free(&swept);
    lp_eval_set_free(&set);
    lp_eval_files_free(&files);
    lp_picks_free(&picks);
    return code;
}
