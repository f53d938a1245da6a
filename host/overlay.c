#include "overlay.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "palette.h"
#include "sample_range.h"
#include "sort.h"
#include "text.h"

/* Copies of the grey value per pixel: 1, or 3 for RGB. */
static void stretch(uint8_t *out, int copies, const float *image, int64_t n, float lo, float hi)
{
    float gain = hi > lo ? 255 / (hi - lo) : 0;
    int64_t i;

#pragma omp parallel for
    for (i = 0; i < n; i++) {
        float v = (image[i] - lo) * gain;
        uint8_t g = !(v > 0) ? 0 : v >= 255 ? 255 : (uint8_t)(v + 0.5f);

        memset(out + copies * i, g, (size_t)copies);
    }
}

int lp_overlay_on_outline(const lp_labels *lb, int y, int x, int t)
{
    const uint32_t *p = lb->data + (size_t)y * lb->Lx + x, a = *p;
    ptrdiff_t s = lb->Lx;
    int k;

    for (k = 1; k <= t; k++) {
        if (x < k || y < k || x + k >= lb->Lx || y + k >= lb->Ly) return 1;
        if (p[-k] != a || p[k] != a || p[-k * s] != a || p[k * s] != a) return 1;
        if (k < t &&
            (p[-k - k * s] != a || p[k - k * s] != a || p[k * s - k] != a || p[k * s + k] != a))
            return 1;
    }
    return 0;
}

static lp_status draw_outlines(lp_rgb *out, const lp_labels *lb, int t, lp_err *err)
{
    lp_label_index ix = {0};
    uint8_t *colour = NULL;
    lp_status st;
    int y;

    if ((st = lp_label_index_new(lb, &ix, err))) goto done;
    colour = calloc((size_t)ix.n + 1, 1);
    if (!colour) {
        st = lp_fail_mem(err, "overlay", (double)ix.n);
        goto done;
    }
    if ((st = lp_palette_assign(lb, &ix, colour, err))) goto done;
#pragma omp parallel for schedule(static)
    for (y = 0; y < lb->Ly; y++) {
        const uint32_t *d = lb->data + (size_t)y * lb->Lx;
        uint8_t *o = out->data + (size_t)y * lb->Lx * 3;
        int x;

        for (x = 0; x < lb->Lx; x++)
            if (d[x] && lp_overlay_on_outline(lb, y, x, t))
                memcpy(o + 3 * (size_t)x, lp_palette[colour[lp_label_index_find(&ix, d[x])]], 3);
    }
done:
    free(colour);
    lp_label_index_free(&ix);
    return st;
}

/* Darkens a box, so that what is written there can be read on any micrograph. */
static void shade(lp_rgb *o, int y0, int x0, int y1, int x1)
{
    int y, x, c;

    for (y = y0 < 0 ? 0 : y0; y < y1 && y < o->Ly; y++)
        for (x = x0 < 0 ? 0 : x0; x < x1 && x < o->Lx; x++)
            for (c = 0; c < 3; c++) {
                uint8_t *p = &o->data[((size_t)y * o->Lx + x) * 3 + c];
                *p = (uint8_t)(*p / 4);
            }
}

static void fill_white(lp_rgb *o, int y0, int x0, int y1, int x1)
{
    int y;

    for (y = y0; y < y1; y++) memset(o->data + ((size_t)y * o->Lx + x0) * 3, 255, (x1 - x0) * 3);
}

/* A length of 1, 2 or 5 x 10^n nm next to a fifth of the width. */
static double bar_length(double width_nm)
{
    double want = width_nm / 5, p = pow(10, floor(log10(want))), m = want / p;

    return p * (m < 1.4142 ? 1 : m < 3.1623 ? 2 : m < 7.0711 ? 5 : 10);
}

static void draw_bar(lp_rgb *o, double pixel_nm, int scale)
{
    static const uint8_t white[3] = {255, 255, 255};
    double nm = bar_length(o->Lx * pixel_nm), shown = nm >= 1000 ? nm / 1000 : nm;
    char num[LP_NUMBER_MAX], label[LP_NUMBER_MAX + 8];
    int bar = (int)(nm / pixel_nm + 0.5), pad = 4 * scale, thick = 2 * scale, text, w, h, y, x;

    snprintf(label, sizeof label, "%s %s", lp_number_format(num, shown, 6),
             nm >= 1000 ? "um" : "nm");
    text = lp_text_width(label, scale);
    w = (bar > text ? bar : text) + 2 * pad;
    h = thick + LP_TEXT_HEIGHT * scale + 3 * pad;
    x = pad;
    y = o->Ly - h - pad;
    if (bar < 1 || y < 0 || x + w > o->Lx) return; /* no room in a tiny picture */
    shade(o, y, x, y + h, x + w);
    lp_text_draw(o->data, o->Ly, o->Lx, y + pad, x + (w - text) / 2, label, scale, white);
    y += h - pad - thick;
    x += (w - bar) / 2;
    fill_white(o, y, x, y + thick, x + bar);
}

