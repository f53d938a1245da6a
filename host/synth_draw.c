#include "synth_draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detmath.h"
#include "rng.h"

#define PI 3.14159265358979323846

/* Potentials relative to ice in V, lengths in nm. A bilayer is two dense head-group
 * layers 4 nm apart around tails that scatter less than water. */
#define V_HEAD 1.5
#define V_TAIL (-0.45)
#define V_CORE 0.42
#define HEAD_DEPTH 0.9 /* of the outer head groups below the rim */
#define HEAD_SIGMA 0.6
#define LEAFLETS 4.0
#define CARBON_V 5.0
#define GRAIN 0.036 /* rad rms, 1 nm pixels, 100 nm of ice */

double lp_synth_wavelength(double kv)
{
    double v = kv * 1000.0;

    return 1.22639 / sqrt(v * (1.0 + 0.97845e-6 * v));
}

double lp_synth_sigma(double kv)
{
    return 2.0 * PI / (lp_synth_wavelength(kv) * kv * 1000.0) * (510.999 + kv) /
           (2.0 * 510.999 + kv);
}

lp_status lp_synth_canvas_new(lp_synth_canvas *c, int Ly, int Lx, int halo, lp_err *err)
{
    size_t n = ((size_t)Ly + 2 * (size_t)halo) * ((size_t)Lx + 2 * (size_t)halo);

    c->phase = calloc(n, sizeof(float));
    if (!c->phase) return lp_fail_mem(err, "synth canvas", (double)n * sizeof(float));
    c->Ly = Ly + 2 * halo;
    c->Lx = Lx + 2 * halo;
    c->halo = halo;
    return LP_OK;
}

void lp_synth_canvas_free(lp_synth_canvas *c)
{
    free(c->phase);
    memset(c, 0, sizeof *c);
}

/* Serials of textures that belong to no particle (those count from 0). */
#define TEXTURE_CARBON 0x40000000u
#define TEXTURE_CLUTTER 0x40000001u
#define TEXTURE_PATCH 0x80000100u
#define TEXTURE_PROTEIN 0x10000000u /* with a particle's serial */
#define TEXTURE_SPIKES 0x20000000u
#define TEXTURE_LOAD 0x90000000u

/* Smooth noise in -1..1 on a square lattice of cell 1. */
static double lattice(uint64_t seed, uint32_t serial, double fy, double fx)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    double iy = floor(fy), ix = floor(fx), v[4];
    int k;

    fy -= iy;
    fx -= ix;
    fy = fy * fy * (3.0 - 2.0 * fy);
    fx = fx * fx * (3.0 - 2.0 * fx);
    for (k = 0; k < 4; k++) {
        uint32_t c[4] = {(uint32_t)((int32_t)ix + (k & 1)), (uint32_t)((int32_t)iy + (k >> 1)),
                         serial, LP_STREAM_TEXTURE};
        uint32_t w[4];

        lp_rng_philox(c, key, w);
        v[k] = lp_rng_unit(w[0], w[1]) * 2.0 - 1.0;
    }
    return (v[0] * (1.0 - fx) + v[1] * fx) * (1.0 - fy) + (v[2] * (1.0 - fx) + v[3] * fx) * fy;
}

/* Smooth noise of about -1..1 with grains of `cell` pixels, (y, x) in the image. Two
 * lattices at an angle to the pixels and to each other, or the eye finds the squares. */
static double texture(uint64_t seed, uint32_t serial, double y, double x, double cell)
{
    double a, b;

    y /= cell;
    x /= cell;
    a = lattice(seed, 2u * serial, 0.8 * y + 0.6 * x, 0.8 * x - 0.6 * y);
    y *= 0.85;
    x *= 0.85;
    b = lattice(seed, 2u * serial + 1u, (12.0 * x - 5.0 * y) / 13.0, (12.0 * y + 5.0 * x) / 13.0);
    return 0.75 * (a + b);
}

static double gauss(double x, double sigma)
{
    return lp_det_exp(-0.5 * x * x / (sigma * sigma));
}

/* Potential of a bilayer, d nm below its rim. Layers are never thinner than the
 * pixels can carry. */
