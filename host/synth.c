#include "synth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "synth_draw.h"
#include "synth_optics.h"
#include "synth_scene.h"

const char *lp_synth_kind_name(int kind)
{
    return kind == LP_SYNTH_SHELL ? "shell" : kind == LP_SYNTH_BLEB ? "bleb" : "core";
}

uint64_t lp_synth_seed(uint64_t series_seed, int index)
{
    const uint32_t key[2] = {(uint32_t)series_seed, (uint32_t)(series_seed >> 32)};
    const uint32_t ctr[4] = {(uint32_t)index, 0, 0, 0};
    uint32_t w[4];

    lp_rng_philox(ctr, key, w);
    return (uint64_t)w[0] << 32 | w[1];
}

double lp_synth_defocus(const lp_synth_options *o, uint64_t seed)
{
    lp_rng g;

    lp_rng_init(&g, seed, LP_STREAM_OPTICS, 0);
    return lp_rng_range(&g, o->defocus_min, o->defocus_max);
}

/* Complete outline in pixels, inside the image or not: sums for area and centroid. */
typedef struct {
    int64_t n, sy, sx;
} outline;

/* Marks the pixels of shape s in owner (by index + 1) where it is nearer, in units of
 * its radius, than the shape that has them. */
static outline mark(const lp_synth_options *o, const lp_synth_shape *s, uint32_t value,
                    uint32_t *owner, float *nearest)
{
    int y0 = (int)floor(s->y - s->extent), y1 = (int)ceil(s->y + s->extent), y;
    int x0 = (int)floor(s->x - s->extent), x1 = (int)ceil(s->x + s->extent);
    int64_t n = 0, sy = 0, sx = 0;

#pragma omp parallel for schedule(static) reduction(+ : n, sy, sx)
    for (y = y0; y <= y1; y++) {
        int x;

        for (x = x0; x <= x1; x++) {
            float u = (float)lp_synth_inside(s, y - s->y, x - s->x);
            size_t i;

            if (!(u < 1.0f)) continue;
            n++;
            sy += y;
            sx += x;
            if (y < 0 || x < 0 || y >= o->Ly || x >= o->Lx) continue;
            i = (size_t)y * o->Lx + x;
            if (owner[i] && nearest[i] <= u) continue;
            owner[i] = value;
            nearest[i] = u;
        }
    }
    return (outline){n, sy, sx};
}

/* Labels and list from the shapes. */
static lp_status label(const lp_synth_options *o, const lp_synth_shape *s, int ns, lp_labels *lb,
                       lp_synth_particle **list, int *n_out, lp_err *err)
{
    size_t npx = (size_t)o->Ly * o->Lx, i;
    float *nearest = malloc(npx * sizeof *nearest);
    lp_synth_particle *p = calloc((size_t)ns + 1, sizeof *p);
    lp_labels t = {NULL, 0, 0};
    lp_status st;
    int k, n = 0;

    if (!nearest || !p) {
        st = lp_fail_mem(err, "synth labels", (double)npx * sizeof *nearest);
        goto done;
    }
    if ((st = lp_labels_new(&t, o->Ly, o->Lx, err))) goto done;
    for (k = 0; k < ns; k++) {
        outline c = mark(o, s + k, (uint32_t)k + 1, t.data, nearest);
        double area = c.n > 0 ? (double)c.n : 1.0;

        p[k] = (lp_synth_particle){
            .kind = s[k].kind, .y = (double)c.sy / area, .x = (double)c.sx / area};
        p[k].diameter = sqrt(area * 4.0 / 3.14159265358979323846);
        p[k].visible = area; /* divided into the label's area below */
    }
    for (i = 0; i < npx; i++)
        if (t.data[i]) {
            lp_synth_particle *q = p + t.data[i] - 1;
            int y = (int)(i / (size_t)o->Lx), x = (int)(i % (size_t)o->Lx);

            q->area++;
            if (y == 0 || x == 0 || y == o->Ly - 1 || x == o->Lx - 1) q->touches_edge = 1;
        }
    for (k = 0; k < ns; k++) {
        p[k].visible = (double)p[k].area / p[k].visible;
        if (p[k].area >= LP_SYNTH_MIN_AREA) p[k].id = ++n;
    }
    for (i = 0; i < npx; i++)
        if (t.data[i]) t.data[i] = (uint32_t)p[t.data[i] - 1].id;
    for (k = 0; k < ns; k++)
        if (p[k].id) p[p[k].id - 1] = p[k];
    if (lb) {
        *lb = t;
        t.data = NULL;
    }
    if (list) {
        *list = p;
        *n_out = n;
        p = NULL;
    }
done:
    lp_labels_free(&t);
    free(nearest);
    free(p);
    return st;
}

lp_status lp_synth_render(const lp_synth_options *o, uint64_t seed, lp_image *im, lp_labels *lb,
                          lp_synth_particle **list, int *n, lp_err *err)
{
    lp_synth_shape *s = NULL;
    lp_synth_canvas c = {NULL, 0, 0, 0};
    lp_image t = {.data = NULL};
    double defocus;
    int ns = 0, k;
    lp_status st;

    if ((st = lp_synth_check(o, err))) return st;
    defocus = lp_synth_defocus(o, seed);
    if ((st = lp_synth_place(o, seed, &s, &ns, err))) goto done;
    if ((st = lp_synth_canvas_new(&c, o->Ly, o->Lx, lp_synth_halo(o, defocus), err))) goto done;
    for (k = 0; k < ns; k++)
        if ((st = lp_synth_draw_shape(&c, o, seed, s + k, err))) goto done;
    lp_synth_draw_dirt(&c, o, seed);
    lp_synth_draw_ice(&c, o, seed);
    if ((st = lp_image_new(&t, 1, o->Ly, o->Lx, err))) goto done;
    if ((st = lp_synth_image(o, defocus, &c, t.data, err))) goto done;
    lp_synth_canvas_free(&c);
    lp_synth_expose(o, seed, t.data);
    if ((st = lp_synth_flatten(o, t.data, err))) goto done;
    t.pixel_nm = o->pixel_nm;
    if ((lb || list) && (st = label(o, s, ns, lb, list, n, err))) goto done;
    *im = t;
    t.data = NULL;
done:
    lp_image_free(&t);
    lp_synth_canvas_free(&c);
    free(s);
    return st;
}
