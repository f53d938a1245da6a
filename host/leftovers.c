#include "leftovers.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "done.h"
#include "stale.h"

#define RECORDS LP_DONE_FOLDER "/"

/* Of ".NAME.PID-XXXXXX.tmp", the length of NAME; 0 for other names. */
static size_t name_length(const char *s)
{
    size_t n = strlen(s), i;

    if (n < 15 || *s != '.' || strcmp(s + n - 4, ".tmp") || s[n - 11] != '-') return 0;
    for (i = n - 12; s[i] >= '0' && s[i] <= '9'; i--) {
    }
    return i == n - 12 || s[i] != '.' || i < 2 ? 0 : i - 1;
}

static void scan(const char *dir, int dir_length, const char *below, lp_leftovers *l)
{
    char folder[PATH_MAX], path[PATH_MAX];
    struct dirent *e;
    DIR *d;

    if (snprintf(folder, sizeof folder, "%.*s%s", dir_length, dir, below) >= PATH_MAX) return;
    d = opendir(*folder ? folder : ".");
    while (d && (e = readdir(d))) {
        char **more;

        if (!name_length(e->d_name)) continue;
        if (snprintf(path, sizeof path, "%s%s", folder, e->d_name) >= PATH_MAX) continue;
        if (!(more = realloc(l->path, (size_t)(l->n + 1) * sizeof *more))) break;
        l->path = more;
        if (!(more[l->n] = strdup(path))) break;
        l->n++;
    }
    if (d) closedir(d);
}

void lp_leftovers_find(const lp_inputs *in, lp_leftovers *out)
{
    lp_leftovers l = {0};
    const char *last = NULL;
    int i, n = -1;

    for (i = 0; i < in->n; i++) {
        const char *base = in->item[i].base, *slash = strrchr(base, '/');
        int k = slash ? (int)(slash + 1 - base) : 0;

        /* Images of a folder follow each other. A folder that comes twice does no harm. */
        if (k == n && !memcmp(base, last, (size_t)k)) continue;
        scan(base, k, "", &l);
        scan(base, k, RECORDS, &l);
        last = base;
        n = k;
    }
    *out = l;
}

void lp_leftovers_remove(const lp_leftovers *l, const char *base)
{
    const char *slash = strrchr(base, '/'), *name = slash ? slash + 1 : base;
    size_t dir = (size_t)(name - base), n = strlen(name);
    int i;

    for (i = 0; i < l->n; i++) {
        const char *path = l->path[i], *file = strrchr(path, '/');
        char ending[64];
        size_t k, below;

        file = file ? file + 1 : path;
        if (strncmp(path, base, dir) || strncmp(file + 1, name, n)) continue;
        below = (size_t)(file - path) - dir;
        if (below && (below != sizeof RECORDS - 1 || memcmp(path + dir, RECORDS, below))) continue;
        k = name_length(file) - n;
        if (k >= sizeof ending) continue;
        memcpy(ending, file + 1 + n, k);
        ending[k] = 0;
        if (below ? !strcmp(ending, ".json") : lp_stale_knows(ending)) unlink(path);
    }
}

void lp_leftovers_free(lp_leftovers *l)
{
    int i;

    for (i = 0; i < l->n; i++) free(l->path[i]);
    free(l->path);
    memset(l, 0, sizeof *l);
}