static void draw_count(lp_rgb *o, int64_t n, int scale)
{
    static const uint8_t white[3] = {255, 255, 255};
    char s[64];
    int pad = 4 * scale, w, h = LP_TEXT_HEIGHT * scale + 2 * pad;

    snprintf(s, sizeof s, "%lld particle%s", (long long)n, n == 1 ? "" : "s");
    w = lp_text_width(s, scale) + 2 * pad;
    if (2 * pad + w > o->Lx || 2 * pad + h > o->Ly) return;
    shade(o, pad, pad, pad + h, pad + w);
    lp_text_draw(o->data, o->Ly, o->Lx, 2 * pad, 2 * pad, s, scale, white);
}

static void draw_ids(lp_rgb *o, const lp_particle *p, int64_t n, int scale, int factor)
{
    static const uint8_t white[3] = {255, 255, 255}, black[3] = {0, 0, 0};
    int64_t i;

    for (i = 0; i < n; i++) {
        char s[16];
        int y, x, dy, dx;

        snprintf(s, sizeof s, "%u", (unsigned)p[i].id);
        y = (int)(p[i].y / factor) - LP_TEXT_HEIGHT * scale / 2;
        x = (int)(p[i].x / factor) - lp_text_width(s, scale) / 2;
        for (dy = -1; dy <= 1; dy++)
            for (dx = -1; dx <= 1; dx++)
                if (dy || dx)
                    lp_text_draw(o->data, o->Ly, o->Lx, y + dy * scale, x + dx * scale, s, scale,
                                 black);
        lp_text_draw(o->data, o->Ly, o->Lx, y, x, s, scale, white);
    }
}

/* Whole factor that reduces the longer side to at most max_side; max_side 0: 1. */
static int reduction(int Ly, int Lx, int max_side)
{
    int side = Ly > Lx ? Ly : Lx;

    return max_side > 0 && side > max_side ? (side + max_side - 1) / max_side : 1;
}

/* Means of f x f boxes, *Ly2 x *Lx2. */
static lp_status reduce_image(const float *image, int Ly, int Lx, int f, float **small, int *Ly2,
                              int *Lx2, lp_err *err)
{
    int h = Ly / f ? Ly / f : 1, w = Lx / f ? Lx / f : 1, y;
    float *d = malloc((size_t)h * w * sizeof *d);

    if (!d) return lp_fail_mem(err, "overlay", (double)h * w * sizeof *d);
#pragma omp parallel for
    for (y = 0; y < h; y++) {
        int y1 = y * f + f < Ly ? y * f + f : Ly, x, i, j;

        for (x = 0; x < w; x++) {
            int x1 = x * f + f < Lx ? x * f + f : Lx;
            double s = 0;

            for (i = y * f; i < y1; i++)
                for (j = x * f; j < x1; j++) s += image[(size_t)i * Lx + j];
            d[(size_t)y * w + x] = (float)(s / ((double)(y1 - y * f) * (x1 - x * f)));
        }
    }
    *small = d;
    *Ly2 = h;
    *Lx2 = w;
    return LP_OK;
}

/* The label at the middle of each box. */
static lp_status reduce_labels(const lp_labels *lb, int f, lp_labels *lbs, lp_err *err)
{
    lp_labels l = {0};
    lp_status st = lp_labels_new(&l, lb->Ly / f ? lb->Ly / f : 1, lb->Lx / f ? lb->Lx / f : 1, err);
    int y, x;

    if (st) return st;
    for (y = 0; y < l.Ly; y++)
        for (x = 0; x < l.Lx; x++) {
            int y1 = y * f + f < lb->Ly ? y * f + f : lb->Ly;
            int x1 = x * f + f < lb->Lx ? x * f + f : lb->Lx;

            l.data[(size_t)y * l.Lx + x] =
                lb->data[(size_t)((y * f + y1) / 2) * lb->Lx + (x * f + x1) / 2];
        }
    *lbs = l;
    return LP_OK;
}

static lp_status grey(const float *image, int Ly, int Lx, int copies, double low, double high,
                      uint8_t **out, lp_err *err)
{
    float lo = 0, hi = 1;
    lp_status st = lp_sample_range(image, (size_t)Ly * Lx, low, high, &lo, &hi, err);
    uint8_t *g;

    if (st) return st;
    if (!(g = malloc((size_t)Ly * Lx * copies)))
        return lp_fail_mem(err, "overlay", (double)copies * Ly * Lx);
    stretch(g, copies, image, (int64_t)Ly * Lx, lo, hi);
    *out = g;
    return LP_OK;
}

