#include "eval_picks.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "read.h"
#include "read_text.h"

#define MAX_BYTES ((long)1 << 30)
#define MAX_FIELDS 128
#define MAX_LINE 4096
#define MAX_NAMES 100000

/* Columns of a table; -1: not there. corner: x and y are a box's corner. */
typedef struct {
    int x, y, w, h, score, name;
    int corner;
    int bare; /* names are without extension */
} columns;

static const columns no_columns = {-1, -1, -1, -1, -1, -1, 0, 0};

lp_picks_kind lp_picks_kind_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    if (!dot || strchr(dot, '/')) return LP_PICKS_NONE;
    if (!strcasecmp(dot, ".box")) return LP_PICKS_BOX;
    if (!strcasecmp(dot, ".star") || !strcasecmp(dot, ".cbox")) return LP_PICKS_STAR;
    return strcasecmp(dot, ".txt") ? LP_PICKS_NONE : LP_PICKS_TXT;
}

/* The image that a file name, or a name in a table, stands for. bare: a name that has no extension
 * (Topaz's), so that only an image's is taken off. */
static void image_name(const char *s, int bare, char out[256])
{
    static const char *const ends[] = {"_autopick", "_manualpick", "_topazpicks", "_cbox"};
    const char *slash = strrchr(s, '/'), *dot;
    size_t n, k;

    if (slash) s = slash + 1;
    dot = bare && !lp_read_is_image_name(s) ? NULL : strrchr(s, '.');
    n = dot && dot > s ? (size_t)(dot - s) : strlen(s);
    for (k = 0; k < sizeof ends / sizeof *ends; k++) {
        size_t m = strlen(ends[k]);

        if (n > m && !memcmp(s + n - m, ends[k], m)) n -= m;
    }
    snprintf(out, 256, "%.*s", (int)(n < 255 ? n : 255), s);
}

int lp_picks_find(const lp_picks *p, const char *name)
{
    int i;

    for (i = p->n_names - 1; i >= 0; i--)
        if (!strcmp(p->name[i], name)) return i;
    return -1;
}

static lp_status name_index(lp_picks *p, const char *name, int *index, lp_err *err)
{
    int i = lp_picks_find(p, name);
    char **more;

    if (i < 0) {
        if (p->n_names == MAX_NAMES)
            return lp_fail(err, LP_ENOMEM, "more than %d images", MAX_NAMES);
        more = realloc(p->name, (size_t)(p->n_names + 1) * sizeof *more);
        if (more) p->name = more;
        if (!more || !(more[p->n_names] = strdup(name))) return lp_fail_mem(err, "coordinates", 1);
        i = p->n_names++;
    }
    *index = i;
    return LP_OK;
}

static lp_status push(lp_picks *p, const lp_pick *q, lp_err *err)
{
    if ((p->n & (p->n - 1)) == 0) { /* full at every power of two */
        size_t cap = p->n ? 2 * (size_t)p->n : 1;
        lp_pick *more = realloc(p->pick, cap * sizeof *more);

        if (!more) return lp_fail_mem(err, "coordinates", (double)cap * sizeof *more);
        p->pick = more;
    }
    p->pick[p->n++] = *q;
    return LP_OK;
}

/* Splits line at white space, in place; at tabs alone where a Topaz table has them, as names may
 * have spaces. A word in quotes (STAR) has its spaces, too; the quotes are dropped. */
static int split(char *line, lp_picks_kind kind, char **f)
{
    const char *white = kind == LP_PICKS_TXT && strchr(line, '\t') ? "\t\r" : " \t\r";
    char *s = line, quote;
    int n = 0;

    for (s += strspn(s, white); *s && n < MAX_FIELDS; s += strspn(s, white)) {
        quote = kind == LP_PICKS_STAR && (*s == '"' || *s == '\'') ? *s : 0;
        f[n++] = s += quote != 0;
        s += quote ? strcspn(s, (char[2]){quote, 0}) : strcspn(s, white);
        if (*s) *s++ = 0;
    }
    return n;
}

