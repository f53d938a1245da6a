#include "synth_scene.h"

#include <math.h>
#include <stdlib.h>

#include "detmath.h"
#include "rng.h"

#define PI 3.14159265358979323846
#define MAX_SHAPES 1000000

double lp_synth_outline(const lp_synth_shape *s, double uy, double ux)
{
    double c = ux, d = uy, f = 1.0;
    int k;

    for (k = 0; k < LP_SYNTH_MODES; k++) { /* (c, d) = cos, sin of (k + 2) theta */
        double t = c * ux - d * uy;

        d = c * uy + d * ux;
        c = t;
        f += s->a[k] * c + s->b[k] * d;
    }
    return s->r * f;
}

double lp_synth_inside(const lp_synth_shape *s, double dy, double dx)
{
    double r = sqrt(dy * dy + dx * dx), u;

    u = r > 0.0 ? r / lp_synth_outline(s, dy / r, dx / r) : 0.0;
    if (s->lr > 0.0) {
        double v = sqrt((dy - s->ly) * (dy - s->ly) + (dx - s->lx) * (dx - s->lx)) / s->lr;

        if (v < u) u = v;
    }
    return u;
}

/* Radius of the disc with the area of a shape of unit size, on a coarse grid. */
static double unit_radius(const lp_synth_shape *s)
{
    enum { N = 96 };
    double step = 2.0 * s->extent / N;
    int y, x, n = 0;

    for (y = 0; y < N; y++)
        for (x = 0; x < N; x++)
            n += lp_synth_inside(s, (y + 0.5) * step - s->extent, (x + 0.5) * step - s->extent) <
                 1.0;
    return sqrt(n * step * step / PI);
}

static void make_shape(const lp_synth_options *o, lp_rng *g, double diameter, uint32_t serial,
                       lp_synth_shape *s)
{
    static const double sigma[LP_SYNTH_MODES] = {0.040, 0.015, 0.008, 0.005};
    double wave = 0.0, sum2 = 0.0, scale, t, q, sn, cs;
    int k;

    *s = (lp_synth_shape){.serial = serial, .r = 1.0, .lamellae = 1};
    s->kind = lp_rng_uniform(g) < o->shells ? LP_SYNTH_SHELL : LP_SYNTH_CORE;
    if (s->kind == LP_SYNTH_CORE && lp_rng_uniform(g) < o->blebs) s->kind = LP_SYNTH_BLEB;
    for (k = 0; k < LP_SYNTH_MODES; k++) {
        s->a[k] = o->irregular * sigma[k] * lp_rng_normal(g);
        s->b[k] = o->irregular * sigma[k] * lp_rng_normal(g);
        wave += fabs(s->a[k]) + fabs(s->b[k]);
    }
    if (wave > 0.4) /* keep the outline star-shaped and mild */
        for (k = 0; k < LP_SYNTH_MODES; k++) s->a[k] *= 0.4 / wave, s->b[k] *= 0.4 / wave;
    if (wave > 0.4) wave = 0.4;
    for (k = 0; k < LP_SYNTH_MODES; k++) sum2 += s->a[k] * s->a[k] + s->b[k] * s->b[k];
    s->extent = 1.0 + wave;
    s->req = sqrt(1.0 + 0.5 * sum2);
    if (s->kind == LP_SYNTH_BLEB) {
        s->lr = lp_rng_range(g, 0.45, 0.8);
        t = lp_rng_range(g, 0.75, 1.0);
        lp_det_sincos(lp_rng_uniform(g), &sn, &cs);
        s->ly = t * sn;
        s->lx = t * cs;
        if (t + s->lr > s->extent) s->extent = t + s->lr;
        s->req = unit_radius(s);
    }
    q = lp_rng_uniform(g);
    if (s->kind == LP_SYNTH_SHELL && q < 0.15 && diameter * o->pixel_nm > 45.0) s->lamellae = 2;
    s->strength = o->contrast * lp_det_exp(0.25 * lp_rng_normal(g));
    scale = 0.5 * diameter / s->req;
    s->r *= scale, s->lr *= scale, s->ly *= scale, s->lx *= scale;
    s->extent *= scale, s->req *= scale;
}

static double draw_diameter(const lp_synth_options *o, lp_rng *g)
{
    double lo = lp_det_log(o->diameter_min / o->pixel_nm);
    double hi = lp_det_log(o->diameter_max / o->pixel_nm), z;

    do z = lp_rng_normal(g);
    while (fabs(z) > 2.0);
    return lp_det_exp(0.5 * (lo + hi) + 0.25 * (hi - lo) * z);
}

static int by_size(const void *pa, const void *pb)
{
    const lp_synth_shape *a = pa, *b = pb;

    if (a->req != b->req) return a->req > b->req ? -1 : 1;
    return a->serial < b->serial ? -1 : a->serial > b->serial;
}

/* Cells with lists of the shapes whose centre they hold. */
typedef struct {
    double org, cell;
    int ny, nx;
    int *head, *next;
} grid;

