#include "bench_case.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "done.h"
#include "inputs.h"
#include "read_text.h"
#include "run_signals.h"
#include "synth.h"
#include "write_mrc.h"

#define SEED 20261122
#define MAX_LOG ((size_t)64 << 20)
#define MAX_WORDS 64

extern char **environ;

const lp_bench_case *lp_bench_cases(int quick, int *n)
{
    static const lp_bench_case standard[] = {
        {"small", 256, 240, "--diameter", "30", 12, 48},
        {"medium", 8, 1024, "--diameter", "30", 20, 120},
        {"large", 1, 4096, "--diameter", "30", 20, 120},
        {"diameters", 1, 4096, "--diameters", "20:150:5", 20, 120},
    };
    static const lp_bench_case short_ones[] = {
        {"quick-small", 16, 240, "--diameter", "30", 12, 48},
        {"quick-medium", 2, 1024, "--diameter", "30", 20, 120},
        {"quick-diameters", 1, 512, "--diameters", "20:150:5", 20, 120},
    };

    *n = quick ? (int)(sizeof short_ones / sizeof *short_ones)
               : (int)(sizeof standard / sizeof *standard);
    return quick ? short_ones : standard;
}

lp_status lp_bench_make(const lp_bench_case *c, const char *dir, lp_err *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    lp_synth_options o;
    lp_status st;
    int i;

    lp_synth_defaults(&o);
    o.Ly = o.Lx = c->size;
    o.diameter_min = c->particles_from;
    o.diameter_max = c->to_nm;
    if (snprintf(folder, sizeof folder, "%s/%s", dir, c->name) >= PATH_MAX - 32)
        return lp_fail(err, LP_EIO, "%s: the path is too long", dir);
    st = lp_inputs_make_folder(folder, err);
    for (i = 1; i <= c->images && !st && !lp_signals_stop(); i++) {
        lp_image im = {0};

        snprintf(path, sizeof path, "%.*s/%04d.mrc", PATH_MAX - 32, folder, i);
        if (!access(path, F_OK)) continue;
        st = lp_synth_render(&o, lp_synth_seed(SEED, i), &im, NULL, NULL, NULL, err);
        if (!st) st = lp_write_mrc(path, &im, 2, "lipopose bench", err);
        lp_image_free(&im);
    }
    return st;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Runs argv with its output in log; a signal to us becomes TERM for it. */
static lp_status run(char *const *argv, const char *log, int *code, lp_bench_round *r, lp_err *err)
{
    posix_spawn_file_actions_t files;
    struct rusage u = {0};
    double start = now();
    int e, state = 0, told = 0;
    pid_t pid, got;

    if ((e = posix_spawn_file_actions_init(&files)))
        return lp_fail(err, LP_ENOMEM, "bench: %s", strerror(e));
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    e = posix_spawn(&pid, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (e) return lp_fail(err, LP_EIO, "%s: cannot be run: %s", argv[0], strerror(e));
    while (!(got = wait4(pid, &state, WNOHANG, &u)) || (got < 0 && errno == EINTR)) {
        if (lp_signals_stop() && !told++) kill(pid, SIGTERM);
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    r->total_s = now() - start;
    r->cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    r->peak_mib = (double)u.ru_maxrss / 1024; /* KiB on Linux */
    *code = got < 0 ? 1 : WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    if (lp_signals_stop()) return lp_fail(err, LP_ESIGNAL, "stopped");
    return LP_OK;
}

/* A file as a string. */
static lp_status read_string(const char *path, char **out, lp_err *err)
{
    char *text = NULL, *more;
    size_t n = 0;
    lp_status st = lp_read_text(path, MAX_LOG, &text, &n, err);

    if (st) return st;
    if (!(more = realloc(text, n + 1))) {
        free(text);
        return lp_fail_mem(err, path, (double)n);
    }
    more[n] = 0;
    *out = more;
    return LP_OK;
}

/* The last line of text, or the first one with a word of it. */
static void pick_line(const char *text, const char *word, char *out, size_t cap)
{
    const char *line = word ? strstr(text, word) : NULL, *end = text + strlen(text);

    if (!word) {
        while (end > text && end[-1] == '\n') end--;
        for (line = end; line > text && line[-1] != '\n';) line--;
    }
    if (line) {
        size_t n = strcspn(line, "\n");

        snprintf(out, cap, "%.*s", (int)(n < cap ? n : cap - 1), line);
    }
}

/* The run's summary, and when its first image began, from its journal. */
static lp_status read_journal(const char *path, lp_bench_round *r, lp_err *err)
{
    char *text = NULL, *line, *rest = NULL;
    double first = INFINITY, wall = 0;
    const cJSON *x;
    lp_status st = read_string(path, &text, err);

    if (st) return st;
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        cJSON *j = cJSON_Parse(line);

        x = cJSON_GetObjectItemCaseSensitive(j, "started_s");
        if (cJSON_IsNumber(x)) first = fmin(first, x->valuedouble);
        if (cJSON_HasObjectItem(j, "summary")) {
            cJSON_Delete(r->summary);
            r->summary = cJSON_DetachItemFromObjectCaseSensitive(j, "summary");
        }
        cJSON_Delete(j);
    }
    free(text);
    x = cJSON_GetObjectItemCaseSensitive(r->summary, "wall_s");
    if (cJSON_IsNumber(x)) wall = x->valuedouble;
    r->work_s = wall - first;
    r->start_s = r->total_s - r->work_s;
    if (!(r->work_s > 0)) return lp_fail(err, LP_EFORMAT, "%s: has no times of a run", path);
    return LP_OK;
}

lp_status lp_bench_run(const lp_bench_case *c, const char *dir, char *const *options, int n_options,
                       lp_bench_round *out, lp_err *err)
{
    char exe[PATH_MAX], in[PATH_MAX], res[PATH_MAX], log[PATH_MAX], journal[PATH_MAX], *text = NULL;
    char *argv[MAX_WORDS] = {
        exe,     "segment", "--shard",         "none",          "--savedir", res,
        "--dir", in,        (char *)c->option, (char *)c->value};
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    lp_bench_round r = {0};
    int i, n = 10, code = 0;
    lp_status st;

    exe[len > 0 ? len : 0] = 0;
    for (i = 0; i < n_options && n + 1 < MAX_WORDS; i++) argv[n++] = options[i];
    if (snprintf(in, sizeof in, "%s/%s", dir, c->name) >= PATH_MAX ||
        snprintf(res, sizeof res, "%s/results", dir) >= PATH_MAX ||
        snprintf(log, sizeof log, "%s/log", dir) >= PATH_MAX ||
        snprintf(journal, sizeof journal, "%s/results/" LP_DONE_FOLDER "/records_1of1.jsonl",
                 dir) >= PATH_MAX)
        return lp_fail(err, LP_EIO, "%s: the path is too long", dir);
    lp_bench_remove(res);
    if ((st = run(argv, log, &code, &r, err))) return st;
    if ((st = read_string(log, &text, err))) return st;
    if (code) {
        char last[400] = "";

        pick_line(text, NULL, last, sizeof last);
        st = lp_fail(err,
                     code == 2   ? LP_EARG
                     : code == 3 ? LP_EMISSING
                                 : LP_EIO,
                     "%s: segment ended with exit code %d: %s", c->name, code, last);
    } else {
        pick_line(text, "lipopose ", r.described, sizeof r.described);
        st = read_journal(journal, &r, err);
    }
    free(text);
    if (st) {
        lp_bench_round_free(&r);
        return st;
    }
    *out = r;
    return LP_OK;
}

void lp_bench_round_free(lp_bench_round *r)
{
    cJSON_Delete(r->summary);
    memset(r, 0, sizeof *r);
}

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s;
    (void)flag;
    (void)ftw;
    return remove(path), 0;
}

void lp_bench_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
