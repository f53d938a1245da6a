#include "cmd_info.h"

#include <cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <unistd.h>

#include "backend.h"
#include "read.h"
#include "selftest.h"
#include "unet_cpu.h"
#include "weights/weights.h"

typedef struct {
    int json, check;
} options;

static const char usage[] = "usage: lipopose info [--json] [--check] [--devices] FILE...\n"
                            "  FILE     a model (.h5, Cellpose checkpoint) or an image\n"
                            "  --devices  what this machine offers\n"
                            "  --check  run the model's self-test on this machine\n"
                            "  --json   one record per line and file\n";

/* The first bytes of a file, zero-padded. */
static lp_status head_of(const char *path, unsigned char *b, size_t n, lp_err *err)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a named pipe must not wait */
    ssize_t k = fd < 0 ? -1 : pread(fd, b, n, 0);

    if (fd >= 0) close(fd);
    return k < 0 ? lp_fail(err, LP_EIO, "%s: cannot be read", path) : LP_OK;
}

/* A pickle begins with 0x80 and its protocol; an MRC file 128 wide has 0x80 0. */
static int is_model(const unsigned char *b)
{
    return !memcmp(b, "\x89HDF", 4) || !memcmp(b, "PK\3\4", 4) ||
           (b[0] == 0x80 && b[1] >= 2 && b[1] <= 5);
}

static int silent(TIFF *tif, void *data, const char *module, const char *fmt, va_list ap)
{
    (void)tif, (void)data, (void)module, (void)fmt, (void)ap;
    return 1;
}

static void tiff_type(const char *path, char *type, size_t size)
{
    TIFFOpenOptions *opts = TIFFOpenOptionsAlloc();
    TIFF *tif;
    uint16_t bits = 1, format = SAMPLEFORMAT_UINT;

    TIFFOpenOptionsSetErrorHandlerExtR(opts, silent, NULL);
    TIFFOpenOptionsSetWarningHandlerExtR(opts, silent, NULL);
    if ((tif = TIFFOpenExt(path, "rm", opts))) {
        TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &bits);
        TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLEFORMAT, &format);
        snprintf(type, size, "%s%d",
                 format == SAMPLEFORMAT_IEEEFP ? "float"
                 : format == SAMPLEFORMAT_INT  ? "int"
                                               : "uint",
                 bits);
        TIFFClose(tif);
    }
    TIFFOpenOptionsFree(opts);
}

/* Name of the format and of the sample type, from the file's first bytes; "" where unknown. */
static const char *image_format(const char *path, const unsigned char *b, char *type, size_t size)
{
    *type = 0;
    if (!memcmp(b, "II*\0", 4) || !memcmp(b, "MM\0*", 4))
        return tiff_type(path, type, size), "TIFF";
    if (!memcmp(b, "II+\0", 4) || !memcmp(b, "MM\0+", 4))
        return tiff_type(path, type, size), "BigTIFF";
    if (!memcmp(b, "\x89PNG", 4)) {
        snprintf(type, size, "uint%d", b[24]);
        return "PNG";
    }
    if (b[0] == 0x1f && b[1] == 0x8b) return "MRC, gzip";
    if (!memcmp(b, "BZh", 3)) return "MRC, bzip2";
    /* the mode is a small number in the machine's byte order */
    snprintf(type, size, "mode %d", b[12] | b[15]);
    return "MRC";
}

static cJSON *model_json(const lp_weights *w, double parameters)
{
    cJSON *j = cJSON_CreateObject();

    cJSON_AddItemToObject(j, "nbase", cJSON_CreateIntArray(w->nbase, w->n_nbase));
    cJSON_AddNumberToObject(j, "nout", w->nout);
    cJSON_AddNumberToObject(j, "sz", w->sz);
    cJSON_AddNumberToObject(j, "parameters", parameters);
    cJSON_AddNumberToObject(j, "diam_mean", w->diam_mean);
    cJSON_AddNumberToObject(j, "diam_labels", w->diam_labels);
    cJSON_AddItemToObject(j, "diam_range",
                          w->diam_range[1] > 0 ? cJSON_CreateDoubleArray(w->diam_range, 2)
                                               : cJSON_CreateNull());
    cJSON_AddStringToObject(j, "source", w->source);
    cJSON_AddStringToObject(j, "source_sha256", w->source_sha256);
    cJSON_AddStringToObject(j, "licence", w->licence);
    cJSON_AddBoolToObject(j, "size_model", w->size != NULL);
    cJSON_AddBoolToObject(j, "selftest", w->test_x != NULL);
    return j;
}

static lp_status print_json(cJSON *j, const char *path, const char *kind, lp_err *err)
{
    char *text;

    cJSON_AddStringToObject(j, "kind", kind);
    cJSON_AddStringToObject(j, "file", path);
    text = cJSON_PrintUnformatted(j);
    cJSON_Delete(j);
    if (!text) return lp_fail_mem(err, path, 1);
    puts(text);
    cJSON_free(text);
    return LP_OK;
}