static int number(char **f, int n, int col, double *v)
{
    char *end;

    if (col < 0 || col >= n) return 0;
    *v = strtod(f[col], &end);
    return end != f[col] && !*end && isfinite(*v);
}

static lp_status row(lp_picks *p, char **f, int n, const columns *c, int image, int64_t line,
                     lp_err *err)
{
    lp_pick q = {.score = NAN, .image = image};
    double w = 0, h = 0;
    char name[256];
    lp_status st;

    if (!number(f, n, c->x, &q.x) || !number(f, n, c->y, &q.y) ||
        (c->corner && (!number(f, n, c->w, &w) || !number(f, n, c->h, &h))) ||
        (c->name >= 0 && c->name >= n))
        return lp_fail(err, LP_EFORMAT, "line %lld is no coordinate", (long long)line);
    q.x += w / 2;
    q.y += h / 2;
    if (!number(f, n, c->score, &q.score)) q.score = NAN;
    if (c->name >= 0) {
        image_name(f[c->name], c->bare, name);
        if ((st = name_index(p, name, &q.image, err))) return st;
    }
    return push(p, &q, err);
}

/* Column of a STAR loop: "_rlnCoordinateX #2". */
static void star_column(const char *name, int at, columns *c)
{
    if (!strcmp(name, "_rlnCoordinateX")) c->x = at;
    if (!strcmp(name, "_rlnCoordinateY")) c->y = at;
    if (!strcmp(name, "_rlnAutopickFigureOfMerit") || !strcmp(name, "_Confidence")) c->score = at;
    if (!strcmp(name, "_rlnMicrographName")) c->name = at;
    if (!strcmp(name, "_CoordinateX")) c->x = at, c->corner = 1;
    if (!strcmp(name, "_CoordinateY")) c->y = at;
    if (!strcmp(name, "_Width")) c->w = at;
    if (!strcmp(name, "_Height")) c->h = at;
}

/* Where a line stands in the file. */
typedef struct {
    lp_picks_kind kind;
    columns c;
    int in_loop, n_columns, found; /* STAR */
    int taken;                     /* STAR: only the first block with coordinates counts, as
                                      .cbox lists its boxes again in others */
    int64_t line;
} reader;

/* 1 where the line is a row of a table. */
static int star_row(reader *r, char **f, int n)
{
    if (!strncmp(f[0], "data_", 5)) {
        r->taken |= r->found;
        r->in_loop = r->n_columns = r->found = 0;
        r->c = no_columns;
        return 0;
    }
    if (!strcmp(f[0], "loop_")) {
        r->in_loop = 1;
        return 0;
    }
    if (!r->in_loop || *f[0] == '#') return 0;
    if (*f[0] == '_') {
        star_column(f[0], r->n_columns++, &r->c);
        r->found |= r->c.x >= 0 && r->c.y >= 0;
        return 0;
    }
    return !r->taken && r->c.x >= 0 && r->c.y >= 0 && n > 0;
}

static int txt_row(reader *r, char **f, int n)
{
    double v;
    int i;

    if (*f[0] == '#') return 0;
    r->found = 1;
    if (r->line > 1 || number(f, n, 1, &v)) return 1;
    for (i = 0; i < n; i++) {
        if (!strcmp(f[i], "image_name")) r->c.name = i;
        if (!strcmp(f[i], "x_coord")) r->c.x = i;
        if (!strcmp(f[i], "y_coord")) r->c.y = i;
        if (!strcmp(f[i], "score")) r->c.score = i;
    }
    return 0;
}

