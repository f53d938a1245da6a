#include "settings.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "merge_text.h"
#include "number.h"
#include "read_text.h"

#define FORMAT "lipopose-settings"
#define VERSION 1
#define MAX_BYTES (1 << 20)

typedef enum { INT, FLAG, DOUBLE, MAYBE } kind; /* MAYBE: a number or null, which is NaN */

typedef struct {
    const char *key;
    kind kind;
    size_t at; /* in lp_settings */
    double lo, hi;
} field;

#define S(x) offsetof(lp_settings, segment.x)
static const field segment[] = {{"chan", INT, S(chan), -1, LP_MAX_CHANNELS},
                                {"chan2", INT, S(chan2), 0, LP_MAX_CHANNELS},
                                {"normalize", FLAG, S(normalize), 0, 1},
                                {"norm_percentile_low", DOUBLE, S(norm_percentile[0]), 0, 100},
                                {"norm_percentile_high", DOUBLE, S(norm_percentile[1]), 0, 100},
                                {"use_lowhigh", FLAG, S(use_lowhigh), 0, 1},
                                {"low", DOUBLE, S(lowhigh[0]), -1e38, 1e38},
                                {"high", DOUBLE, S(lowhigh[1]), -1e38, 1e38},
                                {"invert", FLAG, S(invert), 0, 1},
                                {"tile_norm_blocksize", INT, S(tile_norm_blocksize), 0, 1e6},
                                {"sharpen_radius", DOUBLE, S(sharpen_radius), 0, 1e6},
                                {"smooth_radius", DOUBLE, S(smooth_radius), 0, 1e6},
                                {"bsize", INT, S(bsize), 0, 1e6},
                                {"tile_overlap", DOUBLE, S(tile_overlap), 0, 1},
                                {"augment", FLAG, S(augment), 0, 1},
                                {"resample", FLAG, S(resample), 0, 1},
                                {"interp", FLAG, S(interp), 0, 1},
                                {"niter", INT, S(niter), 0, 1e9},
                                {"flow_threshold", DOUBLE, S(flow_threshold), -1e9, 1e9},
                                {"cellprob_threshold", DOUBLE, S(cellprob_threshold), -1e9, 1e9},
                                {"max_size_fraction", DOUBLE, S(max_size_fraction), -1e9, 1e9},
                                {"min_size", INT, S(min_size), -2147483647.0, 2147483647.0},
                                {"exclude_on_edges", FLAG, S(exclude_on_edges), 0, 1},
                                {"compat_cellpose3", FLAG, S(compat_cellpose3), 0, 1}};
#undef S
#define C(x) offsetof(lp_settings, calibration.x)
static const field calibration[] = {{"images", DOUBLE, C(images), 0, 1e15},
                                    {"true_particles", DOUBLE, C(n_true), 0, 1e15},
                                    {"predicted_particles", DOUBLE, C(n_pred), 0, 1e15},
                                    {"precision", DOUBLE, C(precision), 0, 1},
                                    {"recall", DOUBLE, C(recall), 0, 1},
                                    {"f1", DOUBLE, C(f1), 0, 1},
                                    {"left_out_precision", MAYBE, C(left_out_precision), 0, 1},
                                    {"left_out_recall", MAYBE, C(left_out_recall), 0, 1},
                                    {"left_out_f1", MAYBE, C(left_out_f1), 0, 1},
                                    {"lowest_threshold", MAYBE, C(lowest_threshold), 0, 1e9},
                                    {"highest_threshold", MAYBE, C(highest_threshold), 0, 1e9}};
#undef C
enum {
    N_SEGMENT = sizeof segment / sizeof *segment,
    N_CALIBRATION = sizeof calibration / sizeof *calibration
};

static const char *const precisions[] = {"auto", "fp32", "bf16"}; /* by lp_precision */

static double get(const lp_settings *s, const field *f)
{
    const char *p = (const char *)s + f->at;

    return f->kind == INT || f->kind == FLAG ? *(const int *)p : *(const double *)p;
}

static void set(lp_settings *s, const field *f, double v)
{
    char *p = (char *)s + f->at;

    if (f->kind == INT || f->kind == FLAG)
        *(int *)p = (int)v;
    else
        *(double *)p = v;
}