static void print_model(const char *path, const lp_weights *w, double parameters)
{
    int i;

    printf("%s: Cellpose CNN\n  architecture  nbase ", path);
    for (i = 0; i < w->n_nbase; i++) printf("%s%d", i ? "," : "", w->nbase[i]);
    printf("; %d outputs, kernel %d; %.0f parameters\n", w->nout, w->sz, parameters);
    printf("  diameter      mean %g px, of the training labels %.1f px", w->diam_mean,
           w->diam_labels);
    if (w->diam_range[1] > 0) printf(", range %.1f to %.1f px", w->diam_range[0], w->diam_range[1]);
    printf("\n  source        %s\n  sha256        %s\n  licence       %s\n",
           *w->source ? w->source : "-", *w->source_sha256 ? w->source_sha256 : "-",
           *w->licence ? w->licence : "-");
    printf("  size model    %s\n  self-test     ", w->size ? "yes" : "no");
    if (w->test_x)
        printf("%d x %d\n", w->test_ly, w->test_lx);
    else
        puts("no");
}

/* Runs the self-test of w in every precision that this machine has. Errors are relative to the
 * largest reference value; error[1] (bf16) is negative where there is none. */
static lp_status check_model(const char *path, const lp_weights *w, double error[2], lp_err *err)
{
    lp_err no_bf16;
    lp_status st = lp_selftest_run(w, 0, &error[0], err);

    if (st) {
        lp_err why = *err;

        return lp_fail(err, st, "%s: %.900s", path, why.msg);
    }
    if (!(error[0] <= LP_SELFTEST_FP32))
        return lp_fail(
            err, LP_EFORMAT,
            "%s: self-test failed: fp32 is off by %.2g of the largest value (at most %g is "
            "right); the file or this machine is faulty",
            path, error[0], LP_SELFTEST_FP32);
    error[1] = -1;
    if (lp_selftest_run(w, 1, &error[1], &no_bf16)) return LP_OK;
    if (!(error[1] <= LP_SELFTEST_BF16))
        return lp_fail(err, LP_EFORMAT,
                       "%s: self-test failed: bf16 is off by %.2g; use --precision "
                       "fp32",
                       path, error[1]);
    return LP_OK;
}

/* A device as one line, or as an object of the array. */
static void print_device(const char *backend, int i, const lp_device_info *d, cJSON *to)
{
    cJSON *o;

    if (!to) {
        if (d->major)
            printf("  %s device %d: %s, %.1f GiB, compute capability %d.%d\n", backend, i, d->name,
                   d->memory / 1073741824, d->major, d->minor);
        else
            printf("  %s: %s, %.1f GiB\n", backend, d->name, d->memory / 1073741824);
        return;
    }
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "backend", backend);
    cJSON_AddNumberToObject(o, "device", i);
    cJSON_AddStringToObject(o, "name", d->name);
    cJSON_AddNumberToObject(o, "memory", d->memory);
    if (d->major) {
        cJSON_AddNumberToObject(o, "capability", d->major + d->minor / 10.0);
    } else {
        cJSON_AddNullToObject(o, "capability");
    }
    cJSON_AddItemToArray(to, o);
}

/* What this build and machine can use. */
static lp_status info_devices(int json, lp_err *err)
{
    static const char *const names[] = {"cuda", "cpu"};
    cJSON *j = json ? cJSON_CreateObject() : NULL, *list = NULL;
    const lp_backend *be, *chosen;
    lp_device_info d;
    lp_err why;
    lp_status st;
    size_t k;
    int i, bf16;

    if ((st = lp_backend_find("auto", &chosen, err))) return st;
    bf16 = strcmp(chosen->name, "cpu") || lp_unet_bf16_pays();
    if (json) {
        cJSON_AddStringToObject(j, "version", lp_version());
        cJSON_AddStringToObject(j, "backend", chosen->name);
        cJSON_AddBoolToObject(j, "bf16", bf16);
        list = cJSON_AddArrayToObject(j, "devices");
    } else {
        printf("lipopose %s\n", lp_version());
    }
    for (k = 0; k < sizeof names / sizeof *names; k++) {
        if (lp_backend_find(names[k], &be, &why)) {
            if (!json) printf("  %s\n", why.msg);
            continue;
        }
        for (i = 0; !be->list(i, &d, &why); i++) print_device(names[k], i, &d, list);
        if (!i && json) cJSON_AddStringToObject(j, "why_no_cuda", why.msg);
        if (!i && !json) printf("  %s\n", why.msg);
    }
    if (json) return print_json(j, "", "devices", err);
    printf("  --backend auto is %s, --precision auto is %s there\n", chosen->name,
           bf16 ? "bf16" : "fp32");
    return LP_OK;
}