lp_status lp_picks_parse(const char *text, size_t n, lp_picks_kind kind, const char *name,
                         lp_picks *p, lp_err *err)
{
    reader r = {.kind = kind, .c = no_columns};
    const char *s = text, *end = text + n, *nl;
    char line[MAX_LINE], *f[MAX_FIELDS], own[256];
    int image = -1, k;
    lp_status st;

    if (kind == LP_PICKS_BOX) r.c = (columns){0, 1, 2, 3, 4, -1, 1, 0};
    if (kind == LP_PICKS_TXT) r.c = (columns){1, 2, -1, -1, 3, 0, 0, 1};
    image_name(name, 0, own);
    if (kind == LP_PICKS_BOX && (st = name_index(p, own, &image, err))) return st;
    for (; s < end; s = nl + 1) {
        int is_row;

        nl = memchr(s, '\n', (size_t)(end - s));
        if (!nl) nl = end;
        r.line++;
        if (nl - s >= MAX_LINE || memchr(s, 0, (size_t)(nl - s)))
            return lp_fail(err, LP_EFORMAT, "line %lld is no text of a table", (long long)r.line);
        memcpy(line, s, (size_t)(nl - s));
        line[nl - s] = 0;
        if (!(k = split(line, kind, f))) continue;
        is_row = kind == LP_PICKS_STAR  ? star_row(&r, f, k)
                 : kind == LP_PICKS_TXT ? txt_row(&r, f, k)
                                        : *f[0] != '#';
        if (!is_row) continue;
        if (r.c.name < 0 && image < 0 && (st = name_index(p, own, &image, err))) return st;
        if ((st = row(p, f, k, &r.c, image, r.line, err))) return st;
    }
    if (kind == LP_PICKS_STAR && !r.found && !r.taken)
        return lp_fail(err, LP_EFORMAT, "no columns _rlnCoordinateX/Y or _CoordinateX/Y");
    /* A table without rows still says that its image has none. */
    return kind == LP_PICKS_STAR && r.c.name < 0 ? name_index(p, own, &image, err) : LP_OK;
}

static lp_status read_file(const char *path, lp_picks *p, lp_err *err)
{
    char *text = NULL;
    size_t n = 0;
    lp_err why;
    lp_status st = lp_read_text(path, MAX_BYTES, &text, &n, err);

    if (st) return st;
    if ((st = lp_picks_parse(text, n, lp_picks_kind_of(path), path, p, &why)))
        st = lp_fail(err, st, "%.400s: %.400s", path, why.msg);
    free(text);
    return st;
}

static int wanted(const struct dirent *d)
{
    return d->d_name[0] != '.' && lp_picks_kind_of(d->d_name) != LP_PICKS_NONE;
}

int lp_picks_are_there(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    int picks = 0, images = 0;

    if (!d) return lp_picks_kind_of(path) != LP_PICKS_NONE;
    while ((e = readdir(d))) {
        picks |= wanted(e);
        images |= e->d_name[0] != '.' && lp_read_is_image_name(e->d_name);
    }
    closedir(d);
    return picks && !images;
}

lp_status lp_picks_read(const char *path, lp_picks *p, lp_err *err)
{
    struct dirent **list = NULL;
    struct stat s;
    char file[4096];
    int i, n;
    lp_status st = LP_OK;

    if (stat(path, &s)) return lp_fail(err, LP_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(s.st_mode)) return read_file(path, p, err);
    n = scandir(path, &list, wanted, versionsort);
    if (n < 0) return lp_fail(err, LP_EIO, "%s: cannot open the folder: %s", path, strerror(errno));
    for (i = 1; i < n && !st; i++)
        if (strcasecmp(strrchr(list[i]->d_name, '.'), strrchr(list[0]->d_name, '.')))
            st = lp_fail(err, LP_EARG, "%s: has %s and %s: one format at a time", path,
                         list[0]->d_name, list[i]->d_name);
    for (i = 0; i < n; i++) {
        if (!st && snprintf(file, sizeof file, "%s/%s", path, list[i]->d_name) < (int)sizeof file)
            st = read_file(file, p, err);
        free(list[i]);
    }
    free(list);
    if (!st && !n) st = lp_fail(err, LP_EIO, "%s: no coordinate files there", path);
    return st;
}

void lp_picks_free(lp_picks *p)
{
    int i;

    if (!p) return;
    for (i = 0; i < p->n_names; i++) free(p->name[i]);
    free(p->name);
    free(p->pick);
    memset(p, 0, sizeof *p);
}
