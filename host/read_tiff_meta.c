#include "read_tiff_meta.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double lp_tiff_unit_nm(const char *name, int n)
{
    /* Micro is a sign of its own (U+00B5), the Greek letter (U+03BC), or, in ImageJ, an escape. */
    static const struct {
        const char *name;
        double nm;
    } units[] = {
        {"pm", 1e-3},        {"A", .1},           {"\xc3\x85", .1},
        {"A\xcc\x8a", .1},   {"\xc5", .1},        {"\xe2\x84\xab", .1},
        {"\\u00C5", .1},     {"\\u212B", .1},     {"angstrom", .1},
        {"angstroms", .1},   {"Angstrom", .1},    {"Angstroms", .1},
        {"nm", 1},           {"nanometer", 1},    {"nanometers", 1},
        {"nanometre", 1},    {"um", 1e3},         {"\xc2\xb5m", 1e3},
        {"\xce\xbcm", 1e3},  {"\xb5m", 1e3},      {"\\u00B5m", 1e3},
        {"\\u00b5m", 1e3},   {"\\u03BCm", 1e3},   {"micron", 1e3},
        {"microns", 1e3},    {"micrometer", 1e3}, {"micrometers", 1e3},
        {"micrometre", 1e3}, {"mm", 1e6},         {"cm", 1e7},
        {"m", 1e9},          {"inch", 2.54e7},    {"in", 2.54e7},
    };
    size_t i;

    for (i = 0; i < sizeof units / sizeof *units; i++)
        if ((int)strlen(units[i].name) == n && !memcmp(units[i].name, name, (size_t)n))
            return units[i].nm;
    return 0;
}

static double combine(double x, double y)
{
    int x_ok = x >= 1e-3 && x <= 1e4, y_ok = y >= 1e-3 && y <= 1e4;

    if (x_ok && y_ok) return fabs(x - y) > 0.01 * x ? 0 : x;
    return x_ok ? x : y_ok ? y : 0;
}

/* The value of name="..." between p and end; *n its length. NULL where it is not there. */
static const char *attribute(const char *p, const char *end, const char *name, int *n)
{
    size_t len = strlen(name);
    const char *q;

    for (; (p = memchr(p, name[0], (size_t)(end - p))); p++) {
        if ((size_t)(end - p) < len + 2) return NULL;
        if (memcmp(p, name, len) || p[len] != '=' ||
            (p[-1] != ' ' && p[-1] != '\n' && p[-1] != '\t'))
            continue;
        if (p[len + 1] != '"' && p[len + 1] != '\'') continue;
        q = memchr(p + len + 2, p[len + 1], (size_t)(end - p) - len - 2);
        if (!q) return NULL;
        *n = (int)(q - (p + len + 2));
        return p + len + 2;
    }
    return NULL;
}

static double ome_axis(const char *p, const char *end, const char *size, const char *unit)
{
    int n = 0, un = 0;
    const char *v = attribute(p, end, size, &n), *u = attribute(p, end, unit, &un);
    char digits[64];

    if (!v || n < 1 || n >= (int)sizeof digits) return 0;
    memcpy(digits, v, (size_t)n);
    digits[n] = 0;
    return strtod(digits, NULL) * (u ? lp_tiff_unit_nm(u, un) : 1e3);
}

/* The first Pixels element; OME's default unit is the micrometre. */
static double ome(const char *text)
{
    const char *p = strstr(text, "<Pixels"), *end;

    if (!p) p = strstr(text, ":Pixels");
    if (!p || !(end = strchr(p, '>'))) return 0;
    return combine(ome_axis(p, end, "PhysicalSizeX", "PhysicalSizeXUnit"),
                   ome_axis(p, end, "PhysicalSizeY", "PhysicalSizeYUnit"));
}

/* The value of a "name=value" line. */
static const char *line_value(const char *text, const char *name, int *n)
{
    size_t len = strlen(name);
    const char *p = text;

    while (p) {
        if (!strncmp(p, name, len) && p[len] == '=') {
            *n = (int)strcspn(p + len + 1, "\r\n");
            return p + len + 1;
        }
        p = strchr(p, '\n');
        if (p) p++;
    }
    return NULL;
}

static int shaped_images(const char *text, double samples)
{
    const char *p = strstr(text, "\"shape\": [");
    double n = 1;
    char *end;

    if (!p || !strstr(text, "\"truncated\": true")) return 0;
    for (p = strchr(p, '[') + 1;; p = end + 1) {
        n *= strtod(p, &end);
        if (end == p || *end != ',') break;
    }
    n /= samples;
    return n >= 1 && n <= INT_MAX && n == floor(n) ? (int)n : 0;
}

int lp_tiff_stack_images(const char *description, double samples)
{
    const char *v;
    long images;
    int n;

    if (description[0] == '{') return shaped_images(description, samples);
    if (strncmp(description, "ImageJ=", 7)) return 0;
    v = line_value(description, "images", &n);
    images = v ? strtol(v, NULL, 10) : 0;
    return images > 0 && images <= INT_MAX ? (int)images : 0;
}

static double imagej(const lp_tiff_meta *m)
{
    const char *unit;
    double nm;
    int n = 0;

    unit = line_value(m->description, "unit", &n);
    nm = unit && n < 64 ? lp_tiff_unit_nm(unit, n) : 0;
    if (!(nm > 0)) return 0;
    return combine(m->xres > 0 ? nm / m->xres : 0, m->yres > 0 ? nm / m->yres : 0);
}

/* The number behind key in [p, end), and where it stops; 0 where there is none. */
static double number_behind(const char *p, const char *end, const char *key, const char **stop)
{
    const char *at = memmem(p, (size_t)(end - p), key, strlen(key));
    char digits[40], *rest;
    size_t n;
    double v;

    if (!at) return 0;
    at += strlen(key);
    n = (size_t)(end - at) < sizeof digits - 1 ? (size_t)(end - at) : sizeof digits - 1;
    memcpy(digits, at, n);
    digits[n] = 0;
    v = strtod(digits, &rest);
    *stop = at + (rest - digits);
    return v;
}

/* Thermo Fisher: "PixelWidth=" in metres. Zeiss: "Image Pixel Size = " and a unit. */
static double maker(const char *p, int n)
{
    const char *end = p + n, *stop = end;
    double x = number_behind(p, end, "\nPixelWidth=", &stop) * 1e9;
    double y = number_behind(p, end, "\nPixelHeight=", &stop) * 1e9, v;
    int len = 0;

    if (x > 0) return combine(x, y);
    v = number_behind(p, end, "Image Pixel Size = ", &stop);
    while (stop < end && *stop == ' ') stop++;
    while (stop + len < end && len < 16 && (unsigned char)stop[len] > ' ') len++;
    return combine(v * lp_tiff_unit_nm(stop, len), 0);
}

double lp_tiff_pixel_nm(const lp_tiff_meta *m)
{
    double nm = m->unit == 2 ? 2.54e7 : m->unit == 3 ? 1e7 : 0, x, y;

    if (m->maker) {
        double v = maker(m->maker, m->maker_n);

        if (v > 0) return v;
    }
    if (m->description && strstr(m->description, "<OME")) {
        double v = ome(m->description);

        if (v > 0) return v;
    }
    if (m->description && !strncmp(m->description, "ImageJ=", 7)) return imagej(m);
    if (!(nm > 0) || !(m->xres > 0) || !(m->yres > 0)) return 0;
    x = nm / m->xres;
    y = nm / m->yres;
    return x <= 1e3 && fabs(x - y) <= 0.01 * x ? combine(x, y) : 0;
}
