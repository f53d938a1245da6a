/* cmd_bench - `lipopose bench`: a standard throughput benchmark, comparable between machines. */
#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"
#include "backend.h"
#include "bench_case.h"
#include "commands.h"
#include "inputs.h"
#include "lipopose.h"
#include "machine.h"
#include "number.h"
#include "options.h"
#include "run_signals.h"
#include "../weights/sha256.h"

#ifndef LP_COMMIT
#define LP_COMMIT ""
#endif

#define MAX_ROUNDS 99

typedef struct {
    int quick, rounds, threads, quiet, help;
    const char *model, *backend, *precision, *gpu_device, *only, *dir, *json;
    char *word[24], text[24][PATH_MAX]; /* segment's further words */
    int n_words;
} args;

static void pass(args *a, const char *option, const char *value)
{
    if (!value) return;
    snprintf(a->text[a->n_words], PATH_MAX, "%s", option);
    a->word[a->n_words] = a->text[a->n_words];
    a->n_words++;
    snprintf(a->text[a->n_words], PATH_MAX, "%s", value);
    a->word[a->n_words] = a->text[a->n_words];
    a->n_words++;
}

static void put(cJSON *o, const char *key, double v, int digits)
{
    char buf[LP_NUMBER_MAX];

    lp_number_format(buf, v, digits);
    cJSON_AddItemToObject(o, key,
                          *buf ? cJSON_CreateNumber(strtod(buf, NULL)) : cJSON_CreateNull());
}

static double number_of(const cJSON *o, const char *key)
{
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(x) ? x->valuedouble : 0;
}

/* Names of the devices, CPU first. */
static void devices(cJSON *to)
{
    static const char *const names[] = {"cpu", "cuda"};
    lp_device_info d;
    const lp_backend *be;
    size_t k;
    int i;

    for (k = 0; k < sizeof names / sizeof *names; k++)
        for (i = 0; !lp_backend_find(names[k], &be, NULL) && !be->list(i, &d, NULL); i++)
            cJSON_AddItemToArray(to, cJSON_CreateString(d.name));
}

/* What the numbers are to be compared by. */
static cJSON *machine(const args *a, const char *sha256)
{
    cJSON *o = cJSON_CreateObject();
    char host[256] = "", date[32], cpu[LP_MACHINE_CPU];
    double load[3] = {0};
    time_t t = time(NULL);
    struct tm tm;

    if (gethostname(host, sizeof host - 1)) *host = 0;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    cJSON_AddStringToObject(o, "format", "lipopose-bench");
    cJSON_AddNumberToObject(o, "version", 1);
    cJSON_AddStringToObject(o, "lipopose", lp_version());
    if (*LP_COMMIT)
        cJSON_AddStringToObject(o, "commit", LP_COMMIT);
    else
        cJSON_AddNullToObject(o, "commit");
    cJSON_AddStringToObject(o, "date", date);
    cJSON_AddStringToObject(o, "host", host);
    cJSON_AddStringToObject(o, "cpu", lp_machine_cpu(cpu));
    devices(cJSON_AddArrayToObject(o, "devices"));
    put(o, "threads", a->threads ? a->threads : lp_machine_threads(), 17);
    put(o, "memory_gib", lp_machine_memory() / 1073741824.0, 4);
    put(o, "load_before", getloadavg(load, 3) > 0 ? load[0] : NAN, 4);
    cJSON_AddStringToObject(o, "model", a->model ? a->model : LP_DEFAULT_MODEL);
    cJSON_AddStringToObject(o, "model_sha256", sha256);
    cJSON_AddStringToObject(o, "backend", a->backend ? a->backend : "auto");
    cJSON_AddStringToObject(o, "precision", a->precision ? a->precision : "auto");
    cJSON_AddBoolToObject(o, "quick", a->quick);
    put(o, "rounds", a->rounds, 17);
    cJSON_AddArrayToObject(o, "cases");
    return o;
}

static int by_work(const void *a, const void *b)
{
    double x = ((const lp_bench_round *)a)->work_s, y = ((const lp_bench_round *)b)->work_s;

    return (x > y) - (x < y);
}

