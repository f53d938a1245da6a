#include "synth_optics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detmath.h"
#include "fft.h"
#include "../kernels/normalize.h"
#include "rng.h"

/* Elastic and inelastic losses in ice at 300 kV: mean free path, nm. */
#define MEAN_FREE_PATH 320.0
#define MAX_HALO 512

void lp_synth_lens(const lp_synth_options *o, double defocus_um, double k, double *sn, double *cs,
                   double *env)
{
    double lambda = lp_synth_wavelength(o->voltage_kv), k2 = k * k;
    double turns = 0.5 * lambda * defocus_um * 1e3 * k2 -
                   0.25 * o->cs_mm * 1e6 * lambda * lambda * lambda * k2 * k2;

    lp_det_sincos(turns, sn, cs);
    *env = lp_det_exp(-0.25 * o->bfactor * 0.01 * k2);
}

int lp_synth_halo(const lp_synth_options *o, double defocus_um)
{
    double lambda = lp_synth_wavelength(o->voltage_kv), k = 0.5 / o->pixel_nm, shift, px;

    /* Frequency k is displaced by |d chi / dk| / 2 pi; beyond an envelope of 1e-3
     * nothing is left to displace. */
    if (o->bfactor > 0.0 && 0.01 * o->bfactor * k * k > 27.6) k = sqrt(27.6 / (0.01 * o->bfactor));
    shift =
        fabs(lambda * defocus_um * 1e3 * k) + o->cs_mm * 1e6 * lambda * lambda * lambda * k * k * k;
    px = ceil(shift / o->pixel_nm) + 16.0;
    return px < MAX_HALO ? (int)px : MAX_HALO;
}

typedef struct {
    const lp_synth_options *o;
    const lp_synth_canvas *c;
    const float *lr, *li; /* lens function, [n][n] */
    int n, inner;         /* tile, and the part of it that is used */
} optics;

/* One tile; its used part starts at (ty, tx) of the image. */
static lp_status tile(const optics *p, int ty, int tx, float *re, float *im, float *out,
                      lp_err *err)
{
    double a = p->o->amp_contrast, b = sqrt(1.0 - a * a);
    float norm = 1.0f / ((float)p->n * (float)p->n);
    int n = p->n, y, x;
    lp_status st;
    size_t i;

    for (y = 0; y < n; y++)
        for (x = 0; x < n; x++) {
            int cy = ty + y, cx = tx + x;
            double s, c, m, v;

            cy = cy < p->c->Ly ? cy : p->c->Ly - 1;
            cx = cx < p->c->Lx ? cx : p->c->Lx - 1;
            v = p->c->phase[(size_t)cy * p->c->Lx + cx];
            m = lp_det_exp(-a * v);
            lp_det_sincos(b * v * 0.15915494309189535, &s, &c);
            re[(size_t)y * n + x] = (float)(m * c);
            im[(size_t)y * n + x] = (float)(m * s);
        }
    if ((st = lp_fft2(re, im, n, -1, err))) return st;
    for (i = 0; i < (size_t)n * n; i++) {
        float r = re[i] * p->lr[i] - im[i] * p->li[i];

        im[i] = (re[i] * p->li[i] + im[i] * p->lr[i]) * norm;
        re[i] = r * norm;
    }
    if ((st = lp_fft2(re, im, n, 1, err))) return st;
    for (y = 0; y < p->inner && ty + y < p->o->Ly; y++)
        for (x = 0; x < p->inner && tx + x < p->o->Lx; x++) {
            i = (size_t)(y + p->c->halo) * n + x + p->c->halo;
            out[(size_t)(ty + y) * p->o->Lx + tx + x] = re[i] * re[i] + im[i] * im[i];
        }
    return LP_OK;
}

