#include "cmd_synth.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "synth.h"
#include "synth_files.h"
#include "write_masks.h"
#include "write_mrc.h"

static const char help[] =
    "usage: lipopose synth [options] OUTDIR\n"
    "Writes synthetic cryoEM micrographs of lipid nanoparticles with exact labels:\n"
    "OUTDIR/synth_0001.mrc, OUTDIR/labels/synth_0001_masks.tif, OUTDIR/synth_0001_truth.csv\n"
    "  --n N                  micrographs to make (1)\n"
    "  --size LyxLx           size, px (1024x1024)\n"
    "  --seed S               same seed and options, same bytes (0)\n"
    "  --pixel_nm P           nm per pixel (0.8)\n"
    "  --diameter_min D       smallest particle, nm (20)\n"
    "  --diameter_max D       largest particle, nm (120)\n"
    "  --density F            fraction of the image that particles cover (0.18)\n"
    "  --crowding F           fraction of particles that touch or overlap another (0.35)\n"
    "  --shells F             fraction that are liposomes, the others have solid cores (0.35)\n"
    "  --blebs F              fraction of the solid ones that carry a bleb (0.2)\n"
    "  --irregular X          outlines: 0 round, 1 as in images (1)\n"
    "  --protein X            grains in and on liposomes: 0 none, 1 as in cells (0)\n"
    "  --contamination X      ice crystals, blobs, carbon, debris: 0 none, 1 dirty (0.4)\n"
    "  --ice_gradient X       relative change of ice thickness across the image (0.25)\n"
    "  --ice_nm T             mean ice thickness, nm: background grain (100)\n"
    "  --contrast X           factor on the particles' potential (1)\n"
    "  --dose E               electrons per square Angstrom (20)\n"
    "  --defocus D or A:B     underfocus, um (2:3.5, drawn per micrograph)\n"
    "  --voltage_kv, --cs_mm, --amp_contrast, --bfactor   lens (300, 2.7, 0.1, 300)\n"
    "  --high_pass S          flattened: without what is coarser than S nm (0: not)\n"
    "  --easy                 high dose, clean, flat, nothing overlaps; put it first\n"
    "  --format mrc|tiff      float32 MRC, or 16-bit TIFF (mrc)\n"
    "  --overwrite            replace files of an earlier run\n"
    "  --threads N, --quiet, --json\n";

typedef struct {
    lp_synth_options o;
    const char *dir;
    uint64_t seed;
    int n, format, overwrite, quiet, json, threads, help;
} args;

/* 1 where arg is --name or --name=...; '-' equals '_'. *value is what follows '='. */
static int is_option(const char *arg, const char *name, const char **value)
{
    *value = NULL;
    for (arg += 2; *name; arg++, name++)
        if ((*arg == '-' ? '_' : *arg) != *name) return 0;
    if (*arg == '=') *value = arg + 1;
    return !*arg || *arg == '=';
}

static lp_status whole(const char *name, const char *s, uint64_t lo, uint64_t hi, uint64_t *out,
                       lp_err *err)
{
    char *end;
    unsigned long long v;

    errno = 0;
    v = strtoull(s, &end, 10);
    if (*s < '0' || *s > '9' || *end || errno || v < lo || v > hi)
        return lp_fail(err, LP_EARG, "--%s %s: give a whole number from %llu to %llu", name, s,
                       (unsigned long long)lo, (unsigned long long)hi);
    *out = v;
    return LP_OK;
}