static double bilayer(double d, double blur)
{
    double s = sqrt(HEAD_SIGMA * HEAD_SIGMA + blur * blur), k = HEAD_SIGMA / s;

    return k * (V_HEAD * (gauss(d - HEAD_DEPTH, s) + gauss(d - HEAD_DEPTH - LEAFLETS, s)) +
                V_TAIL * gauss(d - HEAD_DEPTH - 0.5 * LEAFLETS, 1.6 * s));
}

/* A dense core behind a monolayer of head groups. */
static double solid(double d, double blur)
{
    double s = sqrt(HEAD_SIGMA * HEAD_SIGMA + blur * blur), t = d - HEAD_DEPTH - 1.2;

    t = t < -1.0 ? 0.0 : t > 1.0 ? 1.0 : 0.5 + 0.25 * t * (3.0 - t * t);
    return V_CORE * t + V_HEAD * HEAD_SIGMA / s * gauss(d - HEAD_DEPTH, s);
}

/* Projection of a sphere as phase against distance from its centre. */
typedef struct {
    float *v; /* [n + 2] */
    int n;
    double step; /* px */
} profile;

static lp_status profile_new(profile *p, const lp_synth_options *o, const lp_synth_shape *s,
                             double radius, int shell, lp_err *err)
{
    double px = o->pixel_nm, blur = 0.35 * px, k = lp_synth_sigma(o->voltage_kv) * s->strength;
    double pad = 2.0 / px + 1.0, *v;
    int i, j;

    p->step = 0.2 / px < 0.25 ? 0.2 / px : 0.25;
    if ((radius + pad) / p->step > 2048.0) p->step = (radius + pad) / 2048.0;
    p->n = (int)ceil((radius + pad) / p->step);
    p->v = calloc((size_t)p->n + 2, sizeof(float));
    v = malloc(((size_t)p->n + 2) * sizeof *v);
    if (!p->v || !v) {
        free(p->v);
        free(v);
        p->v = NULL;
        return lp_fail_mem(err, "synth profile", (double)p->n * sizeof *v);
    }
    for (j = 0; j < p->n; j++) {
        double d = (radius - (j + 0.5) * p->step) * px;

        v[j] = shell ? bilayer(d, blur) : solid(d, blur);
        if (shell && s->lamellae == 2 && s->kind == LP_SYNTH_SHELL) v[j] += bilayer(d - 9.0, blur);
    }
    /* Exact projection (Abel transform) of shells of constant potential. */
#pragma omp parallel for schedule(static)
    for (i = 0; i < p->n; i++) {
        double r2 = (double)i * i, below = 0.0, sum = 0.0;
        int m;

        for (m = i; m < p->n; m++) {
            double chord = sqrt((m + 1.0) * (m + 1.0) - r2);

            sum += v[m] * (chord - below);
            below = chord;
        }
        p->v[i] = (float)(2.0 * sum * p->step * px * k);
    }
    free(v);
    (void)j;
    return LP_OK;
}

static double profile_at(const profile *p, double r)
{
    double t = r / p->step;
    int i = (int)t;

    if (!(t < p->n)) return 0.0;
    return p->v[i] + (t - i) * (p->v[i + 1] - p->v[i]);
}

/* Relative change of a particle's phase from place to place: membranes carry proteins and
 * thin out; cores are grainy, relatively less so where many grains overlap. */
static double unevenness(uint64_t seed, const lp_synth_shape *s, double y, double x, double cell)
{
    double n = s->r / (4.0 * cell);

    if (s->kind == LP_SYNTH_SHELL) return 0.4 * texture(seed, s->serial, y, x, 1.5 * cell);
    return 0.55 / sqrt(n < 1.0 ? 1.0 : n) * texture(seed, s->serial, y, x, cell);
}

/* Phase of proteins at distance r of a liposome of radius R, px: as deep as its lumen (the
 * grains of a column add up at random, hence the root), and sparse spikes on its outside. */
