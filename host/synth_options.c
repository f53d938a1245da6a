#include "synth.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void lp_synth_defaults(lp_synth_options *o)
{
    *o = (lp_synth_options){
        .Ly = 1024,
        .Lx = 1024,
        .pixel_nm = 0.8,
        .diameter_min = 20.0,
        .diameter_max = 120.0,
        .density = 0.18,
        .crowding = 0.35,
        .shells = 0.35,
        .blebs = 0.2,
        .irregular = 1.0,
        .contamination = 0.4,
        .ice_gradient = 0.25,
        .ice_nm = 100.0,
        .contrast = 1.0,
        .dose = 20.0,
        .defocus_min = 2.0,
        .defocus_max = 3.5,
        .voltage_kv = 300.0,
        .cs_mm = 2.7,
        .amp_contrast = 0.1,
        .bfactor = 300.0,
    };
}

void lp_synth_easy(lp_synth_options *o)
{
    lp_synth_defaults(o);
    o->crowding = 0.0;
    o->contamination = 0.0;
    o->ice_gradient = 0.0;
    o->ice_nm = 10.0;
    o->contrast = 1.5;
    o->dose = 200.0;
}

/* One row per number: where it is kept and what it may be. */
typedef struct {
    const char *name;
    size_t offset;
    double lo, hi;
    const char *unit;
} field;

#define FIELD(name, lo, hi, unit)                                                                  \
    {                                                                                              \
#name, offsetof(lp_synth_options, name), lo, hi, unit                                      \
    }
static const field fields[] = {
    FIELD(pixel_nm, 0.05, 5.0, " nm"),
    FIELD(diameter_min, 0.0, 1e5, " nm"),
    FIELD(diameter_max, 0.0, 1e5, " nm"),
    FIELD(density, 0.0, 0.6, ""),
    FIELD(crowding, 0.0, 1.0, ""),
    FIELD(shells, 0.0, 1.0, ""),
    FIELD(blebs, 0.0, 1.0, ""),
    FIELD(irregular, 0.0, 3.0, ""),
    FIELD(protein, 0.0, 5.0, ""),
    FIELD(contamination, 0.0, 5.0, ""),
    FIELD(ice_gradient, 0.0, 1.5, ""),
    FIELD(ice_nm, 0.0, 1000.0, " nm"),
    FIELD(contrast, 0.0, 100.0, ""),
    FIELD(dose, 1e-3, 1e4, " electrons per square Angstrom"),
    FIELD(defocus_min, -20.0, 20.0, " um"),
    FIELD(defocus_max, -20.0, 20.0, " um"),
    FIELD(voltage_kv, 40.0, 1000.0, " kV"),
    FIELD(cs_mm, 0.0, 10.0, " mm"),
    FIELD(amp_contrast, 0.0, 0.5, ""),
    FIELD(bfactor, 0.0, 1e5, " square Angstrom"),
    FIELD(high_pass, 0.0, 1e4, " nm"),
};
enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static double get(const lp_synth_options *o, const field *f)
{
    double v;

    memcpy(&v, (const char *)o + f->offset, sizeof v);
    return v;
}

static void put(lp_synth_options *o, const field *f, double v)
{
    memcpy((char *)o + f->offset, &v, sizeof v);
}

static int same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b)) return 0;
    return *a == *b;
}

/* Reads a finite number up to `end`; 0 where there is none. */
static int number(const char *s, const char **end, double *v)
{
    char *e;

    if (*s != '-' && *s != '.' && (*s < '0' || *s > '9')) return 0;
    if (s[0] == '0' && s[1] == 'x') return 0; /* strtod would take the x of LyxLx for hex */
    *v = strtod(s, &e);
    *end = e;
    return e != s && isfinite(*v);
}

static lp_status set_size(lp_synth_options *o, const char *value, lp_err *err)
{
    const char *end;
    double ly, lx;

    if (!number(value, &end, &ly)) goto bad;
    lx = ly;
    if (*end == 'x' && !number(end + 1, &end, &lx)) goto bad;
    if (*end || ly != floor(ly) || lx != floor(lx) || ly < 16 || lx < 16 || ly > LP_MAX_SIDE ||
        lx > LP_MAX_SIDE)
        goto bad;
    o->Ly = (int)ly;
    o->Lx = (int)lx;
    return LP_OK;
bad:
    return lp_fail(err, LP_EARG,
                   "--size %s: give whole numbers LyxLx from 16 to %d, e.g. 1024x1024", value,
                   LP_MAX_SIDE);
}

lp_status lp_synth_set(lp_synth_options *o, const char *name, const char *value, lp_err *err)
{
    const char *end;
    double v, w;
    int k;

    if (same_name(name, "size")) return set_size(o, value, err);
    if (same_name(name, "defocus")) {
        if (!number(value, &end, &v)) goto bad;
        w = v;
        if (*end == ':' && !number(end + 1, &end, &w)) goto bad;
        if (*end) goto bad;
        o->defocus_min = v;
        o->defocus_max = w;
        return LP_OK;
    }
    for (k = 0; k < N_FIELDS; k++) {
        if (!same_name(name, fields[k].name)) continue;
        if (!number(value, &end, &v)) goto bad;
        if (*end) goto bad;
        if (!(v >= fields[k].lo && v <= fields[k].hi))
            return lp_fail(err, LP_EARG, "--%s %s: give a number from %g to %g%s", name, value,
                           fields[k].lo, fields[k].hi, fields[k].unit);
        put(o, fields + k, v);
        return LP_OK;
    }
    return LP_EMISSING;
bad:
    return lp_fail(err, LP_EARG, "--%s %s: not a number%s", name, value,
                   same_name(name, "defocus") ? " or a range MIN:MAX, in um" : "");
}

lp_status lp_synth_check(const lp_synth_options *o, lp_err *err)
{
    int k;

    if (o->Ly < 16 || o->Lx < 16 || o->Ly > LP_MAX_SIDE || o->Lx > LP_MAX_SIDE ||
        (int64_t)o->Ly * o->Lx > LP_SYNTH_MAX_PIXELS)
        return lp_fail(err, LP_EARG,
                       "--size %dx%d: sides of 16 to %d and at most %lld pixels are supported",
                       o->Ly, o->Lx, LP_MAX_SIDE, (long long)LP_SYNTH_MAX_PIXELS);
    for (k = 0; k < N_FIELDS; k++) {
        double v = get(o, fields + k);

        if (!(v >= fields[k].lo && v <= fields[k].hi))
            return lp_fail(err, LP_EARG, "--%s %g: give a number from %g to %g%s", fields[k].name,
                           v, fields[k].lo, fields[k].hi, fields[k].unit);
    }
    if (o->diameter_min > o->diameter_max)
        return lp_fail(err, LP_EARG, "--diameter_min %g is above --diameter_max %g",
                       o->diameter_min, o->diameter_max);
    if (o->diameter_min / o->pixel_nm < 4.0 || o->diameter_max / o->pixel_nm > 8192.0)
        return lp_fail(err, LP_EARG,
                       "--diameter_min %g and --diameter_max %g nm are %.3g and %.3g px at %g nm "
                       "per pixel: 4 to 8192 px are supported",
                       o->diameter_min, o->diameter_max, o->diameter_min / o->pixel_nm,
                       o->diameter_max / o->pixel_nm, o->pixel_nm);
    if (o->defocus_min > o->defocus_max)
        return lp_fail(err, LP_EARG, "--defocus %g:%g: the first value is above the second",
                       o->defocus_min, o->defocus_max);
    return LP_OK;
}