/* The case as JSON; r [n] sorted by work_s. Takes the summary of the median round. */
static cJSON *case_json(const lp_bench_case *c, lp_bench_round *r, int n, double threads)
{
    cJSON *o = cJSON_CreateObject(), *all;
    lp_bench_round *m = &r[(n - 1) / 2];
    double mpx = (double)c->images * c->size * c->size / 1e6;
    int i;

    cJSON_AddStringToObject(o, "name", c->name);
    put(o, "images", c->images, 17);
    put(o, "size", c->size, 17);
    cJSON_AddStringToObject(o, c->option + 2, c->value);
    cJSON_AddStringToObject(o, "described", m->described);
    put(o, "particles", number_of(m->summary, "particles"), 17);
    put(o, "images_per_s", c->images / m->work_s, 6);
    put(o, "megapixels_per_s", mpx / m->work_s, 6);
    put(o, "start_s", m->start_s, 6);
    put(o, "work_s", m->work_s, 6);
    put(o, "total_s", m->total_s, 6);
    put(o, "cpu_share", m->cpu_s / m->total_s / threads, 4);
    put(o, "peak_mib", m->peak_mib, 6);
    all = cJSON_AddArrayToObject(o, "work_s_of_rounds");
    for (i = 0; i < n; i++) cJSON_AddItemToArray(all, cJSON_CreateNumber(r[i].work_s));
    cJSON_AddItemToObject(o, "summary", m->summary);
    m->summary = NULL;
    return o;
}

/* "net 71 %, write 20 %": the stages that take a twentieth and more, and what devices say. */
static void where(const cJSON *summary, char *out, size_t cap)
{
    const cJSON *stages = cJSON_GetObjectItemCaseSensitive(summary, "seconds"), *x;
    const cJSON *gpus = cJSON_GetObjectItemCaseSensitive(summary, "devices");
    double sum = 0;
    size_t n = 0;

    *out = 0;
    cJSON_ArrayForEach(x, stages) sum += x->valuedouble;
    cJSON_ArrayForEach(x, stages)
    {
        if (!(x->valuedouble >= 0.05 * sum) || n + 40 > cap) continue;
        n += (size_t)snprintf(out + n, cap - n, "%s%.20s %.0f %%", n ? ", " : "", x->string,
                              100 * x->valuedouble / sum);
    }
    cJSON_ArrayForEach(x, gpus)
    {
        if (n + 40 > cap) break;
        n += (size_t)snprintf(out + n, cap - n, "; GPU %.0f: %.0f %%", number_of(x, "gpu"),
                              100 * number_of(x, "busy_share"));
    }
}

static void print_case(const cJSON *o)
{
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(o, "summary");
    char stages[200];

    where(summary, stages, sizeof stages);
    printf("%-16s %6.0f %5.0f %10.4g %10.4g %8.2f %9.2f %6.0f%% %9.0f  %s\n",
           cJSON_GetObjectItemCaseSensitive(o, "name")->valuestring, number_of(o, "images"),
           number_of(o, "size"), number_of(o, "images_per_s"), number_of(o, "megapixels_per_s"),
           number_of(o, "start_s"), number_of(o, "work_s"), 100 * number_of(o, "cpu_share"),
           number_of(o, "peak_mib"), stages);
    fflush(stdout);
}

static lp_status bench(const args *a, const char *dir, cJSON *to, lp_err *err)
{
    int n_cases = 0, i, k;
    const lp_bench_case *c = lp_bench_cases(a->quick, &n_cases);
    cJSON *list = cJSON_GetObjectItemCaseSensitive(to, "cases");
    lp_status st = LP_OK;

    for (i = 0; i < n_cases && !st; i++) {
        lp_bench_round r[MAX_ROUNDS] = {0};

        if (a->only && strcmp(a->only, c[i].name)) continue;
        st = lp_bench_make(&c[i], dir, err);
        for (k = 0; k < a->rounds && !st; k++) {
            st = lp_bench_run(&c[i], dir, a->word, a->n_words, &r[k], err);
            if (!st && !cJSON_GetArraySize(list) && !k)
                printf("%s\n%-16s %6s %5s %10s %10s %8s %9s %7s %9s  %s\n", r[0].described, "case",
                       "images", "px", "images/s", "Mpx/s", "start s", "work s", "CPUs", "peak MiB",
                       "where the time goes");
        }
        if (!st) {
            cJSON *o;

            qsort(r, (size_t)a->rounds, sizeof *r, by_work);
            o = case_json(&c[i], r, a->rounds, number_of(to, "threads"));
            cJSON_AddItemToArray(list, o);
            print_case(o);
        }
        for (k = 0; k < a->rounds; k++) lp_bench_round_free(&r[k]);
    }
    if (!st && !cJSON_GetArraySize(list))
        st = lp_fail(err, LP_EARG, "--only %s: no such case", a->only);
    return st;
}

static lp_status write_json(cJSON *o, const char *path, lp_err *err)
{
    double load[3];
    char *text, *line;
    lp_status st;

    put(o, "load_after", getloadavg(load, 3) > 0 ? load[0] : NAN, 4);
    text = cJSON_Print(o);
    if (text && (line = realloc(text, strlen(text) + 2))) {
        strcat(text = line, "\n");
        st = lp_atomic_write_file(path, text, strlen(text), err);
    } else {
        st = lp_fail_mem(err, path, 1e4);
    }
    free(text);
    return st;
}