static double proteins(const lp_synth_options *o, uint64_t seed, const lp_synth_shape *s, double y,
                       double x, double r, double R)
{
    double px = o->pixel_nm, in = R - 6.0 / px, cell = 2.6 / px, w = 0.0, t, load;

    if (cell < 1.2) cell = 1.2;
    if (r < in) w = sqrt(2.0 * px * sqrt(in * in - r * r) / 20.0);
    if (r > in) {
        t = (r - R) * px / 9.0; /* spikes reach 9 nm, where there are any */
        t = t < 1.0 ? 1.0 - fabs(t) : 0.0;
        w = t * (1.0 + texture(seed, s->serial ^ TEXTURE_SPIKES, y, x, 4.0 * cell));
    }
    if (!(w > 0.0)) return 0.0;
    t = texture(seed, s->serial ^ TEXTURE_PROTEIN, y, x, cell);
    load = 1.0 + 0.7 * lattice(seed, s->serial ^ TEXTURE_LOAD, 0.0, 0.0);
    return 0.09 * o->protein * s->strength * load * w * (t > 0.0 ? t : 0.4 * t);
}

lp_status lp_synth_draw_shape(lp_synth_canvas *c, const lp_synth_options *o, uint64_t seed,
                              const lp_synth_shape *s, lp_err *err)
{
    int shell = s->kind == LP_SYNTH_SHELL, y, y0, y1, x0, x1;
    double reach = s->extent + (shell && o->protein > 0.0 ? 9.0 : 2.5) / o->pixel_nm + 2.0,
           cy = s->y + c->halo, cx = s->x + c->halo;
    double cell = (shell ? 4.0 : 2.8) / o->pixel_nm, px = o->pixel_nm;
    profile body = {.v = NULL}, lobe = {.v = NULL};
    lp_status st;

    if (cell < 1.5) cell = 1.5;
    y0 = cy - reach < 0 ? 0 : (int)(cy - reach);
    x0 = cx - reach < 0 ? 0 : (int)(cx - reach);
    y1 = cy + reach > c->Ly - 1 ? c->Ly - 1 : (int)(cy + reach);
    x1 = cx + reach > c->Lx - 1 ? c->Lx - 1 : (int)(cx + reach);
    if (y0 > y1 || x0 > x1) return LP_OK;
    if ((st = profile_new(&body, o, s, s->r, shell, err))) goto done;
    if (s->lr > 0.0 && (st = profile_new(&lobe, o, s, s->lr, 1, err))) goto done;
#pragma omp parallel for schedule(static)
    for (y = y0; y <= y1; y++) {
        int x;

        for (x = x0; x <= x1; x++) {
            double dy = y - cy, dx = x - cx, r = sqrt(dy * dy + dx * dx), rr = r, v, grains = 0.0;

            if (r > reach) continue;
            if (r > 0.0) rr = r * s->r / lp_synth_outline(s, dy / r, dx / r);
            v = profile_at(&body, rr);
            if (lobe.v) { /* the bleb's membrane ends where it meets the core */
                double ey = dy - s->ly, ex = dx - s->lx, w = (rr - s->r) * px / 4.0 + 1.0;

                w = w < 0.0 ? 0.0 : w > 1.0 ? 1.0 : w;
                v += w * profile_at(&lobe, sqrt(ey * ey + ex * ex));
            }
            if (shell && o->protein > 0.0)
                grains = proteins(o, seed, s, y - c->halo, x - c->halo, rr, s->r);
            if (v == 0.0 && grains == 0.0) continue;
            v *= 1.0 + unevenness(seed, s, y - c->halo, x - c->halo, cell);
            v += grains;
            c->phase[(size_t)y * c->Lx + x] += (float)v;
        }
    }
done:
    free(body.v);
    free(lobe.v);
    return st;
}

void lp_synth_ice_init(lp_synth_ice *ice, const lp_synth_options *o, uint64_t seed)
{
    double sn, cs;
    lp_rng g;

    lp_rng_init(&g, seed, LP_STREAM_ICE, 0);
    lp_det_sincos(lp_rng_uniform(&g), &sn, &cs);
    ice->gy = o->ice_gradient * sn;
    ice->gx = o->ice_gradient * cs;
    ice->bowl = o->ice_gradient * lp_rng_range(&g, -0.3, 0.6);
}

double lp_synth_ice_at(const lp_synth_ice *ice, const lp_synth_options *o, int y, int x)
{
    double v = (y + 0.5) / o->Ly - 0.5, u = (x + 0.5) / o->Lx - 0.5;
    double t = 1.0 + ice->gy * v + ice->gx * u + ice->bowl * (v * v + u * u - 1.0 / 6.0);

    return t > 0.1 ? t : 0.1;
}