lp_status lp_synth_image(const lp_synth_options *o, double defocus_um, const lp_synth_canvas *c,
                         float *out, lp_err *err)
{
    int side = o->Ly > o->Lx ? o->Ly : o->Lx, n = 64, ny, nx, t, y;
    float *lens;
    optics p = {.o = o, .c = c};
    lp_status st = LP_OK;

    while (n < side + 2 * c->halo && (n < 512 || n < 4 * c->halo)) n *= 2;
    p.n = n;
    p.inner = n - 2 * c->halo;
    lens = malloc(2 * (size_t)n * n * sizeof *lens);
    if (!lens) return lp_fail_mem(err, "synth lens", 2.0 * n * n * sizeof *lens);
#pragma omp parallel for schedule(static)
    for (y = 0; y < n; y++) {
        int x;

        for (x = 0; x < n; x++) {
            double fy = (double)(y <= n / 2 ? y : y - n) / n,
                   fx = (double)(x <= n / 2 ? x : x - n) / n;
            double f = sqrt(fy * fy + fx * fx), s, cs, env, u = (f - 0.4) / 0.1;

            lp_synth_lens(o, defocus_um, f / o->pixel_nm, &s, &cs, &env);
            u = u < 0.0 ? 0.0 : u > 1.0 ? 1.0 : u;
            env *= 1.0 - u * u * (3.0 - 2.0 * u);
            lens[(size_t)y * n + x] = (float)(env * cs);
            lens[(size_t)n * n + (size_t)y * n + x] = (float)(env * s);
        }
    }
    p.lr = lens;
    p.li = lens + (size_t)n * n;
    ny = (o->Ly + p.inner - 1) / p.inner;
    nx = (o->Lx + p.inner - 1) / p.inner;
#pragma omp parallel
    {
        float *work = malloc(2 * (size_t)n * n * sizeof *work);
        lp_status mine = work ? LP_OK : LP_ENOMEM;

#pragma omp for schedule(dynamic)
        for (t = 0; t < ny * nx; t++)
            if (!mine)
                mine = tile(&p, t / nx * p.inner, t % nx * p.inner, work, work + (size_t)n * n, out,
                            NULL);
        free(work);
        if (mine) {
#pragma omp critical(lp_synth_tiles)
            st = mine;
        }
    }
    free(lens);
    return st ? lp_fail_mem(err, "synth tiles", 2.0 * n * n * sizeof(float)) : LP_OK;
}

void lp_synth_expose(const lp_synth_options *o, uint64_t seed, float *out)
{
    double mean = o->dose * o->pixel_nm * o->pixel_nm * 100.0;
    lp_synth_ice ice;
    int y;

    lp_synth_ice_init(&ice, o, seed);
#pragma omp parallel for schedule(static)
    for (y = 0; y < o->Ly; y++) {
        float *row = out + (size_t)y * o->Lx;
        int x;

        for (x = 0; x < o->Lx; x++) {
            double t = lp_synth_ice_at(&ice, o, y, x);
            double loss = lp_det_exp((1.0 - t) * o->ice_nm / MEAN_FREE_PATH);

            row[x] = (float)lp_rng_poisson_at(seed, LP_STREAM_SHOT, y, x, mean * loss * row[x]);
        }
    }
}

/* Taps of a Gaussian, as many as fit into L; returns their number, which is odd. */
static int taps(double *w, int L, double sigma)
{
    int h = (int)ceil(3.0 * sigma), k;
    double sum = 0.0;

    if (h > (L - 1) / 2) h = (L - 1) / 2;
    for (k = -h; k <= h; k++) sum += w[k + h] = lp_det_exp(-0.5 * k * k / (sigma * sigma));
    for (k = 0; k <= 2 * h; k++) w[k] /= sum;
    return 2 * h + 1;
}

lp_status lp_synth_flatten(const lp_synth_options *o, float *im, lp_err *err)
{
    size_t n = (size_t)o->Ly * o->Lx, side = (size_t)(o->Ly > o->Lx ? o->Ly : o->Lx), i;
    double sigma = o->high_pass / o->pixel_nm, mean = 0.0, *wy = NULL, *wx = NULL;
    float *blur = NULL;
    void *scratch = NULL;
    int ty, tx;

    if (o->high_pass <= 0.0) return LP_OK;
    if (sigma < 1.0) sigma = 1.0;
    wy = malloc(2 * side * sizeof *wy);
    blur = malloc(n * sizeof *blur);
    if (!wy || !blur) goto short_of_memory;
    wx = wy + side;
    ty = taps(wy, o->Ly, sigma);
    tx = taps(wx, o->Lx, sigma);
    scratch = malloc(lp_blur_scratch(o->Lx, tx, 1));
    if (!scratch) goto short_of_memory;
    lp_blur_ref(blur, im, o->Ly, o->Lx, wy, ty, -(ty / 2), wx, tx, -(tx / 2), 1, scratch);
    for (i = 0; i < n; i++) mean += im[i];
    mean /= (double)n;
    for (i = 0; i < n; i++) im[i] = (float)(im[i] - blur[i] + mean);
    free(wy);
    free(blur);
    free(scratch);
    return LP_OK;
short_of_memory:
    free(wy);
    free(blur);
    return lp_fail_mem(err, "synth high_pass", (double)n * sizeof *blur);
}