/* The only item of that key, or NULL with a message. */
static const cJSON *item(const cJSON *in, const char *where, const char *key, lp_err *err)
{
    const cJSON *x, *found = NULL;

    cJSON_ArrayForEach(x, in)
    {
        if (!x->string || strcmp(x->string, key)) continue;
        if (found) {
            lp_fail(err, LP_EFORMAT, "key %s%s is there twice", where, key);
            return NULL;
        }
        found = x;
    }
    if (!found) lp_fail(err, LP_EFORMAT, "key %s%s is missing", where, key);
    return found;
}

/* Every key of `in` must be among key [n] or f [nf]. */
static lp_status only(const cJSON *in, const char *where, const char *const *key, int n,
                      const field *f, int nf, lp_err *err)
{
    const cJSON *x;

    cJSON_ArrayForEach(x, in)
    {
        int i, known = 0;

        for (i = 0; i < n; i++) known |= !strcmp(x->string, key[i]);
        for (i = 0; i < nf; i++) known |= !strcmp(x->string, f[i].key);
        if (!known)
            return lp_fail(err, LP_EFORMAT,
                           "key %s%.60s is unknown: a typing error, or settings "
                           "of a newer lipopose",
                           where, x->string);
    }
    return LP_OK;
}

static lp_status object(const cJSON *in, const char *key, const cJSON **out, lp_err *err)
{
    if (!(*out = item(in, "", key, err))) return LP_EFORMAT;
    if (!cJSON_IsObject(*out)) return lp_fail(err, LP_EFORMAT, "key %s: must be an object", key);
    return LP_OK;
}

static lp_status text(const cJSON *in, const char *where, const char *key, const char **out,
                      lp_err *err)
{
    const cJSON *x = item(in, where, key, err);

    if (!x) return LP_EFORMAT;
    if (!cJSON_IsString(x)) return lp_fail(err, LP_EFORMAT, "key %s%s: must be text", where, key);
    *out = x->valuestring;
    return LP_OK;
}

static lp_status number(const cJSON *in, const char *where, const char *key, double lo, double hi,
                        double *out, lp_err *err)
{
    const cJSON *x = item(in, where, key, err);

    if (!x) return LP_EFORMAT;
    if (!cJSON_IsNumber(x) || !(x->valuedouble >= lo && x->valuedouble <= hi))
        return lp_fail(err, LP_EFORMAT, "key %s%s: must be a number from %g to %g", where, key, lo,
                       hi);
    *out = x->valuedouble;
    return LP_OK;
}

static lp_status fields(const cJSON *in, const char *where, const field *f, int n, lp_settings *s,
                        lp_err *err)
{
    int i;

    for (i = 0; i < n; i++) {
        const cJSON *x = item(in, where, f[i].key, err);
        double v = NAN;
        lp_status st;

        if (!x) return LP_EFORMAT;
        if (f[i].kind == FLAG) {
            if (!cJSON_IsBool(x))
                return lp_fail(err, LP_EFORMAT, "key %s%s: must be true or false", where, f[i].key);
            v = cJSON_IsTrue(x);
        } else if (f[i].kind != MAYBE || !cJSON_IsNull(x)) {
            if ((st = number(in, where, f[i].key, f[i].lo, f[i].hi, &v, err))) return st;
            if (f[i].kind == INT && v != floor(v))
                return lp_fail(err, LP_EFORMAT, "key %s%s: must be a whole number", where,
                               f[i].key);
        }
        set(s, &f[i], v);
    }
    return LP_OK;
}

/* Numbers from lo (0: also lo itself) to hi, rising (sign 1) or falling (-1). */
static lp_status numbers(const cJSON *in, const char *where, const char *key, double lo, double hi,
                         int sign, double *v, int max, int *n, lp_err *err)
{
    const cJSON *list = item(in, where, key, err), *x;
    int k = 0;

    if (!list) return LP_EFORMAT;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > max)
        return lp_fail(err, LP_EFORMAT, "key %s%s: must be a list of at most %d numbers", where,
                       key, max);
    cJSON_ArrayForEach(x, list)
    {
        if (!cJSON_IsNumber(x) || !(x->valuedouble >= lo && x->valuedouble <= hi) ||
            (k && !(sign * (x->valuedouble - v[k - 1]) > 0)))
            return lp_fail(err, LP_EFORMAT, "key %s%s: must be %s numbers from %g to %g", where,
                           key, sign > 0 ? "rising" : "falling", lo, hi);
        v[k++] = x->valuedouble;
    }
    *n = k;
    return LP_OK;
}

