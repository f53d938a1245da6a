#include "timeline.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE 30.0       /* s that nobody works are a pause, */
#define PAUSE_SHARE 0.05 /* where they are longer than this share of the work; */
#define PAUSE_SHOWN 0.01 /* it is then shown as this share */

static const char *text(const lp_done_json *j, const char *key)
{
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(j, key);

    return cJSON_IsString(x) ? x->valuestring : "";
}

static double number(const lp_done_json *j, const char *key, double hi)
{
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(j, key);

    return cJSON_IsNumber(x) && x->valuedouble >= 0 && x->valuedouble <= hi ? x->valuedouble : NAN;
}

/* The number of a stage, a new one where it is not known yet. */
static int stage_of(lp_timeline *t, const char *name)
{
    int i = 0;

    while (i < t->n_stages && strcmp(t->stage[i], name)) i++;
    if (i == t->n_stages && i < LP_TIMELINE_STAGES) t->stage[t->n_stages++] = name;
    return i < LP_TIMELINE_STAGES ? i : LP_TIMELINE_OTHER;
}

/* Stages of several diameters overlap: they share the time that passed. */
static void take_parts(lp_timeline *t, lp_timeline_bar *b, double wall)
{
    const cJSON *x;
    double part[LP_TIMELINE_KINDS] = {0}, sum = 0, all = wall;
    int k;

    cJSON_ArrayForEach(x, cJSON_GetObjectItemCaseSensitive(b->it->record.json, "seconds"))
    {
        if (!cJSON_IsNumber(x) || !(x->valuedouble > 0 && x->valuedouble < 1e9)) continue;
        part[stage_of(t, x->string)] += x->valuedouble;
        sum += x->valuedouble;
    }
    if (sum > all) all = sum;
    part[b->it->record.error ? LP_TIMELINE_FAILED : LP_TIMELINE_OTHER] += all - sum;
    for (k = 0; k < LP_TIMELINE_KINDS; k++) b->part[k] = all > 0 ? (float)(part[k] / all) : 0;
}

static int by_worker(const void *a, const void *b)
{
    const lp_timeline_bar *x = a, *y = b;
    const lp_done_json *j = x->it->record.json, *k = y->it->record.json;
    double v = number(j, "worker", 1e6), w = number(k, "worker", 1e6);
    int c = strcmp(text(j, "shard"), text(k, "shard"));

    if (!c) c = strcmp(text(j, "process"), text(k, "process"));
    if (!c) c = (v > w) - (v < w);
    return c ? c : (x->begin > y->begin) - (x->begin < y->begin);
}

/* Bars are in order of workers. */
static lp_status find_lanes(lp_timeline *t, lp_err *err)
{
    int i;

    if (!(t->lane = malloc((size_t)t->n * sizeof *t->lane)))
        return lp_fail_mem(err, "timeline", t->n * (double)sizeof *t->lane);
    for (i = 0; i < t->n; i++) {
        const lp_done_json *j = t->bar[i].it->record.json;
        lp_timeline_lane new = {text(j, "process"), text(j, "shard"), 0, 0, i, 0};
        lp_timeline_lane *last = t->n_lanes ? &t->lane[t->n_lanes - 1] : NULL;
        double worker = number(j, "worker", 1e6);
        int same = last && !strcmp(last->process, new.process) && !strcmp(last->shard, new.shard);

        new.worker = worker > 0 ? (int)worker : 0;
        if (!same) t->n_tasks++;
        new.task = t->n_tasks - 1;
        if (!same || last->worker != new.worker) t->lane[t->n_lanes++] = new;
        t->bar[i].lane = t->n_lanes - 1;
        t->lane[t->n_lanes - 1].n++;
    }
    return LP_OK;
}

static int by_begin(const void *a, const void *b)
{
    const lp_timeline_bar *x = *(lp_timeline_bar *const *)a, *y = *(lp_timeline_bar *const *)b;

    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Shortens pauses, and makes the first image begin at 0. */
static lp_status shorten(lp_timeline *t, lp_err *err)
{
    lp_timeline_bar **s = malloc((size_t)t->n * sizeof(lp_timeline_bar *));
    double end = 0, work = 0, cut = 0;
    int i;

    t->pause = malloc((size_t)t->n * sizeof *t->pause);
    if (!s || !t->pause) {
        free(s);
        return lp_fail_mem(err, "timeline", t->n * 8.0);
    }
    for (i = 0; i < t->n; i++) s[i] = &t->bar[i];
    qsort(s, (size_t)t->n, sizeof *s, by_begin);
    t->began = end = s[0]->begin;
    for (i = 0; i < t->n; i++) { /* time with anybody at work */
        if (s[i]->end > end) work += s[i]->end - (s[i]->begin > end ? s[i]->begin : end);
        if (s[i]->end > end) end = s[i]->end;
    }
    end = t->began;
    for (i = 0; i < t->n; i++) {
        double gap = s[i]->begin - end, shown = PAUSE_SHOWN * work;

        if (s[i]->end > end) end = s[i]->end;
        if (gap > PAUSE && gap > PAUSE_SHARE * work) {
            cut += gap - shown;
            t->pause[t->n_pauses++] =
                (lp_timeline_pause){s[i]->begin - t->began - cut - shown / 2, gap};
        }
        s[i]->begin -= t->began + cut;
        s[i]->end -= t->began + cut;
        if (s[i]->end > t->span) t->span = s[i]->end;
    }
    free(s);
    return LP_OK;
}

lp_status lp_timeline_new(const lp_gather *g, lp_timeline *out, lp_err *err)
{
    lp_timeline t = {0};
    lp_status st = LP_OK;
    int i;

    if (g->n && !(t.bar = malloc((size_t)g->n * sizeof *t.bar)))
        return lp_fail_mem(err, "timeline", g->n * (double)sizeof *t.bar);
    for (i = 0; i < g->n; i++) {
        const lp_gathered *it = &g->item[i];
        double began = number(it->record.json, "began", 1e11);
        double wall = number(it->record.json, "wall_s", 1e9);

        t.failed += it->record.error != NULL;
        if (!(began + wall > 0)) {
            t.unknown += it->record.error == NULL;
            continue;
        }
        t.bar[t.n] = (lp_timeline_bar){.it = it, .begin = began, .end = began + wall};
        take_parts(&t, &t.bar[t.n++], wall);
    }
    if (t.n) {
        qsort(t.bar, (size_t)t.n, sizeof *t.bar, by_worker);
        if ((st = find_lanes(&t, err)) || (st = shorten(&t, err))) {
            lp_timeline_free(&t);
            return st;
        }
    }
    *out = t;
    return LP_OK;
}

void lp_timeline_free(lp_timeline *t)
{
    free(t->bar);
    free(t->lane);
    free(t->pause);
    memset(t, 0, sizeof *t);
}