static lp_status set_value(args *a, const char *name, const char *value, lp_err *err)
{
    uint64_t v = 0;
    lp_status st;

    if (!strcmp(name, "n")) {
        if (!(st = whole(name, value, 1, 1000000, &v, err))) a->n = (int)v;
        return st;
    }
    if (!strcmp(name, "threads")) {
        if (!(st = whole(name, value, 1, 4096, &v, err))) a->threads = (int)v;
        return st;
    }
    if (!strcmp(name, "seed")) return whole(name, value, 0, UINT64_MAX, &a->seed, err);
    if (!strcmp(name, "format")) {
        if (!strcmp(value, "mrc"))
            a->format = LP_SYNTH_MRC;
        else if (!strcmp(value, "tiff") || !strcmp(value, "tif"))
            a->format = LP_SYNTH_TIFF;
        else
            return lp_fail(err, LP_EARG, "--format %s: choose mrc or tiff", value);
        return LP_OK;
    }
    st = lp_synth_set(&a->o, name, value, err);
    if (st == LP_EMISSING)
        return lp_fail(err, LP_EARG, "--%s: no such option; see lipopose synth --help", name);
    return st;
}

static lp_status set_flag(args *a, const char *arg, int *found, lp_err *err)
{
    const struct {
        const char *name;
        int *at;
    } flags[] = {
        {"overwrite", &a->overwrite}, {"quiet", &a->quiet}, {"json", &a->json}, {"help", &a->help}};
    const char *value;
    size_t k;

    *found = 1;
    if (is_option(arg, "easy", &value)) {
        int Ly = a->o.Ly, Lx = a->o.Lx;

        if (value) return lp_fail(err, LP_EARG, "%s: takes no value", arg);
        lp_synth_easy(&a->o);
        a->o.Ly = Ly;
        a->o.Lx = Lx;
        return LP_OK;
    }
    for (k = 0; k < sizeof flags / sizeof flags[0]; k++)
        if (is_option(arg, flags[k].name, &value)) {
            if (value) return lp_fail(err, LP_EARG, "%s: takes no value", arg);
            *flags[k].at = 1;
            return LP_OK;
        }
    *found = 0;
    return LP_OK;
}

static lp_status parse(args *a, int argc, char **argv, lp_err *err)
{
    int i, found, rest = 0;
    lp_status st;

    for (i = 1; i < argc; i++) {
        char name[64], *eq;
        const char *value;
        size_t k;

        if (rest || argv[i][0] != '-' || !argv[i][1]) {
            if (a->dir)
                return lp_fail(err, LP_EARG, "%s: one OUTDIR only (have %s)", argv[i], a->dir);
            a->dir = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "-h")) {
            a->help = 1;
            continue;
        }
        if (argv[i][1] != '-')
            return lp_fail(err, LP_EARG, "%s: no such option; see lipopose synth --help", argv[i]);
        if (!argv[i][2]) {
            rest = 1;
            continue;
        }
        if ((st = set_flag(a, argv[i], &found, err))) return st;
        if (found) continue;
        snprintf(name, sizeof name, "%s", argv[i] + 2);
        eq = strchr(name, '=');
        if (eq) *eq = 0;
        for (k = 0; name[k]; k++)
            if (name[k] == '-') name[k] = '_';
        value = strchr(argv[i], '=');
        if (value)
            value++;
        else if (i + 1 < argc)
            value = argv[++i];
        else {
            /* An unknown name is the better message. */
            st = set_value(a, name, "", err);
            if (st && strstr(err->msg, "no such option")) return st;
            return lp_fail(err, LP_EARG, "--%s: a value is missing", name);
        }
        if ((st = set_value(a, name, value, err))) return st;
    }
    if (a->help) return LP_OK;
    if (!a->dir || !*a->dir)
        return lp_fail(err, LP_EARG, "no OUTDIR given; see lipopose synth --help");
    return lp_synth_check(&a->o, err);
}

static lp_status refuse_existing(const lp_synth_paths *p, lp_err *err)
{
    const char *all[] = {p->image, p->labels, p->truth};
    int k;

    for (k = 0; k < 3; k++)
        if (access(all[k], F_OK) == 0)
            return lp_fail(err, LP_EIO, "%s: exists; give --overwrite or another folder", all[k]);
    return LP_OK;
}