static lp_status parse_model(const cJSON *j, lp_settings *s, lp_err *err)
{
    static const char *const keys[] = {"name", "sha256"};
    const cJSON *in, *name;
    const char *sha;
    lp_status st;

    if ((st = object(j, "model", &in, err)) || (st = only(in, "model.", keys, 2, NULL, 0, err)))
        return st;
    if (!(name = item(in, "model.", "name", err))) return LP_EFORMAT;
    if (!cJSON_IsNull(name) && (!cJSON_IsString(name) || !*name->valuestring))
        return lp_fail(err, LP_EFORMAT,
                       "key model.name: must be text, or null for the bundled one");
    if ((st = text(in, "model.", "sha256", &sha, err))) return st;
    if (strlen(sha) != 64 || strspn(sha, "0123456789abcdef") != 64)
        return lp_fail(err, LP_EFORMAT, "key model.sha256: must be 64 hexadecimal digits");
    strcpy(s->model_sha256, sha);
    if (cJSON_IsString(name) && !(s->model = strdup(name->valuestring)))
        return lp_fail_mem(err, "settings", 0);
    return LP_OK;
}

static lp_status parse_merge(const cJSON *j, lp_settings *s, lp_err *err)
{
    static const char *const keys[] = {"method", "threshold", "levels"};
    const char *method;
    const cJSON *in;
    lp_status st;

    s->merge = lp_merge_defaults();
    if ((st = object(j, "merge", &in, err)) || (st = only(in, "merge.", keys, 3, NULL, 0, err)))
        return st;
    if ((st = text(in, "merge.", "method", &method, err))) return st;
    if (lp_merge_text_parse(method, NULL, 0, 0, &s->merge, NULL))
        return lp_fail(err, LP_EFORMAT, "key merge.method: must be scale, votes or affinity");
    if ((st = number(in, "merge.", "threshold", 0, 1e9, &s->merge.threshold, err))) return st;
    return numbers(in, "merge.", "levels", 0, 1e9, -1, s->merge.levels, LP_MERGE_MAX_LEVELS,
                   &s->merge.n_levels, err);
}

static lp_status parse_segment(const cJSON *j, lp_settings *s, lp_err *err)
{
    static const char *const keys[] = {"precision"};
    const char *precision;
    const cJSON *in;
    lp_status st;
    int k;

    s->segment = lp_segment_defaults();
    if ((st = object(j, "segment", &in, err)) ||
        (st = only(in, "segment.", keys, 1, segment, N_SEGMENT, err)) ||
        (st = fields(in, "segment.", segment, N_SEGMENT, s, err)) ||
        (st = text(in, "segment.", "precision", &precision, err)))
        return st;
    for (k = 0; k < 3 && strcmp(precision, precisions[k]); k++) {
    }
    if (k == 3)
        return lp_fail(err, LP_EFORMAT, "key segment.precision: must be auto, fp32 or bf16");
    s->precision = (lp_precision)k;
    return LP_OK;
}

static lp_status parse_calibration(const cJSON *j, lp_settings *s, lp_err *err)
{
    static const char *const keys[] = {"target"};
    const char *target;
    const cJSON *in;
    lp_status st;

    if (!cJSON_GetObjectItemCaseSensitive(j, "calibration")) return LP_OK;
    if ((st = object(j, "calibration", &in, err)) ||
        (st = only(in, "calibration.", keys, 1, calibration, N_CALIBRATION, err)) ||
        (st = fields(in, "calibration.", calibration, N_CALIBRATION, s, err)) ||
        (st = text(in, "calibration.", "target", &target, err)))
        return st;
    if (!*target || strlen(target) >= sizeof s->calibration.target)
        return lp_fail(err, LP_EFORMAT, "key calibration.target: must be 1 to 31 characters");
    strcpy(s->calibration.target, target);
    return LP_OK;
}

