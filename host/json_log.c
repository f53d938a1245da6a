#include "json_log.h"

#include <cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "number.h"
#include "utf8.h"

cJSON *lp_json_text(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    char *buf = malloc(4 * strlen(s) + 1), *w = buf;
    cJSON *j;

    if (!buf) return NULL;
    while (*p) {
        int n = lp_utf8_length((const char *)p);

        if (n) {
            memcpy(w, p, (size_t)n);
            w += n;
            p += n;
        } else {
            w += sprintf(w, "\\x%02x", *p++);
        }
    }
    *w = 0;
    j = cJSON_CreateString(buf);
    free(buf);
    return j;
}

static cJSON *text_or_null(const char *s)
{
    return s ? lp_json_text(s) : cJSON_CreateNull();
}

static cJSON *number(double v, int digits)
{
    char buf[LP_NUMBER_MAX];

    if (!isfinite(v)) return cJSON_CreateNull();
    return cJSON_CreateRaw(lp_number_format(buf, v, digits));
}

/* Takes item (which may be NULL: memory). */
static int put(cJSON *o, const char *key, cJSON *item)
{
    if (item && cJSON_AddItemToObject(o, key, item)) return 1;
    cJSON_Delete(item);
    return 0;
}

static int put_lists(cJSON *o, const lp_json_record *r)
{
    cJSON *seconds = cJSON_CreateObject(), *outputs = cJSON_CreateArray();
    int ok = seconds && outputs, i;

    for (i = 0; i < r->n_stages && ok; i++)
        ok = put(seconds, r->stages[i].name, number(r->stages[i].seconds, 6));
    for (i = 0; i < r->n_outputs && ok; i++) {
        cJSON *s = lp_json_text(r->outputs[i]);

        ok = s && cJSON_AddItemToArray(outputs, s);
        if (!ok) cJSON_Delete(s);
    }
    ok = put(o, "seconds", seconds) && ok;
    return put(o, "outputs", outputs) && ok;
}

/* The diameters to the last bit, so that they can be given again. */
static int put_diameters(cJSON *o, const lp_diameters_result *found)
{
    static const char *const source[] = {"given", "image", "model", "default"};
    cJSON *list = found ? cJSON_CreateArray() : cJSON_CreateNull(), *pilot = cJSON_CreateNull();
    char buf[LP_NUMBER_MAX];
    int ok = list && pilot, i;

    for (i = 0; found && ok && i < lp_layers_count(found->layers); i++) {
        cJSON *x = cJSON_CreateRaw(lp_number_exact(buf, lp_layers_diameter(found->layers, i)));

        ok = x && cJSON_AddItemToArray(list, x);
        if (!ok) cJSON_Delete(x);
    }
    if (ok && found && found->source != LP_RANGE_GIVEN) {
        cJSON_Delete(pilot);
        pilot = cJSON_CreateObject();
        ok = pilot && put(pilot, "diameters", number(found->n_pilot, 17)) &&
             put(pilot, "particles", number((double)found->pilot_particles, 17)) &&
             put(pilot, "range_from", cJSON_CreateString(source[found->source]));
    }
    ok = put(o, "diameters", list) && ok;
    return put(o, "pilot", pilot) && ok;
}

lp_status lp_json_format(const lp_json_record *r, char **line, lp_err *err)
{
    cJSON *o = cJSON_CreateObject();
    char *s = NULL;
    int ok = o != NULL;

    ok = ok && put(o, "file", lp_json_text(r->file));
    ok = ok && put(o, "page", number(r->page, 17));
    ok = ok && put(o, "status", cJSON_CreateString(r->error ? "failed" : "ok"));
    ok = ok && put(o, "error", r->error ? lp_json_text(r->error) : cJSON_CreateNull());
    ok = ok && put(o, "particles", number(r->particles < 0 ? NAN : (double)r->particles, 17));
    ok = ok && put(o, "diameter", number(r->diameter > 0 ? r->diameter : NAN, 9));
    ok = ok && put_diameters(o, r->found);
    ok = ok && put(o, "ly", number(r->Ly > 0 ? r->Ly : NAN, 17));
    ok = ok && put(o, "lx", number(r->Lx > 0 ? r->Lx : NAN, 17));
    ok = ok && put(o, "pixel_nm", number(r->pixel_nm > 0 ? r->pixel_nm : NAN, 9));
    ok = ok && put_lists(o, r);
    ok = ok && put(o, "pages", number(r->pages > 0 ? r->pages : NAN, 17));
    ok = ok && put(o, "only_page", number(r->only_page > 0 ? r->only_page : NAN, 17));
    ok = ok && put(o, "bytes", number(r->mtime ? (double)r->bytes : NAN, 17));
    ok = ok && put(o, "mtime", text_or_null(r->mtime));
    ok = ok && put(o, "settings", text_or_null(r->settings));
    ok = ok && put(o, "shard", text_or_null(r->shard));
    ok = ok && put(o, "skipped", cJSON_CreateBool(r->skipped));
    ok = ok && put(o, "wall_s", number(r->wall_s, 6));
    ok = ok && put(o, "began", number(r->began, 14));
    ok = ok && put(o, "started_s", number(r->started_s, 9));
    ok = ok && put(o, "worker", number(r->worker > 0 ? r->worker : NAN, 17));
    ok = ok && put(o, "process", text_or_null(r->process));
    ok = ok && put(o, "peak_mib", number(r->peak_mib > 0 ? r->peak_mib : NAN, 6));
    if (ok) s = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    if (!s) return lp_fail_mem(err, "JSON record", 0);
    *line = s;
    return LP_OK;
}

double lp_json_peak_mib(void)
{
    struct rusage u;

    return getrusage(RUSAGE_SELF, &u) ? 0 : (double)u.ru_maxrss / 1024; /* KiB on Linux */
}

char *lp_json_skipped(cJSON *record)
{
    cJSON *yes = cJSON_CreateTrue();

    if (yes && !cJSON_ReplaceItemInObjectCaseSensitive(record, "skipped", yes)) cJSON_Delete(yes);
    return cJSON_PrintUnformatted(record);
}
