/* write_gather - the table and the summary of gather.h. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "gather.h"
#include "json_log.h"
#include "number.h"
#include "read_text.h"
#include "write_csv.h"

#define MAX_TABLE ((size_t)4 << 30)

static lp_status put(lp_atomic *a, const char *s, lp_err *err)
{
    return lp_atomic_write(a, s, strlen(s), err);
}

/* "image,page," of one item; a field of RFC 4180. */
static char *fields(const lp_gathered *it)
{
    const char *s = it->image;
    int quote = strpbrk(s, ",\"\n\r") != NULL;
    char *out = malloc(2 * strlen(s) + 32), *w = out;

    if (!out) return NULL;
    if (quote) *w++ = '"';
    for (; *s; s++) {
        if (*s == '"') *w++ = '"';
        *w++ = *s;
    }
    if (quote) *w++ = '"';
    sprintf(w, ",%d,", it->record.page);
    return out;
}

/* The rows of text [n], after its header, each behind the fields. */
static lp_status put_rows(lp_atomic *a, const char *before, const char *text, size_t n,
                          int64_t *rows, lp_err *err)
{
    const char *end = text + n;
    lp_status st = LP_OK;

    while (text < end && !st) {
        const char *line = memchr(text, '\n', (size_t)(end - text));
        size_t k = line ? (size_t)(line + 1 - text) : (size_t)(end - text);

        st = put(a, before, err);
        if (!st) st = lp_atomic_write(a, text, k, err);
        if (!st && !line) st = put(a, "\n", err);
        text += k;
        ++*rows;
    }
    return st;
}

/* What is wrong with the table itself goes to it->why. */
static lp_status put_table(lp_atomic *a, lp_gathered *it, int64_t *rows, lp_err *err)
{
    size_t n = 0, head = strlen(lp_csv_header);
    char *path = malloc(strlen(it->base) + 20), *text = NULL, *before = fields(it);
    lp_status st = LP_OK;
    lp_err why;

    if (!path || !before) {
        st = lp_fail_mem(err, "table", 1000);
        goto done;
    }
    sprintf(path, "%s_particles.csv", it->base);
    if (lp_read_text(path, MAX_TABLE, &text, &n, &why)) {
        it->state = LP_GATHER_GONE;
        snprintf(it->why, sizeof it->why, "its table cannot be read: %.300s", why.msg);
    } else if (n <= head || memcmp(text, lp_csv_header, head) || text[head] != '\n') {
        it->state = LP_GATHER_GONE;
        snprintf(it->why, sizeof it->why,
                 "its table has other columns: another version made it; run segment again");
    } else {
        st = put_rows(a, before, text + head + 1, n - head - 1, rows, err);
    }
done:
    free(text);
    free(before);
    free(path);
    return st;
}

lp_status lp_gather_write_csv(lp_gather *g, const char *path, lp_err *err)
{
    lp_atomic *a = NULL;
    int64_t rows = 0;
    lp_status st = lp_atomic_open(path, &a, err);
    int i;

    if (st) return st;
    st = put(a, "image,page,", err);
    if (!st) st = put(a, lp_csv_header, err);
    if (!st) st = put(a, "\n", err);
    for (i = 0; i < g->n && !st; i++)
        if (g->item[i].state == LP_GATHER_DONE) st = put_table(a, &g->item[i], &rows, err);
    if (st) {
        lp_atomic_abort(&a);
        return st;
    }
    if ((st = lp_atomic_commit(&a, err))) return st;
    g->rows = rows;
    return LP_OK;
}

static void number(cJSON *o, const char *key, double v, int digits)
{
    char buf[LP_NUMBER_MAX];

    cJSON_AddItemToObject(o, key, cJSON_CreateRaw(lp_number_format(buf, v, digits)));
}