static lp_status grey_picture(const float *image, int Ly, int Lx, double low, double high,
                              lp_rgb *rgb, lp_err *err)
{
    lp_status st = grey(image, Ly, Lx, 3, low, high, &rgb->data, err);

    if (st) return st;
    rgb->Ly = Ly;
    rgb->Lx = Lx;
    return LP_OK;
}

lp_status lp_overlay_grey(const float *image, int Ly, int Lx, int max_side, lp_grey *out,
                          lp_err *err)
{
    lp_grey g = {.Ly = Ly, .Lx = Lx, .reduced = reduction(Ly, Lx, max_side)};
    float *small = NULL;
    lp_status st = LP_OK;

    if (g.reduced > 1) {
        if ((st = reduce_image(image, Ly, Lx, g.reduced, &small, &g.Ly, &g.Lx, err))) return st;
        image = small;
    }
    if (!(st = grey(image, g.Ly, g.Lx, 1, 0.5, 99.5, &g.data, err))) *out = g;
    free(small);
    return st;
}

/* Thicker in larger pictures, which are looked at from further away, but at most a tenth of
 * the median diameter, so that small particles are not painted over. */
static int auto_thickness(int side, const lp_particle *p, int64_t n, int factor)
{
    int t = side < 400 ? 1 : side < 1200 ? 2 : side < 2800 ? 3 : 4;
    double *d = n > 0 ? malloc((size_t)n * sizeof *d) : NULL;
    int64_t i;

    if (!d) return t;
    for (i = 0; i < n; i++) d[i] = p[i].diameter / factor;
    qsort(d, (size_t)n, sizeof *d, lp_by_double);
    if (t > d[n / 2] / 10) t = (int)(d[n / 2] / 10);
    free(d);
    return t < 1 ? 1 : t;
}

lp_status lp_overlay_draw(const float *image, const lp_labels *lb, const lp_particle *p, int64_t n,
                          const lp_overlay_opts *opts, lp_rgb *out, lp_err *err)
{
    int f = reduction(lb->Ly, lb->Lx, opts->max_side), Ly = lb->Ly, Lx = lb->Lx, side, t, scale;
    float *small = NULL;
    lp_labels lbs = {0};
    lp_rgb rgb = {0};
    lp_status st;

    if (f > 1) {
        if ((st = reduce_image(image, Ly, Lx, f, &small, &Ly, &Lx, err))) goto done;
        if ((st = reduce_labels(lb, f, &lbs, err))) goto done;
        image = small;
        lb = &lbs;
    }
    side = Ly > Lx ? Ly : Lx;
    t = opts->thickness > 0 ? opts->thickness : auto_thickness(side, p, n, f);
    scale = side < 500 ? 1 : 2 + side / 1000;
    if ((st = grey_picture(image, lb->Ly, lb->Lx, 0.5, 99.5, &rgb, err))) goto done;
    /* Outlines over the boxes, which would hide particles in the corners. */
    if (opts->pixel_nm > 0 && isfinite(opts->pixel_nm)) draw_bar(&rgb, opts->pixel_nm * f, scale);
    if (opts->count) draw_count(&rgb, n, scale);
    if ((st = draw_outlines(&rgb, lb, t, err))) goto done;
    if (opts->ids) draw_ids(&rgb, p, n, scale > 1 ? (scale + 1) / 2 : 1, f);
    *out = rgb;
    rgb.data = NULL;
done:
    lp_rgb_free(&rgb);
    lp_labels_free(&lbs);
    free(small);
    return st;
}

lp_status lp_overlay_outlines(const float *image, const lp_labels *lb, lp_rgb *out, lp_err *err)
{
    static const uint8_t red[3] = {255, 0, 0};
    lp_rgb rgb = {0};
    lp_status st = grey_picture(image, lb->Ly, lb->Lx, 1, 99, &rgb, err);
    int y, x;

    if (st) return st;
    for (y = 0; y < lb->Ly; y++)
        for (x = 0; x < lb->Lx; x++) {
            size_t i = (size_t)y * lb->Lx + x;

            if (lb->data[i] && lp_overlay_on_outline(lb, y, x, 1)) memcpy(rgb.data + 3 * i, red, 3);
        }
    *out = rgb;
    return LP_OK;
}

void lp_rgb_free(lp_rgb *rgb)
{
    if (!rgb) return;
    free(rgb->data);
    memset(rgb, 0, sizeof *rgb);
}