static lp_status parse_diameters(const cJSON *j, lp_settings *s, lp_err *err)
{
    const cJSON *x = item(j, "", "diameters", err);
    lp_status st;

    if (!x) return LP_EFORMAT;
    if (cJSON_IsString(x) && !strcmp(x->valuestring, "auto")) return LP_OK;
    if ((st = numbers(j, "", "diameters", 1e-6, 1e6, 1, s->diameter, LP_MAX_DIAMETERS,
                      &s->n_diameters, err)))
        return st;
    if (!s->n_diameters) return lp_fail(err, LP_EFORMAT, "key diameters: is empty");
    return LP_OK;
}

static lp_status parse(const cJSON *j, lp_settings *s, lp_err *err)
{
    static const char *const keys[] = {"format",    "version", "program", "model",
                                       "diameters", "merge",   "segment", "calibration"};
    const char *format, *program;
    double version;
    lp_status st;

    if (!cJSON_IsObject(j)) return lp_fail(err, LP_EFORMAT, "not a JSON object");
    if ((st = text(j, "", "format", &format, err))) return st;
    if (strcmp(format, FORMAT)) return lp_fail(err, LP_EFORMAT, "not settings of lipopose");
    if ((st = number(j, "", "version", 0, 1e9, &version, err))) return st;
    if (version != VERSION)
        return lp_fail(err, LP_EFORMAT,
                       "settings of version %g, this lipopose reads %d: calibrate "
                       "again, or use the lipopose that wrote them",
                       version, VERSION);
    if ((st = text(j, "", "program", &program, err))) return st;
    if ((st = only(j, "", keys, 8, NULL, 0, err))) return st;
    if ((st = parse_model(j, s, err))) return st;
    if ((st = parse_diameters(j, s, err))) return st;
    if ((st = parse_merge(j, s, err))) return st;
    if ((st = parse_segment(j, s, err))) return st;
    return parse_calibration(j, s, err);
}

lp_status lp_settings_parse(const char *bytes, size_t n, lp_settings *out, lp_err *err)
{
    lp_settings s = {0};
    cJSON *j = NULL;
    char *copy;
    lp_status st;

    if (n > MAX_BYTES) return lp_fail(err, LP_EFORMAT, "too large for settings");
    if (memchr(bytes, 0, n)) return lp_fail(err, LP_EFORMAT, "not JSON");
    if (!(copy = malloc(n + 1))) return lp_fail_mem(err, "settings", (double)n);
    memcpy(copy, bytes, n);
    copy[n] = 0;
    j = cJSON_ParseWithOpts(copy, NULL, 1);
    st = j ? parse(j, &s, err) : lp_fail(err, LP_EFORMAT, "not JSON");
    cJSON_Delete(j);
    free(copy);
    if (st) {
        lp_settings_free(&s);
        return st;
    }
    *out = s;
    return LP_OK;
}

lp_status lp_settings_read(const char *path, lp_settings *out, lp_err *err)
{
    char *bytes = NULL;
    size_t n = 0;
    lp_err why;
    lp_status st = lp_read_text(path, MAX_BYTES, &bytes, &n, err);

    if (st) return st;
    if ((st = lp_settings_parse(bytes, n, out, &why)))
        st = lp_fail(err, st, "%.500s: %.400s", path, why.msg);
    free(bytes);
    return st;
}

/* Exactly, unlike cJSON's own numbers, with as few digits as that takes; NaN is null. */
static cJSON *exact(double v)
{
    char buf[LP_NUMBER_MAX];
    return isfinite(v) ? cJSON_CreateRaw(lp_number_exact(buf, v)) : cJSON_CreateNull();
}

static cJSON *exact_list(const double *v, int n)
{
    cJSON *j = cJSON_CreateArray();
    int i;

    for (i = 0; i < n; i++) cJSON_AddItemToArray(j, exact(v[i]));
    return j;
}

static void put_fields(cJSON *j, const field *f, int n, const lp_settings *s)
{
    int i;

    for (i = 0; i < n; i++) {
        if (f[i].kind == FLAG)
            cJSON_AddBoolToObject(j, f[i].key, get(s, &f[i]) != 0);
        else
            cJSON_AddItemToObject(j, f[i].key, exact(get(s, &f[i])));
    }
}