static lp_status check(args *a, char *sha256, lp_err *err)
{
    char threads[16], *model = NULL;
    lp_status st;

    if (!a->rounds) a->rounds = a->quick ? 1 : 3;
    if (a->rounds < 1 || a->rounds > MAX_ROUNDS)
        return lp_fail(err, LP_EARG, "--rounds %d: must be 1 to %d", a->rounds, MAX_ROUNDS);
    if (a->threads < 0 || a->threads > 1024)
        return lp_fail(err, LP_EARG, "--threads %d: must be 1 to 1024, or 0 for all", a->threads);
    if ((st = lp_inputs_find_model(a->model, &model, err))) return st;
    st = lp_sha256_file(model, sha256, err);
    snprintf(threads, sizeof threads, "%d", a->threads);
    pass(a, "--model", model);
    pass(a, "--backend", a->backend);
    pass(a, "--precision", a->precision);
    pass(a, "--gpu_device", a->gpu_device);
    pass(a, "--threads", a->threads ? threads : NULL);
    free(model);
    return st;
}

int lp_cmd_bench(int argc, char **argv)
{
    args *a = calloc(1, sizeof *a);
    char **rest = calloc((size_t)argc + 1, sizeof *rest), dir[PATH_MAX], sha256[65] = "";
    const char *tmp = getenv("TMPDIR");
    cJSON *o = NULL;
    int n = 0, code = 0, made = 0;
    lp_err err = {0};
    lp_status st;

    if (!a || !rest) return 1;
    const lp_option table[] = {
        {"quick", LP_OPT_ON, &a->quick, NULL, "small cases, one round: a minute or so"},
        {"rounds", LP_OPT_INT, &a->rounds, "N", "of each case; the median counts (3)"},
        {"only", LP_OPT_STRING, &a->only, "CASE", "one of them"},
        {"model", LP_OPT_STRING, &a->model, "FILE", ".h5 or Cellpose .pth (default: bundled)"},
        {"backend", LP_OPT_STRING, &a->backend, "NAME", "auto, cpu or cuda"},
        {"gpu_device", LP_OPT_STRING, &a->gpu_device, "N", "which GPU, as for segment"},
        {"precision", LP_OPT_STRING, &a->precision, "P", "auto, fp32 or bf16"},
        {"threads", LP_OPT_INT, &a->threads, "N", "CPU threads (all)"},
        {"dir", LP_OPT_STRING, &a->dir, "DIR",
         "where a temporary folder is made: reading and writing count ($TMPDIR or /tmp)"},
        {"json", LP_OPT_STRING, &a->json, "FILE", "all numbers, with the machine"},
        {"help", LP_OPT_ON, &a->help, NULL, "this list"},
        {NULL, LP_OPT_GROUP, NULL, NULL, NULL},
    };

    if ((st = lp_options_parse(table, argc, argv, rest, &n, NULL, &err))) goto done;
    if (a->help) {
        printf("usage: lipopose bench [options]\n"
               "Segments synthetic micrographs, the same on every machine, and prints what was\n"
               "done per second. Keep the machine otherwise idle.\n");
        lp_options_help(table, stdout);
        goto done;
    }
    if (n) {
        st = lp_fail(&err, LP_EARG, "%s: bench takes no images, it makes its own", rest[0]);
        goto done;
    }
    if ((st = check(a, sha256, &err))) goto done;
    snprintf(dir, sizeof dir, "%.4000s/lipopose-bench-XXXXXX",
             a->dir        ? a->dir
             : tmp && *tmp ? tmp
                           : "/tmp");
    if (!mkdtemp(dir)) {
        st = lp_fail(&err, LP_EIO, "%s: cannot make a folder there; see --dir", dir);
        goto done;
    }
    made = 1;
    lp_signals_catch();
    o = machine(a, sha256);
    if ((st = bench(a, dir, o, &err))) goto done;
    if (number_of(o, "load_before") > 0.5)
        printf("The machine was busy before (load %.1f): do not quote these numbers.\n",
               number_of(o, "load_before"));
    if (a->json) st = write_json(o, a->json, &err);
done:
    if (made) lp_bench_remove(dir);
    if (st) {
        fprintf(stderr, "lipopose bench: %s\n", err.msg);
        code = st == LP_EARG ? 2 : st == LP_EMISSING ? 3 : 1;
    }
    if (lp_signals_stop()) code = 128 + lp_signals_stop();
    cJSON_Delete(o);
    free(rest);
    free(a);
    return code;
}