/* Sums over what is done: work, memory, seconds by stage. */
static void sums(cJSON *o, const lp_gather *g)
{
    cJSON *stages = cJSON_CreateObject(), *x;
    double pixels = 0, wall = 0, peak = 0, most = -1;
    const char *slowest = NULL;
    int i;

    for (i = 0; i < g->n; i++) {
        const lp_done *d = &g->item[i].record;

        if (g->item[i].state != LP_GATHER_DONE) continue;
        pixels += (double)d->Ly * d->Lx;
        wall += d->wall_s;
        if (d->peak_mib > peak) peak = d->peak_mib;
        cJSON_ArrayForEach(x, cJSON_GetObjectItemCaseSensitive(d->json, "seconds"))
        {
            cJSON *sum = cJSON_GetObjectItemCaseSensitive(stages, x->string);

            if (!cJSON_IsNumber(x)) continue;
            if (!sum) sum = cJSON_AddNumberToObject(stages, x->string, 0);
            if (sum) cJSON_SetNumberValue(sum, sum->valuedouble + x->valuedouble);
        }
    }
    cJSON_ArrayForEach(x, stages) if (x->valuedouble > most)
    {
        most = x->valuedouble;
        slowest = x->string;
    }
    number(o, "megapixels", pixels / 1e6, 9);
    number(o, "wall_s", wall, 9);
    number(o, "peak_mib", peak, 6);
    if (slowest)
        cJSON_AddStringToObject(o, "slowest_stage", slowest);
    else
        cJSON_AddNullToObject(o, "slowest_stage");
    cJSON_AddItemToObject(o, "seconds", stages);
}

static void settings(cJSON *o, const lp_gather *g)
{
    cJSON *list = cJSON_AddObjectToObject(o, "settings"), *x;
    int i;

    for (i = 0; i < g->n; i++) {
        const char *key = g->item[i].record.settings;

        if (g->item[i].state != LP_GATHER_DONE) continue;
        if (!*key) key = "merge";
        x = cJSON_GetObjectItemCaseSensitive(list, key);
        if (x)
            cJSON_SetNumberValue(x, x->valuedouble + 1);
        else
            cJSON_AddNumberToObject(list, key, 1);
    }
}

static void strings(cJSON *o, const char *key, char *const *s, int n)
{
    cJSON *list = cJSON_AddArrayToObject(o, key);
    int i;

    for (i = 0; i < n; i++) cJSON_AddItemToArray(list, lp_json_text(s[i]));
}

static void with_reasons(cJSON *o, const char *key, const lp_gather *g, lp_gather_state state)
{
    cJSON *list = cJSON_AddArrayToObject(o, key), *x;
    int i;

    for (i = 0; i < g->n; i++) {
        if (g->item[i].state != state) continue;
        cJSON_AddItemToArray(list, x = cJSON_CreateObject());
        cJSON_AddItemToObject(x, "image", lp_json_text(g->item[i].image));
        cJSON_AddItemToObject(x, "why", lp_json_text(g->item[i].why));
    }
}

lp_status lp_gather_write_json(const lp_gather *g, const char *path, lp_err *err)
{
    cJSON *o = cJSON_CreateObject(), *list;
    char *text, *line = NULL;
    lp_status st;
    int i;

    cJSON_AddStringToObject(o, "format", "lipopose-gathered");
    cJSON_AddNumberToObject(o, "version", 1);
    number(o, "images", lp_gather_count(g, LP_GATHER_DONE), 17);
    number(o, "particles", (double)g->rows, 17);
    sums(o, g);
    settings(o, g);
    strings(o, "missing", g->missing, g->n_missing);
    with_reasons(o, "failed", g, LP_GATHER_FAILED);
    with_reasons(o, "gone", g, LP_GATHER_GONE);
    strings(o, "unrecorded", g->unrecorded, g->n_unrecorded);
    list = cJSON_AddArrayToObject(o, "records");
    for (i = 0; i < g->n; i++)
        if (g->item[i].record.json)
            cJSON_AddItemToArray(list, cJSON_CreateObjectReference(g->item[i].record.json->child));
    text = cJSON_Print(o);
    cJSON_Delete(o);
    if (text && (line = realloc(text, strlen(text) + 2))) strcat(text = line, "\n");
    st = line ? lp_atomic_write_file(path, line, strlen(line), err) : lp_fail_mem(err, path, 1e4);
    free(text);
    return st;
}
