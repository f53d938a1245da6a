#include "tally.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "sort.h"

void lp_tally_add(lp_tally *t, const lp_results *res)
{
    int64_t i;

    t->done++;
    t->empty += res->n == 0;
    t->doubtful += lp_results_doubtful(res);
    t->particles += res->n;
    t->pixels += (int64_t)res->Ly * res->Lx;
    t->n_stages = res->n_stages;
    for (i = 0; i < res->n_stages; i++) {
        t->stage_name[i] = res->stage[i].name;
        t->stage[i] += res->stage[i].seconds;
    }
    if (t->n_diameters + res->n > t->room) {
        int64_t room = (t->n_diameters + res->n) * 2;
        double *d = realloc(t->diameters, (size_t)room * sizeof *d);

        if (d) {
            t->diameters = d;
            t->room = room;
        }
    }
    for (i = 0; i < res->n && t->n_diameters < t->room; i++)
        t->diameters[t->n_diameters++] = res->particle[i].diameter;
}

/* Which of the failed ones is base; t->failed: none. */
static int failed_one(const lp_tally *t, const char *base)
{
    int i = 0;

    while (i < t->failed && (!t->failed_base[i] || strcmp(t->failed_base[i], base))) i++;
    return i;
}

void lp_tally_fail(lp_tally *t, const char *base)
{
    char **more;

    if (failed_one(t, base) < t->failed) return;
    more = realloc(t->failed_base, (size_t)(t->failed + 1) * sizeof *more);
    if (!more) return;
    t->failed_base = more;
    more[t->failed++] = strdup(base);
}

void lp_tally_mend(lp_tally *t, const char *base)
{
    int i = failed_one(t, base);

    if (i == t->failed) return;
    free(t->failed_base[i]);
    t->failed_base[i] = t->failed_base[--t->failed];
}

void lp_tally_free(lp_tally *t)
{
    int i;

    for (i = 0; i < t->failed; i++) free(t->failed_base[i]);
    free(t->failed_base);
    free(t->diameters);
    memset(t, 0, sizeof *t);
}

int lp_tally_busiest(const lp_tally *t, double *seconds)
{
    int i, k = -1;

    *seconds = 0;
    for (i = 0; i < t->n_stages; i++) {
        int gpus = t->n_devices && !strcmp(t->stage_name[i], lp_stage_names[LP_T_NET]);
        int side = gpus ? t->n_devices : t->side;
        double s = t->stage[i] / (side > 0 ? side : 1);

        if (s > *seconds) {
            *seconds = s;
            k = i;
        }
    }
    return k;
}

static void rates(const lp_tally *t, double seconds, FILE *to)
{
    double busiest, s = seconds > 1e-6 ? seconds : 1e-6, peak = lp_json_peak_mib();
    int k = lp_tally_busiest(t, &busiest), i;

    fprintf(to, "%.3g images/s, %.3g megapixels/s", t->done / s, (double)t->pixels / 1e6 / s);
    if (k >= 0)
        fprintf(to, "; busiest stage: %s, %.0f %% of the time", t->stage_name[k],
                100 * busiest / s);
    for (i = 0; i < t->n_devices; i++)
        fprintf(to, "; GPU %d: %.0f %%", t->device[i].gpu, 100 * t->device[i].busy / s);
    if (t->cpu >= 0) fprintf(to, "; CPUs: %.0f %%", 100 * t->cpu);
    if (peak > 0) fprintf(to, "; peak memory %.0f MiB", peak);
    fputc('\n', to);
}

