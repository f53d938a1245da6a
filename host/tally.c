#include "tally.h"

#include <cjson/cJSON.h>
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

void lp_tally_free(lp_tally *t)
{
    free(t->diameters);
    memset(t, 0, sizeof *t);
}

/* The stage that took most, -1 without any; *share of all that was measured. */
static int slowest(const lp_tally *t, double *share)
{
    double sum = 0;
    int i, k = -1;

    for (i = 0; i < t->n_stages; i++) {
        sum += t->stage[i];
        if (k < 0 || t->stage[i] > t->stage[k]) k = i;
    }
    *share = sum > 0 ? t->stage[k] / sum : 0;
    return sum > 0 ? k : -1;
}

static void rates(const lp_tally *t, double seconds, FILE *to)
{
    double share, s = seconds > 1e-6 ? seconds : 1e-6, peak = lp_json_peak_mib();
    int k = slowest(t, &share);

    fprintf(to, "%.3g images/s, %.3g megapixels/s", t->done / s, (double)t->pixels / 1e6 / s);
    if (k >= 0) fprintf(to, "; slowest stage: %s, %.0f %%", t->stage_name[k], 100 * share);
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

    cJSON_AddItemToObject(o, key, cJSON_CreateRaw(lp_number_format(buf, v, digits)));
}

lp_status lp_tally_json(const lp_tally *t, double seconds, int signal, char **line, lp_err *err)
{
    cJSON *j = cJSON_CreateObject(), *o = cJSON_AddObjectToObject(j, "summary"), *stages;
    double share, s = seconds > 1e-6 ? seconds : 1e-6;
    int i, k = slowest(t, &share);
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
    put(o, "peak_mib", lp_json_peak_mib(), 6);
    stages = cJSON_AddObjectToObject(o, "seconds");
    for (i = 0; i < t->n_stages; i++) put(stages, t->stage_name[i], t->stage[i], 6);
    out = cJSON_PrintUnformatted(j);
    cJSON_Delete(j);
    if (!out) return lp_fail_mem(err, "summary", 1000);
    *line = out;
    return LP_OK;
}
