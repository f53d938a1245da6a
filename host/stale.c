#include "stale.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run_files.h"

#define VIEW "_view.html"

static const char *const own[] = {LP_RUN_ENDING, VIEW, "_overlay.png", NULL};

static const char *const shared[] = {"_cp_masks.tif",
                                     "_cp_masks.png",
                                     "_particles.csv",
                                     "_outlines_cp_masks.png",
                                     "_cp_outlines.txt",
                                     "_rois.zip",
                                     "_outlines.geojson",
                                     "_autopick.star",
                                     ".box",
                                     ".cbox",
                                     "_topaz.txt",
                                     "_seg.npy",
                                     "_flows_cp_masks.tif",
                                     "_dP_cp_masks.tif",
                                     NULL};

static int among(const char *s, const char *const *list)
{
    while (*list && strcmp(s, *list)) list++;
    return *list != NULL;
}

int lp_stale_knows(const char *ending)
{
    return among(ending, own) || among(ending, shared);
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

/* base + ending into path; 1 where that is a file that was not written now. */
static int older(char *path, size_t cap, const char *base, const char *ending, char *const *written,
                 int n_written)
{
    struct stat st;
    int i;

    if (snprintf(path, cap, "%s%s", base, ending) >= (int)cap) return 0;
    for (i = 0; i < n_written; i++)
        if (!strcmp(written[i], path)) return 0;
    return !lstat(path, &st) && S_ISREG(st.st_mode);
}

static void add(char *list, size_t cap, const char *ending)
{
    size_t n = strlen(list);

    snprintf(list + n, cap - n, "%s%s", n ? ", " : "", ending);
}

void lp_stale_remove(const char *base, char *const *written, int n_written, const char *run,
                     char *text, size_t cap)
{
    char path[PATH_MAX], removed[200] = "", left[400] = "";
    int i, keep_page = run != NULL;

    for (i = 0; own[i]; i++) {
        if (!older(path, sizeof path, base, own[i], written, n_written)) continue;
        if (run && !strcmp(own[i], LP_RUN_ENDING)) {
            if (same_bytes(path, run)) continue;
            keep_page = 0;
        }
        if (keep_page && !strcmp(own[i], VIEW)) continue;
        if (unlink(path))
            add(left, sizeof left, own[i]);
        else
            add(removed, sizeof removed, own[i]);
    }
    for (i = 0; shared[i]; i++)
        if (older(path, sizeof path, base, shared[i], written, n_written))
            add(left, sizeof left, shared[i]);
    snprintf(text, cap, "%s%s%s%s%s", *removed ? "removed what an older run left: " : "", removed,
             *removed && *left ? "; " : "", *left ? "from before, not of this run: " : "", left);
}