lp_status lp_settings_format(const lp_settings *s, char **text_, lp_err *err)
{
    cJSON *j = cJSON_CreateObject(), *in;
    char *out, *line = NULL;

    cJSON_AddStringToObject(j, "format", FORMAT);
    cJSON_AddNumberToObject(j, "version", VERSION);
    cJSON_AddStringToObject(j, "program", lp_version());
    in = cJSON_AddObjectToObject(j, "model");
    if (s->model)
        cJSON_AddStringToObject(in, "name", s->model);
    else
        cJSON_AddNullToObject(in, "name");
    cJSON_AddStringToObject(in, "sha256", s->model_sha256);
    if (s->n_diameters)
        cJSON_AddItemToObject(j, "diameters", exact_list(s->diameter, s->n_diameters));
    else
        cJSON_AddStringToObject(j, "diameters", "auto");
    in = cJSON_AddObjectToObject(j, "merge");
    cJSON_AddStringToObject(in, "method", lp_merge_text_name(s->merge.method));
    cJSON_AddItemToObject(in, "threshold", exact(s->merge.threshold));
    cJSON_AddItemToObject(in, "levels", exact_list(s->merge.levels, s->merge.n_levels));
    in = cJSON_AddObjectToObject(j, "segment");
    put_fields(in, segment, N_SEGMENT, s);
    cJSON_AddStringToObject(in, "precision", precisions[s->precision]);
    if (*s->calibration.target) {
        in = cJSON_AddObjectToObject(j, "calibration");
        cJSON_AddStringToObject(in, "target", s->calibration.target);
        put_fields(in, calibration, N_CALIBRATION, s);
    }
    out = cJSON_Print(j);
    cJSON_Delete(j);
    if (!out || !(line = realloc(out, strlen(out) + 2))) {
        free(out);
        return lp_fail_mem(err, "settings", 1e4);
    }
    strcat(line, "\n");
    *text_ = line;
    return LP_OK;
}

lp_status lp_settings_write(const char *path, const lp_settings *s, lp_err *err)
{
    char *out = NULL;
    lp_status st = lp_settings_format(s, &out, err);

    if (!st) st = lp_atomic_write_file(path, out, strlen(out), err);
    free(out);
    return st;
}

void lp_settings_free(lp_settings *s)
{
    if (!s) return;
    free(s->model);
    memset(s, 0, sizeof *s);
}

static void name(char *buf, const char *what)
{
    size_t n = strlen(buf);

    snprintf(buf + n, 200 - n, "%s%s", n ? ", " : "", what);
}

const char *lp_settings_differences(const lp_settings *a, const lp_settings *b, char *buf)
{
    int i;

    *buf = 0;
    if (a->n_diameters != b->n_diameters ||
        memcmp(a->diameter, b->diameter, (size_t)a->n_diameters * sizeof *a->diameter))
        name(buf, "diameters");
    if (a->merge.method != b->merge.method) name(buf, "merge");
    if (a->merge.n_levels != b->merge.n_levels ||
        memcmp(a->merge.levels, b->merge.levels,
               (size_t)a->merge.n_levels * sizeof *a->merge.levels))
        name(buf, "levels");
    for (i = 0; i < N_SEGMENT; i++)
        if (get(a, &segment[i]) != get(b, &segment[i])) name(buf, segment[i].key);
    if (a->precision != b->precision) name(buf, "precision");
    return buf;
}

lp_status lp_settings_merge(const lp_settings *s, const char *method, const char *levels,
                            int has_threshold, double threshold, lp_merge_options *o, lp_err *err)
{
    lp_merge_options m = s ? s->merge : lp_merge_defaults();
    lp_status st = lp_merge_text_parse(method, levels, has_threshold, threshold, &m, err);

    if (st) return st;
    if (s && m.method != s->merge.method) {
        if (!has_threshold) m.threshold = NAN;
        if (!levels) m.n_levels = 0;
    }
    if (s && !has_threshold &&
        (st = lp_merge_text_check("settings: threshold", m.method, m.threshold, err)))
        return st;
    *o = m;
    return LP_OK;
}
