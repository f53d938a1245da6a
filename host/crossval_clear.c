/* The files of an earlier cross-validation in OUT: crossval_fold.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crossval_fold.h"
#include "run_files.h"

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n > m && !strcmp(s + n - m, end);
}

static int is_fold(const char *name)
{
    return !strncmp(name, "fold_", 5) && name[5] && !name[5 + strspn(name + 5, "0123456789")];
}

static int is_of_fold(const char *name)
{
    return !strcmp(name, "report.html") || !strcmp(name, "results.json") ||
           (!strncmp(name, "model", 5) &&
            (ends_with(name, ".h5") || ends_with(name, ".h5.state") ||
             ends_with(name, "_loss.csv") || ends_with(name, "_loss.png")));
}

static int is_run(const char *name)
{
    return ends_with(name, LP_RUN_ENDING);
}

static lp_status failed(const char *path, lp_err *err)
{
    return lp_fail(err, LP_EIO, "%s: cannot be removed: %s", path, strerror(errno));
}

/* Removes the files of dir that are `known`, and dir where it is empty then. */
static lp_status clear_folder(const char *dir, int (*known)(const char *), lp_err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[PATH_MAX];
    lp_status st = LP_OK;

    if (!d) return errno == ENOENT || errno == ENOTDIR ? LP_OK : failed(dir, err);
    while (!st && (e = readdir(d))) {
        if (!known(e->d_name)) continue;
        if (snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < (int)sizeof path && unlink(path))
            st = failed(path, err);
    }
    closedir(d);
    if (!st) rmdir(dir);
    return st;
}

/* Calls `one` for every OUT/fold_K there is. */
static lp_status each_fold(const char *out, lp_status (*one)(const char *path, lp_err *err),
                           lp_err *err)
{
    DIR *d = opendir(out);
    struct dirent *e;
    char path[PATH_MAX];
    struct stat s;
    lp_status st = LP_OK;

    if (!d) return lp_fail(err, LP_EIO, "%s: %s", out, strerror(errno));
    while (!st && (e = readdir(d)))
        if (is_fold(e->d_name) &&
            snprintf(path, sizeof path, "%s/%s", out, e->d_name) < (int)sizeof path - 16 &&
            !lstat(path, &s) && S_ISDIR(s.st_mode))
            st = one(path, err);
    closedir(d);
    return st;
}

static lp_status clear_fold(const char *path, lp_err *err)
{
    char sub[PATH_MAX + 16];
    lp_status st;

    snprintf(sub, sizeof sub, "%s/runs", path);
    if ((st = clear_folder(sub, is_run, err))) return st;
    snprintf(sub, sizeof sub, "%s/cellpose", path);
    if ((st = clear_folder(sub, is_run, err))) return st;
    return clear_folder(path, is_of_fold, err);
}

static lp_status refuse(const char *path, lp_err *err)
{
    return lp_fail(err, LP_EARG,
                   "%s: is there, but no plan.json that says what it is: give another --savedir, "
                   "or remove it",
                   path);
}

lp_status lp_crossval_check_empty(const char *out, lp_err *err)
{
    return each_fold(out, refuse, err);
}

lp_status lp_crossval_clear(const char *out, lp_err *err)
{
    static const char *const name[] = {"crossval.html", "crossval.json", "plan.json"};
    char path[PATH_MAX];
    lp_status st = each_fold(out, clear_fold, err);
    size_t i;

    for (i = 0; !st && i < sizeof name / sizeof *name; i++) {
        snprintf(path, sizeof path, "%s/%s", out, name[i]);
        if (unlink(path) && errno != ENOENT) st = failed(path, err);
    }
    return st;
}
