#include "gather.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "expected.h"

#define TABLE "_particles.csv"

/* Names, growing. */
typedef struct {
    char **s;
    int n, room;
} names;

/* Takes s, which may be NULL: memory. */
static lp_status push(names *l, char *s, lp_err *err)
{
    if (s && l->n == l->room) {
        int room = l->room ? 2 * l->room : 64;
        char **p = realloc(l->s, (size_t)room * sizeof *p);

        if (p) {
            l->s = p;
            l->room = room;
        } else {
            free(s);
            s = NULL;
        }
    }
    if (!s) return lp_fail_mem(err, "list of images", l->n * 8.0);
    l->s[l->n++] = s;
    return LP_OK;
}

static void free_names(names *l)
{
    int i;

    for (i = 0; i < l->n; i++) free(l->s[i]);
    free(l->s);
    memset(l, 0, sizeof *l);
}

static int by_version(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* Names in folder that end so, without the ending. */
static lp_status list(const char *folder, const char *end, names *out, lp_err *err)
{
    DIR *d = opendir(folder);
    size_t m = strlen(end);
    struct dirent *e;
    lp_status st = LP_OK;

    if (!d && errno == ENOENT) return LP_OK;
    if (!d) return lp_fail(err, LP_EIO, "%s: cannot open the folder: %s", folder, strerror(errno));
    while (!st && (e = readdir(d))) {
        size_t n = strlen(e->d_name);

        if (e->d_name[0] != '.' && n > m && !strcmp(e->d_name + n - m, end))
            st = push(out, strndup(e->d_name, n - m), err);
    }
    closedir(d);
    if (out->n) qsort(out->s, (size_t)out->n, sizeof *out->s, by_version);
    return st;
}

/* "a/b", or b alone where a is "". */
static char *join(const char *a, const char *b)
{
    char *s = malloc(strlen(a) + strlen(b) + 2);

    if (s) sprintf(s, "%s%s%s", a, *a ? "/" : "", b);
    return s;
}

static const char *file_name(const char *path)
{
    const char *s = strrchr(path, '/');

    return s ? s + 1 : path;
}

static lp_status add(lp_gather *g, const char *dir, const char *below, const char *x, lp_err *err)
{
    lp_gathered *more = realloc(g->item, (size_t)(g->n + 1) * sizeof *more), *it;
    char *name = join(below, x);

    if (more) g->item = more;
    if (more && name) {
        it = &g->item[g->n];
        memset(it, 0, sizeof *it);
        it->base = join(dir, name);
    }
    if (!more || !name || !it->base) {
        free(name);
        return lp_fail_mem(err, "list of images", (g->n + 1) * (double)sizeof *more);
    }
    g->n++;
    it->name = it->base + strlen(it->base) - strlen(name);
    lp_done_read(it->base, &it->record);
    it->image = it->record.json ? join(below, file_name(it->record.file)) : strdup(name);
    free(name);
    if (!it->image) return lp_fail_mem(err, "list of images", 100);
    if (!it->record.json) {
        it->state = LP_GATHER_GONE;
        snprintf(it->why, sizeof it->why, "its record cannot be read; run segment again");
    } else if (it->record.error) {
        it->state = LP_GATHER_FAILED;
        snprintf(it->why, sizeof it->why, "%s", it->record.error);
    } else if (!lp_done_whole(&it->record, it->base)) {
        it->state = LP_GATHER_GONE;
        snprintf(it->why, sizeof it->why, "some of its results are gone; run segment again");
    }
    return LP_OK;
}

/* The name without the page, where record d of it is a page: its length, else 0. */
static size_t stem_of_page(const char *x, const lp_done *d)
{
    size_t n = strlen(x);
    char end[24];

    snprintf(end, sizeof end, "_p%04d", d->page);
    if (n <= strlen(end) || strcmp(x + n - strlen(end), end)) return 0;
    return n - strlen(end);
}

/* Expected image s against the records item [n] of its folder. */
static lp_status check_one(const char *s, const char *below, const lp_gathered *item, int n,
                           names *missing, lp_err *err)
{
    const lp_gathered *page = NULL;
    lp_status st = LP_OK;
    char *have;
    int i, k, pages = 0;

    for (i = 0; i < n; i++) {
        const char *x = file_name(item[i].base);
        size_t stem;

        if (!strcmp(x, s)) return LP_OK;
        if (strncmp(x, s, strlen(s))) continue;
        stem = stem_of_page(x, &item[i].record);
        if (stem != strlen(s)) continue;
        page = &item[i];
        if (page->record.only_page) return LP_OK; /* more was not asked for */
        if (page->record.pages > pages) pages = page->record.pages;
    }
    if (!page) return push(missing, join(below, s), err);
    if (!(have = calloc((size_t)pages + 1, 1))) return lp_fail_mem(err, "pages", pages);
    for (i = 0; i < n; i++)
        if (stem_of_page(file_name(item[i].base), &item[i].record) == strlen(s) &&
            !strncmp(file_name(item[i].base), s, strlen(s)) && item[i].record.page <= pages)
            have[item[i].record.page] = 1;
    for (k = 1; k <= pages && !st; k++) {
        char text[PATH_MAX];

        if (have[k]) continue;
        snprintf(text, sizeof text, "%s page %d", s, k);
        st = push(missing, join(below, text), err);
    }
    free(have);
    return st;
}

static int by_string(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The folder dir/below. */
static lp_status folder(lp_gather *g, const char *dir, const char *below, names *missing,
                        names *unrecorded, lp_err *err)
{
    char path[PATH_MAX], records[PATH_MAX], **expected = NULL;
    names have = {0}, tables = {0};
    int n_expected = 0, first = g->n, i;
    lp_status st;

    if (snprintf(path, sizeof path, "%s%s%s", dir, *below ? "/" : "", below) >= PATH_MAX ||
        snprintf(records, sizeof records, "%s/" LP_DONE_FOLDER, path) >= PATH_MAX)
        return lp_fail(err, LP_EIO, "%s: the path is too long", dir);
    if ((st = list(records, ".json", &have, err))) goto done;
    for (i = 0; i < have.n && !st; i++) st = add(g, dir, below, have.s[i], err);
    if (st || (st = lp_expected_read(path, &expected, &n_expected, err))) goto done;
    if (n_expected) qsort(expected, (size_t)n_expected, sizeof *expected, by_version);
    if (have.n) qsort(have.s, (size_t)have.n, sizeof *have.s, by_string);
    for (i = 0; i < n_expected && !st; i++)
        if (!have.n || !bsearch(&expected[i], have.s, (size_t)have.n, sizeof *have.s, by_string))
            st = check_one(expected[i], below, g->item + first, g->n - first, missing, err);
    if (st || (st = list(path, TABLE, &tables, err))) goto done;
    for (i = 0; i < tables.n && !st; i++)
        if (!have.n || !bsearch(&tables.s[i], have.s, (size_t)have.n, sizeof *have.s, by_string))
            st = push(unrecorded, join(below, tables.s[i]), err);
done:
    for (i = 0; i < n_expected; i++) free(expected[i]);
    free(expected);
    free_names(&have);
    free_names(&tables);
    return st;
}

/* Folders of dir that hold records. */
static lp_status folders(const char *dir, names *out, lp_err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    struct stat s;
    lp_status st = LP_OK;

    if (!d) return lp_fail(err, LP_EIO, "%s: cannot open the folder: %s", dir, strerror(errno));
    while (!st && (e = readdir(d))) {
        char path[PATH_MAX];

        if (e->d_name[0] == '.') continue;
        if (snprintf(path, sizeof path, "%s/%s/" LP_DONE_FOLDER, dir, e->d_name) >= PATH_MAX)
            continue;
        if (!stat(path, &s) && S_ISDIR(s.st_mode)) st = push(out, strdup(e->d_name), err);
    }
    closedir(d);
    if (out->n) qsort(out->s, (size_t)out->n, sizeof *out->s, by_version);
    return st;
}

lp_status lp_gather_find(const char *dir, lp_gather *out, lp_err *err)
{
    lp_gather g = {0};
    names below = {0}, missing = {0}, unrecorded = {0};
    char path[PATH_MAX];
    struct stat s;
    lp_status st;
    int i;

    if ((st = folders(dir, &below, err))) goto done;
    snprintf(path, sizeof path, "%s/" LP_DONE_FOLDER, dir);
    if (!below.n && stat(path, &s)) {
        st = lp_fail(err, LP_EARG,
                     "%s: has no records of lipopose segment; name the folder of its results", dir);
        goto done;
    }
    st = folder(&g, dir, "", &missing, &unrecorded, err);
    for (i = 0; i < below.n && !st; i++)
        st = folder(&g, dir, below.s[i], &missing, &unrecorded, err);
    if (st) goto done;
    g.missing = missing.s;
    g.n_missing = missing.n;
    g.unrecorded = unrecorded.s;
    g.n_unrecorded = unrecorded.n;
    memset(&missing, 0, sizeof missing);
    memset(&unrecorded, 0, sizeof unrecorded);
    *out = g;
    memset(&g, 0, sizeof g);
done:
    lp_gather_free(&g);
    free_names(&below);
    free_names(&missing);
    free_names(&unrecorded);
    return st;
}

int lp_gather_count(const lp_gather *g, lp_gather_state state)
{
    int i, n = 0;

    for (i = 0; i < g->n; i++) n += g->item[i].state == state;
    return n;
}

void lp_gather_free(lp_gather *g)
{
    int i;

    if (!g) return;
    for (i = 0; i < g->n; i++) {
        free(g->item[i].base);
        free(g->item[i].image);
        lp_done_free(&g->item[i].record);
    }
    for (i = 0; i < g->n_missing; i++) free(g->missing[i]);
    for (i = 0; i < g->n_unrecorded; i++) free(g->unrecorded[i]);
    free(g->item);
    free(g->missing);
    free(g->unrecorded);
    memset(g, 0, sizeof *g);
}
