#include "expected.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../weights/sha256.h"
#include "atomic.h"
#include "done.h"
#include "read_text.h"

#define PREFIX "inputs_"
#define MAX_BYTES ((size_t)256 << 20)

static const char *name_of(const char *base)
{
    const char *slash = strrchr(base, '/');

    return slash ? slash + 1 : base;
}

/* By folder, then by name. */
static int by_base(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    size_t n = (size_t)(name_of(x) - x), m = (size_t)(name_of(y) - y);
    int c = memcmp(x, y, n < m ? n : m);

    return c ? c : n != m ? (n < m ? -1 : 1) : strcmp(x + n, y + m);
}

/* One folder's. */
static lp_status write_list(const char *const *base, int n, const char *id, lp_err *err)
{
    char hex[65], name[NAME_MAX + 1], path[PATH_MAX], *text;
    struct stat s;
    size_t k = 0;
    lp_status st;
    int i;

    for (i = 0; i < n; i++) k += strlen(name_of(base[i])) + 1;
    if (!(text = malloc(k))) return lp_fail_mem(err, "list of images", (double)k);
    for (i = 0, k = 0; i < n; i++) {
        size_t len = strlen(name_of(base[i])) + 1;

        memcpy(text + k, name_of(base[i]), len);
        k += len;
    }
    lp_sha256(text, k, hex);
    snprintf(name, sizeof name, PREFIX "%.16s", id ? id : hex);
    st = lp_done_file(base[0], name, 1, path, err);
    if (!st && (id || stat(path, &s))) st = lp_atomic_write_file(path, text, k, err);
    free(text);
    return st;
}

lp_status lp_expected_write(const lp_inputs *in, const char *id, lp_err *err)
{
    const char **base = malloc((size_t)(in->n ? in->n : 1) * sizeof *base);
    lp_status st = LP_OK;
    struct stat s;
    int i, from = 0, n = 0;

    if (!base) return lp_fail_mem(err, "list of images", in->n * 8.0);
    for (i = 0; i < in->n; i++) base[n++] = in->item[i].base;
    qsort(base, (size_t)n, sizeof *base, by_base);
    for (i = 1; i <= n && !st; i++) {
        size_t dir = (size_t)(name_of(base[from]) - base[from]);
        char folder[PATH_MAX];

        if (i < n && (size_t)(name_of(base[i]) - base[i]) == dir &&
            !memcmp(base[i], base[from], dir))
            continue;
        /* Of a folder that is not there, reading the images tells. */
        snprintf(folder, sizeof folder, "%.*s.", (int)dir, base[from]);
        if (!stat(folder, &s)) st = write_list(base + from, i - from, id, err);
        from = i;
    }
    free(base);
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static lp_status add(char ***name, int *n, int *room, const char *s, size_t len, lp_err *err)
{
    if (*n == *room) {
        int more = *room ? *room * 2 : 256;
        char **p = realloc(*name, (size_t)more * sizeof *p);

        if (!p) return lp_fail_mem(err, "list of images", more * 8.0);
        *name = p;
        *room = more;
    }
    if (!((*name)[*n] = strndup(s, len))) return lp_fail_mem(err, "list of images", (double)len);
    ++*n;
    return LP_OK;
}

lp_status lp_expected_read(const char *dir, char ***out, int *n_out, lp_err *err)
{
    char folder[PATH_MAX], path[PATH_MAX], **name = NULL, *text = NULL;
    int n = 0, room = 0, i, k = 0;
    lp_status st = LP_OK;
    struct dirent *e;
    DIR *d;

    if (snprintf(folder, sizeof folder, "%s/" LP_DONE_FOLDER, dir) >= PATH_MAX)
        return lp_fail(err, LP_EIO, "%s: the path is too long", dir);
    d = opendir(folder);
    while (d && !st && (e = readdir(d))) {
        size_t bytes = 0, at = 0, len;

        if (strncmp(e->d_name, PREFIX, strlen(PREFIX))) continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= PATH_MAX) continue;
        st = lp_read_text(path, MAX_BYTES, &text, &bytes, err);
        for (; !st && at < bytes; at += len + 1) {
            len = strnlen(text + at, bytes - at);
            if (len) st = add(&name, &n, &room, text + at, len, err);
        }
        free(text);
        text = NULL;
    }
    if (d) closedir(d);
    if (st) {
        for (i = 0; i < n; i++) free(name[i]);
        free(name);
        return st;
    }
    if (n) qsort(name, (size_t)n, sizeof *name, by_name);
    for (i = 0; i < n; i++) {
        if (k && !strcmp(name[i], name[k - 1]))
            free(name[i]);
        else
            name[k++] = name[i];
    }
    *out = name;
    *n_out = k;
    return LP_OK;
}