static lp_status info_model(const char *path, const options *o, lp_err *err)
{
    lp_weights *w = NULL;
    double parameters = 0, error[2] = {0};
    cJSON *j;
    int i;
    lp_status st = lp_weights_open(path, &w, err);

    if (st) return st;
    for (i = 0; i < w->n_tensors; i++) {
        const char *dot = strrchr(w->tensors[i].name, '.');

        if (dot && (!strcmp(dot, ".weight") || !strcmp(dot, ".bias")))
            parameters += (double)w->tensors[i].n;
    }
    if (o->check && (st = check_model(path, w, error, err))) goto done;
    if (o->json) {
        j = model_json(w, parameters);
        if (o->check) cJSON_AddNumberToObject(j, "check_error_fp32", error[0]);
        if (o->check && error[1] >= 0) cJSON_AddNumberToObject(j, "check_error_bf16", error[1]);
        st = print_json(j, path, "model", err);
    } else {
        print_model(path, w, parameters);
        if (o->check) printf("  check         passed: fp32 is within %.1e", error[0]);
        if (o->check && error[1] >= 0) printf(", bf16 within %.1e", error[1]);
        if (o->check) puts(" of the reference");
    }
done:
    lp_weights_free(&w);
    return st;
}

static lp_status info_image(const char *path, const unsigned char *head, const options *o,
                            lp_err *err)
{
    char type[32];
    const char *format;
    lp_image im;
    cJSON *j;
    int pages;
    lp_status st;

    if (o->check) return lp_fail(err, LP_EFORMAT, "%s: no model: nothing to check", path);
    if ((st = lp_read_count(path, &pages, err))) return st;
    if ((st = lp_read_image(path, 0, &im, err))) return st;
    format = image_format(path, head, type, sizeof type);
    if (o->json) {
        j = cJSON_CreateObject();
        cJSON_AddStringToObject(j, "format", format);
        cJSON_AddStringToObject(j, "type", type);
        cJSON_AddNumberToObject(j, "height", im.Ly);
        cJSON_AddNumberToObject(j, "width", im.Lx);
        cJSON_AddNumberToObject(j, "channels", im.nchan);
        cJSON_AddNumberToObject(j, "pages", pages);
        cJSON_AddItemToObject(
            j, "pixel_nm", im.pixel_nm > 0 ? cJSON_CreateNumber(im.pixel_nm) : cJSON_CreateNull());
        cJSON_AddNumberToObject(j, "replaced", (double)im.replaced);
        st = print_json(j, path, "image", err);
    } else {
        printf("%s: %s%s%s\n  size          %d x %d (height x width), %d channel%s, %d page%s\n",
               path, format, *type ? ", " : "", type, im.Ly, im.Lx, im.nchan,
               im.nchan == 1 ? "" : "s", pages, pages == 1 ? "" : "s");
        if (im.pixel_nm > 0)
            printf("  pixel         %.6g nm\n", im.pixel_nm);
        else
            puts("  pixel         size unknown");
        if (im.replaced)
            printf("  replaced      %lld NaN or Inf samples\n", (long long)im.replaced);
    }
    lp_image_free(&im);
    return st;
}

static int fail_exit(const lp_err *err)
{
    fprintf(stderr, "lipopose info: %s\n", err->msg);
    return err->status == LP_EARG ? 2 : err->status == LP_EMISSING ? 3 : 1;
}

int lp_cmd_info(int argc, char **argv)
{
    options o = {0};
    unsigned char head[512];
    lp_err err;
    lp_status st;
    int i, files = 0, code = 0, devices = 0;

    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            o.json = 1;
        else if (!strcmp(argv[i], "--check"))
            o.check = 1;
        else if (!strcmp(argv[i], "--devices"))
            devices = 1;
        else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return fputs(usage, stdout) == EOF;
        else if (argv[i][0] == '-') {
            lp_fail(&err, LP_EARG, "unknown option %s (--help lists them)", argv[i]);
            return fail_exit(&err);
        } else
            files++;
    }
    if (devices) {
        if (info_devices(o.json, &err)) code = fail_exit(&err);
        if (!files) return code;
    }
    if (!files) {
        lp_fail(&err, LP_EARG, "needs a FILE (--help says more)");
        return fail_exit(&err);
    }
    for (i = 1; i < argc; i++) {
        if (argv[i][0] == '-') continue;
        memset(head, 0, sizeof head);
        st = access(argv[i], F_OK) ? lp_fail(&err, LP_EMISSING, "%s: no such file", argv[i])
                                   : head_of(argv[i], head, sizeof head, &err);
        if (!st)
            st = is_model(head) ? info_model(argv[i], &o, &err)
                                : info_image(argv[i], head, &o, &err);
        if (st) code = files > 1 ? (fail_exit(&err), 1) : fail_exit(&err);
    }
    return code;
}
