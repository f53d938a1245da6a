#include "cmd_convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/npy.h"
#include "weights/torch_write.h"
#include "selftest.h"
#include "weights/weights.h"

typedef struct {
    const char *in, *out, *size, *licence;
    int half, single, force, help;
} options;

static const char usage[] =
    "usage: lipopose convert IN OUT [--size size_MODEL.npy] [--half | --float] [--licence TEXT] "
    "[--force]\n"
    "  IN    a Cellpose 1-3 checkpoint (any name), or an .h5 model\n"
    "  OUT   NAME.h5 (model of this program) or NAME.pth (for Cellpose)\n"
    "  --size     add Cellpose's size model, so that the diameter can be estimated\n"
    "  --half     weights as float16: half the size; --float (default) keeps them exact\n"
    "  --licence  text kept in the model\n"
    "  --force    replace OUT if it is there\n";

/* 1 where arg is --name or --name=..., with - and _ alike; *value is what follows '=' or NULL. */
static int is_option(const char *arg, const char *name, const char **value)
{
    if (strncmp(arg, "--", 2)) return 0;
    for (arg += 2; *name; arg++, name++)
        if (*arg != *name && !(*name == '_' && *arg == '-')) return 0;
    if (*arg && *arg != '=') return 0;
    *value = *arg ? arg + 1 : NULL;
    return 1;
}

static lp_status parse(int argc, char **argv, options *o, lp_err *err)
{
    int i, ended = 0;
    const char *v;

    for (i = 1; i < argc; i++) {
        const char *a = argv[i], **text = NULL;
        int *flag = NULL;

        if (ended || a[0] != '-' || !a[1]) {
            if (o->out) return lp_fail(err, LP_EARG, "too many files: %s", a);
            *(o->in ? &o->out : &o->in) = a;
            continue;
        }
        if (!strcmp(a, "--")) {
            ended = 1;
            continue;
        }
        if (is_option(a, "size", &v))
            text = &o->size;
        else if (is_option(a, "licence", &v) || is_option(a, "license", &v))
            text = &o->licence;
        else if (is_option(a, "half", &v))
            flag = &o->half;
        else if (is_option(a, "float", &v))
            flag = &o->single;
        else if (is_option(a, "force", &v))
            flag = &o->force;
        else if (is_option(a, "help", &v) || !strcmp(a, "-h"))
            flag = &o->help, v = NULL;
        else
            return lp_fail(err, LP_EARG, "unknown option %s (--help lists them)", a);
        if (flag && v) return lp_fail(err, LP_EARG, "%s: takes no value", a);
        if (flag) *flag = 1;
        if (text && !v && i + 1 == argc) return lp_fail(err, LP_EARG, "%s: needs a value", a);
        if (text) *text = v ? v : argv[++i];
    }
    if (o->help) return LP_OK;
    if (!o->out) return lp_fail(err, LP_EARG, "needs IN and OUT (--help says more)");
    if (o->half && o->single) return lp_fail(err, LP_EARG, "--half and --float exclude each other");
    return LP_OK;
}

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n > m && !strcmp(s + n - m, end);
}

/* The channels that Cellpose 1 to 3 builds its networks with. */
static int has_cellpose_channels(const lp_weights *w)
{
    int i, same = w->n_nbase == 5;

    for (i = 1; same && i < 5; i++) same = w->nbase[i] == 16 << i;
    return same;
}

static void report(const lp_weights *w, const options *o, int to_torch)
{
    struct stat sb;
    double bytes = stat(o->out, &sb) ? 0 : (double)sb.st_size;
    int i;

    printf("%s: nbase ", o->out);
    for (i = 0; i < w->n_nbase; i++) printf("%s%d", i ? "," : "", w->nbase[i]);
    printf(", %s, diam_mean %g, diam_labels %.1f%s, %.1f MB\n",
           o->half && !to_torch ? "float16" : "float32", w->diam_mean, w->diam_labels,
           w->size && !to_torch ? ", with size model" : "", bytes / 1e6);
    if (to_torch && !has_cellpose_channels(w))
        fprintf(stderr,
                "lipopose: %s: Cellpose 1 to 3 only load networks of 32,64,128,256 channels\n",
                o->out);
}

static lp_status convert(const options *o, lp_err *err)
{
    lp_weights *w = NULL;
    int to_torch = ends_with(o->out, ".pth") || ends_with(o->out, ".pt");
    lp_status st;

    if (!to_torch && !ends_with(o->out, ".h5"))
        return lp_fail(err, LP_EARG, "%s: OUT must end with .h5 or .pth", o->out);
    if (to_torch && (o->half || o->size || o->licence))
        return lp_fail(err, LP_EARG, "%s: a .pth has no place for --half, --size or --licence",
                       o->out);
    if (!o->force && access(o->out, F_OK) == 0)
        return lp_fail(err, LP_EIO, "%s: is there already; --force replaces it", o->out);
    if ((st = lp_weights_open(o->in, &w, err))) return st;
    if (o->licence) {
        free(w->licence);
        if (!(w->licence = strdup(o->licence))) {
            st = lp_fail_mem(err, o->out, (double)strlen(o->licence));
            goto done;
        }
    }
    if (o->size && (st = lp_weights_import_size(o->size, w, err))) goto done;
    if (to_torch) {
        st = lp_weights_export_torch(w, o->out, err);
    } else {
        if (o->half && (st = lp_weights_round_half(w, o->out, err))) goto done;
        /* From the weights as the file will give them. */
        if ((st = lp_selftest_fill(w, err))) goto done;
        st = lp_weights_save(w, o->out, o->half, err);
    }
    if (!st) report(w, o, to_torch);
done:
    lp_weights_free(&w);
    return st;
}

int lp_cmd_convert(int argc, char **argv)
{
    options o = {0};
    lp_err err;
    lp_status st = parse(argc, argv, &o, &err);

    if (!st && o.help) return fputs(usage, stdout) == EOF;
    if (!st) st = convert(&o, &err);
    if (!st) return 0;
    fprintf(stderr, "lipopose convert: %s\n", err.msg);
    return st == LP_EARG ? 2 : st == LP_EMISSING ? 3 : 1;
}