void lp_tally_print(lp_tally *t, const lp_run_options *o, double seconds, FILE *to)
{
    int many = o->n_diameters || o->auto_diameters;

    fprintf(to, "%d image%s: %lld particle%s", t->done, t->done == 1 ? "" : "s",
            (long long)t->particles, t->particles == 1 ? "" : "s");
    if (t->n_diameters) {
        qsort(t->diameters, (size_t)t->n_diameters, sizeof *t->diameters, lp_by_double);
        fprintf(to, ", median diameter %.1f px", t->diameters[t->n_diameters / 2]);
    }
    fprintf(to, ", %.1f s", seconds);
    if (t->failed) fprintf(to, "; %d failed", t->failed);
    if (t->skipped) fprintf(to, "; %d done before (--overwrite does them again)", t->skipped);
    if (t->done)
        fprintf(to, "; results: %s%s*_cp_masks.tif, *_particles.csv%s",
                o->savedir ? o->savedir : "beside the images: ", o->savedir ? "/" : "",
                o->save_overlay ? ", *_overlay.png" : "");
    fputc('\n', to);
    if (t->done > 1) rates(t, seconds, to);
    if (t->empty) {
        fprintf(to, "nothing found in %d of %d: ", t->empty, t->done);
        if (!many && o->segment.diameter > 0)
            fprintf(to, "is --diameter %g right? Try --diameters auto, ", o->segment.diameter);
        fprintf(to, "--cellprob_threshold -2, or a model for this kind of image\n");
    }
    if (t->doubtful)
        fprintf(
            to,
            "%d of %d may hold noise instead of particles (median flow error above %g): look at "
            "the overlay; a higher threshold or a model for this kind of image may help\n",
            t->doubtful, t->done, LP_RESULTS_NOISE);
    fflush(to);
}

static void put(cJSON *o, const char *key, double v, int digits)
{
    char buf[LP_NUMBER_MAX];

    cJSON_AddItemToObject(o, key,
                          isfinite(v) ? cJSON_CreateRaw(lp_number_format(buf, v, digits))
                                      : cJSON_CreateNull());
}

lp_status lp_tally_json(const lp_tally *t, double seconds, int signal, char **line, lp_err *err)
{
    cJSON *j = cJSON_CreateObject(), *o = cJSON_AddObjectToObject(j, "summary"), *stages, *devices;
    double busiest, s = seconds > 1e-6 ? seconds : 1e-6;
    int i, k = lp_tally_busiest(t, &busiest);
    char *out;

    put(o, "images", t->done, 17);
    put(o, "skipped", t->skipped, 17);
    put(o, "failed", t->failed, 17);
    put(o, "signal", signal, 17);
    put(o, "particles", (double)t->particles, 17);
    put(o, "megapixels", (double)t->pixels / 1e6, 9);
    put(o, "wall_s", seconds, 6);
    put(o, "images_per_s", t->done / s, 6);
    put(o, "megapixels_per_s", (double)t->pixels / 1e6 / s, 6);
    if (k >= 0)
        cJSON_AddStringToObject(o, "slowest_stage", t->stage_name[k]);
    else
        cJSON_AddNullToObject(o, "slowest_stage");
    put(o, "wall_to_slowest", k >= 0 ? seconds / busiest : NAN, 6);
    put(o, "images_at_a_time", t->side, 17);
    put(o, "cpu_share", t->cpu, 6);
    devices = cJSON_AddArrayToObject(o, "devices");
    for (i = 0; i < t->n_devices; i++) {
        cJSON *d = cJSON_CreateObject();

        put(d, "gpu", t->device[i].gpu, 17);
        put(d, "network_s", t->device[i].network, 6);
        put(d, "busy_s", t->device[i].busy, 6);
        put(d, "busy_share", t->device[i].busy / s, 6);
        put(d, "batches", (double)t->device[i].batches, 17);
        put(d, "tiles", (double)t->device[i].tiles, 17);
        cJSON_AddItemToArray(devices, d);
    }
    put(o, "peak_mib", lp_json_peak_mib(), 6);
    stages = cJSON_AddObjectToObject(o, "seconds");
    for (i = 0; i < t->n_stages; i++) put(stages, t->stage_name[i], t->stage[i], 6);
    out = cJSON_PrintUnformatted(j);
    cJSON_Delete(j);
    if (!out) return lp_fail_mem(err, "summary", 1000);
    *line = out;
    return LP_OK;
}