/* Amorphous ice scatters at random: white phase noise, which the lens turns into the
 * grain and Thon rings of the background. GRAIN rad at 100 nm of ice and 1 nm pixels. */
void lp_synth_draw_ice(lp_synth_canvas *c, const lp_synth_options *o, uint64_t seed)
{
    double base = GRAIN / o->pixel_nm * sqrt(o->ice_nm / 100.0);
    lp_synth_ice ice;
    int y;

    if (o->ice_nm <= 0.0) return;
    lp_synth_ice_init(&ice, o, seed);
#pragma omp parallel for schedule(static)
    for (y = 0; y < c->Ly; y++) {
        double z[2] = {0.0, 0.0};
        int x;

        for (x = 0; x < c->Lx; x++) {
            double t = lp_synth_ice_at(&ice, o, y - c->halo, x - c->halo);

            if (!(x & 1)) lp_rng_normal_at(seed, LP_STREAM_GRAIN, y - c->halo, x >> 1, z);
            c->phase[(size_t)y * c->Lx + x] += (float)(base * sqrt(t) * z[x & 1]);
        }
    }
}

/* A lump: soft disc, or polygon of facets, of radius r px, peak phase rad. */
typedef struct {
    double y, x, r, phase, soft; /* soft: width of the slope, relative to r */
    int facets;                  /* 0 for a disc */
    double ny[8], nx[8], h[8];
} lump;

static void draw_lump(lp_synth_canvas *c, const lump *l)
{
    double cy = l->y + c->halo, cx = l->x + c->halo, reach = 1.6 * l->r + 1.0;
    int y0 = (int)floor(cy - reach), y1 = (int)ceil(cy + reach), y, x, k;
    int x0 = (int)floor(cx - reach), x1 = (int)ceil(cx + reach);

    for (y = y0 < 0 ? 0 : y0; y <= y1 && y < c->Ly; y++)
        for (x = x0 < 0 ? 0 : x0; x <= x1 && x < c->Lx; x++) {
            double dy = (y - cy) / l->r, dx = (x - cx) / l->r, u, t, band = 1.0;

            u = l->facets ? 0.0 : sqrt(dy * dy + dx * dx);
            for (k = 0; k < l->facets; k++) {
                double f = (dy * l->ny[k] + dx * l->nx[k]) / l->h[k];

                if (f > u) u = f;
            }
            if (u >= 1.0) continue;
            t = (1.0 - u) / l->soft;
            t = t > 1.0 ? 1.0 : t * (2.0 - t);
            if (l->facets) { /* facets tilt the crystal's bands of diffraction contrast */
                double s, cs;

                lp_det_sincos(1.3 * (dy * l->ny[0] + dx * l->nx[0]) + 0.4 * u, &s, &cs);
                band = 0.8 + 0.2 * cs;
            }
            c->phase[(size_t)y * c->Lx + x] += (float)(l->phase * t * band);
        }
}

static void random_lump(lump *l, lp_rng *g, const lp_synth_options *o, double r_nm)
{
    int k;

    *l = (lump){.r = r_nm / o->pixel_nm, .soft = 1.0};
    l->y = lp_rng_range(g, -l->r, o->Ly + l->r);
    l->x = lp_rng_range(g, -l->r, o->Lx + l->r);
    for (k = 0; k < 8; k++) l->h[k] = lp_rng_range(g, 0.6, 1.0);
    l->facets = 0;
}

/* What floats in the buffer: faint grains of 4 nm, in patches. */
static void draw_clutter(lp_synth_canvas *c, const lp_synth_options *o, uint64_t seed)
{
    double cell = 4.0 / o->pixel_nm;
    int y;

    if (cell < 1.5) cell = 1.5;
#pragma omp parallel for schedule(static)
    for (y = 0; y < c->Ly; y++) {
        int x;

        for (x = 0; x < c->Lx; x++) {
            int iy = y - c->halo, ix = x - c->halo;
            double patch = 0.5 + 0.5 * lattice(seed, TEXTURE_PATCH, iy / (20.0 * cell) + 0.37,
                                               ix / (20.0 * cell) + 0.61);

            c->phase[(size_t)y * c->Lx + x] +=
                (float)(0.08 * o->contamination * patch *
                        texture(seed, TEXTURE_CLUTTER, iy, ix, cell));
        }
    }
}