static int cell_of(const grid *gr, double v, int n)
{
    int i = (int)floor((v - gr->org) / gr->cell);

    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* Whether s may stand where it is: apart from all others, or (over) overlapping none
 * by more than 0.6 of the smaller radius. */
static int fits(const grid *gr, const lp_synth_shape *all, const lp_synth_shape *s, int over)
{
    int cy = cell_of(gr, s->y, gr->ny), cx = cell_of(gr, s->x, gr->nx), y, x, j;

    for (y = cy > 0 ? cy - 1 : 0; y <= cy + 1 && y < gr->ny; y++)
        for (x = cx > 0 ? cx - 1 : 0; x <= cx + 1 && x < gr->nx; x++)
            for (j = gr->head[(int64_t)y * gr->nx + x]; j >= 0; j = gr->next[j]) {
                double dy = all[j].y - s->y, dx = all[j].x - s->x, need;

                if (over)
                    need = all[j].req + s->req - 0.6 * (all[j].req < s->req ? all[j].req : s->req);
                else
                    need = all[j].extent + s->extent + 2.0;
                if (dy * dy + dx * dx < need * need) return 0;
            }
    return 1;
}

static int try_place(const lp_synth_options *o, lp_rng *g, const grid *gr,
                     const lp_synth_shape *all, int n, lp_synth_shape *s, double margin)
{
    int tries, over = n > 0 && lp_rng_uniform(g) < o->crowding;

    for (tries = 0; tries < 200; tries++) {
        if (over) {
            const lp_synth_shape *t = all + (int)(lp_rng_uniform(g) * n);
            double small = t->req < s->req ? t->req : s->req, sn, cs;
            double d = t->req + s->req - lp_rng_range(g, -0.08, 0.6) * small;

            lp_det_sincos(lp_rng_uniform(g), &sn, &cs);
            s->y = t->y + d * sn;
            s->x = t->x + d * cs;
            if (s->y < -margin || s->x < -margin || s->y > o->Ly + margin || s->x > o->Lx + margin)
                continue;
        } else {
            s->y = lp_rng_range(g, -margin, o->Ly + margin);
            s->x = lp_rng_range(g, -margin, o->Lx + margin);
        }
        if (fits(gr, all, s, over)) return 1;
    }
    return 0;
}

lp_status lp_synth_place(const lp_synth_options *o, uint64_t seed, lp_synth_shape **out, int *n_out,
                         lp_err *err)
{
    double margin = 0.5 * o->diameter_max / o->pixel_nm, area = 0.0, target, biggest = 1.0;
    lp_synth_shape *s = NULL;
    grid gr = {.head = NULL, .next = NULL};
    int n = 0, cap = 0, placed = 0, i;
    lp_status st = LP_OK;
    lp_rng g;

    lp_rng_init(&g, seed, LP_STREAM_SCENE, 0);
    target = o->density * (o->Ly + 2.0 * margin) * (o->Lx + 2.0 * margin);
    while (area < target) {
        double d = draw_diameter(o, &g);

        /* The last one is kept with the chance that makes the mean coverage right. */
        area += 0.25 * PI * d * d;
        if (area > target &&
            lp_rng_uniform(&g) * 0.25 * PI * d * d > target - area + 0.25 * PI * d * d)
            break;
        if (n == cap) {
            lp_synth_shape *p = realloc(s, (size_t)(cap = cap ? 2 * cap : 256) * sizeof *s);

            if (!p || n > MAX_SHAPES) {
                s = p ? p : s;
                st = p ? lp_fail(err, LP_EARG,
                                 "synth: more than %d particles: lower --density or raise "
                                 "--diameter_min",
                                 MAX_SHAPES)
                       : lp_fail_mem(err, "synth", (double)cap * sizeof *s);
                goto done;
            }
            s = p;
        }
        make_shape(o, &g, d, (uint32_t)n, s + n);
        if (s[n].extent > biggest) biggest = s[n].extent;
        n++;
    }
    if (n) qsort(s, (size_t)n, sizeof *s, by_size);
    gr.org = -margin;
    gr.cell = 2.0 * biggest + 2.0;
    gr.ny = (int)((o->Ly + 2.0 * margin) / gr.cell) + 1;
    gr.nx = (int)((o->Lx + 2.0 * margin) / gr.cell) + 1;
    gr.head = malloc((size_t)gr.ny * (size_t)gr.nx * sizeof *gr.head);
    gr.next = malloc(((size_t)n + 1) * sizeof *gr.next);
    if (!gr.head || !gr.next) {
        st = lp_fail_mem(err, "synth grid", (double)gr.ny * gr.nx * sizeof *gr.head);
        goto done;
    }
    for (i = 0; i < gr.ny * gr.nx; i++) gr.head[i] = -1;
    for (i = 0; i < n; i++) {
        lp_synth_shape t = s[i];
        int *head;

        if (!try_place(o, &g, &gr, s, placed, &t, margin)) continue;
        head = gr.head + (int64_t)cell_of(&gr, t.y, gr.ny) * gr.nx + cell_of(&gr, t.x, gr.nx);
        s[placed] = t;
        gr.next[placed] = *head;
        *head = placed++;
    }
    *out = s;
    *n_out = placed;
    s = NULL;
done:
    free(gr.head);
    free(gr.next);
    free(s);
    return st;
}
