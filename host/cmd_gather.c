/* cmd_gather - `lipopose gather`: one table and one summary of all shards, and what is missing. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "gather.h"
#include "inputs.h"
#include "options.h"
#include "timeline.h"

#define SHOWN 20 /* of each kind on the terminal; all are in the JSON file */

/* On one line, whatever the name has in it. */
static void line(const char *kind, const char *name, const char *why)
{
    char text[PATH_MAX + 600], *p;

    snprintf(text, sizeof text, "%s: %s%s%s", kind, name, why ? ": " : "", why ? why : "");
    for (p = text; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127) *p = '?';
    fprintf(stderr, "lipopose: %s\n", text);
}

static void items(const lp_gather *g, lp_gather_state state, const char *kind)
{
    int i, n = 0;

    for (i = 0; i < g->n; i++)
        if (g->item[i].state == state && n++ < SHOWN) line(kind, g->item[i].image, g->item[i].why);
    if (n > SHOWN) fprintf(stderr, "lipopose: %s: %d more, see the JSON file\n", kind, n - SHOWN);
}

static void list(char *const *s, int n, const char *kind, const char *why)
{
    int i;

    for (i = 0; i < n && i < SHOWN; i++) line(kind, s[i], why);
    if (n > SHOWN) fprintf(stderr, "lipopose: %s: %d more, see the JSON file\n", kind, n - SHOWN);
}

/* How many different settings the images were made with. */
static int settings(const lp_gather *g)
{
    const char *seen[64];
    int i, k, n = 0;

    for (i = 0; i < g->n; i++) {
        if (g->item[i].state != LP_GATHER_DONE) continue;
        for (k = 0; k < n && strcmp(seen[k], g->item[i].record.settings); k++) {
        }
        if (k == n && n < 64) seen[n++] = g->item[i].record.settings;
    }
    return n;
}

/* Returns the exit code. */
static int tell(const lp_gather *g, const char *csv, const char *json, int quiet)
{
    int done = lp_gather_count(g, LP_GATHER_DONE), n = settings(g);
    int all = g->n + g->n_missing;

    list(g->missing, g->n_missing, "missing", NULL);
    items(g, LP_GATHER_FAILED, "failed");
    items(g, LP_GATHER_GONE, "not joined");
    list(g->unrecorded, g->n_unrecorded, "not joined",
         "has a table, but no finished run's record; run segment again");
    if (n > 1)
        fprintf(stderr,
                "lipopose: the images were made with %d different settings (\"settings\" in %s)\n",
                n, json);
    if (!quiet)
        printf("%d of %d images: %lld particle%s; %s, %s, " LP_TIMELINE_PAGE "\n", done, all,
               (long long)g->rows, g->rows == 1 ? "" : "s", csv, json);
    return done < all || g->n_unrecorded;
}

static lp_status write_page(const lp_gather *g, const char *dir, const char *path, lp_err *err)
{
    lp_timeline t;
    lp_status st = lp_timeline_new(g, &t, err);

    if (st) return st;
    st = lp_timeline_write(&t, dir, path, err);
    lp_timeline_free(&t);
    return st;
}

int lp_cmd_gather(int argc, char **argv)
{
    const char *savedir = NULL;
    char **names = calloc((size_t)argc + 1, sizeof *names), csv[PATH_MAX], json[PATH_MAX];
    char page[PATH_MAX];
    int n = 0, quiet = 0, help = 0, code = 0;
    lp_gather g = {0};
    lp_err err = {0};
    lp_status st;
    const lp_option table[] = {
        {"savedir", LP_OPT_STRING, &savedir, "DIR", "for the files (the folder itself)"},
        {"quiet", LP_OPT_ON, &quiet, NULL, "only what is missing, and errors"},
        {"help", LP_OPT_ON, &help, NULL, "this list"},
        {NULL, LP_OPT_GROUP, NULL, NULL, NULL},
    };

    if (!names) return 1;
    if ((st = lp_options_parse(table, argc, argv, names, &n, NULL, &err))) goto done;
    if (help) {
        printf("usage: lipopose gather [options] FOLDER\n"
               "Joins the results that runs and shards of segment left in FOLDER into\n"
               "FOLDER/" LP_GATHER_CSV " and FOLDER/" LP_GATHER_JSON ",\n"
               "shows in FOLDER/" LP_TIMELINE_PAGE " what each worker did when,\n"
               "and names what is missing or failed (exit code 1).\n");
        lp_options_help(table, stdout);
        goto done;
    }
    if (n != 1) {
        st = lp_fail(&err, LP_EARG, "name one folder of results, the --savedir of segment");
        goto done;
    }
    while (strlen(names[0]) > 1 && names[0][strlen(names[0]) - 1] == '/')
        names[0][strlen(names[0]) - 1] = 0;
    if ((st = lp_gather_find(names[0], &g, &err))) goto done;
    if (savedir && (st = lp_inputs_make_folder(savedir, &err))) goto done;
    if (!savedir) savedir = names[0];
    if (snprintf(csv, sizeof csv, "%s/" LP_GATHER_CSV, savedir) >= PATH_MAX ||
        snprintf(json, sizeof json, "%s/" LP_GATHER_JSON, savedir) >= PATH_MAX ||
        snprintf(page, sizeof page, "%s/" LP_TIMELINE_PAGE, savedir) >= PATH_MAX) {
        st = lp_fail(&err, LP_EIO, "%s: the path is too long", savedir);
        goto done;
    }
    if ((st = lp_gather_write_csv(&g, csv, &err))) goto done;
    if ((st = lp_gather_write_json(&g, json, &err))) goto done;
    if ((st = write_page(&g, names[0], page, &err))) goto done;
    code = tell(&g, csv, json, quiet);
done:
    if (st) {
        fprintf(stderr, "lipopose gather: %s\n", err.msg);
        code = st == LP_EARG ? 2 : 1;
    }
    lp_gather_free(&g);
    free(names);
    return code;
}