/* Carbon film outside a round hole whose edge passes through the image. */
static void draw_carbon(lp_synth_canvas *c, const lp_synth_options *o, uint64_t seed, lp_rng *g)
{
    double px = o->pixel_nm, r = lp_rng_range(g, 600.0, 1200.0) / px, sn, cs, into, thick, cy, cx;
    double side = o->Ly < o->Lx ? o->Ly : o->Lx, k = lp_synth_sigma(o->voltage_kv);
    int y;

    if (r < side) r = side; /* a hole no smaller than the picture */
    lp_det_sincos(lp_rng_uniform(g), &sn, &cs);
    into = lp_rng_range(g, 0.22, 0.45) * side; /* distance of the edge from the centre */
    thick = lp_rng_range(g, 12.0, 22.0);
    cy = 0.5 * o->Ly - (r - into) * sn + c->halo;
    cx = 0.5 * o->Lx - (r - into) * cs + c->halo;
#pragma omp parallel for schedule(static)
    for (y = 0; y < c->Ly; y++) {
        int x;

        for (x = 0; x < c->Lx; x++) {
            double dy = y - cy, dx = x - cx, d = (sqrt(dy * dy + dx * dx) - r) * px, t, z[2];

            d += 3.0 * texture(seed, TEXTURE_CARBON, y - c->halo, x - c->halo, 14.0 / px);
            if (d <= 0.0) continue;
            t = d < 5.0 ? d / 5.0 : 1.0;
            lp_rng_normal_at(seed, LP_STREAM_CARBON, y - c->halo, x - c->halo, z);
            c->phase[(size_t)y * c->Lx + x] +=
                (float)(t * (k * CARBON_V * thick + GRAIN / px * sqrt(thick / 10.0) * z[0]));
        }
    }
}

void lp_synth_draw_dirt(lp_synth_canvas *c, const lp_synth_options *o, uint64_t seed)
{
    double field = (double)o->Ly * o->Lx * o->pixel_nm * o->pixel_nm / 640000.0; /* (800 nm)^2 */
    double level = o->contamination, sn, cs;
    int n, k;
    lp_rng g;
    lump l;

    if (level <= 0.0) return;
    lp_rng_init(&g, seed, LP_STREAM_DIRT, 0);
    draw_clutter(c, o, seed);
    if (lp_rng_uniform(&g) < 0.4 * level) draw_carbon(c, o, seed, &g);
    /* Ice crystals: dense, faceted. */
    for (n = lp_rng_count(&g, 3.0 * level * field); n > 0; n--) {
        random_lump(&l, &g, o, lp_rng_range(&g, 10.0, 38.0));
        l.phase = lp_rng_range(&g, 0.8, 2.4);
        l.soft = lp_rng_range(&g, 0.25, 0.6);
        l.facets = 5 + (int)(3.0 * lp_rng_uniform(&g));
        for (k = 0; k < l.facets; k++) {
            lp_det_sincos((k + lp_rng_range(&g, 0.0, 0.35)) / l.facets, &sn, &cs);
            l.ny[k] = sn;
            l.nx[k] = cs;
        }
        draw_lump(c, &l);
    }
    /* Dark blobs: small, round, dense. */
    for (n = lp_rng_count(&g, 7.0 * level * field); n > 0; n--) {
        random_lump(&l, &g, o, lp_rng_range(&g, 2.5, 8.0));
        l.phase = lp_rng_range(&g, 0.25, 1.2);
        draw_lump(c, &l);
    }
    /* Debris: faint lipid and protein specks everywhere. */
    for (k = 0; k < 4; k++)
        for (n = lp_rng_count(&g, 25.0 * level * (field < 1.2 ? field : 1.2)); n > 0; n--) {
            random_lump(&l, &g, o, lp_rng_range(&g, 2.0, 5.0));
            l.phase = lp_rng_range(&g, 0.04, 0.22);
            draw_lump(c, &l);
        }
}