static lp_status write_all(const args *a, const lp_synth_paths *p, const lp_image *im,
                           const lp_labels *lb, const lp_synth_particle *list, int n, lp_err *err)
{
    lp_status st;

    if ((st = lp_write_masks(p->labels, lb, im->pixel_nm, err))) return st;
    if ((st = lp_synth_write_truth(p->truth, list, n, im->pixel_nm, err))) return st;
    if (a->format == LP_SYNTH_TIFF) return lp_synth_write_tiff(p->image, im, err);
    return lp_write_mrc(p->image, im, 2,
                        "lipopose synth: synthetic micrograph, electrons per pixel", err);
}

static void print_json(const args *a, const lp_synth_paths *p, uint64_t seed, int n, lp_status st,
                       const lp_err *err)
{
    cJSON *j = cJSON_CreateObject();
    char *s, text[32];

    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    cJSON_AddStringToObject(j, "file", p->image);
    cJSON_AddStringToObject(j, "status", st ? "failed" : "ok");
    if (st)
        cJSON_AddStringToObject(j, "error", err->msg);
    else {
        cJSON_AddStringToObject(j, "labels", p->labels);
        cJSON_AddStringToObject(j, "truth", p->truth);
        cJSON_AddStringToObject(j, "seed", text); /* 64 bits do not fit JSON's numbers */
        cJSON_AddNumberToObject(j, "particles", n);
        cJSON_AddNumberToObject(j, "Ly", a->o.Ly);
        cJSON_AddNumberToObject(j, "Lx", a->o.Lx);
        cJSON_AddNumberToObject(j, "pixel_nm", a->o.pixel_nm);
        cJSON_AddNumberToObject(j, "defocus_um", lp_synth_defocus(&a->o, seed));
    }
    s = cJSON_PrintUnformatted(j);
    if (s) puts(s);
    fflush(stdout);
    cJSON_free(s);
    cJSON_Delete(j);
}

/* One micrograph, all of it; *made counts its particles. */
static lp_status make_one(const args *a, int index, int *made, lp_err *err)
{
    uint64_t seed = lp_synth_seed(a->seed, index);
    lp_synth_paths p = {NULL, NULL, NULL};
    lp_image im = {.data = NULL};
    lp_labels lb = {.data = NULL};
    lp_synth_particle *list = NULL;
    int n = 0;
    lp_status st;

    if ((st = lp_synth_paths_new(&p, a->dir, index, a->format, err))) return st;
    if (!a->overwrite) st = refuse_existing(&p, err);
    if (!st) st = lp_synth_render(&a->o, seed, &im, &lb, &list, &n, err);
    if (!st) st = write_all(a, &p, &im, &lb, list, n, err);
    if (a->json) print_json(a, &p, seed, n, st, err);
    if (!st && !a->quiet && !a->json) {
        printf("%s: %d particles\n", p.image, n);
        fflush(stdout);
    }
    if (!st) *made += n;
    free(list);
    lp_labels_free(&lb);
    lp_image_free(&im);
    lp_synth_paths_free(&p);
    return st;
}

int lp_cmd_synth(int argc, char **argv)
{
    args a = {.n = 1, .format = LP_SYNTH_MRC};
    int i, failed = 0, made = 0;
    lp_err err;

    lp_synth_defaults(&a.o);
    if (parse(&a, argc, argv, &err)) {
        fprintf(stderr, "lipopose synth: %s\n", err.msg);
        return 2;
    }
    if (a.help) {
        fputs(help, stdout);
        return 0;
    }
    if (a.threads) omp_set_num_threads(a.threads);
    if (lp_synth_make_dirs(a.dir, &err)) {
        fprintf(stderr, "lipopose synth: %s\n", err.msg);
        return 1;
    }
    for (i = 1; i <= a.n; i++)
        if (make_one(&a, i, &made, &err)) {
            fprintf(stderr, "lipopose synth: %s\n", err.msg);
            failed++;
        }
    if (!a.quiet && !a.json)
        printf("%d of %d micrographs with %d particles in %s\n", a.n - failed, a.n, made, a.dir);
    return failed ? 1 : 0;
}
