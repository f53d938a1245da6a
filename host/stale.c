#include "stale.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run_files.h"
#include "write_coords.h"
#include "write_csv.h"

#define TABLE "_particles.csv"
#define VIEW "_view.html"
#define BEFORE_TABLE 600 /* s that writing an image's files may take */
#define AFTER_TABLE 2    /* s: file systems round times */

const char *const lp_stale_ending[] = {"_cp_masks.tif",
                                       "_cp_masks.png",
                                       TABLE,
                                       "_overlay.png",
                                       LP_RUN_ENDING,
                                       VIEW,
                                       "_outlines_cp_masks.png",
                                       "_cp_outlines.txt",
                                       "_rois.zip",
                                       "_outlines.geojson",
                                       "_autopick.star",
                                       ".box",
                                       ".cbox",
                                       "_topaz.txt",
                                       "_flows_cp_masks.tif",
                                       "_dP_cp_masks.tif",
                                       NULL};

int lp_stale_knows(const char *ending)
{
    int i;

    for (i = 0; lp_stale_ending[i]; i++)
        if (!strcmp(lp_stale_ending[i], ending)) return 1;
    return 0;
}

static int is_file(const char *path, struct stat *st)
{
    return !lstat(path, st) && S_ISREG(st->st_mode);
}

void lp_stale_look(const char *base, lp_stale *s)
{
    char path[PATH_MAX], *line = NULL;
    size_t room = 0, have = 0;
    struct stat st;
    FILE *f = NULL;
    lp_stale out = {0};

    memset(s, 0, sizeof *s);
    if (snprintf(path, sizeof path, "%s" TABLE, base) >= (int)sizeof path) return;
    if (!is_file(path, &st) || !(f = fopen(path, "r"))) return;
    if (getline(&line, &room, f) < 0 || strncmp(line, lp_csv_header, strcspn(lp_csv_header, "\n")))
        goto done;
    while (getline(&line, &room, f) >= 0) {
        double x;

        if (sscanf(line, "%*u,%*[^,],%lf,", &x) != 1) goto done;
        if (out.n == have) {
            double *more = realloc(out.x, (have = have * 2 + 64) * sizeof *more);

            if (!more) goto done;
            out.x = more;
        }
        out.x[out.n++] = x;
    }
    out.has_table = 1;
    out.when = st.st_mtime;
    *s = out;
    out.x = NULL;
done:
    free(out.x);
    free(line);
    fclose(f);
}

void lp_stale_free(lp_stale *s)
{
    free(s->x);
    memset(s, 0, sizeof *s);
}

/* The x of the particle that a line of coordinates is about; NaN: about none. */
static double x_of(const char *line, lp_coords_format format)
{
    double x, w;

    switch (format) {
    case LP_COORDS_STAR:
        return sscanf(line, "%lf %*f", &x) == 1 ? x : NAN;
    case LP_COORDS_BOX:
        return sscanf(line, "%lf %*f %lf", &x, &w) == 2 ? x + w / 2 : NAN;
    case LP_COORDS_CBOX:
        return sscanf(line, "%lf %*f %*s %lf", &x, &w) == 2 ? x + w / 2 : NAN;
    case LP_COORDS_TOPAZ:
        return sscanf(line, "%*[^\t]\t%lf\t%*f\t%*f", &x) == 1 ? x : NAN;
    }
    return NAN;
}

/* 1 where the coordinates are those of the table, within rounding to whole pixels. */
static int same_particles(const char *path, lp_coords_format format, const lp_stale *s)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0, n = 0;
    int same = f != NULL;

    while (same && getline(&line, &room, f) >= 0) {
        double x = x_of(line, format);

        if (isnan(x)) continue;
        same = n < s->n && fabs(x - s->x[n]) <= 1.01;
        n++;
    }
    free(line);
    if (f) fclose(f);
    return same && n == s->n;
}

/* 1 where the page is one that lipopose made. */
static int is_view(const char *path)
{
    char head[2048];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(head, 1, sizeof head - 1, f) : 0;

    if (f) fclose(f);
    head[n] = 0;
    return strstr(head, "lipopose") != NULL;
}

static int same_bytes(const char *a, const char *b)
{
    FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
    int same = f && g;

    while (same) {
        char x[4096], y[4096];
        size_t n = fread(x, 1, sizeof x, f), m = fread(y, 1, sizeof y, g);

        same = n == m && !memcmp(x, y, n);
        if (n < sizeof x) break;
    }
    if (f) fclose(f);
    if (g) fclose(g);
    return same;
}

typedef enum { THEIRS, CHANGED, OURS } owner;

static owner whose(const char *path, const char *ending, const struct stat *st, const lp_stale *s)
{
    int f;

    if (!strcmp(ending, LP_RUN_ENDING)) return OURS;
    if (!strcmp(ending, VIEW)) return is_view(path) ? OURS : THEIRS;
    if (!s->has_table) return THEIRS;
    for (f = LP_COORDS_STAR; f <= LP_COORDS_TOPAZ; f++)
        if (!strcmp(ending, lp_coords_ending(f))) return same_particles(path, f, s) ? OURS : THEIRS;
    if (st->st_mtime > s->when + AFTER_TABLE) return CHANGED;
    return st->st_mtime >= s->when - BEFORE_TABLE ? OURS : THEIRS;
}

static void add(char *list, size_t cap, const char *ending)
{
    size_t n = strlen(list);

    snprintf(list + n, cap - n, "%s%s", n ? ", " : "", ending);
}

void lp_stale_remove(const lp_stale *s, const char *base, char *const *written, int n_written,
                     const char *run, char *text, size_t cap)
{
    char path[PATH_MAX], removed[400] = "", kept[400] = "", failed[400] = "";
    int i, k, keep_page = run != NULL;

    *text = 0;
    for (i = 0; lp_stale_ending[i]; i++) {
        const char *ending = lp_stale_ending[i];
        struct stat st;
        owner who;

        if (snprintf(path, sizeof path, "%s%s", base, ending) >= (int)sizeof path) continue;
        for (k = 0; k < n_written && strcmp(written[k], path); k++) {
        }
        if (k < n_written || !is_file(path, &st)) continue;
        if (run && !strcmp(ending, LP_RUN_ENDING)) {
            if (same_bytes(path, run)) continue;
            keep_page = 0;
        }
        if (keep_page && !strcmp(ending, VIEW)) continue;
        if ((who = whose(path, ending, &st, s)) == THEIRS) continue;
        if (who == CHANGED)
            add(kept, sizeof kept, ending);
        else
            add(unlink(path) ? failed : removed, sizeof removed, ending);
    }
    if (*removed) snprintf(text, cap, "removed what an older run left: %s", removed);
    if (*kept)
        snprintf(text + strlen(text), cap - strlen(text),
                 "%snot of this run, but changed since its own, so kept: %s", *text ? "; " : "",
                 kept);
    if (*failed)
        snprintf(text + strlen(text), cap - strlen(text),
                 "%sof an older run, cannot be removed: %s", *text ? "; " : "", failed);
}
